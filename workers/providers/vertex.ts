import { googleAccount } from "../../shared/google-auth.ts";
import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { contentBody, contentFailure, contentReader, contentSettings } from "./gemini-content.ts";
import { PROVIDER_CODES, baseUrl, invalidSetting, parseSettings, secretOf } from "./settings.ts";
import { chatEvents } from "./stream.ts";

/**
 * Gemini on Google's Vertex AI, by a service account, in a chosen location. Path and hosts: Google Cloud, "Generate content
 * with the Gemini API in Vertex AI" and "Deployments and endpoints", read 2026-11-23.
 */

const PEER = "Vertex AI";

/**
 * Environment: `GOOGLE_APPLICATION_CREDENTIALS_JSON` (a service account's key file, whole), `VERTEX_LOCATION` (a region such
 * as `europe-west4`, or `global`; where rows are read is nobody's default), `VERTEX_PROJECT` (default: the account's own),
 * `VERTEX_BASE_URL` (no version path).
 * @throws QuaysideError `config_invalid` when one is missing or malformed.
 */
export const vertex: Factory<ChatProvider> = (settings, host) => {
  const content = parseSettings(contentSettings, settings);
  // Whatever the token endpoint refuses is about the account.
  const codes = { ...PROVIDER_CODES, rejected: "provider_misconfigured" } as const;
  const account = googleAccount(secretOf(host, "GOOGLE_APPLICATION_CREDENTIALS_JSON"), host, codes);
  const location = named(secretOf(host, "VERTEX_LOCATION"), "VERTEX_LOCATION");
  const project = named(host.secret("VERTEX_PROJECT") ?? account.project ?? "", "VERTEX_PROJECT");
  const ownHost = location === "global" ? "aiplatform" : `${location}-aiplatform`;
  const base = baseUrl(
    host.secret("VERTEX_BASE_URL") ?? `https://${ownHost}.googleapis.com`,
    "VERTEX_BASE_URL",
  );
  const models = `${base}/v1/projects/${project}/locations/${location}/publishers/google/models`;
  const failure = contentFailure(PEER);
  const options: StreamOptions = {
    peer: PEER,
    codes: PROVIDER_CODES,
    failure(status, body, headers) {
      if (status === 401) account.forget();
      return failure(status, body, headers);
    },
  };
  const read = contentReader(PEER);
  return {
    stream(request, signal) {
      const url = `${models}/${encodeURIComponent(request.model)}:streamGenerateContent?alt=sse`;
      const body = contentBody(request, content);
      const open = async (): Promise<Response> => {
        const headers = {
          "content-type": "application/json",
          authorization: `Bearer ${await account.token(signal)}`,
        };
        return requestStream(host, url, { method: "POST", headers, body, signal }, options);
      };
      return chatEvents(PEER, open, read, request, signal);
    },
  };
};

/** A part of the path: ids of projects and locations hold nothing that a URL would read otherwise. */
function named(value: string, setting: string): string {
  if (!/^[a-z0-9][a-z0-9.:-]*$/i.test(value)) throw invalidSetting(setting, "a project's or location's id");
  return value;
}
