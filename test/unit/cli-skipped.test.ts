import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { commandLine } from "../fakes/command-line.ts";
import { configOf } from "../fakes/ingest-bench.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";

/** What the command line makes of tables whose files are what they were, over DuckDB and the wire. */

let path = "";
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "quayside-skipped-"));
});
afterAll(() => rm(path, { recursive: true, force: true }));

it("reads a table's file once, and again with --read-all or when its contents are others", async () => {
  const registry = memoryRegistry();
  const config = { ...configOf({ notes: { text: ["body"] } }), sources: { w: { kind: "duckdb", path } } };
  const run = async (...argv: string[]): Promise<unknown> => {
    const { status, result } = await commandLine(argv, { config, registry, secrets: {} });
    expect(status).toBe(0);
    return result;
  };
  const file = join(path, "notes.csv");
  await writeFile(file, "id,body\n1,one\n2,two\n");
  expect(await run("ingest")).toMatchObject({ tables: [{ read: 2, added: 2 }], embedded_texts: 2 });
  const skipped = {
    table: "notes",
    read: 0,
    added: 0,
    changed: 0,
    deleted: 0,
    unchanged: 2,
    failed: 0,
    skipped: true,
  };
  expect(await run("ingest")).toMatchObject({ generation: 1, tables: [skipped], embedded_texts: 0 });
  expect(await run("plan")).toMatchObject({
    tables: [{ ...skipped, warehouse_bytes: 0 }],
    texts: 0,
    stops: [],
  });
  const read = { table: "notes", read: 2, added: 0, changed: 0, deleted: 0, unchanged: 2, failed: 0 };
  for (const command of ["plan", "ingest"]) {
    const { tables } = (await run(command, "--read-all")) as { readonly tables: readonly unknown[] };
    expect(tables).toMatchObject([read]);
    expect(tables[0]).not.toHaveProperty("skipped");
  }
  await writeFile(file, "id,body\n1,one\n2,two\n");
  expect(await run("ingest")).toMatchObject({ tables: [skipped] });
  await writeFile(file, "id,body\n1,one\n2,TWO\n");
  expect(await run("ingest")).toMatchObject({
    generation: 2,
    tables: [{ read: 2, changed: 1, unchanged: 1 }],
  });
});
