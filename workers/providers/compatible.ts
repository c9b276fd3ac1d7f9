import * as z from "zod/mini";
import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import { chatBody, chatFailure, chatReader, type MaxTokensField } from "./openai-chat.ts";
import {
  baseUrl,
  modelFields,
  parseSettings,
  PROVIDER_CODES,
  reasoningEffort,
  secretOf,
} from "./settings.ts";
import { chatEvents } from "./stream.ts";

/** Hosts that speak OpenAI's chat completions: Mistral, xAI, Groq, vLLM, Ollama and many others. One fetch, no SDK. */

const settingsSchema = z.object({
  /** With its version path, e.g. `https://api.example.com/v1`. */
  baseUrl: z.url({ protocol: /^https?$/ }),
  /** Name of the secret that holds the key; without it no key is sent. */
  secret: z.optional(z.string()),
  /** What this host calls the limit of output tokens; default `max_tokens`. */
  maxTokensField: z.optional(z.enum(["max_completion_tokens", "max_tokens"])),
  reasoningEffort,
  modelFields,
});

/** A host of Llama models is named by the environment; only what is sent can be set. */
const llamaSchema = z.object({ reasoningEffort, modelFields });

/**
 * Any such host, by its settings alone.
 * @throws QuaysideError `config_invalid` when the base URL or the named secret is missing, or a setting is malformed.
 */
export const openaiCompatible: Factory<ChatProvider> = (settings, host) => {
  const parsed = parseSettings(settingsSchema, settings);
  const key = parsed.secret === undefined ? undefined : secretOf(host, parsed.secret);
  return provider(host, parsed.baseUrl, key, parsed.maxTokensField ?? "max_tokens", parsed);
};

/**
 * A host of Meta's Llama models. Environment: `LLAMA_BASE_URL` (with its version path), `LLAMA_API_KEY` where the host asks
 * for one.
 * @throws QuaysideError `config_invalid` when the base URL is missing or malformed.
 */
export const llama: Factory<ChatProvider> = (settings, host) => {
  const options = parseSettings(llamaSchema, settings);
  const url = secretOf(host, "LLAMA_BASE_URL");
  return provider(host, url, host.secret("LLAMA_API_KEY"), "max_tokens", options);
};

function provider(
  host: Host,
  url: string,
  key: string | undefined,
  maxTokensField: MaxTokensField,
  { reasoningEffort: effort, modelFields: more }: z.infer<typeof llamaSchema>,
): ChatProvider {
  const peer = "The model's host";
  const endpoint = `${baseUrl(url, "baseUrl")}/chat/completions`;
  const options: StreamOptions = {
    peer,
    codes: PROVIDER_CODES,
    failure: chatFailure(peer),
  };
  const thinking = effort === undefined ? {} : { reasoning_effort: effort };
  const headers = {
    accept: "text/event-stream",
    "content-type": "application/json",
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  return {
    stream(request, signal) {
      const body = JSON.stringify({ ...more, ...chatBody(request, maxTokensField, thinking) });
      const open = (): Promise<Response> =>
        requestStream(host, endpoint, { method: "POST", headers, body, signal }, options);
      return chatEvents(peer, open, chatReader(peer), request, signal);
    },
  };
}
