import type { AskEvent } from "./api.ts";
import { button, type Child, fact, flag, h, icon } from "./dom.ts";
import { ago, around, type Context, count, dollars, labelOf, moment, nameOf, positionOf } from "./format.ts";
import { problemView } from "./problem-view.ts";
import { languageOf, type MarkerOf, proseView, settled } from "./prose.ts";
import type { Answer, Citation, Problem } from "./wire.ts";

/** One question and what became of it. */
export interface Turn {
  readonly question: string;
  /** The demo user who asked; undefined outside demo mode. */
  readonly user: string | undefined;
  /** Shows the notice about machine-written text. */
  readonly first: boolean;
  phase: "searching" | "reading" | "writing" | "done" | "stopped" | "failed";
  text: string;
  citations: readonly Citation[];
  retracted: boolean;
  answer: Answer | undefined;
  problem: Problem | undefined;
}

export interface TurnActions {
  /** Opens the row behind a marker. */
  cite(turn: Turn, marker: number): void;
  /** Asks the question again: as another user, or without the cache. */
  again(turn: Turn, options: { readonly user?: string; readonly fresh?: boolean }): void;
}

export interface TurnView {
  readonly element: HTMLElement;
  /** Shows the turn as it is now; cheap while text arrives. */
  update(context: Context): void;
  /** Rebuilds everything, after a change of language or phase. */
  render(context: Context): void;
}

export function newTurn(question: string, user: string | undefined, first: boolean): Turn {
  return {
    question,
    user,
    first,
    phase: "searching",
    text: "",
    citations: [],
    retracted: false,
    answer: undefined,
    problem: undefined,
  };
}

/** Takes one event of the stream into the turn. */
export function applyEvent(turn: Turn, event: AskEvent): void {
  switch (event.type) {
    case "evidence":
      turn.citations = event.citations;
      turn.phase = "reading";
      return;
    case "delta":
      turn.text += event.text;
      turn.phase = "writing";
      return;
    case "retract":
      turn.text = turn.text.slice(0, event.from);
      turn.retracted = true;
      return;
    case "done":
      turn.answer = event.answer;
      turn.text = event.answer.text;
      turn.citations = event.answer.citations;
      turn.phase = "done";
      return;
    case "error":
      turn.problem = event.problem;
      turn.phase = "failed";
  }
}

export function turnView(turn: Turn, actions: TurnActions): TurnView {
  const prose = h("div", { class: "prose" });
  const status = h("div", { class: "status" });
  const foot = h("div", { class: "foot" });
  const who = h("p", { class: "who" });
  // Made once: it holds the focus while everything below it is rebuilt.
  const heading = h("h2", { tabindex: -1, lang: languageOf(turn.question) }, turn.question);
  const head = h("div", { class: "turn-head" }, heading, turn.user !== undefined && who);
  const element = h("article", { class: "turn" }, head, status, prose, foot);
  const show = proseView(prose);

  const updateProse = (context: Context): void => {
    const answered = turn.phase !== "done" || turn.answer?.outcome === "answered";
    const markerOf: MarkerOf = (marker) => {
      const citation = turn.citations.find((c) => c.marker === marker);
      if (!citation) return turn.phase === "writing" ? "pending" : undefined;
      return {
        name: context.s.openSource(marker, nameOf(citation)),
        open: () => actions.cite(turn, marker),
      };
    };
    const known = `${context.language} ${turn.phase === "writing"} ${turn.citations.map((c) => `${c.marker} ${c.id}`).join(",")}`;
    const text = turn.phase === "done" ? turn.text : settled(turn.text);
    show(answered ? text : "", known, markerOf);
    const language = languageOf(turn.text);
    if (language) prose.lang = language;
    prose.hidden = prose.childElementCount === 0;
  };

  const render = (context: Context): void => {
    element.dataset["phase"] = turn.phase;
    const busy = turn.phase === "searching" || turn.phase === "reading" || turn.phase === "writing";
    prose.setAttribute("aria-busy", String(busy));
    who.replaceChildren(flag(positionOf(context, turn.user)), labelOf(context, turn.user));
    status.replaceChildren(...statusOf(turn, context));
    updateProse(context);
    foot.replaceChildren(...footOf(turn, context, actions).filter((part) => part instanceof Node));
  };

  return { element, update: updateProse, render };
}

