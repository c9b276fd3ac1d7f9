import { QuaysideError, type ErrorCode } from "../shared/ports/errors.ts";

/** How a failure is told over HTTP. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Fixed text: it never echoes input, vendor text or ids. Left out for failures that only operators meet: they see the error's own message. */
  readonly detail?: string;
}

const fault = (status: number, title: string, detail?: string): Problem => ({
  status,
  title,
  retryable: false,
  ...(detail === undefined ? {} : { detail }),
});
const passing = (status: number, title: string, detail?: string): Problem => ({
  ...fault(status, title, detail),
  retryable: true,
});

/** Every code has a status: a new one does not compile until it is here. */
export const PROBLEMS: Readonly<Record<ErrorCode, Problem>> = {
  unauthenticated: fault(401, "Not signed in", "Send a valid credential in the Authorization header."),
  forbidden: fault(403, "Not allowed", "Your credential does not carry the scope that this needs."),
  not_found: fault(404, "Not found", "There is nothing here, or nothing that you may see."),
  cache_miss: fault(
    404,
    "Not in the cache",
    "No cached answer holds for this question; ask without cache: only.",
  ),
  method_not_allowed: fault(405, "Method not allowed", "The Allow header lists what this path takes."),
  unsupported_media_type: fault(
    415,
    "Unsupported media type",
    "Send uncompressed JSON with content-type: application/json.",
  ),
  not_acceptable: fault(406, "Not acceptable", "This answers in application/json or text/event-stream."),
  malformed_json: fault(
    400,
    "Malformed JSON",
    "The body is not one JSON value in UTF-8, at most 32 levels deep.",
  ),
  invalid_request: fault(422, "Invalid request", "The body breaks the rules listed in errors."),
  question_too_long: fault(422, "Question too long", "Ask in fewer words."),
  body_too_large: fault(413, "Body too large", "The body is larger than this route takes."),
  unknown_model: fault(
    422,
    "Unknown model",
    "No model of that name is registered; GET /v1/models lists them.",
  ),
  unknown_provider: fault(
    422,
    "Unknown provider",
    "No provider of that name is registered; GET /v1/models lists them.",
  ),
  provider_not_permitted: fault(
    403,
    "Provider not permitted",
    "The rows that answer this are of a class that the model may not receive.",
  ),
  idempotency_conflict: fault(
    409,
    "Idempotency key reused",
    "This key was used with another body; take a new one.",
  ),
  origin_not_allowed: fault(403, "Origin not allowed", "Pages of this origin may not call this."),
  rate_limited: passing(429, "Too many requests", "Wait as long as Retry-After says."),
  too_many_concurrent: passing(429, "Too many requests at once", "Wait for one of yours to finish."),
  budget_exhausted: passing(429, "Budget spent"),
  provider_unreachable: passing(503, "Model unreachable", "The model's provider can't be reached now."),
  provider_reported_error: passing(
    502,
    "The model's provider failed",
    "The model's provider reports that it could not answer.",
  ),
  provider_bad_response: passing(
    502,
    "Unusable answer from the model",
    "The model's provider sent something that is not an answer.",
  ),
  provider_rejected: fault(
    502,
    "Rejected by the model's provider",
    "The provider refused the request; an operator finds the reason with GET /v1/models and in the logs.",
  ),
  provider_misconfigured: fault(
    502,
    "The model's provider does not serve us",
    "Key, account, model name or base URL is not right; an operator finds the reason with GET /v1/models and in the logs.",
  ),
  context_too_long: fault(
    413,
    "Too much for the model's context",
    "Question, history and rows together are longer than this model reads: send less history, a lower top_k, or another model.",
  ),
  prompt_too_large: fault(
    413,
    "Too large for the model's provider",
    "The provider takes no request of this size: send less history or a lower top_k.",
  ),
  provider_stream_interrupted: passing(
    502,
    "Answer interrupted",
    "The model's provider stopped in the middle. What was sent is not a complete answer.",
  ),
  no_provider_available: passing(
    503,
    "No model available",
    "No model that may answer this is reachable now.",
  ),
  embedder_unavailable: passing(503, "Embedder unavailable", "The question can't be embedded now."),
  embedder_rejected: fault(502, "Rejected by the embedder", "The embedding provider refused the request."),
  index_unavailable: passing(503, "Index unavailable", "The index does not answer now."),
  index_embedder_mismatch: passing(
    503,
    "Index and embedder differ",
    "The index was built with another embedder than the one configured; an ingest run repairs it.",
  ),
  identity_unavailable: passing(
    503,
    "Identity provider unavailable",
    "Your credential can't be checked now.",
  ),
  registry_unavailable: passing(503, "Registry unavailable", "The row registry does not answer now."),
  source_unavailable: passing(503, "Source unavailable", "The warehouse does not answer now."),
  source_rejected: fault(502, "Rejected by the source", "The warehouse refused the request."),
  platform_unavailable: passing(503, "Chat platform unavailable", "The chat platform does not answer now."),
  platform_rejected: fault(502, "Rejected by the chat platform", "The chat platform refused the request."),
  deadline_exceeded: passing(504, "Too slow", "The answer was not ready within the deadline."),
  // The client is gone: nobody reads this. 499 is the usual name of that in logs.
  cancelled: fault(499, "Cancelled", "The request was cancelled."),
  config_invalid: fault(422, "Invalid configuration"),
  not_configured: passing(503, "Not configured"),
  too_many_labels: fault(
    403,
    "Too many access classes",
    "You are permitted more access classes than the index can filter on.",
  ),
  run_conflict: passing(409, "Another run is active"),
  run_fenced: fault(409, "This run lost its lease"),
  guard_stopped: fault(409, "Stopped by a guard"),
  schema_drift: fault(409, "The source's schema changed"),
  input_too_long: fault(422, "Input too long"),
  input_rejected: fault(422, "Input refused by the embedder"),
  internal: fault(500, "Internal error", "Something failed inside; the request id finds it in the logs."),
};

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly errors?: readonly { readonly pointer: string; readonly rule: string }[];
}

/** Anything thrown, as a coded error: what is not ours is `internal`, and its text goes nowhere. */
export function coded(error: unknown): QuaysideError {
  return error instanceof QuaysideError
    ? error
    : new QuaysideError("internal", "An unexpected failure.", { cause: error });
}

/** RFC 9457 document of an error. */
export function problemBody(error: QuaysideError, requestId: string): ProblemBody {
  const problem = PROBLEMS[error.code];
  return {
    type: `urn:quayside:problem:${error.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.detail ?? error.message,
    instance: `urn:request:${requestId}`,
    code: error.code,
    retryable: problem.retryable,
    ...(error.violations.length > 0
      ? { errors: error.violations.map(({ pointer, rule }) => ({ pointer, rule })) }
      : {}),
  };
}

/** The same as a response, with the headers that its status asks for. */
export function problemResponse(error: QuaysideError, requestId: string): Response {
  const body = problemBody(error, requestId);
  const headers = failureHeaders(body.status, error, "application/problem+json");
  return new Response(JSON.stringify(body), { status: body.status, headers });
}

/** What a failure's status asks for, in whichever form its body is. */
export function failureHeaders(status: number, error: QuaysideError, contentType: string): Headers {
  const headers = new Headers({ "content-type": contentType });
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (error.retryAfterMs !== undefined || status === 429 || status === 503) {
    headers.set("retry-after", String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))));
  }
  return headers;
}
