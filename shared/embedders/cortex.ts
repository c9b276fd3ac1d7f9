import * as z from "zod/mini";
import { request } from "../http.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Factory } from "../ports/host.ts";
import { snowflakeAccess } from "../snowflake-auth.ts";
import {
  modelFacts,
  modelSettings,
  parseSettings,
  refused,
  remoteEmbedder,
  tooLong,
  type KnownModel,
} from "./remote.ts";

/**
 * Snowflake Cortex: embeddings inside the account's own perimeter, `POST /api/v2/cortex/inference:embed`; no warehouse takes
 * part. Facts: Snowflake's OpenAPI description (github.com/snowflakedb/snowflake-rest-api-specs, cortex-embed) and "Vector
 * embedding REST API", read 2026-11-25: each vector comes in a list of its own, with the index of its text. How many texts a
 * call may carry is not written down; Snowflake bills credits, so a price is a setting.
 */

const MODELS: Readonly<Record<string, KnownModel>> = {
  "snowflake-arctic-embed-l-v2.0": { dimensions: 1024, maxInputTokens: 512 },
  "snowflake-arctic-embed-m-v1.5": { dimensions: 768, maxInputTokens: 512 },
  "snowflake-arctic-embed-m": { dimensions: 768, maxInputTokens: 512 },
  "e5-base-v2": { dimensions: 768, maxInputTokens: 512 },
};

const PEER = "Snowflake Cortex";

const answer = z.object({
  data: z.array(z.object({ index: z.int().check(z.minimum(0)), embedding: z.array(z.array(z.number())) })),
  usage: z.optional(z.object({ total_tokens: z.optional(z.number()) })),
});

/**
 * Settings: `{ model?, dimensions?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`. Environment: as `snowflakeAccess`.
 * @throws QuaysideError `config_invalid`
 */
export const cortexEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(z.object(modelSettings), settings);
  const facts = modelFacts(given, MODELS, { model: "snowflake-arctic-embed-l-v2.0", maxBatch: 128 });
  const { model, dimensions, maxBatch, maxInputTokens } = facts;
  const access = snowflakeAccess(host);
  return remoteEmbedder({
    id: `cortex/${model}/${dimensions}`,
    facts,
    maxBatchTokens: maxBatch * maxInputTokens,
    peer: PEER,
    failure(status, body) {
      if (status !== 400) return undefined;
      if (/unknown model|model.*(?:not (?:found|supported|available)|unavailable)/is.test(body)) {
        return refused(`${PEER} does not have the model "${model}" here.`);
      }
      return /max(?:imum)? tokens|too (?:long|many tokens)|context length/i.test(body)
        ? tooLong(`${PEER} says that a text is too long.`)
        : undefined;
    },
    async call(texts, _purpose, options, signal) {
      const response = await request(
        host,
        `${access.baseUrl}/api/v2/cortex/inference:embed`,
        {
          method: "POST",
          headers: {
            accept: "application/json",
            "content-type": "application/json",
            ...(await access.headers()),
          },
          body: JSON.stringify({ model, text: texts }),
          signal,
        },
        options,
      );
      const { data, usage } = answer.parse(await response.json());
      // One that came twice leaves another's place empty, which is no vector.
      const vectors = Array.from<unknown>({ length: data.length });
      for (const { index, embedding } of data) if (index < vectors.length) vectors[index] = embedding[0];
      return { vectors, inputTokens: usage?.total_tokens };
    },
  });
};
