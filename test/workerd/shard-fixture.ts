import { env } from "cloudflare:workers";
import { localEmbedder } from "../../shared/embedders/local.ts";
import type { AccessClass, Batch, PublishedTable, Run, StagedRow } from "../../shared/ports/registry.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import type { Shard } from "../../workers/index/shard.ts";
import type { ShardApi, ShardQuery } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";

/** Class ids as policy makes them are 22 characters; the shard takes any. */
export const OPEN: AccessClass = {
  id: "class-open",
  label: { allowAny: [["public"]], allowAll: [], deny: [] },
  classification: "public",
};
export const SECRET: AccessClass = {
  id: "class-secret",
  label: { allowAny: [["group:hr"]], allowAll: [], deny: [] },
  classification: "restricted",
};

export const EVERYTHING: Filter = { classes: [OPEN.id, SECRET.id], tables: undefined };
export const PUBLIC_ONLY: Filter = { classes: [OPEN.id], tables: undefined };

export const embedder = localEmbedder(
  { kind: "local" },
  { fetch, secret: () => undefined, now: () => 0, log: () => undefined },
);

export async function vectorOf(text: string): Promise<Float32Array> {
  const { vectors } = await embedder.embed([text], "document", new AbortController().signal);
  return vectors[0] ?? new Float32Array(0);
}

export interface RowInput {
  readonly id: string;
  readonly text: string | readonly string[];
  readonly table?: string;
  readonly view?: string;
  readonly version?: string;
  readonly accessClass?: string;
  readonly title?: string;
  readonly cells?: StagedRow["cells"];
  readonly labels?: string;
  readonly changedAt?: string;
  readonly vectorless?: boolean;
}

/** A staged row of table `notes` unless told otherwise; each text is one chunk. */
export async function row(input: RowInput): Promise<StagedRow> {
  const texts = typeof input.text === "string" ? [input.text] : input.text;
  const title = input.title ?? `Note ${input.id}`;
  return {
    row: `${input.table ?? "notes"}:${input.id}`,
    view: input.view ?? "all",
    version: input.version ?? `v-${texts.join("|")}`,
    accessClass: input.accessClass ?? OPEN.id,
    title,
    cells: input.cells ?? [
      { column: "id", value: input.id },
      { column: "text", value: texts.join(" ") },
    ],
    changedAt: input.changedAt,
    url: undefined,
    chunks: await Promise.all(
      texts.map(async (text, n) => ({
        n,
        text,
        lexical: { title, body: text, labels: input.labels ?? "", meta: "notes id text" },
        vector: input.vectorless ? undefined : await vectorOf(text),
      })),
    ),
  };
}

export function run(n: number, id = `run-${n}`): Run {
  return { id, fence: n, generation: n, space: "space" };
}

export function batch(seq: number, rows: readonly StagedRow[], gone: Batch["gone"] = []): Batch {
  const table = rows[0]?.row.split(":")[0] ?? gone[0]?.row.split(":")[0] ?? "notes";
  return { seq, table, classes: [OPEN, SECRET], rows, gone };
}

/** What a run says that it did; the shard checks it against what it holds. */
export function published(
  counts: Partial<PublishedTable["counts"]> = {},
  asOf = "2026-11-01T00:00:00Z",
): PublishedTable {
  const given = { table: "notes", added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 0, ...counts };
  const read = given.added + given.changed + given.unchanged + given.failed;
  return { counts: { read, ...given }, asOf, key: ["id"], rollup: false };
}

export interface OpenShard {
  readonly api: ShardApi;
  readonly stub: DurableObjectStub<Shard>;
  /** Stages one batch of new rows and publishes it as generation `n`. */
  publish(n: number, rows: readonly StagedRow[], counts?: Partial<PublishedTable["counts"]>): Promise<void>;
  /** Rows found, best first. */
  find(text: string, options?: Partial<ShardQuery>): Promise<readonly string[]>;
}

export function openShard(): OpenShard {
  const stub = env.SHARD.getByName(crypto.randomUUID());
  const api = overRpc<ShardApi>(() => stub, "index_unavailable");
  return {
    api,
    stub,
    async publish(n, rows, counts) {
      await api.stage(run(n), batch(0, rows));
      await api.publish(run(n), [published(counts ?? { added: rows.length })], n);
    },
    async find(text, options) {
      const { evidence } = await api.query(await question(text, options));
      return evidence.map((hit) => hit.row);
    },
  };
}

/** What an outside index found. */
export function nearOf(
  hits: readonly { readonly id: string; readonly score: number }[],
  whole: boolean,
): NonNullable<ShardQuery["near"]> {
  return { ids: hits.map(({ id }) => id), scores: Float64Array.from(hits, ({ score }) => score), whole };
}

export async function question(text: string, options: Partial<ShardQuery> = {}): Promise<ShardQuery> {
  return {
    vector: await vectorOf(text),
    text,
    topK: 10,
    fusionWeight: embedder.fusionWeight,
    filter: EVERYTHING,
    ...options,
  };
}

/** A shard that serves these rows as its first generation. */
export async function filled(...rows: readonly RowInput[]): Promise<OpenShard> {
  const shard = openShard();
  await shard.publish(1, await Promise.all(rows.map(row)), { added: new Set(rows.map((r) => r.id)).size });
  return shard;
}
