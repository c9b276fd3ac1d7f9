import type { TableCounts } from "../../../shared/ports/registry.ts";
import { send } from "./api.ts";
import type { App, Page } from "./app.ts";
import { dataPage, emptyView, load } from "./data-page.ts";
import { button, type Child, fact, h, icon } from "./dom.ts";
import { ago, type Context, count, duration, stamp } from "./format.ts";
import { heldRows } from "./held-rows.ts";
import { runStart } from "./run-start.ts";
import { stateTag, tag } from "./signs.ts";
import { readRuns, type Run } from "./wire-pages.ts";

/** How often runs are asked for while one waits or runs, and else; in milliseconds. */
const LIVE_MS = 2000;
const IDLE_MS = 30_000;

const isLive = ({ state }: Run): boolean => state === "queued" || state === "running";

/** Runs as they go on: history, progress, cancelling, and starting one. */
export function runsPage(app: App): Page {
  const start = runStart(app, () => void page.reload());
  const held = heldRows(app);
  const page = dataPage<readonly Run[]>(app, {
    name: "runs",
    scope: "ingest",
    above: start,
    load: (caller) => load("/v1/ingest/runs", caller, readRuns),
    view: (runs) => runsView(app, runs, { cancel: (run) => void cancel(run), held }),
    again: (runs) => (runs.some(isLive) ? LIVE_MS : IDLE_MS),
  });

  const cancel = async (run: Run): Promise<void> => {
    const sent = await send("DELETE", `/v1/ingest/runs/${encodeURIComponent(run.id)}`, app.callerOf());
    const { s } = app.context();
    const problem = sent.ok ? undefined : (s.problem[sent.problem.code] ?? s.problem["other"]);
    app.announce(problem ? problem.join(". ") : s.pages.runs.cancelled);
    await page.reload();
  };
  return page;
}

interface RunActions {
  readonly cancel: (run: Run) => void;
  readonly held: ReturnType<typeof heldRows>;
}

function runsView(app: App, runs: readonly Run[], actions: RunActions): Child[] {
  const context = app.context();
  const texts = context.s.pages.runs;
  if (runs.length === 0) return [emptyView(texts.none)];
  return [
    h("h2", { class: "section" }, texts.history),
    h("ol", { class: "records" }, ...runs.map((run) => runView(run, context, actions))),
  ];
}

function runView(run: Run, context: Context, actions: RunActions): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.runs;
  const sum = (of: (counts: TableCounts) => number): number => run.tables.reduce((all, c) => all + of(c), 0);
  const held = sum(({ failed }) => failed);
  const live = isLive(run);
  const from = Date.parse(run.startedAt || run.requestedAt);
  const until = live ? Date.now() : Date.parse(run.finishedAt);
  const lasted = duration(Math.max(0, Math.round((until - from) / 1000)) || 0, language);
  const lasting = run.state === "queued" ? texts.waited : live ? texts.since : texts.took;
  return h(
    "li",
    { class: `record run ${run.state}` },
    h(
      "div",
      { class: "record-head" },
      h("h3", {}, h("code", {}, run.id)),
      stateTag(run.state, context),
      h(
        "span",
        { class: "soft" },
        [texts.trigger[run.trigger] ?? run.trigger, texts.host[run.host] ?? run.host].join(", "),
      ),
      run.full && tag("", texts.full),
      run.readAll && tag("", texts.readAll),
      held > 0 && tag("warn", s.pages.tables.held(held)),
      live &&
        button(
          { class: "plain", id: `cancel-${run.id}`, "aria-label": texts.cancelOf(run.id) },
          () => actions.cancel(run),
          icon("cross"),
          texts.cancel,
        ),
    ),
    run.state === "running" && h("span", { class: "wave", "aria-hidden": "true" }),
    h(
      "dl",
      { class: "figures" },
      fact(
        texts.requested,
        stamp(run.requestedAt, language),
        h("span", { class: "soft below" }, ago(run.requestedAt, language)),
      ),
      fact(lasting, lasted),
      fact(
        texts.read,
        count(
          sum(({ read }) => read),
          language,
        ),
      ),
      fact(
        texts.changes,
        `${count(
          sum(({ added }) => added),
          language,
        )} / ${count(
          sum(({ changed }) => changed),
          language,
        )} / ${count(
          sum(({ deleted }) => deleted),
          language,
        )}`,
      ),
      run.generation !== undefined && fact(texts.generation, String(run.generation)),
    ),
    run.reason !== "" && h("p", { class: "why" }, run.reason),
    run.tables.length > 0 ? perTable(run, context) : run.asked.length > 0 && askedFor(run),
    held > 0 && actions.held(run, held, live),
  );
}

function askedFor(run: Run): HTMLElement {
  return h("p", { class: "soft asked" }, ...run.asked.flatMap((table) => [h("code", {}, table), " "]));
}

function perTable(run: Run, context: Context): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.runs;
  const number = (n: number): HTMLElement => h("td", { class: n === 0 ? "soft" : false }, count(n, language));
  return h(
    "details",
    { id: `tables-${run.id}` },
    h("summary", {}, texts.details(run.tables.length)),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": texts.details(run.tables.length) },
      h(
        "table",
        { class: "grid" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, s.table),
            h("th", { scope: "col" }, texts.read),
            ...texts.changes.split(", ").map((name) => h("th", { scope: "col" }, name)),
            h("th", { scope: "col" }, texts.heldBack),
          ),
        ),
        h(
          "tbody",
          {},
          ...run.tables.map((c) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, h("code", {}, c.table)),
              // Its source said so, and it was not read.
              c.skipped ? h("td", { class: "soft" }, texts.skipped) : number(c.read),
              ...[c.added, c.changed, c.deleted, c.failed].map(number),
            ),
          ),
        ),
      ),
    ),
  );
}
