import * as z from "zod/mini";

/** Everything that is bounded; `DEFAULT_LIMITS` holds where nothing is said. */
export function limitsSchema() {
  const positive = z.number().check(z.int(), z.minimum(1));

  return z.strictObject({
    questionChars: z.optional(positive),
    bodyBytes: z.optional(positive),
    historyMessages: z.optional(positive),
    contextTokens: z.optional(positive),
    outputTokens: z.optional(positive),
    requestsPerMinute: z.optional(positive),
    tenantRequestsPerMinute: z.optional(positive),
    concurrentRequests: z.optional(positive),
    /** From the call of a model to the headers of the answer: name, connection, TLS and headers, which `fetch` tells no moment between. */
    headersTimeoutMs: z.optional(positive),
    /** From the call as well. */
    firstTokenTimeoutMs: z.optional(positive),
    /** Between two words. */
    idleTimeoutMs: z.optional(positive),
    /** For an answer that is not streamed, and for one that is. */
    totalTimeoutMs: z.optional(positive),
    streamTimeoutMs: z.optional(positive),
    /** Largest share of a table's rows that a run may delete before it stops and asks. */
    deleteShare: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    /** Largest share of rows that may fail before a run stops. */
    failedShare: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    maxCostUsd: z.optional(z.number().check(z.minimum(0))),
    maxTokens: z.optional(positive),
    /** Most rows that a run inside the Worker reads before it writes down where it is and goes on with the next alarm. */
    sliceRows: z.optional(positive),
    /** Most milliseconds that it works before that. */
    sliceMs: z.optional(positive),
  });
}

/** Defaults of every limit; `docs/configuration.md` gives the reason for each. */
export const DEFAULT_LIMITS = {
  questionChars: 4000,
  bodyBytes: 65_536,
  historyMessages: 32,
  contextTokens: 6000,
  outputTokens: 1024,
  requestsPerMinute: 30,
  tenantRequestsPerMinute: 300,
  concurrentRequests: 4,
  headersTimeoutMs: 8000,
  firstTokenTimeoutMs: 8000,
  idleTimeoutMs: 10_000,
  totalTimeoutMs: 30_000,
  streamTimeoutMs: 60_000,
  deleteShare: 0.3,
  failedShare: 0.01,
  maxCostUsd: 50,
  maxTokens: 2_500_000_000,
  sliceRows: 50_000,
  sliceMs: 60_000,
} as const satisfies Required<z.infer<ReturnType<typeof limitsSchema>>>;

export type Limits = { readonly [K in keyof typeof DEFAULT_LIMITS]: number };
