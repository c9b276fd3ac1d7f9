import type * as z from "zod/mini";
import { BATCH_MEDIA_TYPE, encodeBatch } from "./batch.ts";
import { parseConfig, type Config } from "./config.ts";
import { request, retryAfter, type Outward, type RequestInput } from "./http.ts";
import { QuaysideError, type ErrorCode, type Violation } from "./ports/errors.ts";
import type { LogEvent } from "./ports/host.ts";
import type { KnownRow, Registry, Run } from "./ports/registry.ts";
import {
  beforeFromWire,
  beginToWire,
  configAnswer,
  erasedAnswer,
  knownAnswer,
  knownFromWire,
  probeAnswer,
  publishAnswer,
  receiptAnswer,
  runBody,
  shapesAnswer,
  statusAnswer,
  tableToWire,
  vectorsFromWire,
  vectorsToWire,
  type ReceiptAnswer,
  type StatusAnswer,
} from "./registry-wire.ts";
import { nextRunAnswer, runDetail, runsAnswer, runWire, type RunDetail, type RunWire } from "./runs-wire.ts";

export interface RegistryClientOptions {
  /** The worker, e.g. `http://127.0.0.1:8787`; a path in it is kept. */
  readonly url: string;
  /** Bearer token with scopes `ingest`, `admin` and `erase`: `QUAYSIDE_TOKEN`. */
  readonly token: string;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch; default the machine's clock. */
  readonly now?: () => number;
  readonly log?: (event: LogEvent) => void;
  /** Waits between retries; default a timer. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** How often a call that failed on the way is repeated; default 5. Every call may be repeated without a second effect. */
  readonly retries?: number;
}

/** The registry over HTTP, as the CLI uses it: the port, and what only an operator may do. */
export interface RegistryClient extends Registry {
  /** Publishes a configuration. An equal one makes no new version. @throws `config_invalid` with every violation. */
  publishConfig(config: Config, signal: AbortSignal): Promise<{ readonly version: number }>;
  status(signal: AbortSignal): Promise<StatusAnswer>;
  /** The run that waits for a program on Node; undefined when none does. */
  nextRun(signal: AbortSignal): Promise<z.infer<typeof nextRunAnswer>["run"]>;
  /** Serves an earlier generation once more. @throws `invalid_request` for one that is not kept, `run_conflict`. */
  rollBack(generation: number, signal: AbortSignal): Promise<{ readonly generation: number }>;
  /** Tells that a waiting run failed before it could be leased. */
  refuseRun(id: string, reason: string, signal: AbortSignal): Promise<void>;
  /** The published configuration. @throws `not_configured`. */
  config(signal: AbortSignal): Promise<Config>;
  /** The last runs, newest first. */
  runs(signal: AbortSignal): Promise<readonly RunWire[]>;
  /** @throws `not_found`. */
  run(id: string, signal: AbortSignal): Promise<RunDetail>;
  /** @throws `not_found`. */
  cancelRun(id: string, signal: AbortSignal): Promise<RunWire>;
  /** Erases a row for good; repeating it is the same erasure, and looks again for what was left. @param key text form: values joined by `|`. */
  erase(table: string, key: string, signal: AbortSignal): Promise<ReceiptAnswer>;
}

const DEADLINE_MS = 60_000;
/** A publish counts and flips everything that is staged. */
const PUBLISH_DEADLINE_MS = 300_000;
const RETRIES = 5;

/**
 * @throws QuaysideError from every method, with the code of the Worker's problem document; `registry_unavailable` when it can't
 * be reached (retries happened inside), `unauthenticated` for a wrong token.
 */
