import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { contentBody, contentFailure, contentReader, contentSettings } from "./gemini-content.ts";
import { PROVIDER_CODES, baseUrl, parseSettings, secretOf } from "./settings.ts";
import { chatEvents } from "./stream.ts";

/** Google's Gemini API, by an API key. */

const PEER = "The Gemini API";

const OPTIONS: StreamOptions = {
  peer: PEER,
  codes: PROVIDER_CODES,
  failure: contentFailure(PEER),
};

/**
 * Environment: `GEMINI_API_KEY`; `GEMINI_BASE_URL` (no version path).
 * @throws QuaysideError `config_invalid` when the key is missing or a setting is malformed.
 */
export const gemini: Factory<ChatProvider> = (settings, host) => {
  const content = parseSettings(contentSettings, settings);
  // In a header: URLs end up in logs.
  const headers = {
    "content-type": "application/json",
    "x-goog-api-key": secretOf(host, "GEMINI_API_KEY"),
  };
  const base = baseUrl(
    host.secret("GEMINI_BASE_URL") ?? "https://generativelanguage.googleapis.com",
    "GEMINI_BASE_URL",
  );
  const read = contentReader(PEER);
  return {
    stream(request, signal) {
      const model = encodeURIComponent(request.model);
      const url = `${base}/v1beta/models/${model}:streamGenerateContent?alt=sse`;
      const body = contentBody(request, content);
      const open = (): Promise<Response> =>
        requestStream(host, url, { method: "POST", headers, body, signal }, OPTIONS);
      return chatEvents(PEER, open, read, request, signal);
    },
  };
};
