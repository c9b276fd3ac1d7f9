import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { digestOfSources } from "../workers/build-code.ts";
import { root } from "./root.ts";

/**
 * Bundles the CLI into `dist/`. Node runs the sources as they are, but loading some three hundred modules and stripping the types
 * of a hundred takes longer than an ingest that has nothing to do. `quayside.mjs` takes the bundle while it is newer than all that
 * it was made of.
 */
const directory = fileURLToPath(root);
const { metafile, outputFiles } = await build({
  absWorkingDir: directory,
  entryPoints: ["ingest/cli.ts"],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  define: { QUAYSIDE_CODE: JSON.stringify(digestOfSources()) },
  // Native, and programs of their own.
  external: ["@duckdb/node-bindings*", "esbuild", "wrangler"],
  // For packages that are CommonJS. Under a name of its own: some packages import `createRequire` themselves.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  legalComments: "none",
  logLevel: "error",
  metafile: true,
  write: false,
});
const dist = fileURLToPath(new URL("dist/", root));
await mkdir(dist, { recursive: true });
// Whole files, and only those that differ: a program that runs meanwhile loads its modules when it needs them.
for (const { path, contents } of outputFiles) {
  if ((await readFile(path).catch(() => undefined))?.equals(contents)) continue;
  await writeFile(`${path}.new`, contents);
  await rename(`${path}.new`, path);
}
const made = new Set(outputFiles.map(({ path }) => basename(path)));
for (const name of await readdir(dist)) {
  if (name.endsWith(".mjs") && !made.has(name)) await rm(join(dist, name), { force: true });
}
const own = Object.keys(metafile.inputs).filter((path) => !path.includes("node_modules"));
const inputs = [...own, "package.json", "package-lock.json"];
await writeFile(new URL("dist/inputs.json", root), JSON.stringify(inputs));
