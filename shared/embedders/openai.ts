import type OpenAI from "openai";
import * as z from "zod/mini";
import { aborted, failureIn, requestBytes, sdkInput, type RequestOptions } from "../http.ts";
import type { Embedder } from "../ports/embedder.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Factory } from "../ports/host.ts";
import { estimateTokens } from "../tokens.ts";
import { takeVectors } from "./openai-body.ts";

/**
 * Embeddings of OpenAI, or of any host that speaks its protocol (`baseUrl`, `secret`, `dimensions`, `price`).
 * Limits: OpenAI's API reference, "Create embeddings", 2026-11: 2,048 inputs and 300,000 tokens a request, 8,192 tokens an
 * input. Prices: OpenAI's model pages, 2026-11, US dollars for a million tokens.
 */

interface Model {
  readonly dimensions: number;
  readonly price: number;
  /** Whether `dimensions` may be asked for. */
  readonly shortens: boolean;
}

const MODELS: Readonly<Record<string, Model>> = {
  "text-embedding-3-small": { dimensions: 1536, price: 0.02, shortens: true },
  "text-embedding-3-large": { dimensions: 3072, price: 0.13, shortens: true },
  "text-embedding-ada-002": { dimensions: 1536, price: 0.1, shortens: false },
};

const positive = z.number().check(z.int(), z.minimum(1));

const settingsSchema = z.object({
  model: z.optional(z.string().check(z.regex(/^\S+$/))),
  /** Shorter vectors than the model's own, or the length of an unknown model's. */
  dimensions: z.optional(positive),
  /** With its version path. */
  baseUrl: z.optional(z.url({ protocol: /^https?$/ })),
  /** Name of the secret that holds the key; default `OPENAI_API_KEY`. */
  secret: z.optional(z.string()),
  /** First part of the embedder's id; default `openai`. Another host under the same name would be another space. */
  name: z.optional(z.string().check(z.regex(/^[^\s/]+$/))),
  /** US dollars for a million tokens. */
  price: z.optional(z.number().check(z.minimum(0))),
  fusionWeight: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  maxBatch: z.optional(positive),
  maxInputTokens: z.optional(positive),
});

const PEER = "The embeddings API";

/**
 * Settings: `{ model?, dimensions?, baseUrl?, secret?, name?, price?, fusionWeight?, maxBatch?, maxInputTokens? }`.
 * Environment: `OPENAI_API_KEY`; `OPENAI_BASE_URL` (with `/v1`) overrides `baseUrl`, unless `secret` names another key.
 * @throws QuaysideError `config_invalid`
 */
export const openaiEmbedder: Factory<Embedder> = (settings, host) => {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
  }
  const given = parsed.data;
  const model = given.model ?? "text-embedding-3-small";
  const known = MODELS[model];
  const dimensions = given.dimensions ?? known?.dimensions;
  if (dimensions === undefined) throw invalid("dimensions", `say how long the vectors of "${model}" are`);
  const shortened = known !== undefined && dimensions !== known.dimensions;
  if (shortened && !(known.shortens && dimensions < known.dimensions)) {
    throw invalid("dimensions", `"${model}" gives vectors of ${known.dimensions}`);
  }
  const secret = given.secret ?? "OPENAI_API_KEY";
  const apiKey = host.secret(secret);
  if (apiKey === undefined) throw invalid("secret", `${secret} is not set`);
  const fromEnv = secret === "OPENAI_API_KEY" ? host.secret("OPENAI_BASE_URL") : undefined;
  const baseURL = fromEnv ?? given.baseUrl ?? "https://api.openai.com/v1";
  const maxInputTokens = given.maxInputTokens ?? 8192;

  /** Vectors go past the SDK, into `taken`. */
  async function client(options: RequestOptions, most: number, taken: Taken): Promise<OpenAI> {
    // On first use: a program that never embeds never runs the SDK.
    const { default: Client } = await import("openai");
    return new Client({
      apiKey,
      baseURL,
      organization: null,
      project: null,
      maxRetries: 0,
      logLevel: "off",
      fetch: async (url, init) => {
        const { status, headers, bytes } = await requestBytes(host, url, sdkInput(init), options);
        const { rest, vectors } = takeVectors(bytes, Number(dimensions), most);
        taken.vectors = vectors;
        taken.restMs = restMs(headers);
        return new Response(rest, { status, headers });
      },
    });
  }

  return {
    id: `${given.name ?? "openai"}/${model}/${dimensions}`,
    dimensions,
    maxBatch: given.maxBatch ?? 2048,
    maxBatchTokens: 300_000,
    maxInputTokens,
    pricePerMillionTokens: given.price ?? known?.price ?? 0,
    // As good as words alone on most tables; measure on yours with `quayside eval` before raising it.
    fusionWeight: given.fusionWeight ?? 1,

    async embed(texts, purpose, signal) {
      for (const [i, text] of texts.entries()) {
        // No text has more tokens than UTF-8 bytes, and none more than three bytes a unit: short ones need no counting.
        if (text.length * 3 > maxInputTokens && estimateTokens(text) > maxInputTokens) {
          throw tooLong(`Text ${i + 1} of ${texts.length} is longer than ${maxInputTokens} tokens.`);
        }
      }
      const taken: Taken = { vectors: [], restMs: undefined };
      const sdk = await client(callOptions(purpose, texts.length, dimensions), texts.length, taken);
      // A host that lost a vector, or sent none, is asked again; someone who waits for an answer is not kept.
      for (let left = purpose === "query" ? 0 : 2; ; left--) {
        try {
          const created: Created = await sdk.embeddings.create(
            {
              model,
              input: [...texts],
              // A third of the bytes that printed numbers take, and no number to parse.
              encoding_format: "base64",
              ...(shortened ? { dimensions } : {}),
            },
            { signal },
          );
          return {
            vectors: vectorsOf(created, taken.vectors, texts.length, dimensions),
            inputTokens: created.usage?.prompt_tokens,
            ...(taken.restMs === undefined ? {} : { restMs: taken.restMs }),
          };
        } catch (error) {
          if (signal.aborted) throw aborted(signal);
          const unusable = error instanceof QuaysideError ? error : undefined;
          // What `request` threw, which the SDK wrapped, was tried often enough.
          const sent = unusable ? undefined : failureIn(error);
          const failure = unusable ?? sent ?? unreadable("something other than embeddings", error);
          if (sent || failure.code !== "embedder_unavailable" || left === 0) throw failure;
        }
      }
    },
  };
};

