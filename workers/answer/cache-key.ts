import { base64url } from "../../shared/ids.ts";
import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { makeMemo } from "../memo.ts";

/** Characters of texts whose signatures are remembered: questions are asked more than once. */
const MOST_SIGNED = 200_000;

/** Rises with every change to `Answer` or `CachedAnswer`: entries of another shape are never found. */
const SCHEMA = "answer-4";

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

/**
 * Everything that an answer depends on once its rows are found. Who asks, what else they may see and which generation is served
 * are not among it: whoever is given the same rows for the same question is given the same answer.
 */
export interface EvidenceKeyParts {
  readonly tenant: string;
  /** `table.column` of every masked or excluded column, in any order. */
  readonly masked: readonly string[];
  /** How models are configured and what each may receive: see `modelsOf` in `route.ts`. */
  readonly models: string;
  readonly question: string;
  readonly history: readonly ChatMessage[];
  readonly today: string;
  readonly timeZone: string;
  /** The model that serves. */
  readonly model: string;
  readonly maxOutputTokens: number;
  readonly promptVersion: string;
  readonly locale: string;
  /** The passages that the model is given, in any order: a passage that ranks elsewhere is the same passage. */
  readonly evidence: readonly Pick<Evidence, "id" | "version" | "changedAt" | "rollup">[];
}

/** Computes cache keys: 43 characters that tell nothing without the deployment's secret. */
export interface AnswerKeys {
  keyOf(parts: KeyParts): Promise<string>;
  evidenceKeyOf(parts: EvidenceKeyParts): Promise<string>;
  /** Recognises a question without keeping it. */
  questionDigest(question: string, history: readonly ChatMessage[]): Promise<string>;
}

/** @param secret asked for once, on first use; another secret is another cache. */
export function makeAnswerKeys(secret: () => string): AnswerKeys {
  const encoder = new TextEncoder();
  let imported: CryptoKey | undefined;
  const signatures = makeMemo<{ readonly text: string; readonly signature: string }>(
    () => 0,
    Number.POSITIVE_INFINITY,
    MOST_SIGNED,
    ({ text }) => text.length,
  );
  const sign = async (text: string): Promise<string> =>
    (signatures.get(text) ?? signatures.set(text, { text, signature: await hmac(text) })).signature;
  const hmac = async (text: string): Promise<string> => {
    imported ??= await crypto.subtle.importKey(
      "raw",
      encoder.encode(secret()),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text))));
  };
  return {
    keyOf: (parts) => sign(canonicalKey(parts)),
    evidenceKeyOf: (parts) => sign(canonicalEvidenceKey(parts)),
    questionDigest: (question, history) =>
      sign(
        encode([
          "question",
          normalise(question),
          history.map((message) => [message.role, normalise(message.content)]),
        ]),
      ),
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

/** The same for the second level. */
export function canonicalEvidenceKey(parts: EvidenceKeyParts): string {
  const passages = parts.evidence
    .map(({ id, version, changedAt, rollup }) => [id, version, changedAt, rollup ? 1 : 0])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return encode([
    SCHEMA,
    "evidence",
    [parts.tenant, setOf(parts.masked), parts.models],
    [
      normalise(parts.question),
      parts.history.map((message) => [message.role, normalise(message.content)]),
      parts.today,
      parts.timeZone,
    ],
    [parts.model, parts.maxOutputTokens, parts.promptVersion, parts.locale],
    passages,
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
