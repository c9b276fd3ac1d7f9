import { lazily, ofObject } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import { problemBody } from "../problem.ts";
import { freshnessFields, freshnessJson } from "./freshness.ts";
import type { Wire } from "./sse.ts";
import type { Answer, Citation } from "../../shared/ports/answer.ts";
import type { Evidence, EvidenceCell } from "../../shared/ports/evidence.ts";

/** Answers as the API sends them: snake_case, in the contract's names and order. The schemas document what the functions make. */

const schemas = lazily(() => {
  const cell = z.object({ column: z.string(), value: z.unknown() });

  const citation = z.object({
    /** 0 while nothing cites it (candidates of an `evidence` event). */
    marker: z.number(),
    id: z.string(),
    table: z.string(),
    key: z.record(z.string(), z.string()),
    title: z.string(),
    excerpt: z.string(),
    cells: z.array(cell),
    as_of: z.string(),
    changed_at: z.string(),
    url: z.nullable(z.string()),
  });

  const tokens = z.nullable(z.number());

  const answer = z.object({
    id: z.string(),
    outcome: z.enum(["answered", "no_evidence", "refused"]),
    reason: z.nullable(z.enum(["none_found", "unsupported", "needs_total", "stale", "safety"])),
    text: z.string(),
    /** Cut at the limit of output tokens: the model had more to say. */
    truncated: z.boolean(),
    ai_generated: z.literal(true),
    citations: z.array(citation),
    verification: z.object({
      checked: z.number(),
      supported: z.number(),
      removed: z.array(
        z.object({
          text: z.string(),
          why: z.enum(["number", "date", "identifier", "name", "marker", "uncited", "instructions"]),
        }),
      ),
    }),
    model: z.string(),
    /** The model's name as its provider reports it, often a dated version; null where it reports none. */
    served_model: z.nullable(z.string()),
    route: z.object({ requested: z.string(), why: z.string() }),
    attempts: z.array(z.object({ model: z.string(), outcome: z.string() })),
    cache: z.enum(["miss", "exact", "evidence", "bypass"]),
    generation: z.number(),
    as_of: z.nullable(z.string()),
    /** Those cited; all that the caller sees when nothing is cited. */
    tables: z.array(z.object(freshnessFields())),
    usage: z.object({
      input_tokens: tokens,
      output_tokens: tokens,
      cost_usd: z.number(),
      /** Whether the counts are ours, because the provider's are missing or can't be. */
      estimated: z.boolean(),
    }),
    timings: z.object({ total_ms: z.number(), retrieve_ms: z.number(), first_token_ms: z.number() }),
  });

  const match = z.object({
    id: z.string(),
    table: z.string(),
    key: z.record(z.string(), z.string()),
    title: z.string(),
    text: z.string(),
    /** Id of the passage: the row's with its number. */
    passage: z.string(),
    cells: z.array(cell),
    score: z.number(),
    as_of: z.string(),
    changed_at: z.string(),
    url: z.nullable(z.string()),
  });

  const search = z.object({ matches: z.array(match), generation: z.number() });

  return { cell, citation, answer, match, search };
});

type Schemas = ReturnType<typeof schemas>;

export const answerSchema = (): Schemas["answer"] => schemas().answer;
export const searchSchema = (): Schemas["search"] => schemas().search;

function frameOf(event: string, json: string): string {
  return `event: ${event}\ndata: ${json}\n\n`;
}

function line(event: string, data: unknown): string {
  return frameOf(event, JSON.stringify(data));
}

/** As JSON. The same citations are told twice of each answer, and again of each that is kept. */
const citationsText = ofObject((citations: readonly Citation[]) =>
  JSON.stringify(citations.map(citationJson)),
);

/** The JSON of `answerJson`. */
function answerText(answer: Answer): string {
  const without = JSON.stringify(answerJson({ ...answer, citations: [] }));
  // Nothing before this field holds its name: in a text its quotes would be escaped.
  return without.replace('"citations":[]', () => `"citations":${citationsText(answer.citations)}`);
}

/** Events of `POST /v1/ask`. */
export function apiWire(requestId: string): Wire {
  return {
    frame(event) {
      switch (event.type) {
        case "evidence":
          return frameOf("evidence", `{"citations":${citationsText(event.citations)}}`);
        case "delta":
          return line("delta", { text: event.text });
        case "retract":
          return line("retract", { from: event.from });
        case "settled":
          // Whoever can take words back need not know.
          return "";
        case "done":
          return frameOf("done", answerText(event.answer));
      }
    },
    failure: (error) => line("error", problemBody(error, requestId)),
  };
}

export function citationJson(citation: Citation): z.infer<Schemas["citation"]> {
  return {
    marker: citation.marker,
    id: citation.id,
    table: citation.table,
    key: citation.key,
    title: citation.title,
    excerpt: citation.excerpt,
    cells: cellsJson(citation.cells),
    as_of: citation.asOf,
    changed_at: citation.changedAt,
    url: citation.url ?? null,
  };
}

export function answerJson(answer: Answer): z.infer<Schemas["answer"]> {
  const { usage, timings, verification } = answer;
  return {
    id: answer.id,
    outcome: answer.outcome,
    reason: answer.reason,
    text: answer.text,
    truncated: answer.truncated,
    ai_generated: true,
    citations: answer.citations.map(citationJson),
    verification: {
      checked: verification.checked,
      supported: verification.supported,
      removed: verification.removed.map(({ text, why }) => ({ text, why })),
    },
    model: answer.model,
    served_model: answer.servedModel ?? null,
    route: { requested: answer.route.requested, why: answer.route.why },
    attempts: answer.attempts.map(({ model, outcome }) => ({ model, outcome })),
    cache: answer.cache,
    generation: answer.generation,
    // Empty where the caller sees no table at all: then nothing is known of any time.
    as_of: answer.asOf === "" ? null : answer.asOf,
    tables: answer.tables.map(freshnessJson),
    usage: {
      input_tokens: usage.inputTokens ?? null,
      output_tokens: usage.outputTokens ?? null,
      cost_usd: usage.costUsd,
      estimated: usage.estimated,
    },
    timings: {
      total_ms: timings.totalMs,
      retrieve_ms: timings.retrieveMs,
      first_token_ms: timings.firstTokenMs,
    },
  };
}

/** One row as a search match, told by its best passage. */
export function matchJson(item: Evidence): z.infer<Schemas["match"]> {
  return {
    id: item.row,
    table: item.table,
    key: item.key,
    title: item.title,
    text: item.text,
    passage: item.id,
    cells: cellsJson(item.cells),
    score: item.score,
    as_of: item.asOf,
    changed_at: item.changedAt,
    url: item.url ?? null,
  };
}

function cellsJson(cells: readonly EvidenceCell[]): z.infer<Schemas["cell"]>[] {
  return cells.map(({ column, value }) => ({ column, value }));
}
