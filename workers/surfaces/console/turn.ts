import type { AskEvent } from "./api.ts";
import { button, type Child, fact, h, icon } from "./dom.ts";
import { ago, around, type Context, count, dollars, moment, nameOf } from "./format.ts";
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
  /** The reader's own vote. */
  rating: 1 | -1 | undefined;
}

export interface TurnActions {
  /** Opens the row behind a marker. */
  cite(turn: Turn, marker: number): void;
  /** Asks the question again. */
  again(turn: Turn): void;
  /** @returns whether the vote was kept. */
  vote(turn: Turn, rating: 1 | -1): Promise<boolean>;
}

/** What stands around an answer, which differs with the place that it is shown in. */
export interface Frame {
  /** Above it. Made once: it may hold the focus while everything below is rebuilt. */
  readonly head: HTMLElement;
  render(context: Context): void;
  /** Whether it was checked, cached, timed is told below the answer. */
  readonly badges: boolean;
  /** What else one may do with it, at its end. */
  tail(context: Context): Child[];
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
    rating: undefined,
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

export function turnView(turn: Turn, actions: TurnActions, frame: Frame): TurnView {
  const prose = h("div", { class: "prose" });
  const status = h("div", { class: "status" });
  const foot = h("div", { class: "foot" });
  const element = h("article", { class: "turn" }, frame.head, status, prose, foot);
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
    frame.render(context);
    status.replaceChildren(...statusOf(turn, context));
    updateProse(context);
    foot.replaceChildren(...footOf(turn, context, actions, frame).filter((part) => part instanceof Node));
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

function footOf(turn: Turn, context: Context, actions: TurnActions, frame: Frame): Child[] {
  const { s } = context;
  if (turn.phase === "failed" && turn.problem) {
    return [problemView(turn.problem, context, () => actions.again(turn))];
  }
  if (turn.phase === "stopped") {
    return [h("div", { class: "actions" }, ...frame.tail(context))];
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
    frame.badges && badgesView(answer, context),
    removedView(answer, context),
    detailsView(answer, context),
    h(
      "div",
      { class: "actions" },
      answered && voteView(turn, context, actions),
      answered && copyButton(answer, context),
      ...frame.tail(context),
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

/** Two thumbs. The vote is kept with the model and the kind of question. */
function voteView(turn: Turn, context: Context, actions: TurnActions): HTMLElement {
  const { vote } = context.s.pages;
  const said = h("span", { class: "soft", role: "status" });
  const thumbs = ([1, -1] as const).map((rating) => {
    const label = rating === 1 ? vote.good : vote.bad;
    const pressed = String(turn.rating === rating);
    const thumb = button(
      { class: "quiet thumb", "aria-label": label, title: label, "aria-pressed": pressed },
      () => void choose(rating),
      icon(rating === 1 ? "up" : "down-thumb"),
    );
    return [rating, thumb] as const;
  });
  const choose = async (rating: 1 | -1): Promise<void> => {
    const kept = await actions.vote(turn, rating);
    if (kept) turn.rating = rating;
    for (const [of, thumb] of thumbs) thumb.setAttribute("aria-pressed", String(turn.rating === of));
    said.textContent = kept ? vote.thanks : vote.failed;
  };
  return h(
    "div",
    { class: "vote", role: "group", "aria-label": vote.label },
    ...thumbs.map(([, thumb]) => thumb),
    said,
  );
}
