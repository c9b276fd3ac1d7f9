import * as z from "zod/mini";
import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { chatBody, chatFailure, chatReader } from "./openai-chat.ts";
import {
  baseUrl,
  modelFields,
  parseSettings,
  PROVIDER_CODES,
  reasoningEffort,
  secretOf,
} from "./settings.ts";
import { chatEvents, fields } from "./stream.ts";

/**
 * Azure OpenAI: OpenAI's chat completions under a resource's own address. The model is the name of a deployment. Paths and
 * header: Microsoft Learn, "Azure OpenAI in Microsoft Foundry Models API version lifecycle", read 2026-11-23.
 */

const settingsSchema = z.object({
  /** A dated API version, for resources without the v1 API, e.g. `2024-10-21`. */
  apiVersion: z.optional(z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}(-preview)?$/, "a dated API version"))),
  reasoningEffort,
  modelFields,
});

const PEER = "Azure OpenAI";

const failure = chatFailure(PEER);

/**
 * Environment: `AZURE_OPENAI_API_KEY`, `AZURE_OPENAI_ENDPOINT` (`https://<resource>.openai.azure.com`, with or without
 * `/openai/v1`).
 * @throws QuaysideError `config_invalid` when one is missing or malformed.
 */
export const azure: Factory<ChatProvider> = (settings, host) => {
  const { apiVersion, reasoningEffort: effort, modelFields: more } = parseSettings(settingsSchema, settings);
  const thinking = effort === undefined ? {} : { reasoning_effort: effort };
  const headers = {
    accept: "text/event-stream",
    "content-type": "application/json",
    "api-key": secretOf(host, "AZURE_OPENAI_API_KEY"),
  };
  const given = baseUrl(secretOf(host, "AZURE_OPENAI_ENDPOINT"), "AZURE_OPENAI_ENDPOINT");
  const root = `${given.replace(/\/openai(\/v1)?$/, "")}/openai`;
  const endpoint = (deployment: string): string =>
    apiVersion === undefined
      ? `${root}/v1/chat/completions`
      : `${root}/deployments/${encodeURIComponent(deployment)}/chat/completions?api-version=${apiVersion}`;

  return {
    async *stream(request, signal) {
      let filtered = false;
      const options: StreamOptions = {
        peer: PEER,
        codes: PROVIDER_CODES,
        failure(status, body) {
          filtered = status === 400 && isFiltered(body);
          return failure(status, body);
        },
      };
      const body = JSON.stringify({ ...more, ...chatBody(request, "max_completion_tokens", thinking) });
      const open = (): Promise<Response> =>
        requestStream(host, endpoint(request.model), { method: "POST", headers, body, signal }, options);
      try {
        yield* chatEvents(PEER, open, chatReader(PEER), request, signal);
      } catch (error) {
        if (!filtered) throw error;
        yield REFUSED;
      }
    },
  };
};

/** A filter that stops the question answers with an error; for a reader it is the same as one that stops the answer. */
const REFUSED: ChatEvent = {
  type: "finish",
  reason: "content-filter",
  usage: { inputTokens: undefined, outputTokens: undefined },
};

/** The prompt was stopped: status 400, code `content_filter` (Microsoft Learn, "Content filtering", read 2026-11-23). */
function isFiltered(body: string): boolean {
  try {
    return fields(fields(JSON.parse(body))["error"])["code"] === "content_filter";
  } catch {
    return false;
  }
}
