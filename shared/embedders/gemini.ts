import * as z from "zod/mini";
import { request } from "../http.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Factory } from "../ports/host.ts";
import {
  baseUrlOf,
  modelFacts,
  modelSettings,
  parseSettings,
  refused,
  remoteEmbedder,
  secretOf,
  tooLong,
  type KnownModel,
} from "./remote.ts";

/**
 * Embeddings of Google's Gemini API: `models/…:batchEmbedContents`, which takes 100 texts. Stored passages and questions are
 * told apart by `taskType`. The API cuts a text beyond 2,048 tokens without a word, so longer ones are refused here. Shortened
 * vectors come unnormalised. Facts: ai.google.dev, "Embeddings" (guide and API reference) and "Pricing", read 2026-11-25.
 */

const MODELS: Readonly<Record<string, KnownModel>> = {
  "gemini-embedding-001": {
    dimensions: 3072,
    price: 0.15,
    maxInputTokens: 2048,
    shortens: (dimensions) => dimensions >= 128 && dimensions < 3072,
  },
};

const PEER = "The Gemini API";

const answer = z.object({ embeddings: z.array(z.object({ values: z.array(z.number()) })) });

/**
 * Settings: `{ model?, dimensions?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`. Environment: `GEMINI_API_KEY`;
 * `GEMINI_BASE_URL` (no version path).
 * @throws QuaysideError `config_invalid`
 */
export const geminiEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(z.object(modelSettings), settings);
  const facts = modelFacts(given, MODELS, { model: "gemini-embedding-001", maxBatch: 100 });
  const { model, dimensions, shortened } = facts;
  const base = baseUrlOf(host, "GEMINI_BASE_URL", "https://generativelanguage.googleapis.com");
  const url = `${base}/v1beta/models/${encodeURIComponent(model)}:batchEmbedContents`;
  // In a header: URLs end up in logs.
  const headers = { "content-type": "application/json", "x-goog-api-key": secretOf(host, "GEMINI_API_KEY") };
  return remoteEmbedder({
    id: `gemini/${model}/${dimensions}`,
    facts,
    maxBatchTokens: 100 * facts.maxInputTokens,
    peer: PEER,
    failure(status, body) {
      if (status !== 400) return undefined;
      if (/API_KEY_INVALID|API key not valid/.test(body))
        return refused(`${PEER} refused our key (status 400).`);
      return /token count.*exceeds/is.test(body)
        ? tooLong(`${PEER} says that a text is too long.`)
        : undefined;
    },
    // There is no Retry-After: google.rpc.RetryInfo in the body says it, e.g. `"retryDelay": "34.5s"`.
    waitMs(body) {
      const [, seconds] = /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"/.exec(body) ?? [];
      return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
    },
    async call(texts, purpose, options, signal) {
      const taskType = purpose === "query" ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT";
      const requests = texts.map((text) => ({
        model: `models/${model}`,
        content: { parts: [{ text }] },
        taskType,
        ...(shortened ? { outputDimensionality: dimensions } : {}),
      }));
      const response = await request(
        host,
        url,
        { method: "POST", headers, body: JSON.stringify({ requests }), signal },
        options,
      );
      const { embeddings } = answer.parse(await response.json());
      // The API does not say what it counted.
      return { vectors: embeddings.map(({ values }) => values), inputTokens: undefined };
    },
  });
};
