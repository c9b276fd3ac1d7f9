import * as z from "zod/mini";
import { aborted, failureIn, type RequestOptions } from "../http.ts";
import type { Embedder, Embeddings } from "../ports/embedder.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Host } from "../ports/host.ts";
import { estimateTokens } from "../tokens.ts";

/** What every embedder behind a network does alike: settings, lengths, deadlines, and the check of what came back. */

const positive = z.number().check(z.int(), z.minimum(1));

/** Settings that all of them take. */
export const modelSettings = {
  model: z.optional(z.string().check(z.regex(/^\S+$/))),
  /** Shorter vectors than the model's own, or the length of an unknown model's. */
  dimensions: z.optional(positive),
  /** US dollars for a million tokens. */
  price: z.optional(z.number().check(z.minimum(0))),
  fusionWeight: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  maxBatch: z.optional(positive),
  maxInputTokens: z.optional(positive),
};

type ModelSettings = z.infer<z.ZodMiniObject<typeof modelSettings>>;

export interface KnownModel {
  readonly dimensions: number;
  /** US dollars for a million tokens; undefined where it is the customer's own. */
  readonly price?: number;
  readonly maxInputTokens: number;
  /** Whether vectors of this length may be asked for instead; default no other. */
  readonly shortens?: (dimensions: number) => boolean;
}

/** @throws QuaysideError `config_invalid` for the first thing that is wrong. */
export function parseSettings<T>(schema: z.ZodMiniType<T>, settings: Readonly<Record<string, unknown>>): T {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
}

/** The secret of this name. @throws QuaysideError `config_invalid` when it is not set. */
export function secretOf(host: Host, name: string): string {
  const value = host.secret(name);
  if (value === undefined) throw invalid("secret", `${name} is not set`);
  return value;
}

