import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod/mini";
import { MUTANTS } from "./mutants.ts";

/**
 * Each rule of the answer cache is broken in a copy of the sources, and the test that is there for it must fail: a test that
 * can't fail would let the rule go unnoticed.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));
let copy = "";

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "quayside-mutants-"));
  for (const part of [
    "shared",
    "workers",
    "ingest",
    "test",
    "package.json",
    "tsconfig.base.json",
    "wrangler.toml",
  ])
    await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  // The node project without the building of SDKs, which no test here needs.
  const include = `["test/unit/**/*.test.ts"]`;
  await writeFile(
    join(copy, "node.config.ts"),
    `export default { test: { include: ${include}, testTimeout: 30000 } };`,
  );
});
afterAll(() => rm(copy, { recursive: true, force: true }));

const report = z.object({
  numTotalTests: z.number(),
  testResults: z.array(
    z.object({ assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) }),
  ),
});

/** @returns the full names of the tests of a file that fail. */
async function failing(test: string): Promise<readonly string[]> {
  const out = join(copy, "report.json");
  await rm(out, { force: true });
  const config = test.startsWith("test/workerd/")
    ? ["--config", "test/vitest.config.ts", "--project", "workerd"]
    : ["--config", "node.config.ts"];
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...config, test];
  const program = spawn(process.execPath, [...args, "--reporter=json", `--outputFile=${out}`], {
    cwd: copy,
    stdio: "ignore",
  });
  await new Promise((resolve) => program.on("exit", resolve));
  const { numTotalTests, testResults } = report.parse(JSON.parse(await readFile(out, "utf8")));
  expect(numTotalTests).toBeGreaterThan(0);
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .flatMap(({ fullName, status }) => (status === "failed" ? [fullName] : []));
}

it.each([...new Set(MUTANTS.map(({ test }) => test))])("%s passes as it is", async (test) => {
  expect(await failing(test)).toEqual([]);
});

it.each(MUTANTS.map((mutant) => [mutant.rule, mutant] as const))("%s", async (_, mutant) => {
  const { file, from, to, test, caught } = mutant;
  const path = join(copy, file);
  const source = await readFile(join(root, file), "utf8");
  expect(source.split(from)).toHaveLength(2);
  await writeFile(
    path,
    source.replace(from, () => to),
  );
  try {
    expect((await failing(test)).filter((name) => name.includes(caught))).not.toEqual([]);
  } finally {
    await writeFile(path, source);
  }
});
