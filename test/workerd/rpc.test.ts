import { describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { coded, overRpc } from "../../workers/tenant/rpc.ts";

interface Counter {
  next(): Promise<number>;
}

/** An object whose stub fails with these, one call after the other, and then works. */
function bench(failures: readonly Error[]): { readonly counter: Counter; readonly calls: () => number } {
  let calls = 0;
  const counter = overRpc<Counter>(
    () => ({
      next: async () => {
        const failure = failures[calls++];
        if (failure !== undefined) throw failure;
        return calls;
      },
    }),
    "registry_unavailable",
  );
  return { counter, calls: () => calls };
}

function platform(flags: { readonly retryable?: boolean; readonly overloaded?: boolean }): Error {
  return Object.assign(new Error("internal text of the platform"), flags);
}

async function errorOf(call: Promise<unknown>): Promise<QuaysideError> {
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  if (error instanceof QuaysideError) return error;
  throw new Error("no QuaysideError");
}

describe("a Durable Object over RPC", () => {
  it("fails with its own code, message, wait and violations", async () => {
    const violations = [{ pointer: "/a", rule: "b" }];
    const object = { next: () => coded((): number => fail(violations)) };
    const error = await errorOf(overRpc<Counter>(() => object, "registry_unavailable").next());
    expect(error).toMatchObject({ code: "run_conflict", message: "busy: wait", retryAfterMs: 7, violations });
  });

  it("is called once more on a new stub after a failure that the platform calls retryable", async () => {
    const { counter, calls } = bench([platform({ retryable: true })]);
    expect(await counter.next()).toBe(2);
    expect(calls()).toBe(2);
  });

  it("is not called a third time", async () => {
    const { counter, calls } = bench([platform({ retryable: true }), platform({ retryable: true })]);
    expect((await errorOf(counter.next())).code).toBe("registry_unavailable");
    expect(calls()).toBe(2);
  });

  it("is left alone when it is overloaded", async () => {
    const { counter, calls } = bench([platform({ retryable: true, overloaded: true })]);
    expect(await errorOf(counter.next())).toMatchObject({ code: "registry_unavailable", retryAfterMs: 2000 });
    expect(calls()).toBe(1);
  });

  it("shows nothing of what the platform says", async () => {
    const { counter } = bench([platform({})]);
    expect((await errorOf(counter.next())).message).not.toContain("internal text");
  });

  it("can be returned from an async function", async () => {
    const { counter } = bench([]);
    expect(await (await Promise.resolve(counter)).next()).toBe(1);
  });
});

function fail(violations: readonly { readonly pointer: string; readonly rule: string }[]): never {
  throw new QuaysideError("run_conflict", "busy: wait", { retryAfterMs: 7, violations });
}
