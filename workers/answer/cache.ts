import { base64url } from "../../shared/ids.ts";
import type { AnswerCache, CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";

/** Rises with every change to `Answer` or `CachedAnswer`: entries of another shape are never found. */
const SCHEMA = "answer-1";

/** Largest entry that is stored, in UTF-8 bytes. */
const MAX_ENTRY_BYTES = 256 * 1024;

/** Workers KV's floor. */
const MIN_TTL_SECONDS = 60;

/**
 * Everything that a finished answer depends on, beside the rows themselves (which the registry confirms on a hit).
 * Two callers share an answer only when all of it is equal: what authorisation decided, never who they are.
 */
export interface KeyParts {
  readonly tenant: string;
  readonly configVersion: number;
  readonly epoch: number;
  /** Permitted access class ids, in any order. */
  readonly permitted: readonly string[];
  /** `table.column` of every masked or excluded column, in any order. */
  readonly masked: readonly string[];
  /** Which model may receive what: see `policyOf` in `route.ts`. */
  readonly providerPolicy: string;
  readonly space: string;
  readonly generation: number;
  readonly question: string;
  readonly history: readonly ChatMessage[];
  /** What "today" means in the question, ISO 8601, and where. */
  readonly today: string;
  readonly timeZone: string;
  /** As requested, before routing. */
  readonly model: string;
  readonly fallbacks: readonly string[];
  /** In any order; undefined is another thing than an empty list. */
  readonly tables: readonly string[] | undefined;
  readonly cells?: Readonly<Record<string, string>> | undefined;
  readonly topK: number;
  readonly maxOutputTokens: number;
  readonly promptVersion: string;
  readonly locale: string;
}

/** Computes cache keys: 43 characters that tell nothing without the deployment's secret. */
export interface AnswerKeys {
  keyOf(parts: KeyParts): Promise<string>;
}

/** @param secret asked for once, on first use; another secret is another cache. */
export function makeAnswerKeys(secret: () => string): AnswerKeys {
  const encoder = new TextEncoder();
  let imported: CryptoKey | undefined;
  return {
    async keyOf(parts) {
      imported ??= await crypto.subtle.importKey(
        "raw",
        encoder.encode(secret()),
        { name: "HMAC", hash: "SHA-256" },
        false,
        ["sign"],
      );
      const bytes = encoder.encode(canonicalKey(parts));
      return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes)));
    },
  };
}

/** What is signed: every part with its length or its count in front, so that no two lists of parts read alike. */
export function canonicalKey(parts: KeyParts): string {
  return encode([
    SCHEMA,
    // What authorisation decided.
    [
      parts.tenant,
      parts.configVersion,
      parts.epoch,
      setOf(parts.permitted),
      setOf(parts.masked),
      parts.providerPolicy,
    ],
    // What was searched.
    [parts.space, parts.generation],
    // What was asked.
    [
      normalise(parts.question),
      parts.history.map((message) => [message.role, normalise(message.content)]),
      parts.today,
      parts.timeZone,
    ],
    // How it is answered.
    [
      parts.model,
      [...parts.fallbacks],
      parts.tables === undefined ? "all" : setOf(parts.tables),
      Object.entries(parts.cells ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      parts.topK,
      parts.maxOutputTokens,
      parts.promptVersion,
      parts.locale,
    ],
  ]);
}

type Part = string | number | readonly Part[];

function encode(part: Part): string {
  if (typeof part === "string") return `s${part.length}:${part}`;
  if (typeof part === "number") return `n${part};`;
  return `l${part.length}:${part.map(encode).join("")}`;
}

function setOf(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

/** Case and inner space are kept: in a question they may matter ("US" and "us"). */
function normalise(text: string): string {
  return text.normalize("NFC").trim();
}

/** The part of a KV namespace that the cache needs. */
export interface KeyValueStore {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options: { readonly expirationTtl: number }): Promise<void>;
}

/** How long a KV read may take before the answer is made anew, in milliseconds. */
const READ_TIMEOUT_MS = 100;

/** Finished answers in Workers KV. KV is eventually consistent, which is harmless: an entry says what it rests on. */
export function makeAnswerCache(store: KeyValueStore, host: Host): AnswerCache {
  const failed = (event: string): void => host.log({ level: "warn", event });
  return {
    async get(key) {
      try {
        const text = await withTimeout(store.get(nameOf(key)), READ_TIMEOUT_MS);
        if (text === undefined) failed("cache-read-slow");
        if (text === undefined || text === null) return undefined;
        const entry: unknown = JSON.parse(text);
        if (isEntry(entry) && entry.key === key) return entry;
        failed("cache-entry-foreign");
      } catch {
        failed("cache-read-failed");
      }
      return undefined;
    },
    async put(entry, ttlSeconds) {
      try {
        const text = JSON.stringify(entry);
        if (new TextEncoder().encode(text).byteLength > MAX_ENTRY_BYTES) return;
        const expirationTtl = Math.max(MIN_TTL_SECONDS, Math.floor(ttlSeconds));
        await store.put(nameOf(entry.key), text, { expirationTtl });
      } catch {
        failed("cache-write-failed");
      }
    },
  };
}

/**
 * A lifetime up to a tenth shorter than configured, so that answers given together don't expire together.
 * @param random 0 to 1.
 */
export function jittered(ttlSeconds: number, random: number): number {
  return Math.max(MIN_TTL_SECONDS, Math.floor(ttlSeconds * (1 - random / 10)));
}

function nameOf(key: string): string {
  return `a:${key}`;
}

/** Enough to use the entry without a crash; `SCHEMA` in the key vouches for the rest. */
function isEntry(value: unknown): value is CachedAnswer {
  if (typeof value !== "object" || value === null) return false;
  if (!("key" in value && "rows" in value && "answer" in value) || !Array.isArray(value.rows)) return false;
  const { answer } = value;
  return typeof answer === "object" && answer !== null && "text" in answer && "citations" in answer;
}

/** Undefined when the time is up first; the slow promise is left to itself. */
async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
