import * as z from "zod/mini";
import { request, sleep, type Outward } from "../../shared/http.ts";
import { lazily } from "../../shared/lazily.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** The keys that an issuer signs with, fetched from it and from nowhere else, remembered in this isolate. */

const setSchema = lazily(() => z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) }));
const discoverySchema = lazily(() => z.looseObject({ issuer: z.string(), jwks_uri: z.string() }));

/** JSON Web Key Set (RFC 7517). A key may carry more, such as the Bot Framework's `endorsements`. */
export type KeySet = z.infer<ReturnType<typeof setSchema>>;

export interface KeySource {
  /** @throws QuaysideError `identity_unavailable` when there are none and none can be had. */
  keys(signal: AbortSignal): Promise<KeySet>;
  /** Keys fetched anew, for a token whose key is unknown; undefined when that was tried less than 30 s ago. @throws as `keys`. */
  renewed(signal: AbortSignal): Promise<KeySet | undefined>;
}

const KEEP_MS = 600_000;
const COOLDOWN_MS = 30_000;
/** After a failure, so that an issuer that is down is not asked by every request. */
const FAILED_MS = 2000;
const TIMEOUT_MS = 5000;
const MAX_BYTES = 512 * 1024;
const WAIT_MS = 20;

/**
 * @param locate where the keys are; asked before each fetch.
 * @param host its clock decides how long keys are kept.
 */
export function makeKeySource(locate: (signal: AbortSignal) => Promise<string>, host: Outward): KeySource {
  let held: { readonly set: KeySet; readonly at: number } | undefined;
  let failedAt = -Infinity;
  let triedAt = -Infinity;
  /** Until when another request is fetching: its I/O can't be waited on, only its outcome looked at. */
  let busyUntil = 0;

  async function fetchKeys(signal: AbortSignal): Promise<KeySet> {
    triedAt = host.now();
    busyUntil = triedAt + TIMEOUT_MS;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const set = await readJson(setSchema(), await locate(deadline), host, deadline);
      held = { set, at: host.now() };
      return set;
    } catch (error) {
      if (signal.aborted) throw error;
      failedAt = host.now();
      throw unavailable(error);
    } finally {
      busyUntil = 0;
    }
  }

  return {
    async keys(signal) {
      for (;;) {
        const now = host.now();
        if (held && now < held.at + KEEP_MS) return held.set;
        if (now < failedAt + FAILED_MS) throw unavailable();
        if (now >= busyUntil) return fetchKeys(signal);
        await sleep(WAIT_MS, signal);
      }
    },
    async renewed(signal) {
      return host.now() < triedAt + COOLDOWN_MS ? undefined : fetchKeys(signal);
    },
  };
}

/**
 * Where an issuer says that its keys are (OpenID Connect Discovery 1.0).
 * @param issuer an https URL, or http on this machine.
 */
export function discovered(issuer: string, host: Outward): (signal: AbortSignal) => Promise<string> {
  return described(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, issuer, host);
}

/** As `discovered`, for metadata that lie elsewhere. */
export function described(
  metadata: string,
  issuer: string,
  host: Outward,
): (signal: AbortSignal) => Promise<string> {
  return async (signal) => {
    const document = await readJson(discoverySchema(), metadata, host, signal);
    if (document.issuer === issuer && isAsSafe(document.jwks_uri, metadata)) return document.jwks_uri;
    host.log({ level: "error", event: "issuer-misdescribed" });
    throw unavailable();
  };
}

async function readJson<T>(
  schema: z.ZodMiniType<T>,
  url: string,
  host: Outward,
  signal: AbortSignal,
): Promise<T> {
  const response = await request(
    host,
    url,
    { headers: { accept: "application/json" }, signal },
    {
      peer: "The identity provider",
      codes: { unavailable: "identity_unavailable", rejected: "identity_unavailable" },
      deadlineMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    },
  );
  return schema.parse(await response.json());
}

/** TLS, or nothing less than what the issuer itself is reached by. */
function isAsSafe(url: string, issuer: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password, hostname } = new URL(url);
  const own = new URL(issuer);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === own.protocol && hostname === own.hostname);
}

function unavailable(cause?: unknown): QuaysideError {
  const retryAfterMs = cause instanceof QuaysideError ? cause.retryAfterMs : undefined;
  return new QuaysideError("identity_unavailable", "The identity provider's keys can't be had now.", {
    cause,
    retryAfterMs: retryAfterMs ?? FAILED_MS,
  });
}
