import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import description from "../../package.json" with { type: "json" };

let root = "";
const now = Date.now() / 1000;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "quayside-launcher-"));
  await mkdir(join(root, "ingest"));
  await mkdir(join(root, "dist"));
  await copyFile(
    fileURLToPath(new URL("../../ingest/quayside.mjs", import.meta.url)),
    join(root, "ingest/quayside.mjs"),
  );
  await writeFile(join(root, "ingest/cli.ts"), `console.log("sources");`);
  await writeFile(join(root, "dist/cli.mjs"), `console.log("bundle");`);
  await writeFile(join(root, "dist/inputs.json"), JSON.stringify(["ingest/cli.ts"]));
});
afterAll(() => rm(root, { recursive: true, force: true }));

function started(): string {
  const { stdout } = spawnSync(process.execPath, [join(root, "ingest/quayside.mjs")], { encoding: "utf8" });
  return stdout.trim();
}

it("runs the bundle while no source is newer, else the sources", async () => {
  await utimes(join(root, "ingest/cli.ts"), now, now - 60);
  expect(started()).toBe("bundle");
  await utimes(join(root, "ingest/cli.ts"), now, now + 60);
  expect(started()).toBe("sources");
});

it("runs the sources when the bundle or one of its sources is missing", async () => {
  await writeFile(join(root, "dist/inputs.json"), JSON.stringify(["ingest/cli.ts", "ingest/gone.ts"]));
  expect(started()).toBe("sources");
  await rm(join(root, "dist/inputs.json"));
  expect(started()).toBe("sources");
});

it("tells its commands, from the bundle where it is built", () => {
  const program = fileURLToPath(new URL("../../ingest/quayside.mjs", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [program, "--help"], { encoding: "utf8" });
  expect(status).toBe(0);
  expect(stdout).toContain("erase");
});

it("is started with the same flags as a program and by npm", () => {
  const program = readFileSync(new URL("../../ingest/quayside.mjs", import.meta.url), "utf8");
  const flags = /^#!\/usr\/bin\/env -S node (.*)$/m.exec(program)?.[1];
  expect(description.scripts.quayside).toBe(`node ${flags} ingest/quayside.mjs`);
});
