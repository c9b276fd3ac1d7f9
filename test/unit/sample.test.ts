import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSample } from "../../ingest/sample/generate.ts";
import { SCHEMA } from "../../ingest/sample/schema.ts";
import type { Row } from "../../shared/ports/source.ts";
import { readAll, textOf, type Rows } from "../fakes/sample-tables.ts";

let home: string;
let directory: string;
let counts: ReadonlyMap<string, number>;
/** Every configured table as its source reads it, queries included. */
let tables: Rows;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), "quayside-sample-"));
  directory = path.join(home, "first");
  const result = await generateSample({ directory });
  counts = new Map(result.tables.map((t) => [t.name, t.rows]));
  tables = await readAll(directory);
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

function rowsOf(name: string): readonly Row[] {
  return tables.get(name) ?? [];
}

describe("the sample warehouse", () => {
  test("has at least 10 base tables and 5,000 rows", () => {
    expect(counts.size).toBeGreaterThanOrEqual(10);
    expect([...counts.values()].reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(5000);
    for (const [name, rows] of counts) expect([name, rowsOf(name).length]).toEqual([name, rows]);
  });

  test("comes as DuckDB, Parquet and CSV", () => {
    expect(new Set(Object.values(SCHEMA).map((table) => table.store))).toEqual(
      new Set(["duckdb", "parquet", "csv"]),
    );
  });

  test("is the same twice: rows everywhere, bytes in CSV and Parquet", async () => {
    const second = path.join(home, "second");
    await generateSample({ directory: second });
    const again = await readAll(second);
    for (const [name, rows] of tables)
      expect([name, hashRows(again.get(name))]).toEqual([name, hashRows(rows)]);
    for (const file of ["knowledge_articles.csv", "notices.csv", "booking_lines.parquet"]) {
      const bytes = await Promise.all(
        [directory, second].map(async (at) => readFile(path.join(at, "files", file))),
      );
      expect(bytes[0]?.equals(bytes[1] ?? Buffer.of())).toBe(true);
    }
  });

  test("another seed gives other bookings and the same texts", async () => {
    const other = path.join(home, "other");
    await generateSample({ directory: other, seed: 2 });
    const rows = await readAll(other);
    expect(hashRows(rows.get("bookings"))).not.toBe(hashRows(rowsOf("bookings")));
    expect(hashRows(rows.get("incidents"))).toBe(hashRows(rowsOf("incidents")));
  });

  test("keeps what a user edited, and writes again what is missing", async () => {
    const edited = path.join(home, "edited");
    await generateSample({ directory: edited });
    const articles = path.join(edited, "files", "knowledge_articles.csv");
    const notices = path.join(edited, "files", "notices.csv");
    const before = await readFile(notices, "utf8");
    await writeFile(articles, (await readFile(articles, "utf8")).replace("45 minutes", "50 minutes"));
    await rm(notices);
    await generateSample({ directory: edited });
    expect(await readFile(articles, "utf8")).toContain("50 minutes");
    expect(await readFile(notices, "utf8")).toBe(before);
  });

  test("keeps an edited file beside the new one when the sample itself changed", async () => {
    const changed = path.join(home, "changed");
    await generateSample({ directory: changed, seed: 3 });
    const notices = path.join(changed, "files", "notices.csv");
    const before = await readFile(notices, "utf8");
    await writeFile(notices, before.replace("Trolleys", "Trollies"));
    await generateSample({ directory: changed, seed: 4 });
    expect(await readFile(notices, "utf8")).toBe(before);
    expect(await readFile(`${notices}.edited`, "utf8")).toContain("Trollies");
  });

  test("writes people only at addresses and numbers that reach nobody", () => {
    const text = [...tables.values()].map((rows) => JSON.stringify(rows)).join("\n");
    const addresses = text.match(/[\p{L}\d.+-]+@[\p{L}\d.-]+/gu) ?? [];
    expect(addresses.length).toBeGreaterThan(100);
    expect(addresses.filter((a) => !/@(?:[a-z-]+\.)?example\.(?:com|org)$/.test(a))).toEqual([]);
    const phones = text.match(/\+\d[\d ]{6,}\d/g) ?? [];
    expect(phones.length).toBeGreaterThan(100);
    expect(phones.filter((p) => !/^(?:\+44 1632 960\d{3}|\+33 1 99 00 \d\d \d\d)$/.test(p))).toEqual([]);
    // Nothing that looks like a national number either.
    expect(text.match(/\b0\d(?:[ .]\d\d){4}\b|\b0\d{3,4} \d{5,6}\b/g)).toBeNull();
  });

  test("gives every contact an address and a number of its own", () => {
    for (const column of ["email", "phone"]) {
      const values = rowsOf("contacts").map((row) => row[column]);
      expect(new Set(values).size).toBe(values.length);
    }
  });

  test("ends on 20 November 2026", () => {
    const dates = rowsOf("sailings").map((row) => textOf(row["sailing_date"]));
    expect([dates.reduce((a, b) => (a < b ? a : b)), dates.reduce((a, b) => (a > b ? a : b))]).toEqual([
      "2026-01-01",
      "2026-11-20",
    ]);
  });

  test("adds up: each booking's total is the sum of its lines", () => {
    const sums = new Map<string, number>();
    for (const line of rowsOf("booking_lines")) {
      const id = textOf(line["booking_id"]);
      sums.set(id, (sums.get(id) ?? 0) + Math.round(Number(line["amount_euros"]) * 100));
    }
    const wrong = rowsOf("bookings").filter(
      (row) => sums.get(textOf(row["booking_id"])) !== Math.round(Number(row["total_euros"]) * 100),
    );
    expect(wrong).toEqual([]);
  });

  test("tells one story: a sailing with an incident was cancelled or late as the incident's ship", () => {
    const sailings = new Map(rowsOf("sailings").map((row) => [row["sailing_id"], row]));
    for (const incident of rowsOf("incidents")) {
      if (incident["sailing_id"] === null) continue;
      expect(sailings.get(incident["sailing_id"])?.["vessel_id"]).toBe(incident["vessel_id"]);
    }
  });
});

function hashRows(rows: readonly Row[] | undefined): string {
  const lines = (rows ?? []).map((row) => JSON.stringify(row)).sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}
