import type { Config } from "../../shared/config.ts";
import { localEmbedder } from "../../shared/embedders/local.ts";
import { rowId } from "../../shared/ids.ts";
import { classOf, labelOf } from "../../shared/policy.ts";
import type { AccessClass, Registry, StagedRow } from "../../shared/ports/registry.ts";
import { spaceOf } from "../../shared/space.ts";

/** A small warehouse, staged through the registry itself: what an ingest run would have left behind. */
export const CONFIG: Config = {
  name: "Seed",
  sources: { local: { kind: "none" } },
  tables: {
    notices: {
      source: "local",
      key: ["id"],
      title: "title",
      description: "Notices to everyone",
      filters: ["port"],
      url: "https://port.example/notices/{id}",
      classification: "public",
      access: { allowAny: ["public"] },
    },
    pay: {
      source: "local",
      key: ["id"],
      title: "title",
      description: "What people earn",
      classification: "restricted",
      access: { allowAny: ["group:hr"] },
    },
  },
  models: {
    register: {
      "openai/gpt-test": {
        classes: ["public", "internal"],
        contextTokens: 8000,
        price: { input: 1, output: 2 },
        region: "us",
        retention: "30 days",
        trainsOnData: false,
      },
      "nobody/model": {
        classes: ["public"],
        contextTokens: 8000,
        price: { input: 1, output: 2 },
        region: "us",
        retention: "30 days",
        trainsOnData: false,
      },
    },
    aliases: { quick: "local/quote" },
  },
  surfaces: { allowedOrigins: ["https://portal.acme.example"] },
  limits: { requestsPerMinute: 100_000, tenantRequestsPerMinute: 100_000, concurrentRequests: 1000 },
  demo: {
    users: {
      guest: { label: "Guest", groups: [] },
      hr: { label: "HR", groups: ["hr"] },
    },
    examples: [],
  },
};

const ROWS = [
  {
    table: "notices",
    id: "1",
    title: "Berth closure",
    port: "Dover",
    body: "The east berth in Dover is closed until 14 March 2026 because of a damaged fender.",
  },
  {
    table: "notices",
    id: "2",
    title: "Café menu",
    port: "Calais",
    body: "The café in Calais serves galettes from 11:30.",
  },
  {
    table: "pay",
    id: "7",
    title: "Pay of Ada Marchmont",
    port: "Dover",
    body: "Ada Marchmont earns 61400 EUR a year.",
  },
] as const;

const AS_OF = "2026-11-20T06:00:00.000Z";

/** Publishes the configuration and stages and publishes its rows; the registry may be the objects themselves or the HTTP client. */
export async function seedRows(
  registry: Registry & { publishConfig(config: Config, signal: AbortSignal): Promise<unknown> },
  config: Config = CONFIG,
): Promise<void> {
  const tenant = "default";
  const signal = AbortSignal.timeout(60_000);
  await registry.publishConfig(config, signal);
  const embedder = localEmbedder({}, { fetch, now: Date.now, log: () => undefined, secret: () => undefined });
  const tables = Object.keys(config.tables);
  const run = await registry.begin(
    { tenant, tables, space: spaceOf(embedder.id, config.index?.kind ?? "embedded"), trigger: "api" },
    signal,
  );
  let seq = 0;
  for (const table of tables) {
    const classes = new Map<string, AccessClass>();
    const rows: StagedRow[] = [];
    for (const row of ROWS.filter((candidate) => candidate.table === table)) {
      const configured = config.tables[table];
      const label = configured?.access && labelOf(configured.access, row);
      if (!configured || !label) throw new Error("the seed has no label");
      const accessClass = await classOf(label, configured.classification);
      classes.set(accessClass.id, accessClass);
      const text = `${row.title}\nport: ${row.port}\nbody: ${row.body}`;
      const { vectors } = await embedder.embed([text], "document", signal);
      rows.push({
        row: rowId(table, [row.id]),
        view: "all",
        version: `${table}-${row.id}-v1`.padEnd(22, "0"),
        accessClass: accessClass.id,
        title: row.title,
        cells: [
          { column: "id", value: row.id },
          { column: "title", value: row.title },
          { column: "port", value: row.port },
          { column: "body", value: row.body },
        ],
        changedAt: "2026-11-01T08:00:00.000Z",
        url: table === "notices" ? `https://port.example/notices/${row.id}` : undefined,
        chunks: [
          {
            n: 0,
            text,
            lexical: { title: row.title, body: `${row.port} ${row.body}`, labels: "", meta: table },
            vector: vectors[0],
          },
        ],
      });
    }
    await registry.commit(run, { seq: seq++, table, classes: [...classes.values()], rows, gone: [] }, signal);
  }
  await registry.publish(
    run,
    tables.map((table) => {
      const read = ROWS.filter((row) => row.table === table).length;
      return {
        counts: { table, read, added: read, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
        asOf: AS_OF,
        key: ["id"],
        rollup: false,
      };
    }),
    signal,
  );
}
