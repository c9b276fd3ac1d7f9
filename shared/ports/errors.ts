/**
 * Every way Quayside fails, as a closed set. `workers/app.ts` maps each code to one HTTP status and
 * `ingest/cli.ts` to one exit status; both mappings are exhaustive, so a new code does not compile until it is mapped.
 */
export type ErrorCode =
  // the request
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "cache_miss"
  | "method_not_allowed"
  | "unsupported_media_type"
  | "not_acceptable"
  | "malformed_json"
  | "invalid_request"
  | "question_too_long"
  | "body_too_large"
  | "unknown_model"
  | "unknown_provider"
  | "provider_not_permitted"
  | "idempotency_conflict"
  | "origin_not_allowed"
  | "rate_limited"
  | "too_many_concurrent"
  | "budget_exhausted"
  // what we depend on
  | "provider_unreachable"
  | "provider_reported_error"
  | "provider_bad_response"
  | "provider_misconfigured"
  | "provider_rejected"
  | "context_too_long"
  | "prompt_too_large"
  | "provider_stream_interrupted"
  | "no_provider_available"
  | "embedder_unavailable"
  | "embedder_rejected"
  | "index_unavailable"
  | "index_embedder_mismatch"
  | "identity_unavailable"
  | "registry_unavailable"
  | "source_unavailable"
  | "source_rejected"
  // a chat platform that an answer is sent to
  | "platform_unavailable"
  | "platform_rejected"
  | "deadline_exceeded"
  | "cancelled"
  // the operator
  | "config_invalid"
  | "not_configured"
  | "too_many_labels"
  // ingest
  | "run_conflict"
  | "run_fenced"
  | "guard_stopped"
  | "schema_drift"
  | "input_too_long"
  | "input_rejected"
  | "internal";

/** One thing that is wrong with an input: where (RFC 6901 pointer, or a setting's path) and which rule it breaks. */
export interface Violation {
  readonly pointer: string;
  readonly rule: string;
}

/**
 * The only error class. Vendor errors are wrapped in it at the adapter and kept in `cause`, which is never shown.
 * `message` says what happened and what to do, names the setting, and is safe to show: no secret, row or vendor text.
 */
export class QuaysideError extends Error {
  override readonly name = "QuaysideError";
  readonly code: ErrorCode;
  /** How long to wait before trying again, in milliseconds; undefined when unknown or pointless. */
  readonly retryAfterMs: number | undefined;
  /** For `invalid_request` and `config_invalid`: everything that is wrong, not just the first thing. */
  readonly violations: readonly Violation[];

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
      readonly violations?: readonly Violation[];
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.violations = options.violations ?? [];
  }
}
