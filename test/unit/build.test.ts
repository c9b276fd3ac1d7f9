import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { codeOf } from "../../ingest/code.ts";
import { buildWorker } from "../../workers/build.ts";
import { digestOfSources } from "../../workers/build-code.ts";

async function built(demo: boolean): Promise<string> {
  const outdir = await mkdtemp(join(tmpdir(), "quayside-build-"));
  try {
    await buildWorker({ demo, outdir });
    const files = (await readdir(outdir)).filter((name) => name.endsWith(".mjs"));
    return (await Promise.all(files.map((name) => readFile(join(outdir, name), "utf8")))).join("\n");
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}

it("a deploy's build holds no demo mode", async () => {
  expect(await built(true)).toContain("x-quayside-demo-user");
  expect(await built(false)).not.toContain("x-quayside-demo-user");
}, 30_000);

it("a build knows what it was made of, as a run from the sources does", async () => {
  const code = digestOfSources();
  expect(code).toMatch(/^[\w-]{43}$/);
  expect(codeOf()).toBe(code);
  expect(await built(false)).toContain(code);
}, 30_000);