/** A question can't wait; an ingest can, and a rate limit is normal there. */
function callOptions(purpose: "document" | "query", texts: number, dimensions: number): RequestOptions {
  return {
    peer: PEER,
    codes: { unavailable: "embedder_unavailable", rejected: "embedder_rejected" },
    deadlineMs: purpose === "query" ? 8000 : 120_000,
    retries: purpose === "query" ? 1 : 6,
    // An ingest has other calls under way, which have to wait as well.
    throwLimits: purpose === "document",
    // Base64 takes 5.4 bytes a number; a host that ignores the encoding prints up to 25.
    maxBytes: 64 * 1024 + texts * (dimensions * 25 + 256),
    failure: (status, body) =>
      status === 400 && /maximum (context|input) length|too many tokens/i.test(body)
        ? tooLong(`${PEER} says that a text is too long.`)
        : status === 400 || status === 422
          ? rejected(`${PEER} refuses what it was sent (status ${status}).`)
          : status === 402 || (status === 429 && body.includes("insufficient_quota"))
            ? new QuaysideError(
                "rate_limited",
                `${PEER} says that our quota is used up: raise it, then run again.`,
              )
            : undefined,
  };
}

interface Taken {
  vectors: readonly Float32Array[];
  restMs: number | undefined;
}

/** How long to wait when nothing is left of what may be asked: OpenAI's `x-ratelimit-…` headers. Undefined while there is. */
function restMs(headers: Headers): number | undefined {
  const waits = ["requests", "tokens"].flatMap((what) => {
    const left = headers.get(`x-ratelimit-remaining-${what}`);
    return left === "0" ? [duration(headers.get(`x-ratelimit-reset-${what}`) ?? "")] : [];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** `6m0s`, `1.5s`, `250ms` in milliseconds; 0 for anything else. */
function duration(text: string): number {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return 0;
  const parts = Array.from(text.matchAll(/([\d.]+)(h|ms|m|s)/g));
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0), 0);
}

/** The part of the answer that is read; hosts that speak the protocol may leave `usage` out. */
interface Created {
  readonly data: readonly { readonly index: number; readonly embedding: unknown }[];
  readonly usage?: { readonly prompt_tokens?: number };
}

/** In the order asked for: by `index`, whatever order they came in. */
function vectorsOf(
  created: Created,
  taken: readonly Float32Array[],
  count: number,
  dimensions: number,
): Float32Array[] {
  const vectors = Array.from<Float32Array | undefined>({ length: count });
  if (created.data.length !== count) throw unreadable(`${created.data.length} vectors for ${count} texts`);
  for (const { index, embedding } of created.data) {
    const vector = typeof embedding === "number" ? taken[embedding] : decode(embedding);
    if (!vector) throw unreadable("a number instead of a vector");
    if (vector.length !== dimensions) {
      const message = `${PEER} gives vectors of ${vector.length}, not ${dimensions}: check the model and its dimensions.`;
      throw new QuaysideError("embedder_rejected", message);
    }
    vectors[index] = normalised(vector);
  }
  return vectors.map((vector) => {
    if (!vector) throw unreadable("the same vector twice");
    return vector;
  });
}

/** Base64 of little-endian float32; numbers from a host that ignores `encoding_format`. */
function decode(embedding: unknown): Float32Array {
  if (typeof embedding !== "string") return Float32Array.from(Array.isArray(embedding) ? embedding : []);
  const bytes = bytesOf(embedding);
  return new Float32Array(bytes.buffer, 0, bytes.byteLength >> 2);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Unit length, in place. @throws QuaysideError for a vector that has no direction. */
function normalised(vector: Float32Array): Float32Array {
  let sum = 0;
  // By index: iterating a typed array costs five times as much, and this runs for every text of an ingest.
  for (let i = 0; i < vector.length; i++) sum += (vector[i] ?? 0) ** 2;
  if (sum === 0) throw rejected("The embeddings API has no direction for a text: its vector is all zeros.");
  if (!(sum < Infinity)) throw unreadable("a vector of no numbers");
  if (Math.abs(sum - 1) < 1e-6) return vector;
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}

function unreadable(what: string, cause?: unknown): QuaysideError {
  return new QuaysideError("embedder_unavailable", `${PEER} answered with ${what}.`, { cause });
}

function rejected(message: string): QuaysideError {
  return new QuaysideError("input_rejected", message);
}

function tooLong(message: string): QuaysideError {
  return new QuaysideError("input_too_long", message);
}

function invalid(pointer: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `embedder.${pointer}: ${rule}.`, {
    violations: [{ pointer: `embedder.${pointer}`, rule }],
  });
}
