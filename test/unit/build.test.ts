import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { buildWorker } from "../../workers/build.ts";

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
