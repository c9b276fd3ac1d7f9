import { get } from "./api.ts";
import { type App, rowAddress } from "./app.ts";
import { type Child, fact, h, icon } from "./dom.ts";
import { eraseView } from "./erase.ts";
import { ago } from "./format.ts";
import type { Citation, Problem } from "./wire.ts";
import { readRow, type Receipt, type Row } from "./wire-pages.ts";

type Known = Row | Problem | "loading";

/**
 * What the evidence panel shows below a row: where it comes from, which kept answers were written from it, a link to it, and
 * for who may the way to erase it. Each row is asked for once while the panel stays open.
 */
export function rowMore(app: App): {
  readonly more: (citation: Citation, user: string | undefined) => HTMLElement;
  /** What is known already: of a row that was opened by its address. */
  readonly learned: (row: Row, user: string | undefined) => void;
  readonly forget: () => void;
} {
  const known = new Map<string, Known>();
  const receipts = new Map<string, Receipt>();
  const keyOf = (id: string, user: string | undefined): string =>
    JSON.stringify([id, user ?? app.user() ?? ""]);

  const view = (element: HTMLElement, citation: Citation, key: string, user: string | undefined): void => {
    const { s, language } = app.context();
    const texts = s.pages.rowOf;
    const row = known.get(key) ?? "loading";
    if (row === "loading") {
      element.replaceChildren(h("p", { class: "soft" }, texts.loading));
      return;
    }
    if ("code" in row) {
      const text = row.code === "not_found" ? texts.goneSince : texts.failed;
      element.replaceChildren(h("p", { class: "note" }, icon("partly"), text));
      return;
    }
    const none = app.may("admin", user) ? texts.answersAll : texts.answersNone;
    const parts: Child[] = [
      h(
        "dl",
        { class: "facts" },
        fact(texts.source, h("code", {}, row.source)),
        fact(texts.classification, s.pages.classification[row.classification] ?? row.classification),
      ),
      h("h3", {}, texts.answers),
      row.answers.length === 0
        ? h("p", { class: "soft" }, none)
        : h(
            "ul",
            { class: "answer-refs" },
            ...row.answers.map((answer) =>
              h(
                "li",
                {},
                h("code", {}, answer.id),
                h("span", { class: "soft" }, ago(answer.at, language), ` · ${answer.model}`),
              ),
            ),
          ),
      h("a", { class: "out", href: rowAddress(citation.id) }, icon("link"), texts.link),
      app.may("erase", user) && eraseView(app, citation, user, receipts),
    ];
    element.replaceChildren(...parts.filter((part) => part instanceof Node));
  };

  const learn = async (...[element, citation, key, user]: Parameters<typeof view>): Promise<void> => {
    const found = await get(`/v1/rows/${encodeURIComponent(citation.id)}`, app.callerOf(user));
    known.set(key, found.ok ? readRow(found.value) : found.problem);
    view(element, citation, key, user);
  };

  return {
    more(citation, user) {
      const element = h("div", { class: "row-more" });
      const key = keyOf(citation.id, user);
      if (!known.has(key)) {
        known.set(key, "loading");
        void learn(element, citation, key, user);
      }
      view(element, citation, key, user);
      return element;
    },
    learned: (row, user) => void known.set(keyOf(row.citation.id, user), row),
    forget: () => known.clear(),
  };
}
