import { resolve } from "node:path";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import type { Source } from "../../shared/ports/source.ts";
import type { DuckDbEngine } from "./duckdb-engine.ts";
import { isDatabase, listFiles } from "./duckdb-files.ts";
import { makeFileRevisions } from "./duckdb-revision.ts";

const settingsSchema = z.strictObject({
  kind: z.literal("duckdb"),
  path: z.string().check(z.minLength(1)),
  delimiter: z.optional(z.string().check(z.length(1))),
  encoding: z.optional(z.string()),
});

/**
 * DuckDB: a database file (`.duckdb`, `.db`), or a folder of `.csv`, `.tsv`, `.parquet`, `.json` files, each a table. Opened
 * read-only; SQL can reach nothing but that file or folder.
 *
 * CSV has no types, so the cells of a CSV table are its text as written; queries over CSV files see the types that DuckDB finds.
 * Settings: `path` (relative to where the command runs), `delimiter` and `encoding` for CSV.
 */
export const makeDuckDbSource: Factory<Source> = (input) => {
  const parsed = settingsSchema.safeParse(input);
  if (!parsed.success) {
    const violations = parsed.error.issues.map((issue) => ({
      pointer: issue.path.join("."),
      rule: issue.message,
    }));
    const list = violations.map((v) => `${v.pointer || "settings"}: ${v.rule}`).join("; ");
    throw new QuaysideError("config_invalid", `A duckdb source has wrong settings: ${list}.`, { violations });
  }
  const settings = parsed.data;
  const path = resolve(settings.path);
  const csv = { delimiter: settings.delimiter, encoding: settings.encoding };
  const fileRevision = makeFileRevisions();
  let loading: Promise<DuckDbEngine> | undefined;
  const loaded = (): Promise<DuckDbEngine> =>
    (loading ??= import("./duckdb-engine.ts").then(({ makeDuckDbEngine }) =>
      makeDuckDbEngine(path, settings.path, csv),
    ));

  return {
    // In the order of the file: sorting would need memory in proportion to the table, and fails beyond what it is given.
    ordered: false,
    origin: `duckdb:${settings.path}`,
    tables: async (signal) => (await loaded()).tables(signal),
    describe: async (ref, signal) => (await loaded()).describe(ref, signal),
    estimate: async (table, signal) => (await loaded()).estimate(table, signal),
    highest: async (table, column, signal) => (await loaded()).highest(table, column, signal),

    // Of a table that is one file. What a query reads can't be told, nor can what the views of a database file do.
    async revision({ name }, signal) {
      const data = name && !(await isDatabase(path)) ? await listFiles(path) : undefined;
      const file = data?.files.get(name?.join(".") ?? "");
      return file === undefined ? undefined : fileRevision(file, signal);
    },

    async *read(table, options) {
      yield* (await loaded()).read(table, options);
    },

    async [Symbol.asyncDispose]() {
      const engine = await loading?.catch(() => undefined);
      loading = undefined;
      await engine?.[Symbol.asyncDispose]();
    },
  };
};
