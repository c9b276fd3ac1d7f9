import * as z from "zod/mini";
import { lazily } from "./lazily.ts";
import type { Principal } from "./ports/answer.ts";
import { makeHasher } from "./sha256.ts";

/**
 * The audit trail as it travels and as it is chained: each record's hash covers its own text and the hash before it, so that no
 * record can be changed, taken out or put in without every later hash telling.
 */

/** A record with its place in the chain. */
export interface Chained {
  /** From 1, without gaps. */
  readonly seq: number;
  /** JSON, as it was hashed. */
  readonly record: string;
  /** 43 characters: base64url of SHA-256 over the hash before and this record. */
  readonly hash: string;
}

/** One record to add to the audit trail; a key that is there already adds nothing, so that a call may be repeated. */
export interface AuditEntry {
  readonly key: string;
  /** JSON. */
  readonly record: string;
}

/** The newest record of the audit trail; `seq` 0 before the first. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** The hash before the first record. */
export const AUDIT_START = "0".repeat(43);

const hasher = lazily(makeHasher);

/** How the trail names a caller: the same person always alike, and not by name. */
export function pseudonymOf({ tenant, subject }: Pick<Principal, "tenant" | "subject">): string {
  return hasher().hash128(`${tenant}\n${subject}`);
}

export function chainHash(before: string, seq: number, record: string): string {
  return hasher().hash256(`${before}\n${seq}\n${record}`);
}

/** The first place at which a stretch of the trail does not follow from `before`; undefined when it does. */
export function brokenAt(records: readonly Chained[], before: string, firstSeq: number): number | undefined {
  let hash = before;
  for (const [i, one] of records.entries()) {
    const seq = firstSeq + i;
    if (one.seq !== seq || one.hash !== chainHash(hash, seq, one.record)) return seq;
    hash = one.hash;
  }
  return undefined;
}

export const auditAnswer = lazily(() =>
  z.object({
    records: z.array(
      z.object({
        seq: z.number(),
        /** Covers the record's text and the hash before it. */
        hash: z.string(),
        /** JSON text, as it was hashed. */
        record: z.string(),
      }),
    ),
    /** The newest record of all; its hash, kept elsewhere, proves later that nothing before it was changed. */
    head: z.object({ seq: z.number(), hash: z.string() }),
  }),
);
