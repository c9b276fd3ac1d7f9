import { button, type Child, flag, h } from "./dom.ts";
import { ago, around, type Context, labelOf, positionOf } from "./format.ts";
import { languageOf } from "./prose.ts";
import type { Example, TableInfo } from "./wire.ts";

/** The first thing that a newcomer reads. */
export function heroText(name: string, context: Context): Node[] {
  const [first, second] = context.s.headline;
  return [
    h("h1", {}, h("span", {}, first), " ", h("span", {}, second)),
    h("p", { class: "lead" }, context.s.lead(name)),
  ];
}

/** Example questions as cards, each with what it shows and who asks it. */
export function examplesView(
  examples: readonly Example[],
  context: Context,
  choose: (example: Example) => void,
): Node[] {
  if (examples.length === 0) return [];
  return [
    h("h2", {}, context.s.examples),
    h(
      "ul",
      { class: "cards" },
      ...examples.map((example) =>
        h(
          "li",
          {},
          button(
            { class: "example" },
            () => choose(example),
            h("span", { class: "example-q", lang: languageOf(example.question) }, example.question),
            h("span", { class: "soft" }, example.shows[context.language] ?? example.shows["en"]),
            h(
              "span",
              { class: "who" },
              flag(positionOf(context, example.as)),
              context.s.exampleAs(labelOf(context, example.as)),
            ),
          ),
        ),
      ),
    ),
  ];
}

/** The tables that the caller may see, with how fresh each is; `undefined` when they could not be loaded. */
export function tablesView(
  tables: readonly TableInfo[] | undefined,
  user: string | undefined,
  context: Context,
): Node[] {
  const { s, language } = context;
  if (!tables) return [h("p", { class: "soft" }, s.tablesError)];
  if (tables.length === 0) return [h("p", { class: "soft" }, s.tablesNone)];
  const oldest = tables
    .map((table) => table.asOf)
    .filter((at) => at !== "")
    .sort()[0];
  const when: Child = ago(oldest ?? "", language);
  return [
    h(
      "details",
      { open: innerWidth > 640 },
      h(
        "summary",
        {},
        user !== undefined && flag(positionOf(context, user)),
        h("span", {}, s.tables(tables.length)),
        when && h("span", { class: "soft" }, ", ", ...around(s.tablesAsOf, when)),
      ),
      h(
        "ul",
        { class: "tables-list" },
        ...tables.map((table) =>
          h(
            "li",
            {},
            h(
              "p",
              {},
              h("code", {}, table.name),
              table.rows !== undefined && h("span", { class: "soft" }, s.rows(table.rows)),
              // Said once for all in the summary; here only for a table that differs.
              minutesBetween(table.asOf, oldest) > 0 &&
                h("span", { class: "soft" }, ...around(s.asOf, ago(table.asOf, language))),
            ),
            table.description !== "" &&
              h("p", { class: "soft", lang: languageOf(table.description) }, table.description),
          ),
        ),
      ),
    ),
  ];
}

function minutesBetween(later: string, earlier: string | undefined): number {
  return Math.floor((Date.parse(later) - Date.parse(earlier ?? "")) / 60_000) || 0;
}
