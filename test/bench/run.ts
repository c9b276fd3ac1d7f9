import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Runs every benchmark of this folder, or those named, one after the other; each prints JSON lines on stdout.
 *   npm run bench                      all
 *   npm run bench -- bundle --gate     one, with its own flags
 */
const here = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const named = args.filter((arg) => !arg.startsWith("--"));
const flags = args.filter((arg) => arg.startsWith("--"));
const all = readdirSync(here)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.slice(0, -".bench.ts".length))
  .sort();
const unknown = named.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`No benchmark named ${unknown.join(", ")}; there are: ${all.join(", ")}`);
  process.exit(2);
}
let failed = 0;
for (const name of named.length > 0 ? named : all) {
  const result = spawnSync(process.execPath, [join(here, `${name}.bench.ts`), ...flags], {
    stdio: "inherit",
  });
  if (result.status !== 0) failed += 1;
}
process.exitCode = failed > 0 ? 1 : 0;
