import { DuckDBInstance } from "@duckdb/node-api";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { parseConfig } from "../../shared/config.ts";
import { serve, type Served } from "../e2e/harness.ts";
import { hostile } from "./hostile.ts";

/** Hostile strings all the way: a DuckDB file, the CLI's ingest, the served Worker, a search that finds them,
 * evidence that shows them. */

const naughty = hostile("naughty-strings.jsonl", z.object({ id: z.string(), text: z.string() }));

const evidence = z.object({
  citations: z.array(
    z.object({ id: z.string(), cells: z.array(z.object({ column: z.string(), value: z.unknown() })) }),
  ),
});
const matches = z.object({ matches: z.array(z.object({ id: z.string(), text: z.string() })) });

/** NUL and lone surrogates become U+FFFD; everything else stays. */
function stored(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\uFFFD");
}

let directory = "";
let served: Served;

describe.skipIf(!naughty)("hostile strings through the served Worker", () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "quayside-served-strings-"));
    const path = join(directory, "strings.duckdb");
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run("CREATE TABLE notes (id VARCHAR PRIMARY KEY, reference VARCHAR, body VARCHAR)");
    for (const [i, { id, text }] of (naughty ?? []).entries()) {
      // The binding ends a parameter at its first NUL.
      const parts = text.toWellFormed().split("\u0000");
      const sql = parts.map((_, n) => `$${n + 3}::VARCHAR`).join(" || chr(0) || ");
      await connection.run(`INSERT INTO notes VALUES ($1, $2, ${sql})`, [
        id,
        `harbour${i}reference`,
        ...parts,
      ]);
    }
    connection.closeSync();
    instance.closeSync();
    served = await serve(
      parseConfig({
        name: "strings",
        sources: { w: { kind: "duckdb", path } },
        tables: {
          notes: {
            source: "w",
            key: ["id"],
            title: "reference",
            text: ["body"],
            classification: "public",
            access: { allowAny: ["public"] },
          },
        },
        limits: { requestsPerMinute: 1e6, tenantRequestsPerMinute: 1e6, concurrentRequests: 100 },
        demo: { users: { anyone: { label: "Anyone", groups: [] } }, examples: [] },
      }),
    );
  });

  afterAll(async () => {
    await served?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("are ingested, found, and shown as evidence byte for byte", async () => {
    const lines = naughty ?? [];
    const result = await served.ingest();
    expect(result.tables).toMatchObject([{ read: lines.length, added: lines.length, failed: 0 }]);
    const wrong: string[] = [];
    for (const [i, { id, text }] of lines.entries()) {
      const response = await served.post("/v1/search", { query: `harbour${i}reference`, top_k: 3 });
      const found = matches.parse(await response.json()).matches;
      if (!found.some((match) => match.id === `notes:${id}`)) wrong.push(`${id} not found`);
      const stream = await served.post("/v1/ask", { question: `harbour${i}reference`, stream: true });
      const data = /^event: evidence\ndata: ([^\n]*)/m.exec(await stream.text())?.[1] ?? "";
      const shown = evidence
        .parse(JSON.parse(data))
        .citations.find((citation) => citation.id === `notes:${id}`);
      const body = shown?.cells.find((cell) => cell.column === "body")?.value ?? "";
      if (body !== stored(text)) wrong.push(`${id} shown otherwise`);
    }
    expect(wrong).toEqual([]);
  });
});
