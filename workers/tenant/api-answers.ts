import type { AuditEntry } from "../../shared/audit-wire.ts";

/** What the ledger offers to answers: budgets, answers that are shared while they are written, records, ratings. */

/** The most that one model may spend on an answer; money in billionths of a US dollar. */
export interface CallCost {
  readonly model: string;
  readonly tokens: number;
  readonly nanoUsd: number;
}

/** What a model did spend. */
export type Spent = CallCost;

export interface SpendRequest {
  /** Chosen by the caller; a repeated call with it holds nothing more. */
  readonly id: string;
  readonly subject: string;
  readonly groups: readonly string[];
  /** In order of preference. */
  readonly calls: readonly CallCost[];
  /** Another call of an answer that holds already, after calls that are billed for nothing: these count, and it is held for anew. */
  readonly again?: { readonly turn: number; readonly failed: readonly Spent[] } | undefined;
}

export interface CallRequest extends SpendRequest {
  /** Names the answer: the same rows for the same question. Undefined for one that is not shared. */
  readonly flight: string | undefined;
}

/** What an answer under way has told so far and goes on to tell, as JSON lines; an error once it has come to nothing. */
export type Telling = () => Promise<ReadableStream<Uint8Array>>;

/** A model that keeps failing, and for how many milliseconds it is left alone. */
export type OpenCircuit = readonly [model: string, waitMs: number];

export type CallStart =
  /** Ask one of these models, in this order, but none that is left alone. */
  | { readonly type: "lead"; readonly models: readonly string[]; readonly open?: readonly OpenCircuit[] }
  /** The same answer is being written: its events. */
  | { readonly type: "follow"; readonly events: ReadableStream<Uint8Array> };

/** One scope's spending on a day: `tenant`, `principal:<subject>`, `group:<name>` or `model:<id>`. */
export interface BudgetLine {
  readonly scope: string;
  readonly tokensPerDay: number | undefined;
  readonly nanoUsdPerDay: number | undefined;
  readonly tokens: number;
  readonly nanoUsd: number;
  /** Held for answers under way. */
  readonly heldTokens: number;
  readonly heldNanoUsd: number;
  readonly answers: number;
}

/** What is remembered of one answer; see `ledger-answers.ts`. */
export interface AnswerRecord {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly subject: string;
  /** The answer that this one repeats, when it came from the cache: its record tells the passages. */
  readonly from: string | undefined;
  /** Keyed digest of question and history. */
  readonly question: string;
  readonly today: string;
  readonly language: "en" | "fr";
  readonly kind: string;
  readonly model: string;
  readonly route: { readonly requested: string; readonly why: string };
  readonly attempts: readonly { readonly model: string; readonly outcome: string }[];
  readonly cache: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly generation: number;
  readonly configVersion: number;
  readonly epoch: number;
  readonly promptVersion: string;
  readonly maxOutputTokens: number;
  /** `[passage id, version]` of what the model read, best first; empty for a repeated answer. */
  readonly evidence: readonly (readonly [string, string])[];
  /** `[row id, version]`. */
  readonly rows: readonly (readonly [string, string])[];
  readonly usage: { readonly tokens: number; readonly usd: number };
  /** What the cache spared. */
  readonly saved: { readonly tokens: number; readonly usd: number };
}

/** One answer's account: what was held for it becomes what was spent. */
export interface Settlement {
  readonly id: string;
  readonly spent: readonly Spent[];
  /** What calls cost that came to nothing before their first word. */
  readonly failed?: readonly Spent[];
  /** Models that kept failing: see `circuits.ts`. */
  readonly opened?: readonly string[];
}

/** What answers leave behind. */
export interface Left {
  readonly settled: readonly Settlement[];
  readonly answers: readonly AnswerRecord[];
  readonly audit: readonly AuditEntry[];
}

/** All answers since the beginning. */
export interface AnswerTotal {
  readonly model: string;
  readonly cache: string;
  readonly outcome: string;
  readonly answers: number;
  readonly tokens: number;
  readonly usd: number;
  readonly savedTokens: number;
  readonly savedUsd: number;
}

export interface Rating {
  readonly answer: string;
  /** Who votes. */
  readonly subject: string;
  /** The channel in which they were shown it, as the subject that it was asked for. */
  readonly audience?: string | undefined;
  readonly rating: 1 | -1;
  readonly comment: string | undefined;
}

export interface RatingTotal {
  readonly model: string;
  readonly kind: string;
  readonly up: number;
  readonly down: number;
}

export interface AnswersApi {
  /**
   * Before a model is asked: holds what the answer may cost, waiting up to 10 s for what others hold, or hands on the events of
   * the same answer that is already being written. @throws `budget_exhausted`, with the time until the budget is there again.
   */
  startCall(request: CallRequest, telling: Telling | undefined): Promise<CallStart>;
  /**
   * After answers, however they ended; all of it or nothing. Repeating a record changes nothing, nor a settlement of what was held.
   * @returns every circuit that is not closed, 0 for one whose wait is over.
   */
  conclude(left: Left): Promise<readonly OpenCircuit[]>;
  answer(id: string): Promise<AnswerRecord | undefined>;
  /** Kept answers whose model read a row, newest first, at most 50 of the newest 2,000. @param subject whose; undefined: everybody's. */
  answersFrom(row: string, subject: string | undefined): Promise<readonly AnswerRecord[]>;
  answerTotals(): Promise<readonly AnswerTotal[]>;
  /** @returns false when neither the voter nor the channel was given such an answer. */
  rate(rating: Rating): Promise<boolean>;
  ratings(): Promise<{
    readonly totals: readonly RatingTotal[];
    /** The newest first. */
    readonly comments: readonly {
      readonly answer: string;
      readonly rating: 1 | -1;
      readonly comment: string;
      readonly at: number;
    }[];
  }>;
  /** Today's budgets. */
  budgets(): Promise<{ readonly resetsAt: string; readonly lines: readonly BudgetLine[] }>;
}