export function makeRegistryClient(options: RegistryClientOptions): RegistryClient {
  const host: Outward = {
    fetch: options.fetch,
    now: options.now ?? Date.now,
    log: options.log ?? (() => undefined),
  };
  const base = options.url.replace(/\/+$/, "");

  function send(path: string, input: RequestInput, deadlineMs = DEADLINE_MS): Promise<Response> {
    const headers = new Headers(input.headers);
    headers.set("authorization", `Bearer ${options.token}`);
    return request(
      host,
      `${base}${path}`,
      { ...input, headers },
      {
        peer: "The Quayside worker",
        codes: { unavailable: "registry_unavailable", rejected: "registry_unavailable" },
        failure: (status, body, headers) => problemOf(status, body, retryAfter(headers, host.now())),
        deadlineMs,
        retries: options.retries ?? RETRIES,
        ...(options.sleep ? { sleep: options.sleep } : {}),
      },
    );
  }

  function sendJson(
    method: "POST" | "PUT",
    path: string,
    body: unknown,
    signal: AbortSignal,
    deadlineMs?: number,
  ): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return send(path, { method, headers, body: JSON.stringify(body), signal }, deadlineMs);
  }

  return {
    async begin(request, signal) {
      const body = beginToWire(request, crypto.randomUUID());
      return read(await sendJson("POST", "/v1/admin/runs", body, signal), runBody);
    },

    async *known(run, table, signal) {
      let after: KnownRow | undefined;
      for (;;) {
        const query = new URLSearchParams({ space: run.space });
        if (after) query.set("after_row", after.row);
        if (after) query.set("after_view", after.view);
        const path = `/v1/admin/known/${encodeURIComponent(table)}?${query.toString()}`;
        const page = await read(await send(path, { signal }), knownAnswer);
        const rows = page.rows.map(knownFromWire);
        if (rows.length > 0) yield rows;
        after = rows.at(-1);
        if (!page.more || !after) return;
      }
    },

    async erased(signal) {
      const { rows } = await read(await send("/v1/admin/erased", { signal }), erasedAnswer);
      return new Set(rows);
    },

    async shapes(signal) {
      const { tables } = await read(await send("/v1/admin/shapes", { signal }), shapesAnswer);
      return new Map(Object.entries(tables).map(([name, before]) => [name, beforeFromWire(before)]));
    },

    async probe(run, vectors, signal) {
      const body = { run, vectors: vectorsToWire(vectors) };
      const answer = await read(await sendJson("POST", runPath(run, "probe"), body, signal), probeAnswer);
      return vectorsFromWire(answer.vectors);
    },

    async commit(run, batch, signal) {
      const path = `/v1/admin/batches/${encodeURIComponent(run.id)}/${batch.seq}`;
      const headers = { "content-type": BATCH_MEDIA_TYPE };
      await send(path, { method: "PUT", headers, body: encodeBatch(run, batch), signal });
    },

    async publish(run, tables, signal) {
      const body = { run, tables: tables.map(tableToWire) };
      const response = await sendJson("POST", runPath(run, "publish"), body, signal, PUBLISH_DEADLINE_MS);
      return read(response, publishAnswer);
    },

    async report(run, { tables, heldBack }, signal) {
      const held = heldBack.length > 0 ? { held_back: heldBack } : {};
      await sendJson("PUT", runPath(run, "progress"), { run, tables, ...held }, signal);
    },

    async abandon(run, reason, signal) {
      await sendJson("POST", runPath(run, "abandon"), { run, reason: reason.slice(0, 500) }, signal);
    },

    async publishConfig(config, signal) {
      return read(await sendJson("PUT", "/v1/admin/config", config, signal), configAnswer);
    },

    async nextRun(signal) {
      return (await read(await sendJson("POST", "/v1/admin/runs/next", {}, signal), nextRunAnswer)).run;
    },

    async rollBack(generation, signal) {
      return read(await sendJson("POST", "/v1/admin/rollback", { generation }, signal), publishAnswer);
    },

    async refuseRun(id, reason, signal) {
      await sendJson("POST", `/v1/admin/runs/${encodeURIComponent(id)}/refuse`, { reason }, signal);
    },

    async config(signal) {
      const response = await send("/v1/admin/config", { signal });
      return parseConfig(await response.json().catch(() => undefined));
    },

    async runs(signal) {
      return (await read(await send("/v1/ingest/runs", { signal }), runsAnswer)).runs;
    },

    async run(id, signal) {
      return read(await send(`/v1/ingest/runs/${encodeURIComponent(id)}`, { signal }), runDetail);
    },

    async cancelRun(id, signal) {
      return read(
        await send(`/v1/ingest/runs/${encodeURIComponent(id)}`, { method: "DELETE", signal }),
        runWire,
      );
    },

    async status(signal) {
      return read(await send("/v1/admin/status", { signal }), statusAnswer);
    },

    async erase(table, key, signal) {
      return read(await sendJson("POST", "/v1/erase", { table, key }, signal), receiptAnswer);
    },
  };
}

function runPath(run: Run, action: "probe" | "publish" | "abandon" | "progress"): string {
  return `/v1/admin/runs/${encodeURIComponent(run.id)}/${action}`;
}

async function read<T>(response: Response, schema: z.ZodMiniType<T>): Promise<T> {
  const parsed = schema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new QuaysideError(
    "registry_unavailable",
    "The Quayside worker answered in a form that this version does not know: is it the same version, and is the URL right?",
  );
}

/** What a problem document says; undefined for what may be tried again, and for bodies that are none. */
function problemOf(
  status: number,
  body: string,
  retryAfterMs: number | undefined,
): QuaysideError | undefined {
  const problem = parseProblem(body);
  if (!problem) return undefined;
  const passing = status === 408 || status === 429 || status >= 500;
  if (passing && problem.code !== "not_configured") return undefined;
  const { code, detail, violations } = problem;
  return new QuaysideError(code, detail, { violations, retryAfterMs });
}

function parseProblem(
  body: string,
):
  | { readonly code: ErrorCode; readonly detail: string; readonly violations: readonly Violation[] }
  | undefined {
  try {
    const problem: unknown = JSON.parse(body);
    if (typeof problem !== "object" || problem === null) return undefined;
    const code: unknown = Reflect.get(problem, "code");
    const type: unknown = Reflect.get(problem, "type");
    const detail: unknown = Reflect.get(problem, "detail");
    const errors: unknown = Reflect.get(problem, "errors");
    if (typeof code !== "string" || type !== `urn:quayside:problem:${code}`) return undefined;
    return {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type URN says whose code it is
      code: code as ErrorCode,
      detail: typeof detail === "string" ? detail : "The Quayside worker refused the request.",
      violations: Array.isArray(errors) ? errors.flatMap(violationOf) : [],
    };
  } catch {
    return undefined;
  }
}

function violationOf(error: unknown): Violation[] {
  if (typeof error !== "object" || error === null) return [];
  const pointer: unknown = Reflect.get(error, "pointer");
  const rule: unknown = Reflect.get(error, "rule");
  return typeof pointer === "string" && typeof rule === "string" ? [{ pointer, rule }] : [];
}
