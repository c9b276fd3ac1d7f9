import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { writeBuilt } from "../../build-write.ts";

const here = dirname(fileURLToPath(import.meta.url));
/** Beside the console's files: the Worker has one folder of assets. */
const dist = join(here, "../console/dist");

/** Most that the widget may weigh, in bytes after gzip. */
export const WIDGET_MAX_BYTES = 25_000;

/**
 * Builds `/widget.js`, one classic script with everything in it, and the example portal that `npm start` serves.
 * @returns bytes of the widget after gzip.
 * @throws Error when it is larger than `WIDGET_MAX_BYTES`.
 */
export async function buildWidget(): Promise<number> {
  await mkdir(dist, { recursive: true });
  const result = await build({
    entryPoints: { widget: join(here, "element.ts"), portal: join(here, "portal.ts") },
    outdir: dist,
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome126", "firefox128", "safari18"],
    loader: { ".css": "text" },
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  let size = 0;
  for (const { path, contents } of result.outputFiles) {
    if (path.endsWith("widget.js")) size = gzipSync(contents).length;
    await writeBuilt(path, contents);
  }
  await writeBuilt(join(dist, "portal.html"), await readFile(join(here, "portal.html")));
  await writeBuilt(join(dist, "portal.css"), await readFile(join(here, "portal.css")));
  if (size > WIDGET_MAX_BYTES) throw new Error(`The widget weighs ${size} bytes after gzip.`);
  return size;
}