function waiting(text: string): Node {
  return h("p", { class: "waiting" }, h("span", { class: "wave", "aria-hidden": "true" }), `${text} …`);
}

function badge(tone: string, name: string, ...text: Child[]): HTMLElement {
  return h("li", { class: `badge ${tone}` }, icon(name), h("span", {}, ...text));
}

function statusOf(turn: Turn, context: Context): Node[] {
  const { s } = context;
  switch (turn.phase) {
    case "searching":
      return [waiting(s.searching)];
    case "reading":
      return [waiting(s.reading(turn.citations.length))];
    case "writing":
    case "done":
      return [];
    case "stopped":
      return [h("p", { class: "note" }, icon("stop"), s.stopped)];
    case "failed":
      return [];
  }
}

function footOf(turn: Turn, context: Context, actions: TurnActions): Child[] {
  const { s } = context;
  if (turn.phase === "failed" && turn.problem) {
    return [problemView(turn.problem, context, () => actions.again(turn, {}))];
  }
  if (turn.phase === "stopped") {
    return [h("div", { class: "actions" }, sameAs(turn, context, actions))];
  }
  const { answer } = turn;
  if (!answer) {
    return turn.retracted ? [h("p", { class: "note" }, icon("undo"), s.retracted)] : [];
  }
  const answered = answer.outcome === "answered";
  return [
    !answered && outcomeView(answer, context),
    answered && turn.first && h("p", { class: "notice" }, icon("machine"), s.notice),
    answered && answer.citations.length > 0 && sourcesView(turn, answer, context, actions),
    badgesView(answer, context),
    removedView(answer, context),
    detailsView(answer, context),
    h(
      "div",
      { class: "actions" },
      answered && copyButton(answer, context),
      button({ class: "quiet" }, () => actions.again(turn, { fresh: true }), icon("again"), s.again),
      sameAs(turn, context, actions),
    ),
  ];
}

/** A question that got no answer: what that means, and what to do. */
function outcomeView(answer: Answer, context: Context): HTMLElement {
  const { s } = context;
  const text = s.outcome[answer.reason] ?? s.outcome[answer.outcome] ?? s.outcome["none_found"];
  return h(
    "div",
    { class: `card ${answer.outcome === "refused" ? "refused" : "empty"}` },
    icon(answer.outcome === "refused" ? "barred" : "fog"),
    h(
      "div",
      {},
      h("h3", {}, text?.[0]),
      h("p", {}, text?.[1]),
      answer.outcome === "no_evidence" && h("p", { class: "soft" }, s.tryHint),
    ),
  );
}

function sourcesView(turn: Turn, answer: Answer, context: Context, actions: TurnActions): HTMLElement {
  const { language } = context;
  return h(
    "ol",
    { class: "sources", "aria-label": context.s.sources(answer.citations.length) },
    ...answer.citations.map((citation) =>
      h(
        "li",
        {},
        button(
          { class: "source", "data-marker": citation.marker },
          () => actions.cite(turn, citation.marker),
          h("span", { class: "cite" }, String(citation.marker)),
          h(
            "span",
            { class: "source-text" },
            h("span", { class: "source-title", lang: languageOf(citation.title) }, nameOf(citation)),
            h(
              "span",
              { class: "soft" },
              citation.table,
              ...(ago(citation.changedAt, language) ? [" · ", ago(citation.changedAt, language)] : []),
            ),
          ),
        ),
      ),
    ),
  );
}

