import { button, flag, h } from "./dom.ts";
import { type Context, nameOf } from "./format.ts";
import { languageOf } from "./prose.ts";
import type { Citation } from "./wire.ts";

/** What one side, a person or a model, has of a question's rows. */
export interface Side {
  readonly label: string;
  readonly flag?: number;
  /** By row: the row as this side sees it; marker 0 for one that its answer does not cite. */
  readonly rows: ReadonlyMap<string, Citation>;
  open(citation: Citation): void;
}

/** The rows of an answer and of a search, each once; what is cited keeps its marker. */
export function rowsOf(
  cited: readonly Citation[],
  found: readonly Citation[],
): ReadonlyMap<string, Citation> {
  const rows = new Map(found.map((row) => [row.id, row]));
  for (const citation of cited) if (citation.marker > 0) rows.set(citation.id, citation);
  return rows;
}

/** Every row that any side has, and what each side has of it: the difference at a glance. */
export function evidenceGrid(sides: readonly Side[], context: Context, kind: "sees" | "cites"): HTMLElement {
  const { s } = context;
  const texts = s.pages;
  const ids = [...new Set(sides.flatMap(({ rows }) => [...rows.keys()]))];
  const shared = (id: string): number => sides.filter(({ rows }) => rows.has(id)).length;
  // Where they differ comes first.
  const ordered = ids.toSorted(
    (a, b) => Number(shared(a) === sides.length) - Number(shared(b) === sides.length),
  );
  const title = kind === "sees" ? texts.seenTitle : texts.citesTitle;
  if (ids.length === 0) {
    return h("p", { class: "soft" }, kind === "sees" ? texts.seenNone : texts.citesNone);
  }
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
    h(
      "table",
      { class: `grid matrix ${sides.length === 2 ? "two" : ""}` },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, texts.row),
          ...sides.map((side) =>
            h("th", { scope: "col" }, side.flag !== undefined && flag(side.flag), side.label),
          ),
        ),
      ),
      h("tbody", {}, ...ordered.map((id) => gridRow(id, sides, context, kind))),
    ),
  );
}

function gridRow(id: string, sides: readonly Side[], context: Context, kind: "sees" | "cites"): HTMLElement {
  const texts = context.s.pages;
  const views = sides.map(({ rows }) => rows.get(id));
  const any = views.find((view) => view !== undefined);
  const columns = new Set(views.flatMap((view) => (view ? [view.cells.length] : [])));
  const same = views.every((view) => view !== undefined);
  return h(
    "tr",
    { class: same ? false : "differs" },
    h(
      "th",
      { scope: "row" },
      h("span", { class: "row-title", lang: languageOf(any?.title ?? "") }, any && nameOf(any)),
      h("code", { class: "soft" }, id),
    ),
    ...sides.map((side, i) => {
      const view = views[i];
      if (!view) return h("td", { class: "absent" }, kind === "sees" ? texts.absent : "–");
      const says = view.marker > 0 ? (kind === "sees" ? texts.cites : texts.cited)(view.marker) : texts.sees;
      return h(
        "td",
        {},
        button(
          { class: "quiet has" },
          () => side.open(view),
          view.marker > 0
            ? h("span", { class: "cite", "aria-hidden": "true" }, String(view.marker))
            : h("span", { class: "seen-dot" }),
          h("span", {}, says, h("span", { class: "sr" }, `: ${nameOf(view)}`)),
        ),
        // The same row, seen through another view of its table.
        columns.size > 1 && h("span", { class: "soft few" }, texts.columns(view.cells.length)),
      );
    }),
  );
}

/** How many rows the two of them share, and how many only one of them has. */
export function sharedTiles(first: Side, second: Side, context: Context): HTMLElement {
  const texts = context.s.pages;
  const both = [...first.rows.keys()].filter((id) => second.rows.has(id)).length;
  const tile = (n: number, text: string, of?: Side): HTMLElement =>
    h(
      "li",
      { class: `tile ${n === 0 ? "none" : ""}` },
      h("strong", {}, String(n)),
      h("span", {}, of?.flag !== undefined && flag(of.flag), text),
    );
  return h(
    "ul",
    { class: "tiles" },
    tile(first.rows.size - both, texts.only(first.label), first),
    tile(both, texts.both),
    tile(second.rows.size - both, texts.only(second.label), second),
  );
}
