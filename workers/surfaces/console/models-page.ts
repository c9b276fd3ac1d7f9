import { compare } from "./api.ts";
import type { App, Page } from "./app.ts";
import { askForm } from "./ask-form.ts";
import { type Column, column, isOver, spokenEnd } from "./columns.ts";
import { pageHead } from "./data-page.ts";
import { h, icon } from "./dom.ts";
import { evidenceGrid, rowsOf, type Side } from "./evidence-grid.ts";
import { describeModel } from "./menus.ts";
import { voter } from "./vote.ts";

const LEAST = 2;
const MOST = 4;

/** One question to several models at once, streamed side by side with what each costs, how long it takes and what was checked. */
export function modelsPage(app: App): Page {
  const head = pageHead(app, "models");
  const columns = h("div", { class: "columns" });
  const notice = h("p", { class: "notice", hidden: true });
  const cites = h("section", { class: "seen" });
  const element = h("section", { class: "page wide" }, head.element);
  const chosen = new Set<string>();
  let answers: readonly { readonly model: string; readonly column: Column }[] = [];
  let running: AbortController | undefined;

  const form = askForm(app, {
    submit: () => app.context().s.pages.askAll,
    settings: () => [choices()],
    refuse: () => refusal(),
    ask: (question) => void start(question),
    stop: () => running?.abort(),
  });
  element.append(form.element, columns, notice, cites);

  const choices = (): HTMLElement => {
    const { s } = app.context();
    const models = app.models();
    return h(
      "fieldset",
      { class: "choices" },
      h("legend", {}, s.pages.chooseModels),
      models === undefined && h("p", { class: "soft" }, s.modelsNone),
      ...(models ?? []).map((model) => {
        const input = h("input", {
          type: "checkbox",
          checked: chosen.has(model.id),
          disabled: !model.available,
        });
        input.addEventListener("change", () => {
          if (input.checked) chosen.add(model.id);
          else chosen.delete(model.id);
          form.check();
        });
        return h(
          "label",
          { class: "option" },
          input,
          h(
            "span",
            {},
            h("span", { class: "option-name" }, model.id),
            h("span", { class: "soft" }, describeModel(model, app.context())),
          ),
        );
      }),
    );
  };

  const refusal = (): string | undefined => {
    const texts = app.context().s.pages;
    if (chosen.size < LEAST) return texts.modelsFew;
    return chosen.size > MOST ? texts.modelsMany : undefined;
  };

  const start = async (question: string): Promise<void> => {
    running?.abort();
    const abort = new AbortController();
    running = abort;
    const user = app.user();
    answers = [...chosen].map((model) => ({
      model,
      column: column({
        question,
        user,
        label: () => model,
        figures: true,
        context: app.context,
        actions: {
          cite: (turn, marker) =>
            app.openSource({ citations: turn.citations, marker, text: turn.text, user }),
          again: () => void start(question),
          vote: voter(() => app.callerOf(user)),
        },
      }),
    }));
    columns.replaceChildren(...answers.map(({ column }) => column.element));
    cites.replaceChildren();
    notice.hidden = false;
    form.busy(true);
    const request = { question, models: answers.map(({ model }) => model) };
    for await (const { model, event } of compare(request, app.callerOf(user), abort.signal)) {
      for (const one of answers) {
        if (model === undefined ? isOver(one.column.turn) : model !== one.model) continue;
        one.column.take(event);
        if (isOver(one.column.turn)) app.announce(spokenEnd(one.column.turn, one.model, app.context()));
      }
    }
    for (const { column } of answers) column.stop();
    if (running !== abort) return;
    running = undefined;
    form.busy(false);
    renderEnd();
  };

  /** What can be told once all of them have ended: the best figures, and who cited what. */
  const renderEnd = (): void => {
    const context = app.context();
    if (answers.length === 0 || running) return;
    const sides = answers.map(({ model, column }): Side => ({
      label: model,
      rows: rowsOf(column.turn.citations, []),
      open: (citation) =>
        app.openSource({
          citations: [citation],
          marker: citation.marker,
          text: column.turn.text,
          user: column.turn.user,
        }),
    }));
    markBest();
    cites.replaceChildren(
      h("h2", { class: "section" }, context.s.pages.citesTitle),
      evidenceGrid(sides, context, "cites"),
    );
  };

  /** The lowest cost and times, where they differ. */
  const markBest = (): void => {
    const answered = answers.filter(({ column }) => column.turn.answer?.outcome === "answered");
    for (const metric of ["total", "first", "cost"] as const) {
      const values = answered.map(({ column }) => {
        const { totalMs = 0, firstTokenMs = 0, costUsd = 0 } = column.turn.answer ?? {};
        return { total: totalMs, first: firstTokenMs, cost: costUsd }[metric];
      });
      const least = Math.min(...values);
      if (values.every((value) => value === least)) continue;
      answered.forEach(({ column }, i) => {
        if (values[i] !== least) return;
        const value = column.element.querySelector(`[data-metric="${metric}"] dd`);
        value?.append(h("span", { class: "sign good" }, app.context().s.pages.best));
      });
    }
  };

  const render = (): void => {
    const models = app.models() ?? [];
    for (const id of chosen) if (!models.some((m) => m.id === id && m.available)) chosen.delete(id);
    if (chosen.size === 0) {
      for (const { id } of models.filter(({ available }) => available).slice(0, LEAST)) chosen.add(id);
    }
    head.render();
    notice.replaceChildren(icon("machine"), app.context().s.notice);
    form.render();
    for (const { column } of answers) column.render();
    renderEnd();
  };

  return { element, show: render, render, hide: () => running?.abort() };
}