function badgesView(answer: Answer, context: Context): HTMLElement {
  const { s, language } = context;
  const answered = answer.outcome === "answered";
  const whole = answer.supported >= answer.checked && answer.removed.length === 0;
  const asOf = ago(answer.asOf, language);
  const streamed = answer.firstTokenMs > 0 && answer.firstTokenMs < answer.totalMs;
  return h(
    "ul",
    { class: "badges" },
    answered &&
      badge(
        whole ? "good" : "warn",
        whole ? "check" : "partly",
        answer.checked > 0 ? s.verified(answer.supported, answer.checked) : s.verifiedNone,
      ),
    answer.removed.length > 0 && badge("warn", "undo", s.removed(answer.removed.length)),
    badge(
      answer.cache === "exact" || answer.cache === "evidence" ? "sea" : "",
      "cache",
      s.cache[answer.cache] ?? answer.cache,
    ),
    badge("", "clock", s.timing(s.ms(answer.totalMs), streamed ? s.ms(answer.firstTokenMs) : "")),
    answer.model !== "" && badge("", "model", answer.model),
    asOf && badge("", "tide", ...around(s.asOf, asOf)),
  );
}

function removedView(answer: Answer, context: Context): Child {
  const { s } = context;
  if (answer.removed.length === 0) return false;
  return h(
    "div",
    { class: "removed" },
    h("p", {}, s.removedLead),
    h(
      "ul",
      {},
      ...answer.removed.map((removal) =>
        h(
          "li",
          {},
          h("s", {}, removal.text),
          h("span", { class: "soft" }, ` ${s.removedWhy[removal.why] ?? removal.why}`),
        ),
      ),
    ),
  );
}

function detailsView(answer: Answer, context: Context): HTMLElement {
  const { s, language } = context;
  const attempts = answer.attempts.map((a) => `${a.model}: ${a.outcome}`).join(", ");
  return h(
    "details",
    { class: "how" },
    h("summary", {}, s.details),
    h(
      "dl",
      { class: "facts" },
      fact(s.detail.model, answer.model),
      answer.routeWhy !== "" && fact(s.detail.route, answer.routeWhy),
      attempts !== "" && fact(s.detail.attempts, attempts),
      fact(s.detail.cache, s.cache[answer.cache] ?? answer.cache),
      fact(s.detail.total, s.ms(answer.totalMs)),
      fact(s.detail.retrieve, s.ms(answer.retrieveMs)),
      fact(s.detail.first, s.ms(answer.firstTokenMs)),
      fact(
        s.detail.tokens,
        s.tokens(count(answer.inputTokens, language), count(answer.outputTokens, language)),
      ),
      fact(s.detail.cost, dollars(answer.costUsd, context)),
      fact(s.detail.generation, String(answer.generation)),
      answer.asOf !== "" && fact(s.detail.asOf, moment(answer.asOf, language)),
      fact(s.detail.id, h("code", {}, answer.id)),
    ),
  );
}

function copyButton(answer: Answer, context: Context): HTMLButtonElement {
  const { s } = context;
  const label = h("span", {}, s.copy);
  return button(
    { class: "quiet" },
    () => {
      const sources = answer.citations.map((c) => `[${c.marker}] ${nameOf(c)} (${c.id})`);
      navigator.clipboard.writeText([answer.text, ...sources].join("\n")).then(
        () => void (label.textContent = s.copied),
        () => undefined,
      );
    },
    icon("copy"),
    label,
  );
}

/** The other people of the demo: one press shows what each of them would be told. */
function sameAs(turn: Turn, context: Context, actions: TurnActions): Child {
  const others = context.users.filter((user) => user.name !== turn.user);
  if (others.length === 0) return false;
  return h(
    "div",
    { class: "same-as", role: "group", "aria-label": context.s.sameAs },
    h("span", { class: "soft", "aria-hidden": "true" }, context.s.sameAs),
    ...others.map((user) =>
      button(
        { class: "person" },
        () => actions.again(turn, { user: user.name }),
        flag(positionOf(context, user.name)),
        user.label,
      ),
    ),
  );
}
