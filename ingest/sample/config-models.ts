import type { Config } from "../../shared/config.ts";

/**
 * Models that a caller may ask for, with the classes of rows that each may receive: restricted rows (pay) leave for none,
 * confidential ones (contracts, contacts) for one. Prices in US dollars for a million tokens, context in tokens, as the
 * vendors list them.
 */
export const MODELS: NonNullable<Config["models"]> = {
  default: "local/compose",
  aliases: { fast: "openai/gpt-5-mini", careful: "anthropic/claude-sonnet-4-5" },
  register: {
    "openai/gpt-5-mini": {
      classes: ["public", "internal"],
      contextTokens: 400_000,
      maxOutputTokens: 128_000,
      price: { input: 0.25, output: 2 },
      region: "us",
      retention: "30 days",
      trainsOnData: false,
    },
    "openai/gpt-5.2": {
      classes: ["public", "internal"],
      contextTokens: 400_000,
      maxOutputTokens: 128_000,
      price: { input: 1.75, output: 14 },
      region: "us",
      retention: "30 days",
      trainsOnData: false,
    },
    "anthropic/claude-sonnet-4-5": {
      classes: ["public", "internal", "confidential"],
      contextTokens: 200_000,
      maxOutputTokens: 64_000,
      price: { input: 3, output: 15 },
      region: "us",
      retention: "30 days",
      trainsOnData: false,
    },
    "anthropic/claude-haiku-4-5": {
      classes: ["public", "internal"],
      contextTokens: 200_000,
      maxOutputTokens: 64_000,
      price: { input: 1, output: 5 },
      region: "us",
      retention: "30 days",
      trainsOnData: false,
    },
  },
};
