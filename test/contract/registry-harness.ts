import type { Config } from "../../shared/config.ts";
import { rowId } from "../../shared/ids.ts";
import { classOf } from "../../shared/policy.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  AccessClass,
  Batch,
  KnownRow,
  PublishedTable,
  Registry,
  Run,
  RunRequest,
  StagedRow,
} from "../../shared/ports/registry.ts";

/** One adapter under test, with nothing in it but a published `CONTRACT_CONFIG`. */
export interface RegistryHarness {
  readonly registry: Registry;
  readonly tenant: string;
  /** Text of the row as answers would see it now, first chunk; undefined when it is not visible to `public`. */
  readonly served: (row: string) => Promise<string | undefined>;
}

/** What the adapter's ledger has to know: the tables that the suite writes to. */
export const CONTRACT_CONFIG: Config = {
  name: "contract",
  sources: { local: { kind: "none" } },
  tables: {
    notes: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    people: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
  },
};

export const SPACE = "local/test/4 chunk-1 embedded";

export function signal(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

interface BatchOptions {
  readonly table?: string;
  readonly version?: string;
}

export interface Opened extends RegistryHarness {
  readonly request: RunRequest;
  /** A batch of rows with these ids, each with one chunk `text <id> <version>`. */
  readonly batch: (seq: number, ids: readonly string[], options?: BatchOptions) => Batch;
}

export async function open(make: () => Promise<RegistryHarness>): Promise<Opened> {
  const harness = await make();
  const everyone = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");
  return {
    ...harness,
    request: { tenant: harness.tenant, tables: ["notes", "people"], space: SPACE, trigger: "cli" },
    batch: (seq, ids, { table = "notes", version = "v1" } = {}) => ({
      seq,
      table,
      classes: [everyone],
      rows: ids.map((id) => rowOf(table, id, version, everyone)),
      gone: [],
    }),
  };
}

function rowOf(table: string, id: string, version: string, accessClass: AccessClass): StagedRow {
  return {
    row: rowId(table, [id]),
    view: "all",
    version,
    accessClass: accessClass.id,
    title: `title ${id}`,
    cells: [{ column: "id", value: id }],
    changedAt: undefined,
    url: undefined,
    chunks: [
      {
        n: 0,
        text: `text ${id} ${version}`,
        lexical: { title: `title ${id}`, body: `text ${id}`, labels: "", meta: table },
        vector: new Float32Array([1, 0, 0, 0]),
      },
    ],
  };
}

export function counts(
  read: number,
  part: {
    readonly table?: string;
    readonly added?: number;
    readonly changed?: number;
    readonly deleted?: number;
    readonly unchanged?: number;
  } = {},
): PublishedTable {
  const { table = "notes", added = 0, changed = 0, deleted = 0, unchanged = 0 } = part;
  return {
    counts: { table, read, added, changed, deleted, unchanged, failed: 0 },
    asOf: "2026-11-23T08:00:00Z",
    key: ["id"],
    rollup: false,
  };
}

export function based(basis: string, table: PublishedTable): PublishedTable {
  return { ...table, basis, shape: { origin: undefined, columns: { id: "string" } } };
}

export function skipped(basis: string | undefined, rows: number): PublishedTable {
  const { counts: read, ...table } = counts(0, { unchanged: rows });
  return { ...table, counts: { ...read, skipped: true }, basis };
}

export async function ingest(
  registry: Registry,
  request: RunRequest,
  batch: Batch,
  table: PublishedTable,
): Promise<void> {
  const run = await registry.begin(request, signal());
  await registry.commit(run, batch, signal());
  await registry.publish(run, [table], signal());
}

export async function known(registry: Registry, run: Run, table = "notes"): Promise<KnownRow[]> {
  const rows: KnownRow[] = [];
  for await (const page of registry.known(run, table, signal())) rows.push(...page);
  return rows;
}

export async function errorOf(call: Promise<unknown>): Promise<QuaysideError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error;
    throw error;
  }
  throw new Error("the call did not fail");
}
