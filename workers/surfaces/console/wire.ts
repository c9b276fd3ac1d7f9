import { list, maybe, number, object, text } from "./read.ts";

/**
 * What the API sends, as the page uses it. The readers below are forgiving: a field that is missing or of another type
 * becomes an empty value, so that no answer can break the page.
 */
export interface Cell {
  readonly column: string;
  readonly value: unknown;
}

export interface Citation {
  readonly marker: number;
  readonly id: string;
  readonly table: string;
  readonly key: readonly (readonly [string, string])[];
  readonly title: string;
  readonly excerpt: string;
  readonly cells: readonly Cell[];
  readonly asOf: string;
  readonly changedAt: string;
  readonly url: string;
}

export interface Removal {
  readonly text: string;
  readonly why: string;
}

export interface Answer {
  readonly id: string;
  readonly outcome: string;
  readonly reason: string;
  readonly text: string;
  readonly citations: readonly Citation[];
  readonly checked: number;
  readonly supported: number;
  readonly removed: readonly Removal[];
  readonly model: string;
  readonly routeWhy: string;
  readonly attempts: readonly { readonly model: string; readonly outcome: string }[];
  readonly cache: string;
  readonly generation: number;
  readonly asOf: string;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly costUsd: number;
  readonly totalMs: number;
  readonly retrieveMs: number;
  readonly firstTokenMs: number;
}

/** A failed request: the problem document's fields, and what the page itself found (`offline`, `interrupted`). */
export interface Problem {
  readonly code: string;
  readonly status: number;
  readonly requestId: string;
  readonly retryable: boolean;
  /** Seconds to wait before trying again; 0 when unknown. */
  readonly retryAfterSeconds: number;
}

export interface DemoUser {
  readonly name: string;
  readonly label: string;
  readonly language: string;
}

export interface Example {
  readonly question: string;
  readonly as: string;
  readonly shows: Readonly<Record<string, string>>;
}

export interface Demo {
  readonly name: string;
  readonly users: readonly DemoUser[];
  readonly examples: readonly Example[];
}

export interface Model {
  readonly id: string;
  readonly available: boolean;
  /** Why it can't be used, as the register says it; empty when available. */
  readonly why: string;
  readonly region: string;
  readonly retention: string;
  readonly classes: readonly string[];
  /** US dollars for a million tokens, input and output; undefined when unknown. */
  readonly price: readonly [number, number] | undefined;
}

export interface TableInfo {
  readonly name: string;
  readonly rows: number | undefined;
  readonly asOf: string;
  readonly description: string;
  readonly classification: string;
  readonly lagSeconds: number;
  /** Undefined where the configuration says nothing. */
  readonly targetLagSeconds: number | undefined;
  readonly late: boolean;
}

export function readCitation(input: unknown): Citation {
  const c = object(input);
  return {
    marker: number(c["marker"]),
    id: text(c["id"]),
    table: text(c["table"]),
    key: Object.entries(object(c["key"])).map(([name, value]) => [name, text(value)] as const),
    title: text(c["title"]),
    excerpt: text(c["excerpt"]),
    cells: list(c["cells"]).map((cell) => ({
      column: text(object(cell)["column"]),
      value: object(cell)["value"],
    })),
    asOf: text(c["as_of"]),
    changedAt: text(c["changed_at"]),
    url: text(c["url"]),
  };
}

/** The candidates of an `evidence` event: a list, or an object that holds it. */
export function readCitations(input: unknown): readonly Citation[] {
  return (Array.isArray(input) ? list(input) : list(object(input)["citations"])).map(readCitation);
}

export function readDelta(input: unknown): string {
  return text(object(input)["text"]);
}

export function readRetraction(input: unknown): number {
  return number(object(input)["from"]);
}

/** An event of a comparison: whose it is, and what it says, as `/v1/ask` words it. */
export function readCompared(
  event: string,
  input: unknown,
): { readonly model: string; readonly data: unknown } {
  const c = object(input);
  const data = event === "done" ? c["answer"] : event === "error" ? c["problem"] : input;
  return { model: text(c["model"]), data };
}

export function readAnswer(input: unknown): Answer {
  const a = object(input);
  const verification = object(a["verification"]);
  const usage = object(a["usage"]);
  const timings = object(a["timings"]);
  return {
    id: text(a["id"]),
    outcome: text(a["outcome"]),
    reason: text(a["reason"]),
    text: text(a["text"]),
    citations: list(a["citations"]).map(readCitation),
    checked: number(verification["checked"]),
    supported: number(verification["supported"]),
    removed: list(verification["removed"]).map((r) => ({
      text: text(object(r)["text"]) || text(r),
      why: text(object(r)["why"]),
    })),
    model: text(a["model"]),
    routeWhy: text(object(a["route"])["why"]),
    attempts: list(a["attempts"]).map((t) => ({
      model: text(object(t)["model"]),
      outcome: text(object(t)["outcome"]),
    })),
    cache: text(a["cache"]),
    generation: number(a["generation"]),
    asOf: text(a["as_of"]),
    inputTokens: maybe(usage["input_tokens"]),
    outputTokens: maybe(usage["output_tokens"]),
    costUsd: number(usage["cost_usd"]),
    totalMs: number(timings["total_ms"]),
    retrieveMs: number(timings["retrieve_ms"]),
    firstTokenMs: number(timings["first_token_ms"]),
  };
}

export function readProblem(
  input: unknown,
  status: number,
  requestId: string,
  retryAfterSeconds: number,
): Problem {
  const p = object(input);
  return {
    code: text(p["code"]) || "internal",
    status: number(p["status"]) || status,
    requestId: requestId || text(p["instance"]).replace(/^urn:request:/, ""),
    retryable: p["retryable"] === true,
    retryAfterSeconds,
  };
}

export function readDemo(input: unknown): Demo {
  const d = object(input);
  return {
    name: text(d["name"]),
    users: list(d["users"]).map((u) => ({
      name: text(object(u)["name"]),
      label: text(object(u)["label"]),
      language: text(object(u)["language"]),
    })),
    examples: list(d["examples"]).map((e) => ({
      question: text(object(e)["question"]),
      as: text(object(e)["as"]),
      shows: Object.fromEntries(
        Object.entries(object(object(e)["shows"])).map(([language, line]) => [language, text(line)]),
      ),
    })),
  };
}

export function readModels(input: unknown): readonly Model[] {
  const m = object(input);
  const models = list(m["models"] ?? m["data"]).map((entry) => {
    const e = object(entry);
    const price = object(e["price"]);
    return {
      id: text(e["id"] ?? e["model"]),
      available: e["available"] !== false,
      why: text(e["why_not"] ?? e["why"] ?? e["reason"]),
      region: text(e["region"]),
      retention: text(e["retention"]),
      classes: list(e["classes"]).map(text),
      price:
        typeof price["input"] === "number" ? ([price["input"], number(price["output"])] as const) : undefined,
    };
  });
  return models.filter((model) => model.id !== "");
}

export function readTables(input: unknown): readonly TableInfo[] {
  return list(object(input)["tables"]).map((entry) => {
    const e = object(entry);
    return {
      name: text(e["table"] ?? e["name"] ?? e["id"]),
      rows: maybe(e["rows"]),
      asOf: text(e["as_of"]),
      description: text(e["description"]),
      classification: text(e["classification"]),
      lagSeconds: number(e["lag_seconds"]),
      targetLagSeconds: maybe(e["target_lag_seconds"]),
      late: e["late"] === true,
    };
  });
}
