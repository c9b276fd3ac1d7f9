import { DuckDBInstance } from "@duckdb/node-api";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { runIngest, type IngestDeps } from "../../ingest/pipeline/run.ts";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { encodeBatch } from "../../shared/batch.ts";
import { parseConfig, type Config } from "../../shared/config.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import type { KnownRow, PublishedTable, Registry } from "../../shared/ports/registry.ts";

/**
 * The ingest client alone: DuckDB over CSV, render, chunk, diff, an embedder that costs nothing, batches encoded as they go
 * over the wire, a registry that remembers hashes only. What the Worker does with them is measured by itself.
 *   npm run bench -- ingest --rows=20000 --dimensions=384
 * Prints a JSON line for a full run, an unchanged one, and ones with 1 % changed and 1 % deleted rows: read whole, and by a
 * cursor that is a second later from row to row.
 */

const option = (name: string, preset: number): number => {
  const given = process.argv.find((arg) => arg.startsWith(`--${name}=`));
  return given === undefined ? preset : Number(given.slice(name.length + 3));
};
const rows = option("rows", 20_000);
const dimensions = option("dimensions", 384);

/** Sentences of about 60 to 400 characters a row, seeded by the row's number. */
const SENTENCES = `(
  SELECT string_agg('The ' || noun || ' of vessel ' || (hash(i * 31 + s) % 40) || ' was ' || verb || ' at port ' || (hash(i + s * 7) % 9), '. ')
  FROM (SELECT s, ['pump','ramp','winch','door','engine','radar','hull'][1 + (hash(i * 17 + s) % 7)::INT] AS noun,
               ['repaired','delayed','inspected','replaced','found leaking'][1 + (hash(i * 13 + s) % 5)::INT] AS verb
        FROM range(2 + (hash(i) % 6)::INT) AS r(s)))`;

