import * as z from "zod/mini";
import { aborted, requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import { readChunk } from "./openai-chat.ts";
import {
  baseUrl,
  contextTooLong,
  invalidSetting,
  modelFields,
  parseSettings,
  PROVIDER_CODES,
  secretOf,
} from "./settings.ts";
import { chatEvents, parseData, streamError, type ReadEvent } from "./stream.ts";

/**
 * Cloudflare Workers AI: Meta's Llama and other open models, through the binding `AI` in a Worker that has it, over REST
 * elsewhere; the same input and the same events either way. Facts: developers.cloudflare.com, "Workers AI errors" and the models'
 * pages; the types of `@cloudflare/workers-types`; what `run` does with signal and failures: workerd, `ai-api.ts`. Read 2026-11-26.
 */

const settingsSchema = z.object({ modelFields });

const PEER = "Workers AI";

/** The part of the binding that is called. */
interface AiBinding {
  run(model: string, input: unknown, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/** Workers AI's own codes, where they say more than the status beside them; through the binding there is no status. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  3003: "provider_rejected",
  3006: "prompt_too_large",
  3023: "provider_misconfigured",
  // The day's free allocation is used up.
  3036: "provider_misconfigured",
  3039: "provider_rejected",
  3040: "rate_limited",
  3041: "provider_misconfigured",
  3042: "provider_misconfigured",
  5004: "provider_rejected",
  5005: "provider_rejected",
  5006: "provider_rejected",
  5007: "provider_misconfigured",
  5016: "provider_misconfigured",
  5018: "provider_misconfigured",
};

/** @param text of an error, with its code. */
function failureOf(code: number, text: string): QuaysideError | undefined {
  if (/context window limit|maximum context length/i.test(text)) return contextTooLong(PEER);
  const ours = CODES[code];
  return ours && new QuaysideError(ours, `${PEER} refused the call (its code ${code}).`);
}

const OPTIONS: StreamOptions = {
  peer: PEER,
  codes: PROVIDER_CODES,
  failure(status, body) {
    const failure = failureOf(Number(/"code"\s*:\s*(\d{4})\b/.exec(body)?.[1]), body);
    // The status says how long to wait as well.
    return failure?.code === "rate_limited" && status === 429 ? undefined : failure;
  },
};

/**
 * Environment, unless `AI` is bound: `CLOUDFLARE_ACCOUNT_ID` and `CLOUDFLARE_API_TOKEN` (permission Workers AI);
 * `CLOUDFLARE_BASE_URL`. The model is Cloudflare's name of it, `@cf/meta/…`.
 * @throws QuaysideError `config_invalid` when one is missing or malformed.
 */
export const workersAi: Factory<ChatProvider> = (settings, host) => {
  const { modelFields: more } = parseSettings(settingsSchema, settings);
  const binding = host.binding?.("AI");
  const call = isAi(binding) ? viaBinding(binding) : viaRest(host);
  return {
    stream(request, signal) {
      const input = { ...more, ...inputOf(request) };
      const open = (): Promise<Response> => call(named(request.model), input, signal);
      return chatEvents(PEER, open, reader(request.maxOutputTokens), request, signal);
    },
  };
};

type CallModel = (model: string, input: unknown, signal: AbortSignal) => Promise<Response>;

function viaRest(host: Host): CallModel {
  const base = baseUrl(
    host.secret("CLOUDFLARE_BASE_URL") ?? "https://api.cloudflare.com/client/v4",
    "CLOUDFLARE_BASE_URL",
  );
  const account = encodeURIComponent(secretOf(host, "CLOUDFLARE_ACCOUNT_ID"));
  const headers = {
    accept: "text/event-stream",
    "content-type": "application/json",
    authorization: `Bearer ${secretOf(host, "CLOUDFLARE_API_TOKEN")}`,
  };
  return (model, input, signal) => {
    const body = JSON.stringify(input);
    return requestStream(
      host,
      `${base}/accounts/${account}/ai/run/${model}`,
      { method: "POST", headers, body, signal },
      OPTIONS,
    );
  };
}

/** No raw response is asked for: concurrent calls share the binding's options, and one that does would change what the others get. */
function viaBinding(binding: AiBinding): CallModel {
  return async (model, input, signal) => {
    try {
      const answer = await binding.run(model, input, { signal });
      if (!(answer instanceof ReadableStream)) return Response.json(null);
      return new Response(answer, { headers: { "content-type": "text/event-stream" } });
    } catch (cause) {
      if (signal.aborted) throw aborted(signal);
      // "5007: No such model …"
      const text = cause instanceof Error ? cause.message : "";
      const failure = failureOf(Number(/^\d{4}(?=:)/.exec(text)?.[0]), text);
      throw failure ?? new QuaysideError("no_provider_available", `${PEER} failed.`, { cause });
    }
  };
}

function isAi(binding: unknown): binding is AiBinding {
  return (
    typeof binding === "object" && binding !== null && "run" in binding && typeof binding.run === "function"
  );
}

/** A part of the path: nothing in it that a URL would read otherwise. */
function named(model: string): string {
  if (/^@\w+(\/\w[\w.-]*)+$/.test(model)) return model;
  throw invalidSetting(
    "model",
    "a model of Workers AI is named like @cf/meta/llama-3.3-70b-instruct-fp8-fast",
  );
}

function inputOf(request: ChatRequest): Readonly<Record<string, unknown>> {
  return {
    messages: [
      { role: "system", content: request.system },
      ...request.messages.map(({ role, content }) => ({ role, content })),
    ],
    max_tokens: request.maxOutputTokens,
    stream: true,
  };
}

/**
 * Chunks with a piece of the answer each, then the tokens, then `[DONE]`. Older models give pieces as `response`, which is a
 * number where the piece is one, and no reason for their end; newer ones speak OpenAI's chunks.
 */
function reader(maxOutputTokens: number): ReadEvent {
  return (event, reading) => {
    if (event.data === "[DONE]") {
      // Without a reason a model has ended by itself, unless it used up what it was allowed.
      reading.reason ??= (reading.outputTokens ?? 0) >= maxOutputTokens ? "length" : "stop";
      reading.ended = true;
      return;
    }
    const chunk = parseData(event.data);
    const { errors, response } = chunk;
    if (Array.isArray(errors) && errors.length > 0) throw streamError(PEER, "provider_reported_error", chunk);
    if (typeof response === "string" || typeof response === "number") reading.text += response;
    readChunk(PEER, chunk, reading);
  };
}
