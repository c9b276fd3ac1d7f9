import {
  runIngest,
  type IngestDeps,
  type IngestOptions,
  type IngestReport,
} from "../../ingest/pipeline/run.ts";
import { parseConfig, type Config, type TableConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { memoryRegistry, type MemoryRegistry } from "./memory-registry.ts";
import { memorySource, type MemoryTable } from "./memory-source.ts";
import { stubEmbedder } from "./stub-embedder.ts";

/** The ingest pipeline over fakes: a warehouse, an embedder and a registry in memory. */

export const everyone = { allowAny: ["public"] };

export function configOf(
  tables: Record<string, Partial<TableConfig>>,
  limits: Config["limits"] = {},
): Config {
  return parseConfig({
    name: "test",
    sources: { w: { kind: "memory" } },
    limits,
    tables: Object.fromEntries(
      Object.entries(tables).map(([name, table]) => [
        name,
        {
          source: "w",
          key: ["id"],
          classification: "internal",
          ...(table.views || table.access ? {} : { access: everyone }),
          ...table,
        },
      ]),
    ),
  });
}

export const shop = configOf({
  suppliers: { title: "name" },
  parts: {
    title: "name",
    lookups: { supplier_id: "suppliers.name" },
    access: { allowAny: ["group:{owner}"] },
  },
});

export function warehouse(parts = 20): Record<string, MemoryTable> {
  return {
    suppliers: {
      columns: { id: "number", name: "string" },
      rows: [
        { id: 1, name: "Foo" },
        { id: 2, name: "Bar" },
      ],
    },
    parts: {
      columns: { id: "number", name: "string", supplier_id: "number", owner: "string" },
      rows: Array.from({ length: parts }, (_, i) => ({
        id: i,
        name: `part ${i}`,
        supplier_id: 1 + (i % 2),
        owner: "ops",
      })),
    },
  };
}

export interface Bench {
  readonly registry: MemoryRegistry;
  readonly embedder: ReturnType<typeof stubEmbedder>;
  readonly tables: Record<string, MemoryTable>;
  readonly deps: IngestDeps;
  readonly run: (options?: Partial<IngestOptions>, more?: Partial<IngestDeps>) => Promise<IngestReport>;
}

export function bench(
  settings: {
    tables?: Record<string, MemoryTable>;
    config?: Config;
    ordered?: boolean;
    /** Whether the source tells revisions. */
    revisions?: boolean;
    index?: VectorIndex;
    embedder?: Parameters<typeof stubEmbedder>[0];
  } = {},
): Bench {
  const registry = memoryRegistry();
  const embedder = stubEmbedder(settings.embedder);
  const tables = settings.tables ?? warehouse();
  const source = memorySource(tables, settings.ordered ?? true, settings.revisions ?? false);
  const deps: IngestDeps = {
    tenant: "t",
    sourceOf: () => source,
    embedder,
    index: settings.index,
    indexKind: settings.index ? "memory" : "embedded",
    registry,
    maskKey: "key",
    code: "test",
    now: () => 1_700_000_000_000,
    wait: async () => {},
    log: () => {},
  };
  return {
    registry,
    embedder,
    tables,
    deps,
    run: (options = {}, more = {}) =>
      runIngest(
        { config: settings.config ?? shop, trigger: "cli", signal: new AbortController().signal, ...options },
        { ...deps, ...more },
      ),
  };
}

export function counts(report: IngestReport, table: string): Record<string, unknown> {
  const { table: _, ...rest } = report.tables.find((t) => t.table === table) ?? { table };
  return rest;
}

export async function failure(promise: Promise<unknown>): Promise<QuaysideError> {
  const error: unknown = await promise.catch((e: unknown) => e);
  if (error instanceof QuaysideError) return error;
  throw new Error(`expected a QuaysideError, got ${String(error)}`);
}
