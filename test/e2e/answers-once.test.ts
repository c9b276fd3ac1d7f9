import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig, type Config } from "../../shared/config.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { serve, type Served, type WireAnswer } from "./harness.ts";

/** One question, one call to a model: however many ask at once, however often, by whoever sees the same rows. */

const MODEL = "openai/gpt-5-mini";
const EAST = "Until when is the east berth in Dover closed?";
const CAFE = "From when does the café in Calais serve galettes?";

let openai: Awaited<ReturnType<typeof startOpenai>>;
let directory: string;
let config: Config;
let served: Served;

const write = (until: string): Promise<void> =>
  writeFile(
    join(directory, "notices.csv"),
    [
      "id,title,body",
      `1,Berth closure,The east berth in Dover is closed until ${until} because of a damaged fender.`,
      "2,Café menu,The café in Calais serves galettes from 11:30.",
      "3,Old quay,The old quay in Fécamp is closed to cars.",
    ].join("\n"),
  );

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-once-"));
  await write("14 March 2026");
  openai = await startOpenai();
  config = parseConfig({
    name: "Once",
    sources: { files: { kind: "duckdb", path: directory } },
    tables: {
      notices: {
        source: "files",
        key: ["id"],
        title: "title",
        text: ["body"],
        classification: "public",
        access: { allowAny: ["public"] },
      },
    },
    // Publishing the first ones takes some seconds: isolates remember that there were none.
    budgets: { tenant: { tokensPerDay: 10_000_000 } },
    models: {
      default: MODEL,
      register: {
        [MODEL]: {
          classes: ["public"],
          contextTokens: 8000,
          price: { input: 1, output: 2 },
          region: "us",
          retention: "30 days",
          trainsOnData: false,
        },
      },
    },
    limits: { requestsPerMinute: 10_000, tenantRequestsPerMinute: 10_000, concurrentRequests: 100 },
    demo: {
      // An isolate remembers what a caller may see for 5 s: after a change, somebody else asks.
      users: Object.fromEntries(
        ["ana", "ben", "cam", "dan"].map((name) => [name, { label: name, groups: [] }]),
      ),
      examples: [],
    },
  });
  served = await serve(config, { OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${openai.url}/v1` });
  await served.ingest();
});

afterAll(async () => {
  await served?.stop();
  await openai?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** How many calls the model got meanwhile. */
async function callsDuring<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly calls: number }> {
  const before = openai.exchanges.length;
  return { result: await work(), calls: openai.exchanges.length - before };
}

const ask = (question: string, user = "ana", more: Record<string, unknown> = {}): ReturnType<Served["ask"]> =>
  served.ask(question, user, { model: MODEL, top_k: 1, ...more });

/** The answer, from the cache: a read of it that takes its time, as on a busy machine, is a miss, and is asked again. */
async function askCached(question: string, user = "ana"): Promise<WireAnswer> {
  for (let tries = 1; ; tries++) {
    const { result, calls } = await callsDuring(() => ask(question, user));
    if (calls === 0 || tries === 5) {
      expect(calls).toBe(0);
      return result;
    }
  }
}

describe("one call to a model", () => {
  test("for twelve who ask the same at once", async () => {
    openai.fault({ mode: "slow_first_token", ms: 1500 });
    const { result, calls } = await callsDuring(() =>
      Promise.all(Array.from({ length: 12 }, (_, i) => ask(EAST, i % 2 === 0 ? "ana" : "ben"))),
    );
    openai.fault(undefined);
    expect(calls).toBe(1);
    expect(new Set(result.map(({ text }) => text)).size).toBe(1);
    expect(result[0]?.text).toContain("14 March 2026");
    expect(new Set(result.map(({ id }) => id)).size).toBe(12);
    expect(result.filter(({ cache }) => cache === "miss")).toHaveLength(1);
  });

  test("and none for who asks afterwards, streamed or not", async () => {
    await ask(CAFE);
    expect((await askCached(EAST)).cache).toBe("exact");
    expect((await askCached(CAFE, "ben")).cache).toBe("exact");
  });

  test("and none after a run that changed nothing", async () => {
    await served.ingest();
    expect((await askCached(EAST)).cache).toBe("exact");
  });

  test("and one, after a run that changed one row, for exactly the answers that rest on it", async () => {
    await write("30 April 2026");
    const { generation } = await served.ingest();
    const { result: east, calls } = await callsDuring(() => ask(EAST, "cam"));
    expect(calls).toBe(1);
    expect(east).toMatchObject({ cache: "miss", generation });
    expect(east.text).toContain("30 April 2026");
    expect(await askCached(CAFE, "cam")).toMatchObject({ cache: "evidence", generation });
  });
});

/** Today's answers in a scope, as the operator sees them. */
async function answersOf(scope: string): Promise<number | undefined> {
  const budgets = await served.get("/v1/admin/budgets", { authorization: `Bearer ${served.token}` });
  const { budgets: lines } = (await budgets.json()) as { budgets: { scope: string; answers: number }[] };
  return lines.find((line) => line.scope === scope)?.answers;
}

describe("budgets over HTTP", () => {
  test("a spent one is 429 until midnight, cached answers go on, and the operator sees both", async () => {
    await served.ingest({ ...config, budgets: { principal: { tokensPerDay: 10 } } });
    const refused = await served.post(
      "/v1/ask",
      { question: "Is the old quay in Fécamp open to cars?", model: MODEL },
      { "x-quayside-demo-user": "dan" },
    );
    expect(refused.status).toBe(429);
    const midnight = (Math.floor(Date.now() / 86_400_000) + 1) * 86_400_000;
    const again = new Date(midnight).toISOString();
    expect(await refused.json()).toMatchObject({
      code: "budget_exhausted",
      detail: `The day's budget is used up (your own); it begins anew at ${again}.`,
      retryable: true,
    });
    const wait = Number(refused.headers.get("retry-after"));
    expect(Math.abs(Date.now() + wait * 1000 - midnight)).toBeLessThan(10_000);
    const cached = (): Promise<string> => ask(CAFE, "dan").then(({ cache }) => cache, String);
    await expect.poll(cached).toBe("evidence");
    expect((await ask(CAFE, "dan", { model: "local/quote" })).model).toBe("local/quote");

    // Written soon after the answer's last byte.
    await expect.poll(() => answersOf(`model:${MODEL}`)).toBe(openai.exchanges.length);
    const forbidden = await served.get("/v1/admin/budgets", { "x-quayside-demo-user": "ana" });
    expect(forbidden.status).toBe(403);
  });
});
