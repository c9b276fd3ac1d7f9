import type { App, Page } from "./app.ts";
import { dataPage, emptyView, load } from "./data-page.ts";
import { type Child, fact, h } from "./dom.ts";
import { ago, type Context, count, money, percent } from "./format.ts";
import { languageOf } from "./prose.ts";
import { tag } from "./signs.ts";
import { type Opinion, readReport, type Report } from "./wire-pages.ts";

/** What people think of answers, and what these cost. */
export function feedbackPage(app: App): Page {
  return dataPage<Report>(app, {
    name: "feedback",
    scope: "admin",
    load: (caller) => load("/v1/admin/answers", caller, readReport),
    view: (report) => reportView(report, app.context()),
  });
}

function reportView(report: Report, context: Context): Child[] {
  const { s } = context;
  const texts = s.pages.feedback;
  return [
    h("h2", { class: "section" }, texts.votes),
    report.opinions.length === 0
      ? emptyView(texts.votesNone)
      : h("ul", { class: "records" }, ...report.opinions.map((opinion) => opinionView(opinion, context))),
    h("h2", { class: "section" }, texts.comments),
    report.comments.length === 0
      ? h("p", { class: "soft" }, texts.commentsNone)
      : h("ul", { class: "comments" }, ...report.comments.map((comment) => commentView(comment, context))),
    h("h2", { class: "section" }, texts.cost),
    ...costView(report, context),
  ];
}

function opinionView({ model, kind, up, down }: Opinion, context: Context): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.feedback;
  const share = up / Math.max(1, up + down);
  const good = h("span", {});
  good.style.inlineSize = `${share * 100}%`;
  return h(
    "li",
    { class: "record opinion" },
    h(
      "div",
      { class: "record-head" },
      h("h3", {}, h("code", {}, model)),
      h("span", { class: "soft" }, texts.kind[kind] ?? kind),
      h("span", { class: "grow" }),
      h("span", { class: "soft" }, texts.upDown(up, down)),
      h("strong", {}, texts.share(percent(share, language))),
    ),
    h("span", { class: "split", "aria-hidden": "true" }, good),
  );
}

function commentView(comment: Report["comments"][number], context: Context): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.feedback;
  return h(
    "li",
    { class: "comment" },
    h("p", { lang: languageOf(comment.comment) }, comment.comment),
    h(
      "p",
      { class: "soft" },
      comment.rating > 0 ? tag("good", texts.good) : tag("bad", texts.bad),
      " ",
      ago(comment.at, language),
      " · ",
      h("code", {}, comment.answer),
    ),
  );
}

function costView(report: Report, context: Context): Child[] {
  const { s, language } = context;
  const texts = s.pages.feedback;
  if (report.totals.length === 0) return [h("p", { class: "soft" }, texts.answersNone)];
  return [
    h(
      "dl",
      { class: "figures" },
      fact(texts.hitRate, report.hitRate === undefined ? "–" : percent(report.hitRate, language)),
      fact(
        texts.saved,
        `${money(report.saved.usd, language)}, ${texts.tokens(count(report.saved.tokens, language))}`,
      ),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.cost },
      h(
        "table",
        { class: "grid" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...[s.detail.model, s.detail.cache, texts.answers, texts.spent, s.detail.tokens].map((name) =>
              h("th", { scope: "col" }, name),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          ...report.totals.map((total) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, h("code", {}, total.model)),
              h(
                "td",
                {},
                `${s.cache[total.cache] ?? total.cache}, ${texts.outcome[total.outcome] ?? total.outcome}`,
              ),
              h("td", {}, count(total.answers, language)),
              h("td", {}, money(total.spent.usd, language)),
              h("td", {}, count(total.spent.tokens, language)),
            ),
          ),
        ),
      ),
    ),
  ];
}
