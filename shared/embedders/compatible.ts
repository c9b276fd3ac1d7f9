import * as z from "zod/mini";
import type { Embedder } from "../ports/embedder.ts";
import type { Factory } from "../ports/host.ts";
import { openaiApi } from "./openai-api.ts";
import { modelFacts, modelSettings, parseSettings, remoteEmbedder, secretOf } from "./remote.ts";

/** Embeddings of any host that speaks OpenAI's protocol: Mistral, Voyage, Together, vLLM, Ollama, TEI and many others. */

const settingsSchema = z.object({
  ...modelSettings,
  /** With its version path, e.g. `https://api.example.com/v1`. */
  baseUrl: z.url({ protocol: /^https?$/ }),
  model: z.string().check(z.regex(/^\S+$/)),
  dimensions: z.number().check(z.int(), z.minimum(1)),
  /** Name of the secret that holds the key; without it no key is sent. */
  secret: z.optional(z.string()),
  /** First part of the embedder's id; default `compatible`. */
  name: z.optional(z.string().check(z.regex(/^[^\s/]+$/))),
  /** `base64` where the host offers it; default `float`, which all do. */
  encoding: z.optional(z.enum(["float", "base64"])),
  /** Sends `dimensions` along, for a model that makes vectors of several lengths. */
  sendDimensions: z.optional(z.boolean()),
  /** Tokens of a call in all. */
  maxBatchTokens: z.optional(z.number().check(z.int(), z.minimum(1))),
});

const PEER = "The embeddings host";
/** What small hosts take at once. */
const MAX_BATCH = 64;

/**
 * Settings: `{ baseUrl, model, dimensions, secret?, name?, encoding?, sendDimensions?, price?, fusionWeight?, maxBatch?,
 * maxBatchTokens?, maxInputTokens? }`; `maxInputTokens` is 512 unless it is set.
 * @throws QuaysideError `config_invalid`
 */
export const compatibleEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(settingsSchema, settings);
  const facts = modelFacts(given, {}, { model: given.model, maxBatch: MAX_BATCH });
  const { model, dimensions, maxBatch, maxInputTokens } = facts;
  return remoteEmbedder({
    id: `${given.name ?? "compatible"}/${model}/${dimensions}`,
    facts,
    maxBatchTokens: Math.max(given.maxBatchTokens ?? maxBatch * maxInputTokens, maxInputTokens),
    peer: PEER,
    ...openaiApi({
      host,
      peer: PEER,
      baseURL: given.baseUrl,
      apiKey: given.secret === undefined ? undefined : secretOf(host, given.secret),
      model,
      encoding: given.encoding ?? "float",
      dimensions,
      sendDimensions: given.sendDimensions === true,
    }),
  });
};
