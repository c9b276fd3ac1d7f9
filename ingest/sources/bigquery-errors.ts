import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** BigQuery's errors: https://cloud.google.com/bigquery/docs/error-messages. */

interface Limits {
  readonly maximumBytesBilled: number | undefined;
  readonly timeoutSeconds: number;
}

const errorSchema = z.object({
  error: z.object({ errors: z.optional(z.array(z.object({ reason: z.optional(z.string()) }))) }),
});
/** Failures of a job, not of the query: another one may succeed. */
const TRANSIENT = new Set([
  "backendError",
  "internalError",
  "jobBackendError",
  "jobInternalError",
  "jobRateLimitExceeded",
]);

function reasonOf(body: string): string {
  try {
    return errorSchema.parse(JSON.parse(body)).error.errors?.[0]?.reason ?? "";
  } catch {
    return "";
  }
}

const causeSchema = z.object({ status: z.number(), body: z.optional(z.string()) });

function causeOf(error: unknown): z.infer<typeof causeSchema> | undefined {
  const parsed = causeSchema.safeParse(error instanceof QuaysideError ? error.cause : undefined);
  return parsed.success ? parsed.data : undefined;
}

/** Of the answer that an error was made of. */
export function statusOf(error: unknown): number | undefined {
  return causeOf(error)?.status;
}

/** Whether a call was given up; a job that ran out of time has BigQuery's word for it. */
export function isOutOfTime(error: unknown): boolean {
  return (
    error instanceof QuaysideError && error.code === "deadline_exceeded" && statusOf(error) === undefined
  );
}

/** Whether BigQuery itself failed, and another job may succeed. */
export function isPassing(error: unknown): boolean {
  return TRANSIENT.has(reasonOf(causeOf(error)?.body ?? ""));
}

/** Whether an error's body says "too often". */
export function isThrottling(body: string): boolean {
  return ["rateLimitExceeded", "userRateLimitExceeded"].includes(reasonOf(body));
}

/** What BigQuery's reason means; undefined where its status says it all. */
export function failure(status: number, body: string, session: Limits): QuaysideError | undefined {
  const cause = { status, body };
  const rejected = (message: string): QuaysideError =>
    new QuaysideError("source_rejected", message, { cause });
  switch (reasonOf(body)) {
    case "notFound":
      return rejected(
        "it does not exist, or its location is another one (settings project, dataset, location).",
      );
    case "accessDenied":
      return rejected(
        "the service account may not read it, or run jobs: it needs BigQuery Data Viewer on the dataset and BigQuery Job User on the project.",
      );
    case "invalidQuery":
      return rejected("BigQuery refuses the SQL: check the table's query and column names.");
    case "bytesBilledLimitExceeded":
      return rejected(
        `reading it would bill more than maximumBytesBilled (${session.maximumBytesBilled ?? 0} bytes).`,
      );
    case "quotaExceeded":
      return new QuaysideError("source_unavailable", "a quota of the project is used up.", { cause });
    case "stopped":
    case "timeout":
      return tooLong(session, cause);
    default:
      return undefined;
  }
}

export function tooLong(session: Limits, cause: unknown): QuaysideError {
  const message = `The query took longer than ${session.timeoutSeconds} s: raise timeoutSeconds.`;
  return new QuaysideError("deadline_exceeded", message, { cause });
}
