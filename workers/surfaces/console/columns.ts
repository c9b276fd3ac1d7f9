import type { AskEvent } from "./api.ts";
import { type Child, flag, h } from "./dom.ts";
import type { Context } from "./format.ts";
import { count, dollars } from "./format.ts";
import { applyEvent, newTurn, type Turn, type TurnActions, turnView } from "./turn.ts";

/** One answer among several. */
export interface Column {
  readonly turn: Turn;
  readonly element: HTMLElement;
  take(event: AskEvent): void;
  stop(): void;
  render(): void;
}

export interface ColumnOptions {
  readonly question: string;
  /** The person who asks; undefined outside demo mode. */
  readonly user: string | undefined;
  readonly label: (context: Context) => string;
  /** Position of the person's flag; undefined for none. */
  readonly flag?: number;
  /** Cost, time and checks in figures above the answer, in the same places in every column. */
  readonly figures: boolean;
  readonly context: () => Context;
  readonly actions: TurnActions;
}

/** An answer that stands beside others, with its name above it. */
export function column(options: ColumnOptions): Column {
  const { context, figures } = options;
  const turn = newTurn(options.question, options.user, false);
  const name = h("h2", { class: "column-title" });
  const facts = h("dl", { class: "metrics", hidden: !figures });
  const view = turnView(turn, options.actions, {
    head: h("div", { class: "column-head" }, name, facts),
    badges: !figures,
    render: (now) => {
      name.replaceChildren(
        ...[options.flag !== undefined && flag(options.flag), options.label(now)].filter(
          (part) => part !== false,
        ),
      );
      if (figures) facts.replaceChildren(...metrics(turn, now));
    },
    tail: () => [],
  });
  view.element.classList.add("column");
  let frame = 0;
  const render = (): void => view.render(context());
  render();
  return {
    turn,
    element: view.element,
    render,
    take(event) {
      const { phase } = turn;
      applyEvent(turn, event);
      if (turn.phase !== phase || event.type === "retract") {
        cancelAnimationFrame(frame);
        frame = 0;
        render();
      } else if (frame === 0) {
        frame = requestAnimationFrame(() => {
          frame = 0;
          view.update(context());
        });
      }
    },
    stop() {
      if (isOver(turn)) return;
      turn.phase = "stopped";
      render();
    },
  };
}

export function isOver({ phase }: Turn): boolean {
  return phase === "done" || phase === "failed" || phase === "stopped";
}

/** The figures of an answer; a dash for each until it is known, so that nothing moves when it is. */
function metrics({ answer }: Turn, context: Context): readonly Node[] {
  const { s, language } = context;
  const { metric } = s.pages;
  return [
    pair("checked", metric.checked, answer && `${answer.supported} / ${answer.checked}`),
    pair("removed", metric.removed, answer && String(answer.removed.length)),
    pair("total", metric.total, answer && s.ms(answer.totalMs)),
    pair("first", metric.first, answer && s.ms(answer.firstTokenMs)),
    pair(
      "tokens",
      metric.tokens,
      answer && `${count(answer.inputTokens, language)} + ${count(answer.outputTokens, language)}`,
    ),
    pair("cost", metric.cost, answer && dollars(answer.costUsd, context)),
  ];
}

function pair(id: string, term: string, value: Child): HTMLElement {
  return h("div", { "data-metric": id }, h("dt", {}, term), h("dd", {}, value ?? "–"));
}

/** How an answer ended, in one sentence for screen readers. */
export function spokenEnd(turn: Turn, label: string, context: Context): string {
  const { s } = context;
  if (turn.problem) {
    return s.pages.finished(label, (s.problem[turn.problem.code] ?? s.problem["other"] ?? [""])[0]);
  }
  const { answer } = turn;
  if (!answer) return s.stopped;
  if (answer.outcome === "answered") return s.pages.finished(label, s.pages.answeredShort);
  const outcome = s.outcome[answer.reason] ?? s.outcome[answer.outcome];
  return s.pages.finished(label, outcome?.[0] ?? answer.outcome);
}
