import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runIngest, type IngestOptions, type IngestReport } from "../../ingest/pipeline/run.ts";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import { parseConfig } from "../../shared/config.ts";
import { failureOf } from "../contract/source-sql.ts";
import { serve } from "../e2e/harness.ts";
import { memoryRegistry, type MemoryRegistry } from "../fakes/memory-registry.ts";
import { findPostgres, startPostgres, type PostgresServer } from "../fakes/postgres-server.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

/** The pipeline over the Postgres source, on a server of its own: many rows, and what happens to them meanwhile. */

const bin = findPostgres();
const ROWS = 100_000;
const { signal } = new AbortController();
let server: PostgresServer;

/** What is served of the tickets, in an order of its own. */
function served(registry: MemoryRegistry): readonly string[] {
  const rows = registry.served("tickets");
  return rows.map(({ row, version, cells }) => JSON.stringify([row, version, cells])).sort();
}

beforeAll(async () => {
  if (bin !== undefined) server = await startPostgres(bin);
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe.skipIf(bin === undefined)("postgres server behind a served Worker", () => {
  it("is ingested by kind and secret, and answers come from its rows", async () => {
    await server.run(
      "CREATE TABLE vessels AS SELECT * FROM (VALUES (1, 'Aurora', 'Harwich'), (2, 'Borealis', 'Esbjerg')) AS t(id, name, home_port)",
      "ALTER TABLE vessels ADD PRIMARY KEY (id)",
      "COMMENT ON TABLE vessels IS 'Ships of the fleet'",
      "GRANT SELECT ON vessels TO reader",
    );
    const config = parseConfig({
      name: "deep",
      sources: { fleet: { kind: "postgres", secret: "FLEET_URL" } },
      tables: {
        vessels: {
          source: "fleet",
          key: ["id"],
          title: "name",
          classification: "internal",
          access: { allowAny: ["group:crew"] },
        },
      },
      demo: { users: { mate: { label: "Mate", groups: ["crew"] } }, examples: [] },
    });
    const served = await serve(config, { FLEET_URL: server.url });
    try {
      const result = await served.ingest();
      expect(result.tables[0]).toMatchObject({ read: 2, added: 2, failed: 0 });
      const answer = await served.ask("What is the home port of Borealis?", "mate");
      expect(answer.citations[0]?.id).toBe("vessels:2");
    } finally {
      await served.stop();
    }
  });
});

describe.skipIf(bin === undefined)(`ingest of ${ROWS} rows from a postgres server`, () => {
  const embedder = stubEmbedder();
  const registry = memoryRegistry();

  const ingest = (
    into: MemoryRegistry = registry,
    options: Partial<IngestOptions> = {},
  ): Promise<IngestReport> => {
    const config = parseConfig({
      name: "deep",
      sources: { w: { kind: "postgres" } },
      tables: {
        tickets: {
          source: "w",
          key: ["id"],
          title: "subject",
          text: ["body"],
          columns: { internal: { exclude: true } },
          classification: "internal",
          access: { allowAny: ["group:{team}"] },
        },
      },
    });
    const source = makePostgresSource({ kind: "postgres" }, secretHost({ DATABASE_URL: server.url }));
    return runIngest(
      { config, trigger: "cli", signal, ...options },
      {
        tenant: "t",
        sourceOf: () => source,
        embedder,
        index: undefined,
        indexKind: "embedded",
        registry: into,
        maskKey: undefined,
        now: () => 0,
        wait: async () => {},
        log: () => {},
      },
    );
  };
  /** What is served, as a run from nothing over the table as it is would serve it. */
  const exact = async (): Promise<void> => {
    const fresh = memoryRegistry();
    await ingest(fresh);
    expect(served(registry)).toEqual(served(fresh));
  };

  beforeAll(async () => {
    if (bin === undefined) return;
    await server.run(
      `CREATE TABLE tickets AS
       SELECT i AS id, 'Ticket ' || i AS subject, repeat('The winch of vessel ' || i % 40 || ' was repaired. ', 1 + i % 6) AS body,
         (ARRAY['open', 'closed'])[1 + i % 2] AS status, 'team-' || i % 20 AS team, DATE '2024-01-01' + i % 900 AS opened,
         (i * 1.1)::numeric(12, 2) AS cost, 'n/a' AS internal
       FROM generate_series(1, ${ROWS}) AS g(i)`,
      "ALTER TABLE tickets ADD PRIMARY KEY (id)",
      "ANALYZE tickets",
      "GRANT SELECT ON tickets TO reader",
    );
  });

  it("takes in every row", async () => {
    const report = await ingest();
    expect(report.tables[0]).toMatchObject({ read: ROWS, added: ROWS, failed: 0 });
    expect(registry.served("tickets")).toHaveLength(ROWS);
  });

  it("changes nothing when nothing has changed", async () => {
    const report = await ingest();
    expect(report.tables[0]).toMatchObject({ read: ROWS, unchanged: ROWS, added: 0, changed: 0, deleted: 0 });
    expect(report.embeddedTexts).toBe(0);
  });

  it("takes in 1 % changed, 1 % deleted and some new rows, and embeds no others", async () => {
    await server.run(
      "UPDATE tickets SET body = body || ' Again.' WHERE id % 100 = 7",
      "DELETE FROM tickets WHERE id % 100 = 8",
      `INSERT INTO tickets SELECT i, 'New ' || i, 'New.', 'open', 'team-1', DATE '2025-01-01', 1, 'n/a' FROM generate_series(${ROWS + 1}, ${ROWS + 10}) AS g(i)`,
    );
    const report = await ingest();
    expect(report.tables[0]).toMatchObject({
      changed: 1000,
      deleted: 1000,
      added: 10,
      unchanged: ROWS - 2000,
    });
    expect(report.embeddedTexts).toBe(1010);
    await exact();
  });

  it("keeps what is served when a column that the configuration names is gone", async () => {
    const before = registry.generation;
    await server.run("ALTER TABLE tickets RENAME COLUMN team TO squad");
    const error = await failureOf(ingest());
    expect(error.code).toBe("schema_drift");
    expect(error.message).toContain("tickets.team");
    expect(registry.generation).toBe(before);
    await server.run("ALTER TABLE tickets RENAME COLUMN squad TO team");
  });

  it("keeps what is served when a column is dropped while it is read", async () => {
    // The lock that a reader holds keeps the column until it has read.
    let dropped: Promise<void> | undefined;
    const report = await ingest(registry, {
      onProgress: () => {
        dropped ??= server.run("SET lock_timeout = '60s'; ALTER TABLE tickets DROP COLUMN status");
      },
    });
    expect(report.tables[0]).toMatchObject({ unchanged: ROWS - 990, failed: 0 });
    await dropped;
  });

  it("makes rows anew that have lost a column that the configuration does not name", async () => {
    const report = await ingest();
    expect(report.tables[0]).toMatchObject({ changed: ROWS - 990, deleted: 0, failed: 0 });
    await exact();
  });

  it("goes on after its connection was killed, in the same run, embedding nothing twice", async () => {
    await server.run("UPDATE tickets SET subject = subject || '!'");
    const texts = embedder.texts.length;
    let killed: Promise<number> | undefined;
    const report = await ingest(registry, {
      onProgress: ({ counts }) => {
        if (counts.read > ROWS / 2) killed ??= server.killReaders();
      },
    });
    expect(await killed).toBe(1);
    expect(report.tables[0]).toMatchObject({ read: ROWS - 990, deleted: 0, failed: 0 });
    const own = embedder.texts.slice(texts).filter((text) => text.startsWith("tickets\n"));
    expect([own.length, new Set(own).size]).toEqual([ROWS - 990, ROWS - 990]);
    await exact();
  });
});
