import { mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { codeOf } from "../../ingest/code.ts";
import { buildWorker } from "../../workers/build.ts";
import { buildOpenapi } from "../../workers/build-docs.ts";
import { digestOfSources } from "../../workers/build-code.ts";
import { writeBuilt } from "../../workers/build-write.ts";

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

let deployed: Promise<string> | undefined;

it("a deploy's build holds no demo mode", async () => {
  expect(await built(true)).toContain("x-quayside-demo-user");
  expect(await (deployed ??= built(false))).not.toContain("x-quayside-demo-user");
});

it("a build knows what it was made of, as a run from the sources does", async () => {
  const code = digestOfSources();
  expect(code).toMatch(/^[\w-]{43}$/);
  expect(codeOf()).toBe(code);
  expect(await (deployed ??= built(false))).toContain(code);
});

it("a deploy's description of the API has all its routes, and demo mode's what is there then only", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "quayside-build-"));
  try {
    await buildOpenapi(outdir);
    const [deployed = [], demo] = await Promise.all(
      ["openapi.json", "openapi-demo.json"].map(async (name) => {
        const document: { readonly paths: object } = JSON.parse(await readFile(join(outdir, name), "utf8"));
        return Object.keys(document.paths).sort();
      }),
    );
    expect(deployed).toEqual(expect.arrayContaining(["/v1/ask", "/v1/admin/runs", "/mcp", "/readyz"]));
    expect(demo).toEqual([...deployed, "/v1/demo"].sort());
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
});

it("a build holds no description of a route, and no schema that only describes", async () => {
  const code = await (deployed ??= built(false));
  expect(code).not.toContain("Find rows, without an answer");
  // Once, in what MCP's tools are listed as.
  expect(code.split("Up to when the row is known to match the warehouse")).toHaveLength(2);
  expect(code).not.toContain("draft-07");
});

it("whoever reads a file that is built anew reads all of it, before or after, and one that is the same is left alone", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "quayside-build-"));
  try {
    const path = join(outdir, "page.js");
    const builds = ["a", "b"].map((letter) => letter.repeat(1_000_000));
    await writeBuilt(path, builds[0] ?? "");
    const before = await stat(path);
    await writeBuilt(path, builds[0] ?? "");
    expect((await stat(path)).ino).toBe(before.ino);

    const read = new Set<number>();
    const over = new AbortController();
    const reading = (async () => {
      while (!over.signal.aborted) read.add((await readFile(path)).length);
    })();
    for (let n = 0; n < 100; n++) await writeBuilt(path, builds[n % 2] ?? "");
    over.abort();
    await reading;
    expect([...read]).toEqual([1_000_000]);
    expect(await readdir(outdir)).toEqual(["page.js"]);
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}, 30_000);
