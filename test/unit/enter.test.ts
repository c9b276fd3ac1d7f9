import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { enter, type EnterDeps } from "../../workers/surfaces/enter.ts";
import { ADMISSION, PRINCIPAL } from "../fakes/ask-world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const request = new Request("http://worker/v1/ask");

function deps(revoked: (() => Promise<boolean>) | undefined): EnterDeps {
  return {
    principal: async () => PRINCIPAL,
    revocation: () => revoked,
    admit: async () => ADMISSION,
    limiter: { enter: () => () => undefined },
  };
}

describe("a caller whose key is revoked while they are answered", () => {
  it("is stopped at the next look, as one who may not ask", async () => {
    let revoked = false;
    const { signal } = await enter(
      deps(async () => revoked),
      request,
    );
    await vi.advanceTimersByTimeAsync(4000);
    expect(signal.aborted).toBe(false);
    revoked = true;
    await vi.advanceTimersByTimeAsync(4000);
    expect(signal.reason).toMatchObject({ code: "unauthenticated" });
  });

  it("goes on while nobody can be asked about the key", async () => {
    const unavailable = new QuaysideError("registry_unavailable", "The ledger is away.");
    const { signal } = await enter(
      deps(async () => Promise.reject(unavailable)),
      request,
    );
    await vi.advanceTimersByTimeAsync(60_000);
    expect(signal.aborted).toBe(false);
  });

  it("is not looked after any more once they have left", async () => {
    const look = vi.fn<() => Promise<boolean>>(async () => true);
    const { leave } = await enter(deps(look), request);
    leave();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([look.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("is not looked after at all without a key", async () => {
    await enter(deps(undefined), request);
    expect(vi.getTimerCount()).toBe(0);
  });
});
