import type { Caller } from "./api.ts";
import type { App, Page } from "./app.ts";
import { dataPage, emptyView, load, type Loaded } from "./data-page.ts";
import { type Child, fact, h } from "./dom.ts";
import { ago, type Context, count, duration, stamp } from "./format.ts";
import { languageOf } from "./prose.ts";
import { gauge, stateTag, tag } from "./signs.ts";
import { readTables, type TableInfo } from "./wire.ts";
import { readRuns, readServed, type Run } from "./wire-pages.ts";

interface Tables {
  readonly tables: readonly TableInfo[];
  /** Tables in which the caller sees no row: an administrator is told of them. */
  readonly closed: ReadonlySet<string>;
  /** Newest first; undefined where they are not for the caller. */
  readonly runs: readonly Run[] | undefined;
}

/** What is served, how fresh it is, and how its last run went. */
export function tablesPage(app: App): Page {
  return dataPage<Tables>(app, {
    name: "tables",
    scope: "ask",
    load: (caller) => loadTables(app, caller),
    view: (data) => tablesView(app.context(), data),
  });
}

async function loadTables(app: App, caller: Caller): Promise<Loaded<Tables>> {
  const [open, all, runs] = await Promise.all([
    load("/v1/tables", caller, readTables),
    app.may("admin") ? load("/v1/admin/status", caller, readServed) : undefined,
    app.may("ingest") ? load("/v1/ingest/runs", caller, readRuns) : undefined,
  ]);
  if (!open.ok) return open;
  const seen = new Set(open.value.map(({ name }) => name));
  const more = all?.ok === true ? all.value.filter(({ name }) => !seen.has(name)) : [];
  return {
    ok: true,
    value: {
      tables: [...open.value, ...more],
      closed: new Set(more.map(({ name }) => name)),
      runs: runs?.ok === true ? runs.value : undefined,
    },
  };
}

function tablesView(context: Context, { tables, closed, runs }: Tables): Child[] {
  const { s } = context;
  const texts = s.pages.tables;
  if (tables.length === 0) return [emptyView(texts.none)];
  const late = tables.filter((table) => table.late).length;
  return [
    h("p", { class: "summary" }, texts.summary(tables.length, late)),
    h(
      "ul",
      { class: "records" },
      // What needs a look comes first.
      ...tables
        .toSorted((a, b) => Number(b.late) - Number(a.late))
        .map((table) => tableView(context, table, closed.has(table.name), runs)),
    ),
  ];
}

function tableView(
  context: Context,
  table: TableInfo,
  closed: boolean,
  runs: readonly Run[] | undefined,
): HTMLElement {
  const { s, language } = context;
  const texts = s.pages.tables;
  const target = table.targetLagSeconds;
  const run = runs?.find(({ tables, asked }) =>
    tables.length > 0 ? tables.some((of) => of.table === table.name) : asked.includes(table.name),
  );
  const counts = run?.tables.find((of) => of.table === table.name);
  return h(
    "li",
    { class: "record" },
    h(
      "div",
      { class: "record-head" },
      h("h2", {}, h("code", {}, table.name)),
      table.late ? tag("warn", texts.late) : target !== undefined && tag("good", texts.onTime),
      table.classification !== "" &&
        tag("", s.pages.classification[table.classification] ?? table.classification),
      closed && tag("", texts.closed),
      counts !== undefined && counts.failed > 0 && tag("warn", texts.held(counts.failed)),
    ),
    table.description !== "" &&
      h("p", { class: "soft", lang: languageOf(table.description) }, table.description),
    h(
      "dl",
      { class: "figures" },
      fact(texts.asOf, stamp(table.asOf, language) ?? "–"),
      fact(
        texts.lag,
        duration(table.lagSeconds, language),
        h(
          "span",
          { class: "soft" },
          `, ${target === undefined ? texts.noTarget : texts.target(duration(target, language))}`,
        ),
        target !== undefined && gauge(table.lagSeconds / Math.max(target, 1)),
      ),
      fact(
        texts.records,
        table.rows === undefined
          ? h("span", { class: "soft" }, texts.recordsHidden)
          : count(table.rows, language),
      ),
      fact(
        texts.lastRun,
        ...(run
          ? [
              stateTag(run.state, context),
              " ",
              ago(run.finishedAt || run.startedAt || run.requestedAt, language),
            ]
          : [h("span", { class: "soft" }, runs ? texts.runNone : texts.runHidden)]),
        counts &&
          h("span", { class: "soft below" }, texts.changes(counts.added, counts.changed, counts.deleted)),
      ),
    ),
    run !== undefined && run.reason !== "" && h("p", { class: "why" }, run.reason),
  );
}
