import type { AskEvent } from "../console/api.ts";
import { button, fact, h } from "../console/dom.ts";
import { languageOf, proseView, settled, webLink, type MarkerOf } from "../console/prose.ts";
import type { Answer, Citation, Problem } from "../console/wire.ts";
import type { WidgetStrings } from "./strings.ts";

/** One question and what became of it. */
export interface WidgetTurn {
  readonly question: string;
  readonly element: HTMLElement;
  /** Undefined until it is whole. */
  readonly answer: Answer | undefined;
  take(event: AskEvent): void;
  /** The reader stopped it. */
  stop(): void;
}

export interface TurnActions {
  /** Opens a source. `back` is what had the focus. */
  cite(citation: Citation, back: HTMLElement): void;
  again(): void;
  vote(answer: string, rating: 1 | -1): Promise<boolean>;
}

export function widgetTurn(question: string, s: WidgetStrings, actions: TurnActions): WidgetTurn {
  const prose = h("div", { class: "answer", "aria-busy": "true" });
  const below = h("div", { class: "below" });
  const waiting = h("p", { class: "muted" }, s.searching);
  const element = h(
    "article",
    {},
    h("div", { class: "question" }, h("span", { class: "quiet" }, `${s.you}: `), question),
    waiting,
    prose,
    below,
  );
  const show = proseView(prose);
  let text = "";
  let citations: readonly Citation[] = [];
  let answer: Answer | undefined;
  let over = false;

  const markerOf: MarkerOf = (marker) => {
    const citation = citations.find((one) => one.marker === marker);
    if (!citation) return over ? undefined : "pending";
    return {
      name: s.source(marker, citation.title),
      open: () => {
        const back = prose.querySelector<HTMLElement>(`[data-marker="${marker}"]`);
        actions.cite(citation, back ?? prose);
      },
    };
  };

  const update = (): void => {
    waiting.hidden = text !== "" || over;
    const known = JSON.stringify([over, citations.map(({ marker, id }) => [marker, id])]);
    show(over ? text : settled(text), known, markerOf);
    const language = languageOf(text);
    if (language) prose.lang = language;
  };

  const end = (): void => {
    over = true;
    prose.setAttribute("aria-busy", "false");
    update();
  };

  const done = (whole: Answer): void => {
    answer = whole;
    text = whole.text;
    citations = whole.citations;
    end();
    if (whole.asOf !== "") {
      below.append(h("span", { class: "muted" }, s.asOf(moment(whole.asOf, s))));
    }
    if (whole.outcome === "answered") below.append(...votes(whole.id, s, actions));
  };

  const fail = (problem: Problem): void => {
    end();
    const retry = problem.retryable || problem.status === 0;
    element.append(
      h(
        "div",
        { class: "problem", role: "alert" },
        h("p", {}, s.problem(problem.code)),
        retry && button({}, () => actions.again(), s.again),
      ),
    );
  };

  return {
    question,
    element,
    get answer() {
      return answer;
    },
    take(event) {
      if (event.type === "evidence") citations = event.citations;
      else if (event.type === "delta") text += event.text;
      else if (event.type === "retract") text = text.slice(0, event.from);
      else if (event.type === "done") return done(event.answer);
      else return fail(event.problem);
      update();
    },
    stop() {
      end();
      below.append(h("span", { class: "muted" }, s.stopped));
    },
  };
}

function votes(answer: string, s: WidgetStrings, actions: TurnActions): HTMLElement[] {
  const said = h("span", { class: "muted", role: "status" });
  const made = ([1, -1] as const).map((rating) => {
    const label = rating === 1 ? s.good : s.bad;
    const element = button(
      { class: "vote", "aria-label": label, title: label, "aria-pressed": "false" },
      () => void choose(rating, element),
      thumb(rating),
    );
    return element;
  });
  async function choose(rating: 1 | -1, chosen: HTMLElement): Promise<void> {
    const kept = await actions.vote(answer, rating);
    for (const one of made) one.setAttribute("aria-pressed", String(kept && one === chosen));
    said.textContent = kept ? s.thanks : s.problem("");
  }
  return [...made, said];
}

const SVG = "http://www.w3.org/2000/svg";

/** Drawn, because not every system has a font with one. */
function thumb(rating: 1 | -1): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", rating === 1 ? "thumb" : "thumb down");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute(
    "d",
    "M3 11h4v9H3zM9 20V10.5L13 3c2 0 2.6 1.6 2.2 3.2L14.4 9.5H20c1 0 1.6.9 1.4 1.8l-1.6 7.2c-.2.9-.9 1.5-1.8 1.5z",
  );
  svg.append(path);
  return svg;
}

/** The row behind a marker, with every cell that the reader may see. */
export function sourceView(citation: Citation, s: WidgetStrings, back: () => void): HTMLElement {
  const link = webLink(citation.url);
  return h(
    "section",
    { class: "source", "aria-label": s.source(citation.marker, citation.title) },
    button({ class: "back" }, back, s.back),
    h("h3", { tabindex: -1 }, citation.title || citation.id),
    h("p", { class: "muted" }, `${citation.table} · ${s.asOf(moment(citation.asOf, s))}`),
    link && h("p", {}, h("a", { href: link.href, target: "_blank", rel: "noopener noreferrer" }, s.openRow)),
    h("dl", {}, ...citation.cells.map(({ column, value }) => fact(column, cell(value)))),
  );
}

function moment(iso: string, s: WidgetStrings): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? iso
    : at.toLocaleString(s.locale, { dateStyle: "medium", timeStyle: "short" });
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
