import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import type { Source } from "../../shared/ports/source.ts";
import { startPglite, type PostgresInProcess } from "../fakes/pglite.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { failureOf, readRows } from "./source-sql.ts";
import { sourceContract } from "./source.ts";

const signal = new AbortController().signal;
let server: PostgresInProcess;

const open = (settings: Readonly<Record<string, unknown>> = {}): Source =>
  makePostgresSource({ kind: "postgres", ...settings }, secretHost({ DATABASE_URL: server.url }));

const PEOPLE = `SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', E'two\\nlines'),
  (10, '007', 'x')) AS t(id, name, note)`;

beforeAll(async () => {
  server = await startPglite([
    `CREATE TABLE people AS ${PEOPLE}`,
    "CREATE TABLE many AS SELECT n FROM generate_series(0, 4999) AS g(n)",
    "CREATE TABLE empty (id integer PRIMARY KEY)",
    "ANALYZE many",
  ]);
});
afterAll(() => server[Symbol.asyncDispose]());
afterEach(() => {
  server.onData = undefined;
});

const refs = {
  people: { name: ["people"] },
  many: { name: ["public", "many"] },
  empty: { name: ["postgres", "public", "empty"] },
  missing: { name: ["missing"] },
};
sourceContract("postgres", async () => ({ source: open(), ...refs }));
sourceContract("postgres, queries", async () => ({
  source: open(),
  people: { query: "SELECT id, name, note FROM people;" },
  many: { query: "SELECT n FROM many -- all of them" },
  empty: { query: "SELECT 1 AS id WHERE false" },
  missing: { query: "SELECT * FROM missing" },
}));

describe("postgres source", () => {
  it("x", async () => {
    await using source = open();
    expect(await readRows(source, { name: ["people"] }, ["id"])).toHaveLength(3);
    expect((await failureOf(source.describe({ name: ["missing"] }, signal))).code).toBe("source_rejected");
  });
});
