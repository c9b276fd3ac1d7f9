import { ask, send } from "./api.ts";
import type { App, Page } from "./app.ts";
import { askForm } from "./ask-form.ts";
import { type Column, column, isOver, spokenEnd } from "./columns.ts";
import { pageHead } from "./data-page.ts";
import { button, type Child, h, icon } from "./dom.ts";
import { evidenceGrid, rowsOf, sharedTiles, type Side } from "./evidence-grid.ts";
import { labelOf, positionOf } from "./format.ts";
import { voter } from "./vote.ts";
import type { Citation } from "./wire.ts";
import { readMatches, readRows } from "./wire-pages.ts";

/** Passages that a question reads, as the server has it where nothing is said. */
const TOP_K = 8;

interface Half {
  readonly user: string;
  readonly column: Column;
  /** Undefined while they are looked for. */
  found: readonly Citation[] | "failed" | undefined;
}

/** The same question as two people: what each is told, and from which rows. */
export function peoplePage(app: App): Page {
  const head = pageHead(app, "people");
  const columns = h("div", { class: "columns" });
  const notice = h("p", { class: "notice", hidden: true });
  const seen = h("section", { class: "seen" });
  const element = h("section", { class: "page wide" }, head.element);
  let chosen: [string | undefined, string | undefined] = [undefined, undefined];
  let halves: readonly Half[] = [];
  let running: AbortController | undefined;

  const form = askForm(app, {
    submit: () => app.context().s.pages.askBoth,
    settings: () => settings(),
    refuse: () => refusal(),
    ask: (question) => void start(question),
    stop: () => running?.abort(),
  });
  element.append(form.element, columns, notice, seen);

  /** The current person, and the first one who is another: as long as nobody chose, and again when someone is gone. */
  const settle = (): void => {
    const names = app.context().users.map(({ name }) => name);
    const [first, second] = chosen;
    const one = first !== undefined && names.includes(first) ? first : (app.user() ?? names[0]);
    const other =
      second !== undefined && names.includes(second) && second !== one
        ? second
        : names.find((name) => name !== one);
    chosen = [one, other];
  };

  const settings = (): readonly Node[] => {
    const texts = app.context().s.pages;
    return [
      picker(0, texts.first),
      picker(1, texts.second),
      button(
        { class: "quiet", id: "second-key" },
        () =>
          app.useKey((name) => {
            chosen = [chosen[0], name];
            form.render();
          }),
        icon("key"),
        texts.useKey,
      ),
    ];
  };

  const picker = (side: 0 | 1, label: string): HTMLElement => {
    const select = h(
      "select",
      { id: `person-${side}` },
      ...app
        .context()
        .users.map(({ name, label }) => h("option", { value: name, selected: name === chosen[side] }, label)),
    );
    select.addEventListener("change", () => {
      chosen = side === 0 ? [select.value, chosen[1]] : [chosen[0], select.value];
      form.check();
    });
    return h("label", { class: "picker" }, h("span", { class: "soft" }, label), select);
  };

  const refusal = (): string | undefined => {
    const texts = app.context().s.pages;
    if (app.context().users.length < 2) return texts.alone;
    return chosen[0] === chosen[1] ? texts.samePerson : undefined;
  };

  const start = async (question: string): Promise<void> => {
    running?.abort();
    const abort = new AbortController();
    running = abort;
    halves = chosen.flatMap((user) => (user === undefined ? [] : [half(question, user)]));
    columns.replaceChildren(...halves.map((one) => one.column.element));
    notice.hidden = false;
    form.busy(true);
    renderSeen();
    const searched = Promise.all(halves.map(({ user }) => search(question, user)));
    await Promise.all(halves.map((one) => answer(one, question, abort.signal)));
    await look(halves, await searched, abort.signal);
    if (running !== abort) return;
    running = undefined;
    form.busy(false);
  };

  const half = (question: string, user: string): Half => ({
    user,
    found: undefined,
    column: column({
      question,
      user,
      label: (context) => labelOf(context, user),
      flag: positionOf(app.context(), user),
      figures: false,
      context: app.context,
      actions: {
        cite: (turn, marker) => app.openSource({ citations: turn.citations, marker, text: turn.text, user }),
        again: () => void start(question),
        vote: voter(() => app.callerOf(user)),
      },
    }),
  });

  const answer = async (one: Half, question: string, signal: AbortSignal): Promise<void> => {
    const caller = app.callerOf(one.user);
    const request = { question, model: undefined, history: [], fresh: false };
    for await (const event of ask(request, caller, signal)) one.column.take(event);
    one.column.stop();
    if (signal.aborted) return;
    app.announce(spokenEnd(one.column.turn, labelOf(app.context(), one.user), app.context()));
    renderSeen();
  };

  const search = async (question: string, user: string): Promise<readonly Citation[] | undefined> => {
    const body = { query: question, top_k: TOP_K };
    const sent = await send("POST", "/v1/search", app.callerOf(user), body);
    return sent.ok ? readMatches(sent.value) : undefined;
  };

  /**
   * What each of them sees of all that was found or cited for either. A row may have been crowded out for one of them: so each
   * is asked for what only the other has, and no more than what is not there for them counts as a difference.
   */
  const look = async (
    both: readonly Half[],
    found: readonly (readonly Citation[] | undefined)[],
    signal: AbortSignal,
  ): Promise<void> => {
    const ids = new Set(
      both.flatMap(({ column }, i) => [...column.turn.citations, ...(found[i] ?? [])].map(({ id }) => id)),
    );
    await Promise.all(
      both.map(async (one, i) => {
        const own = [...one.column.turn.citations, ...(found[i] ?? [])];
        const missing = [...ids].filter((id) => !own.some((row) => row.id === id));
        const more =
          missing.length === 0
            ? undefined
            : await send("POST", "/v1/rows", app.callerOf(one.user), { ids: missing });
        if (!found[i] || more?.ok === false) one.found = "failed";
        else one.found = [...own, ...(more ? readRows(more.value) : [])];
      }),
    );
    if (!signal.aborted) renderSeen();
  };

  const renderSeen = (): void => {
    const context = app.context();
    const texts = context.s.pages;
    const sides = halves.map(({ user, column, found }): Side => {
      const cited = isOver(column.turn) ? column.turn.citations : [];
      return {
        label: labelOf(context, user),
        flag: positionOf(context, user),
        rows: rowsOf(cited, Array.isArray(found) ? found : []),
        open: (citation) =>
          app.openSource({ citations: [citation], marker: citation.marker, text: column.turn.text, user }),
      };
    });
    const [first, second] = sides;
    if (!first || !second) return seen.replaceChildren();
    const pending = halves.some(({ found }) => found === undefined);
    const failed = halves.some(({ found }) => found === "failed");
    const parts: Child[] = [
      h("h2", { class: "section" }, texts.seenTitle),
      h("p", { class: "soft" }, pending ? texts.seenLoading : failed ? texts.seenFailed : texts.seenLead),
      !pending && !failed && sharedTiles(first, second, context),
      !pending && !failed && evidenceGrid(sides, context, "sees"),
    ];
    seen.replaceChildren(...parts.filter((part) => part instanceof Node));
  };

  const render = (): void => {
    settle();
    head.render();
    notice.replaceChildren(icon("machine"), app.context().s.notice);
    form.render();
    for (const { column } of halves) column.render();
    renderSeen();
  };

  return { element, show: render, render, hide: () => running?.abort() };
}
