import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Source } from "../../shared/ports/source.ts";
import { misread, readRows } from "../contract/source-sql.ts";
import { startPglite, type PostgresInProcess } from "../fakes/pglite.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { hostile } from "./hostile.ts";

/** Hostile strings, names and values through a PostgreSQL: as they were, or not at all. */

const line = z.object({ id: z.string(), text: z.string() });
const naughty = hostile("naughty-strings.jsonl", line);
const literals = hostile("sqli-literals.jsonl", line);
const identifiers = hostile(
  "identifiers.jsonl",
  z.object({ id: z.string(), identifier: z.string(), expect: z.enum(["quoted_roundtrip", "reject"]) }),
);
const poison = hostile(
  "poison-rows.jsonl",
  z.object({ id: z.string(), type: z.string(), value: z.optional(z.unknown()), expect: z.string() }),
);
/** What PostgreSQL can hold: no NUL, no half of a surrogate pair. */
const strings = [...(naughty ?? []), ...(literals ?? [])].filter(
  ({ text }) => text.isWellFormed() && !text.includes("\u0000"),
);
let server: PostgresInProcess;
const open = (): Source => makePostgresSource({ kind: "postgres" }, secretHost({ DATABASE_URL: server.url }));
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** PostgreSQL cuts longer names, so that no table has one. */
const possible = (name: string): boolean => Buffer.byteLength(name) <= 63;

beforeAll(async () => {
  server = await startPglite([]);
});
afterAll(() => server[Symbol.asyncDispose]());

describe.skipIf(!naughty || !literals)("hostile strings in PostgreSQL", () => {
  it("come back character for character, alone and within arrays, records and JSON", async () => {
    const values = strings.map(({ id, text }) => `(${literal(id)}, ${literal(text)})`).join(", ");
    await server.run(
      "CREATE TYPE pair AS (a text, b text)",
      `CREATE TABLE strings AS SELECT id, text, ARRAY[text, NULL, text] AS list, ROW(text, id)::pair AS record,
         jsonb_build_object('t', text) AS doc FROM (VALUES ${values}) AS v(id, text)`,
    );
    await using source = open();
    const rows = new Map(
      (await readRows(source, { name: ["strings"] }, ["id"])).map((row) => [row["id"], row]),
    );
    expect(rows.size).toBe(strings.length);
    for (const { id, text } of strings) {
      expect(rows.get(id)).toEqual({
        id,
        text,
        list: [text, null, text],
        record: { a: text, b: id },
        doc: { t: text },
      });
    }
  });
});

describe.skipIf(!naughty || !literals)("hostile keys and cursors in PostgreSQL", () => {
  it("are values and nothing else, however the server takes backslashes", async () => {
    const texts = [...new Set(strings.map(({ text }) => text))];
    const values = texts.map((text, i) => `(${i}, ${literal(text)})`).join(", ");
    await server.run(`CREATE TABLE keyed AS SELECT id, text FROM (VALUES ${values}) AS v(id, text)`);
    for (const setting of ["on", "off"]) {
      await server.run(
        `ALTER DATABASE postgres SET standard_conforming_strings = ${setting}`,
        `SET standard_conforming_strings = ${setting}`,
      );
      await using source = open();
      expect(await misread(source, { name: ["keyed"] }, "text", texts)).toEqual([]);
    }
    await server.run(
      "ALTER DATABASE postgres RESET standard_conforming_strings",
      "RESET standard_conforming_strings",
    );
  });
});

describe.skipIf(!identifiers)("hostile identifiers in PostgreSQL", () => {
  it("of tables and columns that exist are quoted and come back; others are refused by the catalogue", async () => {
    await server.run(
      "CREATE TABLE orders (id integer)",
      "CREATE SCHEMA hr",
      "CREATE TABLE hr.salaries (id integer)",
      "CREATE TABLE file (id integer)",
    );
    let quoted = 0;
    for (const { id, identifier, expect: set } of identifiers ?? []) {
      const expected = possible(identifier) ? set : "reject";
      if (set === "quoted_roundtrip") {
        await server.run(
          `DROP TABLE IF EXISTS ${quote(identifier)}`,
          `CREATE TABLE ${quote(identifier)} AS SELECT 1 AS k, 'here' AS ${quote(identifier)}`,
        );
      }
      await using source = open();
      try {
        const table = await source.describe({ name: [identifier] }, new AbortController().signal);
        expect([id, expected]).toEqual([id, "quoted_roundtrip"]);
        expect(table.columns.map((column) => column.name)).toEqual(["k", identifier]);
        const rows = await readRows(source, { name: [identifier] }, ["k"]);
        expect(rows.map((row) => Object.entries(row))).toEqual([
          [
            ["k", 1],
            [identifier, "here"],
          ],
        ]);
        quoted += 1;
      } catch (error) {
        if (!(error instanceof QuaysideError)) throw error;
        expect([id, expected, error.code]).toEqual([id, "reject", "source_rejected"]);
      }
    }
    const wanted = identifiers?.filter((i) => i.expect === "quoted_roundtrip" && possible(i.identifier));
    expect(quoted).toBe(wanted?.length);
  });
});

describe.skipIf(!poison)("numbers and times in PostgreSQL", () => {
  const typed = (poison ?? []).filter(({ type }) =>
    ["bigint", "numeric", "double", "date", "timestamp"].includes(type),
  );

  it.each(typed)("$id ($type $value) ends as $expect", async ({ type, value, expect: expected }) => {
    const given = String(value);
    const sqlType = type === "double" ? "float8" : type === "timestamp" ? "timestamptz" : type;
    const sql = Object.is(value, -0) ? "-0" : given;
    await server.run("DROP TABLE IF EXISTS t", `CREATE TABLE t AS SELECT ${literal(sql)}::${sqlType} AS v`);
    await using source = open();
    const cell = (await readRows(source, { name: ["t"] }, []))[0]?.["v"];
    if (type === "timestamp") {
      expect(cell).toMatch(/^2026-(03-29|10-25)T\d{2}:\d{2}:00Z$/);
    } else if (type === "date") {
      const other: Record<string, string> = {
        "10000-01-01": "+010000-01-01",
        "0044-03-15 BC": "-000043-03-15",
        infinity: "Infinity",
      };
      expect(cell).toBe(other[given] ?? given);
    } else if (type === "double") {
      expect(cell).toBe(Object.is(value, -0) ? "-0" : expected === "string_token" ? given : Number(given));
    } else expect(cell).toBe(given);
  });
});