/** @param changed rows whose text ends otherwise, and whose cursor has moved. */
async function writeTable(path: string, where: string, changed: string): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT i AS id, 'Ticket ' || i AS subject, ${SENTENCES} || CASE WHEN ${changed} THEN ' again' ELSE '' END AS body,
       ['open','closed','waiting'][1 + (hash(i) % 3)::INT] AS status, 'team-' || (hash(i * 3) % 20) AS team,
       DATE '2024-01-01' + (hash(i * 5) % 900)::INT AS opened,
       TIMESTAMP '2024-01-01 00:00:00' + INTERVAL 1 SECOND * (i + ${rows} * (${changed})::INT) AS updated
     FROM range(${rows}) AS t(i) WHERE ${where}) TO '${path}'`,
  );
  connection.closeSync();
  instance.closeSync();
}

const PAGE = 5000;

/**
 * Remembers hashes, encodes every batch and counts its bytes. What it knows lies in buffers, a page each: objects for every
 * row would be most of the memory that this measures.
 */
function hashRegistry(): Registry & { bytes: number; commits: number } {
  let base: Buffer[] = [];
  const changes = new Map<string, KnownRow | undefined>();
  let fence = 0;
  let published: readonly PublishedTable[] = [];
  const current = function* (): Generator<readonly KnownRow[]> {
    for (const buffer of base) {
      const page: readonly KnownRow[] = JSON.parse(buffer.toString());
      yield page.flatMap((row) => (changes.has(row.row) ? [] : [row]));
    }
    let page: KnownRow[] = [];
    for (const row of changes.values()) {
      if (row) page.push(row);
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    yield page;
  };
  const settle = (): void => {
    base = Array.from(current(), (page) => Buffer.from(JSON.stringify(page)));
    changes.clear();
  };
  const registry: Registry & { bytes: number; commits: number } = {
    bytes: 0,
    commits: 0,
    begin: async ({ space }) => ({ id: `run_${++fence}`, fence, generation: fence, space }),
    async *known() {
      yield* current();
    },
    shapes: async () =>
      new Map(
        published.map(({ counts, shape, cursor }) => [
          counts.table,
          { origin: undefined, columns: {}, ...shape, served: { cursor, rows: 0, chunks: 0 } },
        ]),
      ),
    probe: async (_run, vectors) => vectors,
    erased: async () => new Set(),
    async commit(run, batch) {
      registry.bytes += encodeBatch(run, batch).byteLength;
      registry.commits += 1;
      for (const { row, view, version, chunks } of batch.rows) {
        changes.set(row, { row, view, version, chunks: chunks.length });
      }
      for (const { row } of batch.gone) changes.set(row, undefined);
      if (changes.size > 4 * PAGE) settle();
    },
    async publish({ generation }, tables) {
      published = tables;
      return { generation };
    },
    report: async () => {},
    abandon: async () => {},
  };
  return registry;
}

/** Vectors that differ by text and cost next to nothing. */
function freeEmbedder(): Embedder {
  return {
    id: `bench/free/${dimensions}`,
    dimensions,
    maxBatch: 1000,
    maxBatchTokens: 300_000,
    maxInputTokens: 8192,
    pricePerMillionTokens: 0,
    fusionWeight: 0,
    embed: async (texts) => {
      const all = new Float32Array(texts.length * dimensions);
      return {
        inputTokens: 0,
        vectors: texts.map((text, i) => {
          const vector = all.subarray(i * dimensions, (i + 1) * dimensions);
          vector[text.length % dimensions] = 1;
          return vector;
        }),
      };
    },
  };
}

const config = parseConfig({
  name: "bench",
  sources: { w: { kind: "duckdb" } },
  tables: {
    tickets: {
      source: "w",
      key: ["id"],
      title: "subject",
      text: ["body"],
      description: "Support tickets of the fleet",
      classification: "internal",
      columns: { updated: { exclude: true } },
      access: { allowAny: ["group:{team}"] },
    },
  },
});
const { tickets } = config.tables;
const byCursor: Config = {
  ...config,
  tables: tickets ? { tickets: { ...tickets, incremental: { cursor: "updated" } } } : {},
};

const directory = await mkdtemp(join(tmpdir(), "quayside-bench-"));
const folder = join(directory, "tables");
await mkdir(folder);
const file = join(folder, "tickets.csv");
const registry = hashRegistry();
const host = { fetch, secret: () => undefined, now: Date.now, log: () => {} };

async function measure(scenario: string, config: Config): Promise<void> {
  const source = makeDuckDbSource({ kind: "duckdb", path: folder }, host);
  const deps: IngestDeps = {
    tenant: "bench",
    sourceOf: () => source,
    embedder: freeEmbedder(),
    index: undefined,
    indexKind: "embedded",
    registry,
    maskKey: undefined,
    code: "bench",
    now: Date.now,
    wait: async () => {},
    log: () => {},
  };
  registry.bytes = 0;
  registry.commits = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const report = await runIngest({ config, trigger: "cli", signal: new AbortController().signal }, deps);
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  await source[Symbol.asyncDispose]();
  const [counts] = report.tables;
  console.log(
    JSON.stringify({
      bench: "ingest",
      scenario,
      rows: counts?.read,
      rows_whole: (counts?.read ?? 0) - (counts?.keys ?? 0),
      changed: (counts?.added ?? 0) + (counts?.changed ?? 0),
      deleted: counts?.deleted,
      dimensions,
      seconds: round(seconds),
      rows_per_second: Math.round((counts?.read ?? 0) / seconds),
      cpu_seconds: round((used.user + used.system) / 1e6),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
      embed_requests: report.embedRequests,
      commits: registry.commits,
      bytes_per_row_written: Math.round(registry.bytes / Math.max(1, report.embeddedTexts)),
    }),
  );
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** In a process of its own, so that its memory is not counted here. */
function write(where: string, changed: string): void {
  const args = [import.meta.filename, `--rows=${rows}`, "--write", file, where, changed];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) throw new Error("the table could not be written");
}

try {
  const [path, where, changed] = process.argv.includes("--write") ? process.argv.slice(-3) : [];
  if (path !== undefined && where !== undefined && changed !== undefined) {
    await writeTable(path, where, changed);
  } else {
    write("true", "false");
    await measure("full", config);
    await measure("unchanged", config);
    write("i % 100 <> 7", "i % 100 = 3");
    await measure("one percent changed, one percent deleted", config);
    write("true", "false");
    await measure("all as it was, read whole with a cursor", byCursor);
    await measure("unchanged, by the cursor", byCursor);
    write("i % 100 <> 7", "i % 100 = 3");
    await measure("one percent changed, one percent deleted, by the cursor", byCursor);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
