import { rm, writeFile, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaseRuns, type Leased } from "../../ingest/commands/run.ts";
import { nodeHost } from "../../ingest/node-host.ts";
import { parseConfig, type Config } from "../../shared/config.ts";
import { makeRegistryClient, type RegistryClient } from "../../shared/registry-client.ts";
import { serve, type Served } from "./harness.ts";

/** Files that only Node can read, kept up to date by the program that leases runs. */

let served: Served;
let directory: string;
const host = nodeHost(process.env);

const write = (name: string, lines: readonly string[]): Promise<void> =>
  writeFile(join(directory, `${name}.csv`), `id,title\n${lines.join("\n")}\n`);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-runs-"));
  await write("notes", ["1,harbour lights", "2,tide tables"]);
  await write("posts", ["1,capstan repair"]);
  served = await serve(configOf("1s"));
  await served.ingest();
});

/** @param schedule of notes. */
function configOf(schedule?: string): Config {
  const table = { source: "files", key: ["id"], title: "title", classification: "public" } as const;
  const access = { allowAny: ["public"] };
  return parseConfig({
    name: "runs",
    sources: { files: { kind: "duckdb", path: directory } },
    tables: {
      notes: { ...table, access, ...(schedule === undefined ? {} : { schedule }) },
      posts: { ...table, access, targetLag: "1d" },
    },
    demo: { users: { guest: { label: "Guest", groups: [] } }, examples: [] },
  });
}

afterAll(async () => {
  await served?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function found(query: string): Promise<readonly string[]> {
  const headers = { "x-quayside-demo-user": "guest" };
  const response = await served.post("/v1/search", { query, top_k: 1 }, headers);
  const { matches } = (await response.json()) as { matches: { id: string }[] };
  return matches.map(({ id }) => id);
}

/** Watches until it has carried out a run with this trigger. @param stop what ends it before. */
async function watchFor(trigger: string, stop = new AbortController()): Promise<Leased> {
  let found: Leased | undefined;
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(100_000)]);
  const onRun = (run: Leased): void => {
    if (run.trigger !== trigger) return;
    found = run;
    stop.abort();
  };
  const options = { url: served.url, token: served.token, host, watch: true, onRun, signal };
  await leaseRuns({ ...options, onTrouble: () => undefined }).catch(() => undefined);
  if (!found) throw new Error(`no run by ${trigger}`);
  return found;
}

async function ask(body: object): Promise<string> {
  const headers = { authorization: `Bearer ${served.token}` };
  const response = await served.post("/v1/ingest/runs", body, headers);
  return ((await response.json()) as { run_id: string }).run_id;
}

function client(): RegistryClient {
  return makeRegistryClient({ url: served.url, token: served.token, fetch: host.fetch });
}

describe("runs on Node", () => {
  test("a table that is due is read again, and what changed is found", async () => {
    await write("notes", ["1,harbour lights", "2,tide tables", "3,fog signal timetable"]);
    const run = await watchFor("cron");
    expect(run.result?.tables).toMatchObject([{ table: "notes", read: 3, added: 1, unchanged: 2 }]);
    expect(await found("fog signal timetable")).toEqual(["notes:3"]);
  });

  test("twenty triggers make one run, which one of two programs carries out", async () => {
    await served.ingest(configOf());
    const asked = await Promise.all(Array.from({ length: 20 }, () => ask({ tables: ["posts"], full: true })));
    expect(new Set(asked).size).toBe(1);
    const stop = new AbortController();
    const both = [watchFor("api", stop), watchFor("api", stop)];
    const one = await Promise.race(both);
    // The other would take what the next test asks for.
    stop.abort();
    await Promise.allSettled(both);
    expect(one).toMatchObject({ id: asked[0], failed: undefined });
    const runs = await client().runs(AbortSignal.timeout(60_000));
    expect(runs.filter((run) => run.trigger === "api")).toMatchObject([
      { id: asked[0], state: "published", full: true, tables: [{ table: "posts", read: 1, changed: 1 }] },
    ]);
  });

  test("a table whose source says that nothing has changed is read where that is asked for", async () => {
    await ask({ tables: ["posts"] });
    expect((await watchFor("api")).result?.tables).toMatchObject([{ read: 0, unchanged: 1, skipped: true }]);
    await ask({ tables: ["posts"], read_all: true });
    const { result } = await watchFor("api");
    expect(result).toMatchObject({ embedded_texts: 0, tables: [{ read: 1, unchanged: 1 }] });
  });

  test("a run that a guard stops tells which rows it held back, until they are erased", async () => {
    await write("posts", ["1,capstan repair", "1,capstan repair once more"]);
    const id = await ask({ tables: ["posts"] });
    expect(await watchFor("api")).toMatchObject({ id, failed: "guard_stopped" });
    const signal = AbortSignal.timeout(60_000);
    expect(await client().run(id, signal)).toMatchObject({
      state: "failed",
      held_back: {
        total: 2,
        rows: [
          { table: "posts", key: "1", reason: "duplicate_key" },
          { table: "posts", key: "1", reason: "duplicate_key" },
        ],
      },
    });
    expect(await client().erase("posts", "1", signal)).toMatchObject({
      residue: 0,
      removed: { rows: 1, runs: 1 },
    });
    expect(await client().run(id, signal)).toMatchObject({ held_back: { total: 2, rows: [] } });
  });

  test("a run that waits outlives a Worker that is killed", async () => {
    const rows = ["1,harbour lights", "2,tide tables", "3,fog signal timetable", "4,pilot ladder inspection"];
    await write("notes", rows);
    const id = await ask({ tables: ["notes"] });
    await served.restart("crash");
    expect(await watchFor("api")).toMatchObject({ id, result: { tables: [{ added: 1, unchanged: 3 }] } });
    expect(await found("pilot ladder inspection")).toEqual(["notes:4"]);
    const { tables } = await client().status(AbortSignal.timeout(60_000));
    expect(tables.map(({ table, target_lag_seconds: target }) => [table, target])).toEqual([
      ["notes", null],
      ["posts", 86_400],
    ]);
  });
});
