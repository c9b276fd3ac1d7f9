import * as z from "zod/mini";
import type { Embedder } from "../ports/embedder.ts";
import type { Factory } from "../ports/host.ts";
import { openaiApi } from "./openai-api.ts";
import {
  modelFacts,
  modelSettings,
  parseSettings,
  remoteEmbedder,
  secretOf,
  type KnownModel,
} from "./remote.ts";

/**
 * Embeddings of OpenAI. Limits: OpenAI's API reference, "Create embeddings", 2026-11: 2,048 inputs and 300,000 tokens a
 * request, 8,192 tokens an input. Prices: OpenAI's model pages, 2026-11.
 */

const below = (own: number) => (dimensions: number) => dimensions < own;

const MODELS: Readonly<Record<string, KnownModel>> = {
  "text-embedding-3-small": { dimensions: 1536, price: 0.02, maxInputTokens: 8192, shortens: below(1536) },
  "text-embedding-3-large": { dimensions: 3072, price: 0.13, maxInputTokens: 8192, shortens: below(3072) },
  "text-embedding-ada-002": { dimensions: 1536, price: 0.1, maxInputTokens: 8192 },
};

const settingsSchema = z.object({
  ...modelSettings,
  /** With its version path. */
  baseUrl: z.optional(z.url({ protocol: /^https?$/ })),
  /** Name of the secret that holds the key; default `OPENAI_API_KEY`. */
  secret: z.optional(z.string()),
  /** First part of the embedder's id; default `openai`. Another host under the same name would be another space. */
  name: z.optional(z.string().check(z.regex(/^[^\s/]+$/))),
});

const PEER = "The embeddings API";

/**
 * Settings: `{ model?, dimensions?, baseUrl?, secret?, name?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`.
 * Environment: `OPENAI_API_KEY`; `OPENAI_BASE_URL` (with `/v1`) overrides `baseUrl`, unless `secret` names another key.
 * @throws QuaysideError `config_invalid`
 */
export const openaiEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(settingsSchema, settings);
  const facts = modelFacts({ maxInputTokens: 8192, ...given }, MODELS, {
    model: "text-embedding-3-small",
    maxBatch: 2048,
  });
  const { model, dimensions, shortened } = facts;
  const secret = given.secret ?? "OPENAI_API_KEY";
  const fromEnv = secret === "OPENAI_API_KEY" ? host.secret("OPENAI_BASE_URL") : undefined;
  return remoteEmbedder({
    id: `${given.name ?? "openai"}/${model}/${dimensions}`,
    facts,
    maxBatchTokens: 300_000,
    peer: PEER,
    ...openaiApi({
      host,
      peer: PEER,
      baseURL: fromEnv ?? given.baseUrl ?? "https://api.openai.com/v1",
      apiKey: secretOf(host, secret),
      model,
      encoding: "base64",
      dimensions,
      sendDimensions: shortened,
    }),
  });
};
