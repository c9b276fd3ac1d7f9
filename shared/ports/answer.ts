import type { ChatMessage, Usage } from "./chat-provider.ts";
import type { EvidenceCell } from "./evidence.ts";

/** Who is asking, once a surface has verified it. Never taken from a request body. */
export interface Principal {
  readonly tenant: string;
  /** Stable id of the person or service. */
  readonly subject: string;
  readonly groups: readonly string[];
  /** Values that row policy may compare, e.g. `{ region: ["FR"] }`. */
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  /** Operations, never rows: `ask`, `ingest`, `erase`, `admin`, `audit`, `metrics`. */
  readonly scopes: readonly string[];
}

export interface Question {
  readonly text: string;
  /** Earlier turns, oldest first. */
  readonly history: readonly ChatMessage[];
  /** `provider/model`, a configured alias, or `auto`. */
  readonly model: string | undefined;
  readonly fallbacks: readonly string[];
  /** Narrows to these tables; never widens. */
  readonly tables: readonly string[] | undefined;
  /** Narrows to rows whose cells equal these values (as text), by column; never widens. */
  readonly cells?: Readonly<Record<string, string>> | undefined;
  /** 1 to 50. */
  readonly topK: number;
  readonly cache: "default" | "bypass" | "only";
  readonly maxOutputTokens: number;
  /** Of the request that it came with, for the audit trail. */
  readonly requestId?: string;
  /** The day that "today" means, ISO 8601; the day of asking when left out. */
  readonly today?: string | undefined;
}

export interface Citation {
  /** The number that the text carries, as in `[2]`; 1-based. */
  readonly marker: number;
  readonly id: string;
  readonly table: string;
  readonly key: Readonly<Record<string, string>>;
  readonly title: string;
  readonly excerpt: string;
  readonly cells: readonly EvidenceCell[];
  readonly asOf: string;
  readonly changedAt: string;
  readonly url?: string;
}

/** Why a sentence or a span was taken out of an answer. */
export interface Removal {
  /** Empty for what repeats the model's instructions. */
  readonly text: string;
  readonly why: "number" | "date" | "identifier" | "name" | "marker" | "uncited" | "instructions";
}

export interface Answer {
  readonly id: string;
  readonly outcome: "answered" | "no_evidence" | "refused";
  readonly reason: "none_found" | "unsupported" | "needs_total" | "stale" | "safety" | null;
  readonly text: string;
  /** The model was cut at the limit of output tokens: it had more to say. */
  readonly truncated: boolean;
  readonly citations: readonly Citation[];
  readonly verification: {
    readonly checked: number;
    readonly supported: number;
    readonly removed: readonly Removal[];
  };
  /** `provider/model` that wrote the text. */
  readonly model: string;
  /** The model's name as its provider reports it, where it does. */
  readonly servedModel?: string | undefined;
  readonly route: { readonly requested: string; readonly why: string };
  readonly attempts: readonly { readonly model: string; readonly outcome: string }[];
  readonly cache: "miss" | "exact" | "evidence" | "bypass";
  readonly generation: number;
  /** The oldest `asOf` of the cited tables; of all visible tables when nothing is cited. */
  readonly asOf: string;
  /** How far these tables lay behind the warehouse. */
  readonly tables: readonly Freshness[];
  readonly usage: Usage & { readonly costUsd: number; readonly estimated: boolean };
  readonly timings: { readonly totalMs: number; readonly retrieveMs: number; readonly firstTokenMs: number };
}

/** How far a table lies behind the warehouse. */
export interface Freshness {
  readonly table: string;
  /** Up to when it is known to match the warehouse. */
  readonly asOf: string;
  readonly lagMs: number;
  /** How far it may lie behind; undefined where the configuration says nothing. */
  readonly targetLagMs: number | undefined;
}

export type AnswerEvent =
  | { readonly type: "evidence"; readonly citations: readonly Citation[] }
  | { readonly type: "delta"; readonly text: string }
  /** Drop the text from this offset (UTF-16 units of the text sent so far): it failed verification. */
  | { readonly type: "retract"; readonly from: number }
  /** The text sent so far stays, unless the model's provider declines to go on: for surfaces that can't take words back. */
  | { readonly type: "settled" }
  | { readonly type: "done"; readonly answer: Answer };

/**
 * The whole read path, and the only thing that a surface may call. Yields exactly one "done", last, whose text is
 * authoritative. Throws QuaysideError, before or between events.
 */
export type Ask = (
  question: Question,
  principal: Principal,
  signal: AbortSignal,
) => AsyncIterable<AnswerEvent>;
