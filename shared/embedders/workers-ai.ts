import * as z from "zod/mini";
import { callBinding } from "../binding.ts";
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
 * Models on Cloudflare Workers AI: over REST from anywhere, through the binding `AI` in a Worker that has it; the same vectors
 * either way. 100 texts a call. Facts: developers.cloudflare.com, Workers AI models and pricing, and the types of
 * `@cloudflare/workers-types`, read 2026-11-25.
 */

interface Model extends KnownModel {
  /** Tokens of a call in all. */
  readonly context: number;
  /** What the model takes besides the texts. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Vectors pooled by `cls` are the better ones; `mean` is the default for the sake of older callers. */
const CLS = { pooling: "cls" };

const MODELS: Readonly<Record<string, Model>> = {
  "@cf/baai/bge-m3": {
    dimensions: 1024,
    price: 0.012,
    maxInputTokens: 8192,
    context: 60_000,
    options: { truncate_inputs: false },
  },
  "@cf/baai/bge-small-en-v1.5": {
    dimensions: 384,
    price: 0.02,
    maxInputTokens: 512,
    context: 51_200,
    options: CLS,
  },
  "@cf/baai/bge-base-en-v1.5": {
    dimensions: 768,
    price: 0.067,
    maxInputTokens: 512,
    context: 51_200,
    options: CLS,
  },
  "@cf/baai/bge-large-en-v1.5": {
    dimensions: 1024,
    price: 0.204,
    maxInputTokens: 512,
    context: 51_200,
    options: CLS,
  },
};

const PEER = "Workers AI";

const output = z.object({ data: z.array(z.array(z.number())) });
const answer = z.object({ success: z.literal(true), result: output });

/** The part of the binding that is called. */
interface AiBinding {
  run(model: string, input: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/**
 * Settings: `{ model?, dimensions?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`. Environment: `CLOUDFLARE_ACCOUNT_ID`
 * and `CLOUDFLARE_API_TOKEN` (permission Workers AI), unless `AI` is bound; `CLOUDFLARE_BASE_URL`.
 * @throws QuaysideError `config_invalid`
 */
export const workersAiEmbedder: Factory<Embedder> = (settings, host) => {
  const given = parseSettings(z.object(modelSettings), settings);
  const facts = modelFacts(given, MODELS, { model: "@cf/baai/bge-m3", maxBatch: 100 });
  const { model, dimensions, maxInputTokens } = facts;
  const known = Object.hasOwn(MODELS, model) ? MODELS[model] : undefined;
  const binding = host.binding?.("AI");
  const rest = isAi(binding)
    ? undefined
    : {
        url: `${baseUrlOf(host, "CLOUDFLARE_BASE_URL", "https://api.cloudflare.com/client/v4")}/accounts/${encodeURIComponent(secretOf(host, "CLOUDFLARE_ACCOUNT_ID"))}/ai/run/${model}`,
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${secretOf(host, "CLOUDFLARE_API_TOKEN")}`,
        },
      };
  return remoteEmbedder({
    id: `workers-ai/${model}/${dimensions}`,
    facts,
    maxBatchTokens: Math.max(known?.context ?? 0, maxInputTokens),
    peer: PEER,
    failure(status, body) {
      if (status === 400 && /\b5007\b|no such model/i.test(body)) {
        return refused(`${PEER} does not have the model "${model}".`);
      }
      return (status === 400 || status === 413) &&
        /too (?:long|large)|exceed|maximum.*(?:token|length)/is.test(body)
        ? tooLong(`${PEER} says that a text is too long.`)
        : undefined;
    },
    async call(texts, _purpose, options, signal) {
      const input = { text: texts, ...known?.options };
      if (!rest) {
        const { deadlineMs = 0 } = options;
        const result = await callBinding(
          // Asked for again, since a binding belongs to the request that uses it.
          async () => (isAi(binding) ? binding.run(model, input) : undefined),
          { peer: PEER, unavailable: "embedder_unavailable", deadlineMs },
          signal,
        );
        return { vectors: output.parse(result).data, inputTokens: undefined };
      }
      const response = await request(
        host,
        rest.url,
        { method: "POST", headers: rest.headers, body: JSON.stringify(input), signal },
        options,
      );
      return { vectors: answer.parse(await response.json()).result.data, inputTokens: undefined };
    },
  });
};

function isAi(binding: unknown): binding is AiBinding {
  return (
    typeof binding === "object" && binding !== null && "run" in binding && typeof binding.run === "function"
  );
}
