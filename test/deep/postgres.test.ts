import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";
import { connectorPage, documentedSql, takeIn } from "../contract/grants.ts";
import { failureOf, readRows } from "../contract/source-sql.ts";
import { sourceContract, STAMPED_CURSORS, STAMPED_SQL } from "../contract/source.ts";
import { findPostgres, startPostgres, type PostgresServer } from "../fakes/postgres-server.ts";
import { secretHost } from "../fakes/secret-host.ts";

/** The Postgres source on a server of its own: what one session in memory can't show. */

const bin = findPostgres();
const signal = new AbortController().signal;
let server: PostgresServer;

const open = (
  settings: Readonly<Record<string, unknown>> = {},
  url = server.url,
  host = secretHost({ DATABASE_URL: url }),
): Source => makePostgresSource({ kind: "postgres", ...settings }, host);

/** One cell that a query gives. */
async function value(source: Source, expression: string): Promise<unknown> {
  return (await readRows(source, { query: `SELECT ${expression} AS v` }, []))[0]?.["v"];
}

/** Reads on after the first batch, which `between` is called with. */
async function readAround(
  source: Source,
  ref: TableRef,
  between: () => Promise<unknown>,
  aborting: AbortSignal = signal,
): Promise<Row[]> {
  const table = await source.describe(ref, signal);
  const rows: Row[] = [];
  for await (const batch of source.read(table, { key: ["n"], batchSize: 1000, signal: aborting })) {
    if (rows.length === 0) await between();
    rows.push(...batch);
  }
  return rows;
}

/** How many statements of the role are asleep on the server. */
async function asleep(): Promise<number> {
  const found =
    await server.admin`SELECT 1 FROM pg_stat_activity WHERE usename = 'reader' AND wait_event = 'PgSleep'`;
  return found.length;
}

/** The role's connections, as the server lists them. */
async function connected(): Promise<readonly unknown[]> {
  return server.admin`SELECT 1 FROM pg_stat_activity WHERE usename = 'reader'`;
}

/** Whether a source speaks to its server through TLS; closes it. */
async function encrypted(source: Source): Promise<unknown> {
  await using lent = source;
  return value(lent, "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())");
}

