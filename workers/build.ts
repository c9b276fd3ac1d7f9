import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown, type ChunkingContext, type CodeSplittingGroup, type Plugin } from "rolldown";
import { digestOfSources } from "./build-code.ts";
import { buildOpenapi, describedAlready } from "./build-docs.ts";
import { compileLate, plainStrings } from "./build-late.ts";
import { slimSdks } from "./build-slim.ts";
import { writeBuilt } from "./build-write.ts";
import { buildConsole } from "./surfaces/console/build.ts";
import { buildWidget } from "./surfaces/widget/build.ts";

/**
 * Builds what wrangler serves and uploads: the Worker into `workers/dist/`; console, widget and the API's description into the
 * folder of assets.
 * wrangler's own bundling makes one script that runs from its start; here what a dynamic `import()` loads runs when it is first
 * needed, so that starting the Worker runs neither the edge nor its objects, nor the vendors' SDKs.
 */

const here = dirname(fileURLToPath(import.meta.url));

/**
 * What is loaded together: what starting needs, the edge, its objects, each vendor's SDK, what is used with a model or a
 * warehouse, and the surfaces that few need. What one takes of another has a name of its own in both, so there are few.
 */
const chunks = (): CodeSplittingGroup[] => [
  { name: "start", tags: ["$initial"] },
  { debugName: "parts", name: partsOf(), test: /^(?!.*node_modules)/ },
  { debugName: "sdks", name: sdkOf, test: /-sdk\.ts$/ },
  { debugName: "vendors", name: vendorOf, test: /node_modules\/(?!zod)/ },
  { name: "ingest", test: /\/(ingest|providers)\/|\/local(-|\.|\/)/ },
  { name: "surfaces", test: /\/(workers|shared|zod)\// },
];

/** The edge, the objects, and what both need: nothing of the one is loaded for the other. */
function partsOf(): (path: string, graph: ChunkingContext) => string | null {
  const known = new Map<string, ReadonlySet<string>>();
  return (path, graph) => {
    const reaches = (entry: string): boolean => {
      const reached = known.get(entry) ?? reachedFrom(join(here, entry), graph);
      known.set(entry, reached);
      return reached.has(path);
    };
    const object = ["tenant/ledger.ts", "index/shard.ts"].some(reaches);
    if (reaches("worker.ts")) return object ? "common" : "edge";
    if (object) return "objects";
    return ["runner/runner.ts", "thread/thread.ts"].some(reaches) ? "runners" : null;
  };
}

function reachedFrom(entry: string, graph: ChunkingContext): ReadonlySet<string> {
  const reached = new Set([entry]);
  for (const path of reached) {
    for (const imported of graph.getModuleInfo(path)?.importedIds ?? []) reached.add(imported);
  }
  return reached;
}

/** The part of an SDK that is used, with all of the SDK that it reaches. */
function sdkOf(path: string): string | null {
  return /(\w+)-sdk\.ts$/.exec(path)?.[1] ?? null;
}

function vendorOf(path: string): string | null {
  return /node_modules\/(?:@([^/]+)|([^/@]+))\//.exec(path)?.slice(1).find(Boolean) ?? null;
}

/** A `.wasm` file is a module of the runtime's own: copied beside the chunks, and imported from there. */
function wasmModules(): Plugin {
  return {
    name: "wasm-modules",
    resolveId: {
      filter: { id: /\.wasm$/ },
      async handler(source, importer) {
        const path = join(dirname(importer ?? ""), source);
        const bytes = await readFile(path);
        const name = basename(path, ".wasm");
        const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
        this.emitFile({ type: "asset", fileName: `${name}-${hash}.wasm`, source: bytes });
        return { id: `./${name}-${hash}.wasm`, external: "absolute" };
      },
    },
  };
}

/** The runtime's own modules. The bare names are reached only by parts of an SDK that the Worker never calls. */
const RUNTIME = [/^cloudflare:/, /^node:/, "fs", "path", "stream"];

/** `demo` compiles demo mode in; without it that code is dropped. `entry`: default `main.ts`. */
export async function buildWorker(options: {
  readonly demo: boolean;
  readonly outdir?: string;
  readonly entry?: string;
}): Promise<void> {
  const outdir = options.outdir ?? join(here, "dist");
  const bundle = await rolldown({
    input: { main: options.entry ?? join(here, "main.ts") },
    platform: "neutral",
    resolve: {
      mainFields: ["module", "main"],
      conditionNames: ["workerd", "worker", "browser", "import"],
    },
    external: RUNTIME,
    transform: {
      target: "es2024",
      define: { QUAYSIDE_DEMO: String(options.demo), QUAYSIDE_CODE: JSON.stringify(digestOfSources()) },
    },
    plugins: [slimSdks(), describedAlready(), wasmModules()],
    checks: { bundlerTimings: false },
  });
  const parts = await bundle.generate({
    format: "esm",
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name].mjs",
    assetFileNames: "[name]-[hash][extname]",
    codeSplitting: { groups: chunks() },
  });
  await bundle.close();
  const assets = parts.output.filter((file) => file.type === "asset");
  const joined = await rolldown({
    input: { main: "main.mjs" },
    platform: "neutral",
    external: RUNTIME,
    plugins: [compileLate(parts.output.filter((file) => file.type === "chunk"))],
  });
  const { output } = await joined.generate({
    format: "esm",
    // Not .js: the module rule in wrangler.toml must match nothing else.
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name]-[hash].mjs",
    minify: true,
    comments: false,
    // One character over 127 makes V8 hold and read the whole module at two bytes a character.
    charset: "ascii",
    codeSplitting: { groups: [{ name: "start", tags: ["$initial"] }] },
  });
  await joined.close();
  await mkdir(outdir, { recursive: true });
  const files = new Map(
    [...output, ...assets].map((file) => [
      file.fileName,
      Buffer.from(file.type === "chunk" ? plainStrings(file.code) : file.source),
    ]),
  );
  for (const [name, contents] of files) await writeBuilt(join(outdir, name), contents);
  for (const name of await readdir(outdir)) {
    if (/\.(mjs|wasm)$/.test(name) && !files.has(name)) await rm(join(outdir, name), { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Promise.all([
    buildConsole(),
    buildWidget(),
    buildOpenapi(),
    buildWorker({ demo: process.env["QUAYSIDE_DEMO"] === "true" }),
  ]);
}
