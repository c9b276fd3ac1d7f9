import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as z from "zod/mini";

/** Where the sets of hostile and quality data lie: `QUAYSIDE_DATA`, else `shared/data` beside the repository. */
export const DATA =
  process.env["QUAYSIDE_DATA"] ?? join(dirname(fileURLToPath(import.meta.url)), "../../../shared/data");

/** The lines of a hostile set; undefined, said aloud, when it is not there. */
export function hostile<T>(file: string, schema: z.ZodMiniType<T>): readonly T[] | undefined {
  const lines = read(file)
    ?.split("\n")
    .filter((line) => line !== "");
  return lines?.map((line) => schema.parse(JSON.parse(line)));
}

/** A hostile set that is one JSON document; undefined, said aloud, when it is not there. */
export function hostileDocument<T>(file: string, schema: z.ZodMiniType<T>): T | undefined {
  const text = read(file);
  return text === undefined ? undefined : schema.parse(JSON.parse(text));
}

function read(file: string): string | undefined {
  const path = join(DATA, "adversarial", file);
  if (existsSync(path)) return readFileSync(path, "utf8");
  // oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
  console.warn(`skipped: ${path} is not there; set QUAYSIDE_DATA`);
  return undefined;
}
