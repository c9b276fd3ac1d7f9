import type { App, Page } from "./app.ts";
import { dataPage, emptyView, load } from "./data-page.ts";
import { type Child, fact, h } from "./dom.ts";
import { ahead, type Context, count, money } from "./format.ts";
import { gauge, tag } from "./signs.ts";
import { type Budget, type Budgets, readBudgets } from "./wire-pages.ts";

/** What is spent today of what may be, the nearest to its cap first. */
export function budgetsPage(app: App): Page {
  return dataPage<Budgets>(app, {
    name: "budgets",
    scope: "admin",
    load: (caller) => load("/v1/admin/budgets", caller, readBudgets),
    view: (budgets) => budgetsView(budgets, app.context()),
  });
}

/** The largest share of a cap that is spent or held, 0 to 1 and beyond; 0 where there is no cap. */
function shareOf({ cap, spent, held }: Budget): number {
  const of = (kind: "usd" | "tokens"): number => {
    const most = cap[kind];
    if (most === undefined) return 0;
    return most === 0 ? 1 : (spent[kind] + held[kind]) / most;
  };
  return Math.max(of("usd"), of("tokens"));
}

function budgetsView({ resetsAt, budgets }: Budgets, context: Context): Child[] {
  const { s, language } = context;
  const texts = s.pages.budgets;
  return [
    h("p", { class: "summary" }, texts.resets, " ", resetsAt !== "" && ahead(resetsAt, language)),
    budgets.length === 0
      ? emptyView(texts.none)
      : h(
          "ul",
          { class: "records" },
          ...budgets.toSorted((a, b) => shareOf(b) - shareOf(a)).map((line) => budgetView(line, context)),
        ),
  ];
}

function budgetView(line: Budget, context: Context): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.budgets;
  const share = shareOf(line);
  const [kind = "", name = ""] = line.scope.split(/:(.*)/s);
  const figure = (label: string, of: "usd" | "tokens", say: (amount: number) => string): HTMLElement => {
    const most = line.cap[of];
    return fact(
      label,
      most === undefined
        ? h("span", {}, `${say(line.spent[of])} `, h("span", { class: "soft" }, texts.noCap))
        : texts.of(say(line.spent[of]), say(most)),
      most !== undefined && gauge((line.spent[of] + line.held[of]) / Math.max(most, Number.MIN_VALUE)),
      line.held[of] > 0 && h("span", { class: "soft" }, texts.held(say(line.held[of]))),
    );
  };
  return h(
    "li",
    { class: "record" },
    h(
      "div",
      { class: "record-head" },
      h("h2", {}, texts.scope[kind] ?? kind, name !== "" && " ", name !== "" && h("code", {}, name)),
      share >= 1 ? tag("bad", texts.full) : share >= 0.8 && tag("warn", texts.near),
      h("span", { class: "soft" }, texts.answers(line.answers)),
    ),
    h(
      "dl",
      { class: "figures wide" },
      figure(texts.money, "usd", (amount) => money(amount, language)),
      figure(texts.tokens, "tokens", (amount) => count(amount, language)),
    ),
  );
}
