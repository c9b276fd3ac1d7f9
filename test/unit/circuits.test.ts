import { describe, expect, it } from "vitest";
import { makeCircuits } from "../../workers/tenant/circuits.ts";

const BOTH = ["a/one", "b/two"];
const SPENT = [{ model: "a/one", tokens: 1, nanoUsd: 0 }];

/** Circuits with a clock that stands still until it is moved. */
function started() {
  let now = Date.UTC(2026, 10, 23);
  const circuits = makeCircuits(() => now);
  return { circuits, pass: (ms: number) => void (now += ms) };
}

describe("circuits of a tenant's models", () => {
  it("are closed until an isolate opens one", () => {
    const { circuits } = started();
    expect(circuits.open("1", BOTH)).toEqual([]);
    circuits.ended("1", [], ["a/one"]);
    expect(circuits.open("2", BOTH)).toEqual([["a/one", 30_000]]);
    expect(circuits.open("3", ["b/two"])).toEqual([]);
  });

  it("let one call through in 30 s, the same one however often it asks", () => {
    const { circuits, pass } = started();
    circuits.ended("1", [], ["a/one"]);
    pass(29_999);
    expect(circuits.open("2", BOTH)).toEqual([["a/one", 1]]);
    pass(1);
    expect(circuits.open("3", BOTH)).toEqual([]);
    expect(circuits.open("3", BOTH)).toEqual([]);
    expect(circuits.open("4", BOTH)).toEqual([["a/one", 30_000]]);
  });

  it("close after two good probes in a row", () => {
    const { circuits, pass } = started();
    circuits.ended("1", [], ["a/one"]);
    for (const [probe, spent] of [["2", SPENT], ["3", []], ["4", SPENT], ["5", SPENT]] as const) {
      expect(circuits.open("others", BOTH)).toHaveLength(1);
      pass(30_000);
      expect(circuits.open(probe, BOTH)).toEqual([]);
      circuits.ended(probe, spent, []);
    } // prettier-ignore
    expect(circuits.open("others", BOTH)).toEqual([]);
  });

  it("are not closed by the answers of other calls", () => {
    const { circuits } = started();
    circuits.ended("1", [], ["a/one"]);
    for (const late of ["2", "3", "4"]) circuits.ended(late, SPENT, []);
    expect(circuits.open("5", BOTH)).toEqual([["a/one", 30_000]]);
  });

  it("close after two answers of calls that were let through elsewhere, once the wait is over", () => {
    const { circuits, pass } = started();
    circuits.ended("1", [], ["a/one"]);
    pass(30_000);
    circuits.ended("elsewhere 1", SPENT, []);
    expect(circuits.told()).toEqual([["a/one", 0]]);
    circuits.ended("elsewhere 2", SPENT, []);
    expect(circuits.told()).toEqual([]);
  });

  it("are known to an isolate as the ledger told them, which probes by itself and forgets those closed since", () => {
    const [ledger, isolate] = [started(), started()];
    ledger.circuits.ended("1", [], ["a/one"]);
    ledger.pass(10_000);
    isolate.circuits.learn(ledger.circuits.told());
    expect(isolate.circuits.open("2", BOTH)).toEqual([["a/one", 20_000]]);
    isolate.pass(20_000);
    expect(isolate.circuits.open("3", BOTH)).toEqual([]);
    // Its wait is over at the ledger too, which knows nothing of the probe.
    ledger.pass(20_000);
    isolate.circuits.learn(ledger.circuits.told());
    expect(isolate.circuits.open("4", BOTH)).toEqual([["a/one", 30_000]]);
    isolate.circuits.learn([]);
    expect(isolate.circuits.open("5", BOTH)).toEqual([]);
  });

  it("take no probe of a model that would only stand in", () => {
    const { circuits, pass } = started();
    circuits.ended("1", [], ["b/two"]);
    pass(30_000);
    expect(circuits.open("2", BOTH)).toEqual([]);
    expect(circuits.open("3", ["b/two"])).toEqual([]);
    expect(circuits.open("4", ["b/two"])).toEqual([["b/two", 30_000]]);
  });
});
