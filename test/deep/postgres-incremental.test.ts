import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runIngest, type IngestReport } from "../../ingest/pipeline/run.ts";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import { parseConfig } from "../../shared/config.ts";
import { memoryRegistry, type MemoryRegistry } from "../fakes/memory-registry.ts";
import { findPostgres, startPostgres, type PostgresServer } from "../fakes/postgres-server.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

/** Reading by a cursor from a real PostgreSQL, while others write and commit late. */

const ROWS = 20_000;
const TRANSACTIONS = 150;
const WRITERS = 3;

const bin = findPostgres();
let server: PostgresServer;
const registry = memoryRegistry();
const embedder = stubEmbedder();

const config = parseConfig({
  name: "deep",
  sources: { w: { kind: "postgres" } },
  limits: { deleteShare: 1 },
  tables: {
    tickets: {
      source: "w",
      key: ["id"],
      title: "subject",
      classification: "internal",
      access: { allowAny: ["group:{team}"] },
      incremental: { cursor: "updated_at", overlap: 5 },
    },
  },
});

async function ingest(into: MemoryRegistry = registry): Promise<IngestReport> {
  const host = secretHost({ DATABASE_URL: server.url });
  await using source = makePostgresSource({ kind: "postgres" }, host);
  const deps = {
    tenant: "t",
    sourceOf: () => source,
    embedder,
    index: undefined,
    indexKind: "embedded",
    registry: into,
    maskKey: undefined,
    code: "test",
    now: () => Date.now(),
    wait: async () => {},
    log: () => {},
  };
  const { signal } = new AbortController();
  return runIngest({ config, trigger: "cli", yes: true, signal }, deps);
}

function served(of: MemoryRegistry): readonly string[] {
  return of
    .served("tickets")
    .map(({ row, version, accessClass }) => `${row} ${version} ${accessClass}`)
    .sort();
}

/** Numbers from 0 to 1, the same for a seed: https://en.wikipedia.org/wiki/Lehmer_random_number_generator */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Transactions whose rows carry the time of their beginning, and are seen up to a quarter of a second later. */
async function write(seed: number): Promise<void> {
  const next = numbers(seed);
  for (let n = 0; n < TRANSACTIONS; n++) {
    await server.admin.begin(async (sql) => {
      const id = Math.floor(next() * ROWS);
      await sql`UPDATE tickets SET subject = ${`${seed} wrote ${n}`}, updated_at = now() WHERE id BETWEEN ${id} AND ${id + 5}`;
      await sql`UPDATE tickets SET team = ${`team-${n % 7}`}, updated_at = now() WHERE id = ${ROWS - 1 - id}`;
      await sql`DELETE FROM tickets WHERE id = ${(id * 7) % ROWS}`;
      await sql`INSERT INTO tickets VALUES (${seed * 1_000_000 + n}, 'new', 'team-1', now())`;
      await sql`SELECT pg_sleep(${next() / 4})`;
    });
  }
}

beforeAll(async () => {
  if (bin === undefined) return;
  server = await startPostgres(bin);
  await server.admin.unsafe(
    `CREATE TABLE tickets AS SELECT i AS id, 'Ticket ' || i AS subject, 'team-' || i % 20 AS team,
       timestamptz '2026-01-01' + interval '1 second' * i AS updated_at FROM generate_series(0, ${ROWS - 1}) AS g(i);
     ALTER TABLE tickets ADD PRIMARY KEY (id);
     CREATE INDEX ON tickets (updated_at);
     GRANT SELECT ON tickets TO reader`,
  );
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe.skipIf(bin === undefined)("reading by a cursor from a postgres server", () => {
  it("has every row, every change and no deleted row of three writers, once they have stopped", async () => {
    await ingest();
    const stopped = new AbortController();
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i + 1))).finally(() => {
      stopped.abort();
    });
    let runs = 0;
    let wholeRows = 0;
    while (!stopped.signal.aborted) {
      const { tables } = await ingest();
      runs += 1;
      wholeRows += (tables[0]?.read ?? 0) - (tables[0]?.keys ?? 0);
    }
    await writers;
    expect((await ingest()).tables[0]?.keys).toBeGreaterThan(ROWS / 2);
    const fresh = memoryRegistry();
    await ingest(fresh);
    expect(served(registry)).toEqual(served(fresh));
    expect(runs).toBeGreaterThan(2);
    expect(wholeRows).toBeLessThan((runs * ROWS) / 2);
  }, 300_000);
});
