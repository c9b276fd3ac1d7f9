import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { slimSdks } from "./build-slim.ts";
import { buildConsole } from "./surfaces/console/build.ts";
import { buildWidget } from "./surfaces/widget/build.ts";

/**
 * Builds what wrangler serves and uploads: the Worker into `workers/dist/`, console and widget into the folder of assets.
 * wrangler's own bundling makes one file of everything; here every dynamic `import()` is a module of its own, so that
 * starting the Worker parses none of the vendors' SDKs: each is loaded by the first request that needs it.
 */

const here = dirname(fileURLToPath(import.meta.url));

/** `demo` compiles demo mode in; without it that code is dropped. `entry`: default `main.ts`. */
export async function buildWorker(options: {
  readonly demo: boolean;
  readonly outdir?: string;
  readonly entry?: string;
}): Promise<void> {
  const outdir = options.outdir ?? join(here, "dist");
  const result = await build({
    entryPoints: { main: options.entry ?? join(here, "main.ts") },
    // Not .js: the module rule in wrangler.toml must match nothing else.
    outExtension: { ".js": ".mjs" },
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    // The runtime's own modules. The bare names are reached only by parts of an SDK that the Worker never calls.
    external: ["cloudflare:*", "node:*", "fs", "path", "stream"],
    loader: { ".wasm": "copy" },
    define: { QUAYSIDE_DEMO: String(options.demo) },
    legalComments: "none",
    plugins: [slimSdks()],
    logLevel: "warning",
    write: false,
  });
  await mkdir(outdir, { recursive: true });
  const files = new Map(result.outputFiles.map((file) => [basename(file.path), file.contents]));
  // Only what differs is touched: a Worker that already serves this build, or starts beside it, never reads half a file.
  for (const [name, contents] of files) {
    const path = join(outdir, name);
    const present = await readFile(path).catch(() => undefined);
    if (present?.equals(contents)) continue;
    await writeFile(`${path}.new`, contents);
    await rename(`${path}.new`, path);
  }
  for (const name of await readdir(outdir)) {
    if (/\.(mjs|wasm)$/.test(name) && !files.has(name)) await rm(join(outdir, name), { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Promise.all([
    buildConsole(),
    buildWidget(),
    buildWorker({ demo: process.env["QUAYSIDE_DEMO"] === "true" }),
  ]);
}
