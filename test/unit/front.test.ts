import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeFront } from "../../workers/front.ts";
import { makeWorker } from "../../workers/worker.ts";

/** Nothing is bound: what is asked for here needs nothing. */
const env = {} as Parameters<typeof makeFront>[0];
const nothing = (): void => undefined;

beforeEach(() => void vi.stubGlobal("QUAYSIDE_DEMO", false));
afterEach(() => void vi.unstubAllGlobals());

async function seen(response: Response) {
  const headers = Object.fromEntries(response.headers);
  const id = headers["x-request-id"];
  return {
    status: response.status,
    body: await response.text(),
    headers: { ...headers, "x-request-id": typeof id },
  };
}

const probe = (init?: RequestInit) => new Request("https://quayside.example/healthz", init);

it("a probe is answered as the whole Worker answers it", async () => {
  const answered = await seen(await makeFront(env, nothing).fetch(probe()));
  expect(answered).toEqual(await seen(await makeWorker(env, nothing).fetch(probe())));
  expect([answered.status, answered.body]).toEqual([200, '{"status":"ok"}']);
});

it.each([
  ["a method that the path does not take", { method: "POST" }, 405],
  ["a HEAD", { method: "HEAD" }, 200],
  [
    "a page of another origin, before its origin is known to be allowed",
    { headers: { origin: "https://a.example" } },
    503,
  ],
])("%s is for the whole Worker", async (_, init, status) => {
  const response = await makeFront(env, nothing).fetch(probe(init));
  expect(response.status).toBe(status);
});

it("demo mode looks at who probes", async () => {
  vi.stubGlobal("QUAYSIDE_DEMO", true);
  const response = await makeFront(env, nothing).fetch(probe());
  expect(response.status).toBe(403);
});
