import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as z from "zod/mini";

/** Where the sets of hostile and quality data lie: `QUAYSIDE_DATA`, else `shared/data` beside the repository. */
export const DATA =
  process.env["QUAYSIDE_DATA"] ?? join(dirname(fileURLToPath(import.meta.url)), "../../../shared/data");

/** The lines of a hostile set; undefined, said aloud, when it is not there. */
export function hostile<T>(file: string, schema: z.ZodMiniType<T>): readonly T[] | undefined {
  const path = join(DATA, "adversarial", file);
  if (!existsSync(path)) {
    // oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
    console.warn(`skipped: ${path} is not there; set QUAYSIDE_DATA`);
    return undefined;
  }
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => schema.parse(JSON.parse(line)));
}
