import { ask, type Caller } from "./api.ts";
import { button, type Child, flag, h, icon } from "./dom.ts";
import { type Context, labelOf, positionOf } from "./format.ts";
import { languageOf } from "./prose.ts";
import {
  applyEvent,
  type Frame,
  newTurn,
  type Turn,
  type TurnActions,
  type TurnView,
  turnView,
} from "./turn.ts";

/** How many earlier turns a follow-up takes along. */
const MAX_HISTORY = 6;

export interface ConversationDeps {
  readonly log: HTMLElement;
  context(): Context;
  caller(): Caller;
  /** The demo user who asks; undefined outside demo mode. */
  user(): string | undefined;
  /** `provider/model`; undefined leaves the choice to the server. */
  model(): string | undefined;
  readonly actions: TurnActions;
  /** Asks a turn's question again: as another person, or without the cache. */
  readonly again: (turn: Turn, options: { readonly user?: string; readonly fresh?: boolean }) => void;
  /** Asking began or ended, or the conversation was emptied. */
  changed(): void;
  /** One sentence for screen readers: how a turn ended. */
  announce(text: string): void;
}

export interface Conversation {
  readonly running: boolean;
  readonly empty: boolean;
  /** Whether the next question follows up on an answer. */
  readonly following: boolean;
  /** The last question; undefined when there is none. */
  readonly last: string | undefined;
  /** Resolves when the turn has ended, whatever ended it. */
  ask(question: string, fresh: boolean): Promise<Turn>;
  stop(): void;
  /** Another person asks from here on: nothing earlier is passed along. */
  divide(user: string): void;
  clear(): void;
  /** Shows everything again, after a change of language. */
  render(): void;
}

/** The turns on the page, and what a follow-up takes from them. */
export function conversation(deps: ConversationDeps): Conversation {
  const { log } = deps;
  let turns: { readonly turn: Turn; readonly view: TurnView }[] = [];
  /** Index of the first turn that the next question may build on. */
  let boundary = 0;
  let running: AbortController | undefined;

  const ours = (): Turn[] => turns.slice(boundary).map(({ turn }) => turn);
  const stop = (): void => running?.abort();

  const askNow = async (question: string, fresh: boolean): Promise<Turn> => {
    stop();
    const abort = new AbortController();
    running = abort;
    const turn = newTurn(question, deps.user(), !turns.some((t) => t.turn.answer?.outcome === "answered"));
    const view = turnView(turn, deps.actions, frameOf(turn, deps.again));
    const request = {
      question,
      fresh,
      model: deps.model(),
      history: ours()
        .flatMap(historyOf)
        .slice(-2 * MAX_HISTORY),
    };
    turns.push({ turn, view });
    view.render(deps.context());
    log.append(view.element);
    deps.changed();
    view.element.scrollIntoView({ block: "start" });
    // Whoever asked by a button, which may be gone now, goes on reading at the question.
    const active = document.activeElement;
    if (!(active instanceof HTMLTextAreaElement)) {
      view.element.querySelector("h2")?.focus({ preventScroll: true });
    }
    let frame = 0;
    const paint = (): void => {
      frame = 0;
      view.update(deps.context());
    };
    for await (const event of ask(request, deps.caller(), abort.signal)) {
      if (abort.signal.aborted) break;
      const phase = turn.phase;
      applyEvent(turn, event);
      if (turn.phase !== phase || event.type === "retract") view.render(deps.context());
      else if (frame === 0) frame = requestAnimationFrame(paint);
    }
    cancelAnimationFrame(frame);
    if (abort.signal.aborted) turn.phase = "stopped";
    view.render(deps.context());
    if (running === abort) {
      running = undefined;
      deps.changed();
      deps.announce(spoken(turn, deps.context()));
    }
    return turn;
  };

  return {
    get running() {
      return running !== undefined;
    },
    get empty() {
      return turns.length === 0;
    },
    get following() {
      return ours().some((turn) => turn.answer?.outcome === "answered");
    },
    get last() {
      return turns.at(-1)?.turn.question;
    },
    ask: askNow,
    stop,
    divide(user) {
      stop();
      boundary = turns.length;
      if (turns.length === 0) return;
      if (log.lastElementChild?.classList.contains("divider")) log.lastElementChild.remove();
      log.append(h("p", { class: "divider", "data-user": user }, ...dividerText(user, deps.context())));
    },
    clear() {
      stop();
      running = undefined;
      turns = [];
      boundary = 0;
      log.replaceChildren();
      deps.changed();
    },
    render() {
      const context = deps.context();
      for (const { view } of turns) view.render(context);
      for (const divider of log.querySelectorAll<HTMLElement>(".divider")) {
        divider.replaceChildren(...dividerText(divider.dataset["user"], context));
      }
    },
  };
}

/** The question above, and below it once more, or as one of the others: one press shows what each of them would be told. */
function frameOf(turn: Turn, again: ConversationDeps["again"]): Frame {
  const who = h("p", { class: "who" });
  const heading = h("h2", { tabindex: -1, lang: languageOf(turn.question) }, turn.question);
  const others = (context: Context): Child => {
    const users = context.users.filter((user) => user.name !== turn.user);
    if (users.length === 0) return false;
    return h(
      "div",
      { class: "same-as", role: "group", "aria-label": context.s.sameAs },
      h("span", { class: "soft", "aria-hidden": "true" }, context.s.sameAs),
      ...users.map((user) =>
        button(
          { class: "person" },
          () => again(turn, { user: user.name }),
          flag(positionOf(context, user.name)),
          user.label,
        ),
      ),
    );
  };
  return {
    head: h("div", { class: "turn-head" }, heading, turn.user !== undefined && who),
    badges: true,
    render: (context) => {
      who.replaceChildren(flag(positionOf(context, turn.user)), labelOf(context, turn.user));
    },
    tail: (context) => [
      turn.answer !== undefined &&
        button({ class: "quiet" }, () => again(turn, { fresh: true }), icon("again"), context.s.again),
      others(context),
    ],
  };
}

function dividerText(user: string | undefined, context: Context): Node[] {
  return [
    flag(positionOf(context, user)),
    h("strong", {}, context.s.nowAs(labelOf(context, user))),
    h("span", { class: "soft" }, context.s.nowAsHint),
  ];
}

/** Markers point at the evidence of their turn: in the next one they would point elsewhere. */
function withoutMarkers(text: string): string {
  return text.replace(/\s*\[[\d,\s]+\]/g, "");
}

function historyOf(turn: Turn): { role: "user" | "assistant"; content: string }[] {
  if (turn.answer?.outcome !== "answered") return [];
  return [
    { role: "user", content: turn.question },
    { role: "assistant", content: withoutMarkers(turn.answer.text).slice(0, 4000) },
  ];
}

function spoken(turn: Turn, context: Context): string {
  const { s } = context;
  if (turn.phase === "stopped") return s.stopped;
  if (turn.problem) return (s.problem[turn.problem.code] ?? s.problem["other"] ?? []).join(". ");
  const { answer } = turn;
  if (!answer) return "";
  if (answer.outcome === "answered") {
    return s.ready(withoutMarkers(answer.text).replace(/[*`#]/g, ""), answer.citations.length);
  }
  return (s.outcome[answer.reason] ?? s.outcome[answer.outcome] ?? [])[0] ?? "";
}
