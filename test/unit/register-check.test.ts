import { describe, expect, it } from "vitest";
import { compareRegister, refuseDiffering } from "../../ingest/register-check.ts";
import type { Config, ModelConfig } from "../../shared/config.ts";

const MODEL: ModelConfig = {
  classes: ["public"],
  contextTokens: 8000,
  price: { input: 1, output: 2 },
  region: "eu",
  retention: "none",
  trainsOnData: false,
};
const CONFIG: Config = { name: "x", sources: {}, tables: {}, models: { register: { "a/one": MODEL } } };

const LOCAL = { id: "local/compose", built_in: true, available: true };
const ONE = {
  id: "a/one",
  built_in: false,
  available: false,
  classes: ["public"],
  region: "eu",
  retention: "none",
  trains_on_data: false,
  context_tokens: 8000,
  max_output_tokens: null,
  price: { input: 1, output: 2 },
};

const compared = (models: readonly unknown[], config = CONFIG) =>
  compareRegister(config, { get: async () => ({ models }) }, AbortSignal.timeout(30_000));

describe("the register that the Worker runs with", () => {
  it("is the configuration's, built-in answerers besides", async () => {
    const same = { differing: [], more: [] };
    expect(await compared([LOCAL, ONE])).toEqual({ ...same, callable: 1, all: 2 });
    expect(await compared([LOCAL], { ...CONFIG, models: {} })).toEqual({ ...same, callable: 1, all: 1 });
  });

  it.each([
    ["may receive more", [LOCAL, { ...ONE, classes: ["public", "internal"] }]],
    ["is elsewhere", [LOCAL, { ...ONE, region: "us" }]],
    ["keeps what it is sent", [LOCAL, { ...ONE, retention: "30 days" }]],
    ["learns from what it is sent", [LOCAL, { ...ONE, trains_on_data: true }]],
    ["costs something else", [LOCAL, { ...ONE, price: { input: 1, output: 1 } }]],
    ["may say more", [LOCAL, { ...ONE, max_output_tokens: 100 }]],
    ["is missing", [LOCAL]],
  ])("is another where a model %s", async (_, models) => {
    expect((await compared(models)).differing).toEqual(["a/one"]);
  });

  it("is another where it has a model more", async () => {
    expect(await compared([LOCAL, ONE, { ...ONE, id: "b/two" }])).toMatchObject({
      differing: [],
      more: ["b/two"],
    });
  });

  it("is refused where it is another, by name", () => {
    refuseDiffering([]);
    expect(() => refuseDiffering(["a/one", "b/two"])).toThrow("a/one, b/two");
  });
});
