import type { TableCounts } from "../../../shared/ports/registry.ts";
import { list, maybe, number, object, text } from "./read.ts";
import { type Citation, readCitation, readTables, type TableInfo } from "./wire.ts";

/** What the API sends to the pages beside the conversation; read as forgivingly as in `wire.ts`. */

/** Whom a credential stands for. */
export interface Who {
  readonly subject: string;
  /** Empty while unknown. */
  readonly scopes: readonly string[];
}

export function readWho(input: unknown): Who {
  const caller = object(object(input)["caller"]);
  return { subject: text(caller["subject"]), scopes: list(caller["scopes"]).map(text) };
}

/** A kept answer whose model read a row. */
export interface AnswerRef {
  readonly id: string;
  readonly at: string;
  readonly model: string;
  readonly outcome: string;
}

export interface Row {
  /** The row in the form of a citation that nothing cites: marker 0, no excerpt. */
  readonly citation: Citation;
  readonly source: string;
  readonly classification: string;
  readonly answers: readonly AnswerRef[];
}

export function readRow(input: unknown): Row {
  const row = object(input);
  return {
    citation: readCitation(input),
    source: text(row["source"]),
    classification: text(row["classification"]),
    answers: list(row["answers"]).map((entry) => {
      const answer = object(entry);
      return {
        id: text(answer["id"]),
        at: text(answer["at"]),
        model: text(answer["model"]),
        outcome: text(answer["outcome"]),
      };
    }),
  };
}

/** Rows that were asked for by their ids. */
export function readRows(input: unknown): readonly Citation[] {
  return list(object(input)["rows"]).map(readCitation);
}

/** The rows that a search finds, best first. */
export function readMatches(input: unknown): readonly Citation[] {
  return list(object(input)["matches"]).map(readCitation);
}

export interface Receipt {
  readonly id: string;
  readonly requestedAt: string;
  /** Empty while something is left. */
  readonly erasedAt: string;
  readonly removed: Readonly<Record<"rows" | "chunks" | "vectors" | "answers" | "runs" | "records", number>>;
  readonly residue: number;
  readonly proof: Readonly<Record<"spaces" | "registry" | "index" | "answers" | "runs" | "records", number>>;
}

export function readReceipt(input: unknown): Receipt {
  const receipt = object(input);
  const removed = object(receipt["removed"]);
  const proof = object(receipt["proof"]);
  return {
    id: text(receipt["id"]),
    requestedAt: text(receipt["requested_at"]),
    erasedAt: text(receipt["erased_at"]),
    removed: {
      rows: number(removed["rows"]),
      chunks: number(removed["chunks"]),
      vectors: number(removed["vectors"]),
      answers: number(removed["answers"]),
      runs: number(removed["runs"]),
      records: number(removed["records"]),
    },
    residue: number(receipt["residue"]),
    proof: {
      spaces: number(proof["spaces"]),
      registry: number(proof["registry"]),
      index: number(proof["index"]),
      answers: number(proof["answers"]),
      runs: number(proof["runs"]),
      records: number(proof["records"]),
    },
  };
}

export interface Run {
  readonly id: string;
  readonly state: string;
  readonly trigger: string;
  readonly host: string;
  readonly requestedAt: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly generation: number | undefined;
  readonly asked: readonly string[];
  readonly full: boolean;
  readonly readAll: boolean;
  readonly tables: readonly TableCounts[];
  readonly reason: string;
}

export function readRuns(input: unknown): readonly Run[] {
  return list(object(input)["runs"]).map(readRun);
}

function readRun(input: unknown): Run {
  const run = object(input);
  return {
    id: text(run["id"]),
    state: text(run["state"]),
    trigger: text(run["trigger"]),
    host: text(run["host"]),
    requestedAt: text(run["requested_at"]),
    startedAt: text(run["started_at"]),
    finishedAt: text(run["finished_at"]),
    generation: maybe(run["generation"]),
    asked: list(run["asked"]).map(text),
    full: run["full"] === true,
    readAll: run["read_all"] === true,
    tables: list(run["tables"]).map((entry) => {
      const counts = object(entry);
      return {
        table: text(counts["table"]),
        read: number(counts["read"]),
        added: number(counts["added"]),
        changed: number(counts["changed"]),
        deleted: number(counts["deleted"]),
        unchanged: number(counts["unchanged"]),
        failed: number(counts["failed"]),
        ...(counts["skipped"] === true ? { skipped: true } : {}),
      };
    }),
    reason: text(run["reason"]),
  };
}