beforeAll(async () => {
  if (bin === undefined) return;
  server = await startPostgres(bin);
  await server.run(
    `CREATE TABLE people AS SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', E'two\\nlines'),
       (10, '007', 'x')) AS t(id, name, note)`,
    "CREATE TABLE many AS SELECT n FROM generate_series(0, 4999) AS g(n)",
    `CREATE TABLE stamped AS ${STAMPED_SQL}`,
    "CREATE TABLE empty (id integer PRIMARY KEY)",
    "ANALYZE many",
    "GRANT SELECT ON people, many, empty, stamped TO reader",
  );
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe.skipIf(bin === undefined)("postgres server", () => {
  sourceContract("postgres server", async () => ({
    source: open(),
    people: { name: ["people"] },
    many: { name: ["many"] },
    empty: { name: ["empty"] },
    missing: { name: ["missing"] },
    stamped: { ref: { name: ["stamped"] }, cursors: STAMPED_CURSORS },
  }));

  it("is read in read-only sessions that carry a name, with limits, in UTC", async () => {
    await using source = open({ timeoutSeconds: 100 });
    const setting = (name: string): Promise<unknown> => value(source, `current_setting('${name}')`);
    expect(await setting("default_transaction_read_only")).toBe("on");
    expect(await setting("transaction_read_only")).toBe("on");
    expect(await setting("transaction_isolation")).toBe("repeatable read");
    expect(await setting("statement_timeout")).toBe("100s");
    expect(await setting("lock_timeout")).toBe("30s");
    expect(await setting("idle_in_transaction_session_timeout")).toBe("15min");
    expect(await setting("application_name")).toMatch(/^quayside [0-9a-f]{8}$/);
    expect(await value(source, "TIMESTAMPTZ '2024-01-02 00:00:00+05:30'")).toBe("2024-01-01T18:30:00Z");
    expect(await value(source, "INTERVAL '1 day 2 hours'")).toBe("1 day 02:00:00");
  });

  it("gives one moment of a table, whatever happens to it meanwhile", async () => {
    await server.run(
      "CREATE TABLE moving AS SELECT n, 'before' AS v FROM generate_series(1, 20000) AS g(n)",
      "GRANT SELECT ON moving TO reader",
    );
    await using source = open();
    const rows = await readAround(source, { name: ["moving"] }, () =>
      server.run(
        "DELETE FROM moving WHERE n % 3 = 0",
        "UPDATE moving SET v = 'after', n = n + 100000 WHERE n % 3 = 1",
        "INSERT INTO moving SELECT n, 'new' FROM generate_series(200000, 200999) AS g(n)",
      ),
    );
    expect(new Set(rows.map((row) => row["n"])).size).toBe(20_000);
    expect(rows.every((row) => row["v"] === "before")).toBe(true);
  });

  it("ends with source_unavailable when its connection is killed between rows, and is whole the next time", async () => {
    await server.run(
      "CREATE TABLE killed AS SELECT n, repeat('x', 500) AS v FROM generate_series(1, 20000) AS g(n)",
      "GRANT SELECT ON killed TO reader",
    );
    await using source = open();
    const error = await failureOf(readAround(source, { name: ["killed"] }, () => server.killReaders()));
    expect(error.code).toBe("source_unavailable");
    expect(await readRows(source, { name: ["killed"] }, ["n"])).toHaveLength(20_000);
  });

  it("gives up when the server has ended a transaction that waited too long", async () => {
    await using source = open({ idleTimeoutSeconds: 1 });
    const reading = readAround(source, { name: ["many"] }, async () => {
      while ((await connected()).length > 0) continue;
    });
    expect((await failureOf(reading)).code).toBe("source_unavailable");
  });

  it("stops the server's work when it is cancelled", async () => {
    await using source = open();
    const controller = new AbortController();
    const table = await source.describe({ query: "SELECT pg_sleep(600)::text AS n FROM many" }, signal);
    const reading = async (): Promise<void> => {
      for await (const _ of source.read(table, { key: [], batchSize: 1, signal: controller.signal }))
        continue;
    };
    const failing = failureOf(reading());
    while ((await asleep()) === 0) continue;
    controller.abort();
    expect((await failing).code).toBe("cancelled");
    while ((await asleep()) > 0) continue;
  });

  it("ends a statement that takes too long", async () => {
    await using source = open({ timeoutSeconds: 1 });
    const error = await failureOf(readRows(source, { query: "SELECT pg_sleep(20)::text AS n" }, []));
    expect(error.code).toBe("deadline_exceeded");
  });

  it("does not wait for a locked table for ever", async () => {
    await server.run("CREATE TABLE locked (n int)", "GRANT SELECT ON locked TO reader");
    await using source = open({ lockTimeoutSeconds: 1 });
    await server.admin.begin(async (sql) => {
      await sql`LOCK TABLE locked`;
      const error = await failureOf(readRows(source, { name: ["locked"] }, ["n"]));
      expect(error.code).toBe("source_unavailable");
    });
    expect(await readRows(source, { name: ["locked"] }, ["n"])).toEqual([]);
  });

  it("sees the columns that its role was granted, and reads those", async () => {
    await server.run(
      "CREATE SCHEMA hr",
      "CREATE TABLE hr.staff AS SELECT 1 AS id, 'Ada' AS name, 100000 AS salary",
      "GRANT USAGE ON SCHEMA hr TO reader",
      "GRANT SELECT (id, name) ON hr.staff TO reader",
      "CREATE TABLE hr.secret (x int)",
    );
    await using source = open();
    expect(await readRows(source, { name: ["hr", "staff"] }, ["id"])).toEqual([{ id: 1, name: "Ada" }]);
    const error = await failureOf(source.describe({ name: ["hr", "secret"] }, signal));
    expect(error.code).toBe("source_rejected");
    expect(error.message).toContain("GRANT SELECT");
    const query = await failureOf(source.describe({ query: "SELECT salary FROM hr.staff" }, signal));
    expect(query.code).toBe("source_rejected");
  });

  it("signs in and reads with the grants that its page tells, which leave it nothing to write", async () => {
    await server.run("CREATE DATABASE crm", "REVOKE ALL ON DATABASE crm FROM public");
    const port = Number(new URL(server.url).port);
    const signIn = (user: string, password: string): postgres.Sql => {
      const sql = postgres({ host: "127.0.0.1", port, database: "crm", user, password, max: 1 });
      onTestFinished(() => sql.end());
      return sql;
    };
    const admin = signIn("postgres", "super-secret");
    const statements = [
      "CREATE SCHEMA sales",
      "CREATE TABLE sales.orders AS SELECT 1 AS id",
      "CREATE TABLE sales.customers (id int)",
      "CREATE SCHEMA hr",
      "CREATE TABLE hr.staff AS SELECT 1 AS id, 'Ada' AS name, 'north' AS region, 100000 AS salary",
      ...documentedSql("postgres", "CREATE ROLE").map((sql) => sql.replace("'…'", "'quay-side'")),
      "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY",
    ];
    for (const statement of statements) await admin.unsafe(statement);
    const url = `postgres://quayside:quay-side@127.0.0.1:${port}/crm`;
    await using source = open({}, url);
    const [orders, staff] = [{ name: ["sales", "orders"] }, { name: ["hr", "staff"] }];
    expect(await takeIn(source, orders, ["id"])).toEqual([]);
    await admin.unsafe(/`(CREATE POLICY [^`]+)`/.exec(connectorPage("postgres"))?.[1] ?? "");
    expect(await takeIn(source, orders, ["id"])).toEqual([{ id: 1 }]);
    expect(await takeIn(source, staff, ["id"])).toEqual([{ id: 1, name: "Ada", region: "north" }]);
    const role = signIn("quayside", "quay-side");
    expect(await role`SHOW default_transaction_read_only`).toMatchObject([
      { default_transaction_read_only: "on" },
    ]);
    await role`SET default_transaction_read_only = off`;
    await expect(role`INSERT INTO sales.customers VALUES (1)`).rejects.toThrow("permission denied");
    await expect(role`CREATE TABLE mine (n int)`).rejects.toThrow("permission denied");
  });

  it("sees the rows that row security shows its role, and says in the log that there may be others", async () => {
    await server.run(
      "CREATE TABLE guarded AS SELECT n FROM generate_series(1, 10) AS g(n)",
      "GRANT SELECT ON guarded TO reader",
      "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
      "CREATE POLICY low ON guarded TO reader USING (n <= 3)",
      "ANALYZE guarded",
    );
    const host = secretHost({ DATABASE_URL: server.url });
    await using source = open({}, server.url, host);
    expect(await readRows(source, { name: ["guarded"] }, ["n"])).toHaveLength(3);
    const table = await source.describe({ name: ["guarded"] }, signal);
    expect(await source.estimate(table, signal)).toEqual({});
    expect(host.logged.map((event) => event.event)).toContain("source-row-security");
  });

  it("reads views, partitions as one table, and says how many rows they have", async () => {
    await server.run(
      "CREATE TABLE sales (n int, month date) PARTITION BY RANGE (month)",
      "CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
      "CREATE TABLE sales_2 PARTITION OF sales FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
      "INSERT INTO sales SELECT n, DATE '2024-01-01' + n % 60 FROM generate_series(1, 600) AS g(n)",
      "CREATE VIEW january AS SELECT n FROM sales WHERE month < '2024-02-01'",
      "GRANT SELECT ON sales, january TO reader",
      "ANALYZE sales_1",
      "ANALYZE sales_2",
    );
    await using source = open();
    const sales = await source.describe({ name: ["sales"] }, signal);
    expect(await source.estimate(sales, signal)).toEqual({ rows: 600 });
    expect(await readRows(source, { name: ["sales"] }, ["n"])).toHaveLength(600);
    expect(await readRows(source, { name: ["january"] }, ["n"])).toHaveLength(310);
  });

  it("holds back a row whose text is in no encoding, as a database without one may have", async () => {
    await server.run("CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    const url = server.url.replace(/postgres$/, "bytes");
    await using source = open({}, url);
    const query = String.raw`SELECT n, CASE n WHEN 2 THEN convert_from('\xff41', 'SQL_ASCII') ELSE 'Zoë' END AS v
      FROM generate_series(1, 3) AS g(n)`;
    const rows = await readRows(source, { query }, ["n"]);
    expect(rows.map((row) => typeof row["v"])).toEqual(["string", "object", "string"]);
    expect(rows[0]?.["v"]).toBe("Zoë");
  });

  it("trusts certificates as sslmode says", async () => {
    const tls = (parameters: string): Source => open({}, `${server.url}?${parameters}`);
    const ca = `sslrootcert=${encodeURIComponent(server.certificate)}`;
    expect(await encrypted(tls("sslmode=disable"))).toBe(false);
    expect(await encrypted(tls("sslmode=require"))).toBe(true);
    expect(await encrypted(tls(`sslmode=verify-ca&${ca}`))).toBe(true);
    expect(await encrypted(tls(`sslmode=verify-full&${ca}&channel_binding=require`))).toBe(true);
    expect((await failureOf(encrypted(tls("sslmode=verify-full")))).code).toBe("source_rejected");
    const named = `${server.url.replace("127.0.0.1", "localhost")}?sslmode=verify-full&${ca}`;
    expect((await failureOf(encrypted(open({}, named)))).code).toBe("source_rejected");
    const noFile = tls("sslmode=verify-full&sslrootcert=/nowhere.pem");
    expect((await failureOf(encrypted(noFile))).code).toBe("config_invalid");
  });

  it.each([
    // SASLprep makes something else of it, which is what the server keeps.
    "p\u2160\uFB01\u00A0\u00ADx",
    // SASLprep forbids the bell, and the server keeps it as it came.
    "p\u2160\u0007",
    "pässwörd 東京",
  ])("signs in with a password of more than ASCII: %j", async (password) => {
    const role = `scram_${crypto.randomUUID().slice(0, 8)}`;
    await server.admin.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
    const url = new URL(server.url);
    url.username = role;
    url.password = encodeURIComponent(password);
    // The role sees no table, and has come as far as looking.
    const error = await failureOf(open({}, url.href).describe({ name: ["people"] }, signal));
    expect(error.message).not.toContain("refused our sign-in");
    expect(error.message).toContain("people");
  });

  it("says that a password is wrong without saying it", async () => {
    const wrong = new URL(server.url);
    wrong.password = "topsecret";
    const error = await failureOf(open({}, wrong.href).describe({ name: ["people"] }, signal));
    expect(error.code).toBe("source_rejected");
    expect(error.message).not.toContain("topsecret");
  });
});
