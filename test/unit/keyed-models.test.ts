import { describe, expect, it } from "vitest";
import { offerKeyedModels } from "../../ingest/keyed-models.ts";
import { parseConfig, type Config, type ModelConfig } from "../../shared/config.ts";
import { makeProviders } from "../../workers/registry.ts";
import { secretHost } from "../fakes/secret-host.ts";

const CONFIG: Config = {
  name: "x",
  sources: { s: { kind: "duckdb" } },
  tables: { t: { source: "s", key: ["id"], classification: "public", access: { allowAny: ["public"] } } },
};

const FACTS: ModelConfig = {
  classes: ["public", "internal", "confidential"],
  contextTokens: 400_000,
  price: { input: 0.25, output: 2 },
  region: "us",
  retention: "30 days",
  trainsOnData: false,
};
const KNOWN = { "openai/gpt-5-mini": FACTS, "anthropic/claude-haiku-4-5": FACTS };
const KEY = secretHost({ OPENAI_API_KEY: "k" });

describe("models of vendors whose key is set", () => {
  it("are offered for public rows only, with the vendor's prices, as a configuration that is valid", () => {
    const config = parseConfig(offerKeyedModels(CONFIG, KEY, KNOWN));
    expect(config.models?.register).toEqual({ "openai/gpt-5-mini": { ...FACTS, classes: ["public"] } });
    expect(makeProviders(KEY).whyNot("openai/gpt-5-mini", config)).toBeUndefined();
    expect(config.models?.default).toBeUndefined();
  });

  it("are those that the sample knows", () => {
    const both = secretHost({ OPENAI_API_KEY: "k", ANTHROPIC_API_KEY: "k" });
    const { register = {} } = offerKeyedModels(CONFIG, both).models ?? {};
    expect(new Set(Object.keys(register).map((id) => id.split("/")[0]))).toEqual(
      new Set(["openai", "anthropic"]),
    );
  });

  it.each([
    ["no key", {}, secretHost({})],
    ["a model of the vendor in the register", { register: { "openai/other": FACTS } }, KEY],
    ["a host of that name", { compatible: { openai: { baseUrl: "https://proxy.example/v1" } } }, KEY],
  ])("leave the configuration as it is where there is %s", (_, models, host) => {
    expect(offerKeyedModels({ ...CONFIG, models }, host, KNOWN)).toEqual({ ...CONFIG, models });
  });
});