export interface HeldBack {
  readonly total: number;
  /** The first of them. */
  readonly rows: readonly { readonly table: string; readonly key: string; readonly reason: string }[];
}

/** Of one run's answer, the rows that it holds back. */
export function readHeldBack(input: unknown): HeldBack {
  const held = object(object(input)["held_back"]);
  return {
    total: number(held["total"]),
    rows: list(held["rows"]).map((entry) => {
      const row = object(entry);
      return { table: text(row["table"]), key: text(row["key"]), reason: text(row["reason"]) };
    }),
  };
}

/** Every table that is served, as an administrator is told of it: `now` tells how far behind it is, in milliseconds. */
export function readServed(input: unknown, now = Date.now()): readonly TableInfo[] {
  return readTables(input).map((table) => {
    const lagSeconds = Math.max(0, Math.round((now - Date.parse(table.asOf)) / 1000) || 0);
    const target = table.targetLagSeconds;
    return { ...table, lagSeconds, late: target !== undefined && lagSeconds > target };
  });
}

/** Names of every table that was ever published. */
export function readShapes(input: unknown): readonly string[] {
  return Object.keys(object(object(input)["tables"]));
}

interface Amount {
  readonly tokens: number;
  readonly usd: number;
}

export interface Budget {
  readonly scope: string;
  /** Undefined where there is no cap. */
  readonly cap: { readonly tokens: number | undefined; readonly usd: number | undefined };
  readonly spent: Amount;
  readonly held: Amount;
  readonly answers: number;
}

export interface Budgets {
  readonly resetsAt: string;
  readonly budgets: readonly Budget[];
}

const amount = (input: unknown): Amount => ({
  tokens: number(object(input)["tokens"]),
  usd: number(object(input)["usd"]),
});

export function readBudgets(input: unknown): Budgets {
  const answer = object(input);
  return {
    resetsAt: text(answer["resets_at"]),
    budgets: list(answer["budgets"]).map((entry) => {
      const line = object(entry);
      return {
        scope: text(line["scope"]),
        cap: { tokens: maybe(line["tokens_per_day"]), usd: maybe(line["usd_per_day"]) },
        spent: amount(line["spent"]),
        held: amount(line["held"]),
        answers: number(line["answers"]),
      };
    }),
  };
}

export interface Opinion {
  readonly model: string;
  readonly kind: string;
  readonly up: number;
  readonly down: number;
}

export interface Report {
  readonly totals: readonly {
    readonly model: string;
    readonly cache: string;
    readonly outcome: string;
    readonly answers: number;
    readonly spent: Amount;
    readonly saved: Amount;
  }[];
  /** Share of answers from the cache, 0 to 1; undefined before the first. */
  readonly hitRate: number | undefined;
  readonly saved: Amount;
  readonly opinions: readonly Opinion[];
  readonly comments: readonly {
    readonly answer: string;
    readonly rating: number;
    readonly comment: string;
    readonly at: string;
  }[];
}

export function readReport(input: unknown): Report {
  const report = object(input);
  return {
    totals: list(report["answers"]).map((entry) => {
      const total = object(entry);
      return {
        model: text(total["model"]),
        cache: text(total["cache"]),
        outcome: text(total["outcome"]),
        answers: number(total["answers"]),
        spent: amount(total["spent"]),
        saved: amount(total["saved"]),
      };
    }),
    hitRate: maybe(report["hit_rate"]),
    saved: amount(report["saved"]),
    opinions: list(report["feedback"]).map((entry) => {
      const opinion = object(entry);
      return {
        model: text(opinion["model"]),
        kind: text(opinion["question_kind"]),
        up: number(opinion["up"]),
        down: number(opinion["down"]),
      };
    }),
    comments: list(report["comments"]).map((entry) => {
      const comment = object(entry);
      return {
        answer: text(comment["answer_id"]),
        rating: number(comment["rating"]),
        comment: text(comment["comment"]),
        at: text(comment["at"]),
      };
    }),
  };
}
