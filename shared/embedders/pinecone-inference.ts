import * as z from "zod/mini";
import { request } from "../http.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Factory } from "../ports/host.ts";
import {
  baseUrlOf,
  modelFacts,
  modelSettings,
  parseSettings,
  remoteEmbedder,
  secretOf,
  tooLong,
  type KnownModel,
} from "./remote.ts";

/**
 * Models that Pinecone hosts: `POST /embed` of the control plane, 96 texts a call. Stored passages and questions are told
 * apart by `input_type`; `truncate: NONE` makes a text that is too long an error. Facts: docs.pinecone.io, "Embed" and the
 * models' pages and descriptions (max_batch_size, max_sequence_length, supported_dimensions, price), read 2026-11-25.
 */

const MODELS: Readonly<Record<string, KnownModel>> = {
  "llama-text-embed-v2": {
    dimensions: 1024,
    price: 0.16,
    maxInputTokens: 2048,
    shortens: (dimensions) => [384, 512, 768, 2048].includes(dimensions),
  },
  "multilingual-e5-large": { dimensions: 1024, price: 0.08, maxInputTokens: 507 },
};

/** As the SDK that the index uses. */
const API_VERSION = "2026-07";
const PEER = "Pinecone Inference";

const answer = z.object({
  data: z.array(z.object({ values: z.array(z.number()) })),
  usage: z.optional(z.object({ total_tokens: z.optional(z.number()) })),
});

/**
 * Settings: `{ model?, dimensions?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`. Environment: `PINECONE_API_KEY`;
 * `PINECONE_CONTROLLER_HOST`.
 * @throws QuaysideError `config_invalid`
 */
export const pineconeEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(z.object(modelSettings), settings);
  const facts = modelFacts(given, MODELS, { model: "llama-text-embed-v2", maxBatch: 96 });
  const { model, dimensions, shortened } = facts;
  const url = `${baseUrlOf(host, "PINECONE_CONTROLLER_HOST", "https://api.pinecone.io")}/embed`;
  const headers = {
    "content-type": "application/json",
    "api-key": secretOf(host, "PINECONE_API_KEY"),
    "x-pinecone-api-version": API_VERSION,
  };
  return remoteEmbedder({
    id: `pinecone/${model}/${dimensions}`,
    facts,
    maxBatchTokens: 96 * facts.maxInputTokens,
    peer: PEER,
    failure: (status, body) =>
      status === 400 && /token.*(?:exceed|limit|maximum|length)/is.test(body)
        ? tooLong(`${PEER} says that a text is too long.`)
        : undefined,
    async call(texts, purpose, options, signal) {
      const body = JSON.stringify({
        model,
        inputs: texts.map((text) => ({ text })),
        parameters: {
          input_type: purpose === "query" ? "query" : "passage",
          truncate: "NONE",
          ...(shortened ? { dimension: dimensions } : {}),
        },
      });
      const response = await request(host, url, { method: "POST", headers, body, signal }, options);
      const { data, usage } = answer.parse(await response.json());
      return { vectors: data.map(({ values }) => values), inputTokens: usage?.total_tokens };
    },
  });
};
