import { makeBufferPool } from "../buffers.ts";
import { requestBytes, sdkInput, whole, type RequestOptions } from "../http.ts";
import type { Host } from "../ports/host.ts";
import type { OpenAI } from "../openai-sdk.ts";
import { takeVectors } from "./openai-body.ts";
import { tooLong, usedUp, type RemoteSpec } from "./remote.ts";

/** The embeddings call of OpenAI's protocol, through its SDK: what OpenAI and the hosts that speak it share. */

export interface OpenaiApi {
  readonly host: Host;
  readonly peer: string;
  /** With its version path. */
  readonly baseURL: string;
  /** Undefined sends none. */
  readonly apiKey: string | undefined;
  readonly model: string;
  /** Base64 is a third of the bytes that printed numbers take, where the host offers it. */
  readonly encoding: "base64" | "float";
  /** How long the vectors are to be. */
  readonly dimensions: number;
  /** Whether to ask for that length. */
  readonly sendDimensions: boolean;
}

/** Answers that are read at the same time; more take new memory. */
const MOST_BUFFERS = 3;

/** What went past the SDK. */
interface Taken {
  vectors: readonly Float32Array[];
  restMs: number | undefined;
}

/** @returns the call, and the reading of errors, of a `RemoteSpec`. */
export function openaiApi(api: OpenaiApi): Pick<RemoteSpec, "call" | "failure"> {
  const { host, peer, baseURL, apiKey, model } = api;
  const buffers = makeBufferPool(MOST_BUFFERS);
  let sdk: typeof OpenAI | undefined;
  /** Vectors go past the SDK, into `taken`. */
  async function client(options: RequestOptions, most: number, taken: Taken): Promise<OpenAI> {
    // On first use: a program that never embeds never runs the SDK.
    const Client = (sdk ??= (await import("../openai-sdk.ts")).OpenAI);
    return new Client({
      apiKey: apiKey ?? "none",
      baseURL,
      organization: null,
      project: null,
      maxRetries: 0,
      logLevel: "off",
      ...(apiKey === undefined ? { defaultHeaders: { authorization: null } } : {}),
      fetch: async (url, init) => {
        const { status, headers, bytes } = await requestBytes(host, url, sdkInput(init), options);
        const { rest, vectors } = takeVectors(bytes, api.dimensions, most, host.vectorText);
        options.buffers?.give(bytes);
        taken.vectors = vectors;
        taken.restMs = restMs(headers);
        return whole({ status, headers, bytes: rest });
      },
    });
  }
  return {
    failure(status, body) {
      if (status === 400 && /maximum (context|input) length|too many tokens/i.test(body)) {
        return tooLong(`${peer} says that a text is too long.`);
      }
      return status === 429 && body.includes("insufficient_quota") ? usedUp(peer) : undefined;
    },
    async call(texts, purpose, options, signal) {
      const taken: Taken = { vectors: [], restMs: undefined };
      // A question's answer is a few kilobytes.
      const reading = purpose === "document" ? { ...options, buffers } : options;
      const sdk = await client(reading, texts.length, taken);
      const created: Created = await sdk.embeddings.create(
        {
          model,
          input: [...texts],
          encoding_format: api.encoding,
          ...(api.sendDimensions ? { dimensions: api.dimensions } : {}),
        },
        { signal },
      );
      return {
        vectors: inOrder(created, taken.vectors),
        inputTokens: created.usage?.prompt_tokens,
        restMs: taken.restMs,
      };
    },
  };
}

/** The part of the answer that is read; hosts that speak the protocol may leave `usage` out. */
interface Created {
  readonly data: readonly { readonly index: number; readonly embedding: unknown }[];
  readonly usage?: { readonly prompt_tokens?: number };
}

/** By `index`, whatever order they came in; one that came twice leaves another's place empty, which is no vector. */
function inOrder({ data }: Created, taken: readonly Float32Array[]): readonly unknown[] {
  const vectors = Array.from<unknown>({ length: data.length });
  for (const { index, embedding } of data) {
    if (index < vectors.length) vectors[index] = typeof embedding === "number" ? taken[embedding] : embedding;
  }
  return vectors;
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