/** The address in the environment, else the one given, without trailing slashes. @throws QuaysideError `config_invalid` */
export function baseUrlOf(host: Host, name: string, given: string): string {
  const url = host.secret(name) ?? given;
  if (!/^https?:\/\/[^/?#\s]+[^?#\s]*$/.test(url)) throw invalid(name, "an http or https URL without query");
  return url.replace(/\/+$/, "");
}

/** The part of an embedder that follows from its model and settings. */
export interface ModelFacts extends Pick<
  Embedder,
  "dimensions" | "maxBatch" | "maxInputTokens" | "pricePerMillionTokens" | "fusionWeight"
> {
  readonly model: string;
  /** Whether the vectors are to be shorter than the model's own: they must be asked for. */
  readonly shortened: boolean;
}

/** @throws QuaysideError `config_invalid` for a length that the model does not give, or an unknown one without its length. */
export function modelFacts(
  given: ModelSettings,
  known: Readonly<Record<string, KnownModel>>,
  defaults: { readonly model: string; readonly maxBatch: number },
): ModelFacts {
  const model = given.model ?? defaults.model;
  const own = Object.hasOwn(known, model) ? known[model] : undefined;
  const dimensions = given.dimensions ?? own?.dimensions;
  if (dimensions === undefined) throw invalid("dimensions", `say how long the vectors of "${model}" are`);
  const shortened = own !== undefined && dimensions !== own.dimensions;
  if (shortened && own.shortens?.(dimensions) !== true) {
    throw invalid("dimensions", `"${model}" gives vectors of ${own.dimensions}, none of ${dimensions}`);
  }
  return {
    model,
    dimensions,
    shortened,
    maxBatch: given.maxBatch ?? defaults.maxBatch,
    maxInputTokens: given.maxInputTokens ?? own?.maxInputTokens ?? UNKNOWN_INPUT_TOKENS,
    pricePerMillionTokens: given.price ?? own?.price,
    // As good as words alone on most tables; measure on yours with `quayside eval` before raising it.
    fusionWeight: given.fusionWeight ?? 1,
  };
}

/** What the smallest models in use take. */
const UNKNOWN_INPUT_TOKENS = 512;

export interface Returned {
  /** As many as texts, in their order: numbers, or base64 of little-endian float32. */
  readonly vectors: readonly unknown[];
  readonly inputTokens: number | undefined;
  /** See `Embeddings`. */
  readonly restMs?: number | undefined;
}

export interface RemoteSpec {
  readonly id: string;
  readonly facts: Omit<ModelFacts, "model" | "shortened">;
  readonly maxBatchTokens: number;
  /** As a message may name it, capitalised. */
  readonly peer: string;
  /** The vendor's own words for errors whose status says less; see `StreamOptions`. */
  readonly failure?: RequestOptions["failure"];
  readonly waitMs?: RequestOptions["waitMs"];
  /** One call to the vendor, within what `options` allows. */
  readonly call: (
    texts: readonly string[],
    purpose: "document" | "query",
    options: RequestOptions,
    signal: AbortSignal,
  ) => Promise<Returned>;
}

/** An embedder over one vendor's call. A text that is too long is refused before it is sent. */
export function remoteEmbedder(spec: RemoteSpec): Embedder {
  const { id, maxBatchTokens } = spec;
  const { dimensions, maxBatch, maxInputTokens, pricePerMillionTokens, fusionWeight } = spec.facts;
  return {
    id,
    dimensions,
    maxBatch,
    maxBatchTokens,
    maxInputTokens,
    pricePerMillionTokens,
    fusionWeight,
    async embed(texts, purpose, signal) {
      for (const [i, text] of texts.entries()) {
        // No text has more tokens than UTF-8 bytes, and none more than three bytes a unit: short ones need no counting.
        if (text.length * 3 > maxInputTokens && estimateTokens(text) > maxInputTokens) {
          throw tooLong(`Text ${i + 1} of ${texts.length} is longer than ${maxInputTokens} tokens.`);
        }
      }
      if (signal.aborted) throw aborted(signal);
      const options = callOptions(spec, purpose, texts.length);
      // A host that lost a vector, or sent none, is asked again; someone who waits for an answer is not kept.
      for (let left = purpose === "query" ? 0 : 2; ; left--) {
        const outcome = await attempt(spec, texts, purpose, options, signal);
        if ("embeddings" in outcome) return outcome.embeddings;
        if (!outcome.again || left === 0) throw outcome.failure;
      }
    },
  };
}

type Outcome =
  | { readonly embeddings: Embeddings }
  /** `again`: it answered, but not with what was asked for. */
  | { readonly failure: QuaysideError; readonly again: boolean };

async function attempt(
  spec: RemoteSpec,
  texts: readonly string[],
  purpose: "document" | "query",
  options: RequestOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { peer, facts } = spec;
  let returned: Returned;
  try {
    returned = await spec.call(texts, purpose, options, signal);
  } catch (error) {
    if (signal.aborted) return { failure: aborted(signal), again: false };
    // What `request` threw, an SDK around it or not, was tried often enough.
    const sent = failureIn(error);
    return { failure: sent ?? unreadable(peer, "something other than embeddings", error), again: !sent };
  }
  const { vectors, inputTokens, restMs } = returned;
  try {
    if (vectors.length !== texts.length) {
      throw unreadable(peer, `${vectors.length} vectors for ${texts.length} texts`);
    }
    const units = vectors.map((vector) => normalised(peer, decode(vector), facts.dimensions));
    return { embeddings: { vectors: units, inputTokens, ...(restMs === undefined ? {} : { restMs }) } };
  } catch (error) {
    const failure = failureIn(error) ?? unreadable(peer, "something other than vectors", error);
    return { failure, again: failure.code === "embedder_unavailable" };
  }
}

/** A question can't wait; an ingest can, and a rate limit is normal there. */
function callOptions(spec: RemoteSpec, purpose: "document" | "query", texts: number): RequestOptions {
  return {
    peer: spec.peer,
    codes: { unavailable: "embedder_unavailable", rejected: "embedder_rejected" },
    deadlineMs: purpose === "query" ? 8000 : 120_000,
    retries: purpose === "query" ? 1 : 6,
    // An ingest has other calls under way, which have to wait as well.
    throwLimits: purpose === "document",
    // Base64 takes 5.4 bytes a number; printed numbers take up to 25.
    maxBytes: 64 * 1024 + texts * (spec.facts.dimensions * 25 + 256),
    failure: (status, body, headers) => spec.failure?.(status, body, headers) ?? failureOf(spec.peer, status),
    ...(spec.waitMs ? { waitMs: spec.waitMs } : {}),
  };
}

/** What a status means where the vendor's own words don't say more. */
function failureOf(peer: string, status: number): QuaysideError | undefined {
  if (status === 400 || status === 422) {
    return new QuaysideError("input_rejected", `${peer} refuses what it was sent (status ${status}).`);
  }
  return status === 402 ? usedUp(peer) : undefined;
}

function decode(vector: unknown): Float32Array {
  if (vector instanceof Float32Array) return vector;
  if (typeof vector !== "string") return ofNumbers(vector);
  const binary = atob(vector);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Float32Array(bytes.buffer, 0, bytes.byteLength >> 2);
}

/** What is no number becomes NaN, which no vector may hold; by itself `null` would become 0. */
function ofNumbers(list: unknown): Float32Array {
  return Float32Array.from(Array.isArray(list) ? list : [], (x) => (typeof x === "number" ? x : Number.NaN));
}

/** Unit length, in place. @throws QuaysideError for another length than promised, or a vector that has no direction. */
function normalised(peer: string, vector: Float32Array, dimensions: number): Float32Array {
  if (vector.length !== dimensions) {
    const message = `${peer} gives vectors of ${vector.length}, not ${dimensions}: check the model and its dimensions.`;
    throw new QuaysideError("embedder_rejected", message);
  }
  let sum = 0;
  // By index: iterating a typed array costs five times as much, and this runs for every text of an ingest.
  for (let i = 0; i < vector.length; i++) {
    const x = vector[i] ?? 0;
    sum += x * x;
  }
  if (sum === 0) {
    throw new QuaysideError(
      "input_rejected",
      `${peer} has no direction for a text: its vector is all zeros.`,
    );
  }
  if (!(sum < Infinity)) throw unreadable(peer, "a vector of no numbers");
  if (Math.abs(sum - 1) < 1e-6) return vector;
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}

function unreadable(peer: string, what: string, cause?: unknown): QuaysideError {
  return new QuaysideError("embedder_unavailable", `${peer} answered with ${what}.`, { cause });
}

/** The vendor does not know the model, or refuses the key: no text is the trouble. */
export function refused(message: string): QuaysideError {
  return new QuaysideError("embedder_rejected", message);
}

export function usedUp(peer: string): QuaysideError {
  return new QuaysideError(
    "rate_limited",
    `${peer} says that our quota is used up: raise it, then run again.`,
  );
}

export function tooLong(message: string): QuaysideError {
  return new QuaysideError("input_too_long", message);
}

export function invalid(pointer: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `embedder.${pointer}: ${rule}.`, {
    violations: [{ pointer: `embedder.${pointer}`, rule }],
  });
}
