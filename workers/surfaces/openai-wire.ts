import type { Answer, Citation } from "../../shared/ports/answer.ts";
import type { ErrorCode, QuaysideError } from "../../shared/ports/errors.ts";
import { failureHeaders, PROBLEMS } from "../problem.ts";
import { inertMarkdown } from "./inert.ts";
import type { Wire } from "./sse.ts";

/** Answers and failures in the OpenAI API's forms. */

/** What stands between an answer and the list of its sources. */
export const SOURCES = "\n\n**Sources**\n\n";

/** What every answer to one request has in common. */
export interface Form {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
  /** Hosts whose links stay links. */
  readonly hosts: readonly string[];
  readonly sources: boolean;
  /** Whether a stream ends with its usage. */
  readonly usage: boolean;
}

export function completion(form: Form, answer: Answer): object {
  const content = inertMarkdown(answer.text, form.hosts) + sourcesOf(form, answer);
  return {
    id: form.id,
    object: "chat.completion",
    created: form.created,
    model: form.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null, annotations: annotationsOf(content, answer) },
        finish_reason: finishOf(answer),
        logprobs: null,
      },
    ],
    usage: usageOf(answer),
    ...extension(answer),
  };
}

export function chunkWire(form: Form): Wire {
  /** What the answer's text is so far; how much of it has gone out, and as what. */
  let raw = "";
  let gone = "";
  let shown = "";
  let begun = false;

  const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
    line({
      id: form.id,
      object: "chat.completion.chunk",
      created: form.created,
      model: form.model,
      choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
      ...more,
    });
  const begin = (): string => {
    if (begun) return "";
    begun = true;
    return chunk({ role: "assistant", content: "" });
  };

  /**
   * The settled text that has not gone out, to its last white space: what makes a link of two halves stays together. Code that
   * ends later may read otherwise once it is whole: then the text waits.
   */
  const more = (): string => {
    const words = raw.slice(0, raw.search(/\s\S*$/) + 1);
    const inert = inertMarkdown(words, form.hosts);
    if (!inert.startsWith(shown)) return "";
    const content = inert.slice(shown.length);
    gone = words;
    shown = inert;
    return content === "" ? "" : chunk({ content });
  };

  const rest = (answer: Answer): string => {
    const inert = inertMarkdown(answer.text, form.hosts);
    if (inert.startsWith(shown)) return inert.slice(shown.length);
    // The provider declined in the middle: the answer's text is another.
    if (!answer.text.startsWith(gone)) return `\n\n${inert}`;
    return inertMarkdown(answer.text.slice(gone.length).replaceAll(/[`~]/g, ""), form.hosts);
  };

  return {
    frame(event) {
      switch (event.type) {
        case "evidence":
          return begin();
        case "delta":
          raw += event.text;
          return begin();
        case "retract":
          raw = raw.slice(0, event.from);
          return "";
        case "settled":
          return more();
        case "done": {
          const { answer } = event;
          const content = rest(answer) + sourcesOf(form, answer);
          const annotations = annotationsOf(shown + content, answer);
          return [
            begin(),
            chunk({ content, ...(annotations.length > 0 ? { annotations } : {}) }),
            chunk({}, finishOf(answer), extension(answer)),
            form.usage ? line({ ...usageChunk(form), usage: usageOf(answer) }) : "",
            "data: [DONE]\n\n",
          ].join("");
        }
      }
    },
    failure: (error) => line(errorBody(error)),
  };
}

function line(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function usageChunk({ id, created, model }: Form): object {
  return { id, object: "chat.completion.chunk", created, model, choices: [] };
}

function usageOf({ usage }: Answer): object {
  const [prompt, output] = [usage.inputTokens ?? 0, usage.outputTokens ?? 0];
  return { prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output };
}

function finishOf({ outcome, truncated }: Answer): "stop" | "length" | "content_filter" {
  if (outcome === "refused") return "content_filter";
  return truncated ? "length" : "stop";
}

/** Fields that are not OpenAI's; clients that do not know them pass them over. */
function extension(answer: Answer): object {
  return {
    citations: answer.citations.map((citation) => ({
      n: citation.marker,
      id: citation.id,
      table: citation.table,
      title: citation.title,
      snippet: citation.excerpt,
      as_of: citation.asOf,
      url: citation.url ?? null,
    })),
    quayside: {
      id: answer.id,
      outcome: answer.outcome,
      reason: answer.reason,
      ai_generated: true,
      model: answer.model,
      cache: answer.cache,
      generation: answer.generation,
      as_of: answer.asOf === "" ? null : answer.asOf,
    },
  };
}

/** The list that any client shows: what the markers name. */
function sourcesOf({ sources, hosts }: Form, { citations }: Answer): string {
  if (!sources || citations.length === 0) return "";
  const lines = citations.map((citation) => {
    const title = plain(citation.title);
    const named = citation.url === undefined ? title : `[${title}](${citation.url})`;
    return `${citation.marker}. ${named} (${plain(citation.id)}, as of ${citation.asOf})`;
  });
  return inertMarkdown(SOURCES + lines.join("\n"), hosts);
}

/** A row's own words as words: no mark-up, one line. */
function plain(words: string): string {
  return words
    .replaceAll(/[[\]]/g, (bracket) => (bracket === "[" ? "(" : ")"))
    .replaceAll(/[\\`*_~|#>]/g, String.raw`\$&`)
    .replaceAll(/\s+/g, " ");
}

/** Rows that have an address, where the text first names them. All four fields: clients refuse one that lacks any. */
function annotationsOf(content: string, { citations }: Answer): object[] {
  return citations.flatMap(({ marker, title, url }: Citation) => {
    const start = content.indexOf(`[${marker}]`);
    if (url === undefined || !/^https?:/.test(url) || start < 0) return [];
    const end = start + `[${marker}]`.length;
    return [{ type: "url_citation", url_citation: { start_index: start, end_index: end, url, title } }];
  });
}

/** Where this API's status differs from ours. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  invalid_request: 400,
  question_too_long: 400,
  input_too_long: 400,
  unknown_model: 404,
  unknown_provider: 404,
};

const CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthenticated: "invalid_api_key",
  unknown_model: "model_not_found",
  unknown_provider: "model_not_found",
  rate_limited: "rate_limit_exceeded",
  too_many_concurrent: "rate_limit_exceeded",
  budget_exhausted: "insufficient_quota",
};

function statusOf({ code }: QuaysideError): number {
  return STATUS[code] ?? PROBLEMS[code].status;
}

function errorBody(error: QuaysideError): object {
  const status = statusOf(error);
  const [first] = error.violations;
  const param = first ? first.pointer.slice(1).replaceAll("/", ".") : null;
  const problem = PROBLEMS[error.code];
  const message = first ? `${param}: ${first.rule}` : (problem.detail ?? error.message);
  return { error: { message, type: typeOf(status), param, code: CODES[error.code] ?? error.code } };
}

function typeOf(status: number): string {
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

export function failureResponse(error: QuaysideError): Response {
  const status = statusOf(error);
  const headers = failureHeaders(status, error, "application/json");
  return new Response(JSON.stringify(errorBody(error)), { status, headers });
}

export function errorResponse(status: number, about: string, code: string, param: string): Response {
  return Response.json({ error: { message: about, type: typeOf(status), param, code } }, { status });
}
