import { get } from "./api.ts";
import type { App } from "./app.ts";
import { h } from "./dom.ts";
import { count } from "./format.ts";
import { type HeldBack, readHeldBack, type Run } from "./wire-pages.ts";

/** Which rows a run holds back, and why: asked for when somebody opens the list, and again while the run goes on. */
export function heldRows(app: App): (run: Run, total: number, live: boolean) => HTMLElement {
  const known = new Map<string, HeldBack>();
  return (run, total, live) => {
    const texts = app.context().s.pages.runs;
    const body = h("div", {});
    const details = h(
      "details",
      { id: `held-${run.id}` },
      h("summary", {}, texts.heldRows(count(total, app.context().language))),
      body,
    );
    const fill = (): void => {
      const found = known.get(run.id);
      if (found) body.replaceChildren(...listOf(app, found));
    };
    fill();
    details.addEventListener("toggle", () => {
      if (details.open && (live || !known.has(run.id))) void learn();
    });
    const learn = async (): Promise<void> => {
      const found = await get(`/v1/ingest/runs/${encodeURIComponent(run.id)}`, app.callerOf());
      const { s } = app.context();
      if (found.ok) known.set(run.id, readHeldBack(found.value));
      else body.textContent = (s.problem[found.problem.code] ?? s.problem["other"] ?? []).join(". ");
      fill();
    };
    return details;
  };
}

function listOf(app: App, { total, rows }: HeldBack): Node[] {
  const { s, language } = app.context();
  const texts = s.pages.runs;
  const table = h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.heldBack },
    h(
      "table",
      { class: "grid" },
      h(
        "thead",
        {},
        h("tr", {}, ...[s.table, texts.key, texts.reason].map((name) => h("th", { scope: "col" }, name))),
      ),
      h(
        "tbody",
        {},
        ...rows.map(({ table: name, key, reason }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("code", {}, name)),
            h("td", {}, h("code", {}, key)),
            h("td", { class: "said-why" }, texts.held[reason] ?? reason),
          ),
        ),
      ),
    ),
  );
  const more = total - rows.length;
  return more > 0
    ? [table, h("p", { class: "soft below-grid" }, texts.heldMore(count(more, language)))]
    : [table];
}
