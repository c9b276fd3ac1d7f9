import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { writeBuilt } from "../../build-write.ts";

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Builds the page into `dist/`: one script, one style sheet, the page naming both with their hash and digest.
 * @returns bytes of each file after gzip.
 */
export async function buildConsole(): Promise<Readonly<Record<string, number>>> {
  const dist = join(here, "dist");
  await mkdir(dist, { recursive: true });
  const result = await build({
    entryPoints: [join(here, "page.ts"), join(here, "style.css")],
    outdir: dist,
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["chrome126", "firefox128", "safari18"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  let html = (await readFile(join(here, "index.html"), "utf8")).replace(/\n\s+/g, "\n");
  const sizes: Record<string, number> = {};
  for (const file of result.outputFiles) {
    const name = file.path.slice(dist.length + 1);
    const hash = createHash("sha384").update(file.contents).digest("base64");
    const version = createHash("sha256").update(file.contents).digest("hex").slice(0, 12);
    html = html.replace(`"/${name}"`, `"/${name}?v=${version}" integrity="sha384-${hash}"`);
    await writeBuilt(file.path, file.contents);
    sizes[name] = gzipSync(file.contents).length;
  }
  await writeBuilt(join(dist, "index.html"), html);
  sizes["index.html"] = gzipSync(html).length;
  await writeBuilt(join(dist, "favicon.svg"), await readFile(join(here, "favicon.svg")));
  return sizes;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const started = performance.now();
  const sizes = await buildConsole();
  const list = Object.entries(sizes).map(([name, bytes]) => `${name} ${(bytes / 1024).toFixed(1)} KB`);
  console.log(`console: ${list.join(", ")} gzip, ${Math.round(performance.now() - started)} ms`);
}
