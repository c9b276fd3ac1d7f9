import type { Index } from "@pinecone-database/pinecone";
import * as z from "zod/mini";
import { makeBufferPool } from "../buffers.ts";
import { aborted, failureIn, request, sdkInput, type RequestOptions } from "../http.ts";
import { hash128 } from "../ids.ts";
import { inParallel, slices } from "./parallel.ts";
import type * as PineconeSdk from "./pinecone-sdk.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Factory } from "../ports/host.ts";
import type { Filter, Match, VectorIndex } from "../ports/vector-index.ts";
import { cellField, queryBody, upsertBodies, type UpsertBody } from "./pinecone-body.ts";

/**
 * Pinecone, dense vectors, through its SDK. Each tenant's space is a namespace of its own; the access class and the table
 * are metadata that every query filters on inside Pinecone. It is eventually consistent: a write may be invisible to
 * `query`, `has` and `stats` for seconds, so a read-back must be patient, and what a query returns may be deleted already
 * or belong to a class since revoked. Neither matters to an answer: the row registry confirms every match, and its text
 * comes from there.
 * Limits: Pinecone's "Operation limits", 2026-11.
 */

const MAX_TOP_K = 10_000;
const MAX_IDS = 1000;
/** Values of one `$in`; more classes are split over several queries. */
const MAX_IN = 10_000;
/** Beyond this the caller's permissions are no longer a filter: a question would cost more than ten queries. */
const MAX_QUERIES = 10;
/** Ids travel in the URL of a fetch, and each brings its vector back. */
const FETCH_IDS = 100;

const settingsSchema = z.object({
  tenant: z.string().check(z.regex(/^[A-Za-z0-9_.-]+$/)),
  space: z.string().check(z.minLength(1)),
  /** The index's name; `PINECONE_INDEX` overrides it. */
  index: z.optional(z.string()),
  /** Requests in flight for one `upsert`, `delete` or `has`; a Worker may hold six connections. */
  concurrency: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(32))),
  /** Whether words are searched beside the vectors, in the registry; see `indexName`. */
  lexical: z.optional(z.boolean()),
});

const PEER = "Pinecone";

interface Target {
  /** Of the data plane, with scheme. */
  readonly host: string;
  readonly dimension: number | undefined;
  readonly namespace: string;
}

/**
 * Settings: `{ index?, concurrency? }` from the configuration, with `tenant` and `space` (as `RunRequest.space`) added by
 * whoever opens the index. Environment: `PINECONE_API_KEY`, `PINECONE_INDEX`, `PINECONE_CONTROLLER_HOST`.
 * @throws QuaysideError `config_invalid`
 */
export const pinecone: Factory<VectorIndex> = (settings, host) => {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
  }
  const { tenant, space, concurrency = 6 } = parsed.data;
  const apiKey = host.secret("PINECONE_API_KEY");
  if (apiKey === undefined) throw invalid("PINECONE_API_KEY", "is not set");
  const name = host.secret("PINECONE_INDEX") ?? parsed.data.index;
  if (name === undefined) throw invalid("index", "name the index, or set PINECONE_INDEX");
  const controllerHostUrl = host.secret("PINECONE_CONTROLLER_HOST");
  let target: Target | undefined;
  let sdk: typeof PineconeSdk | undefined;
  const pool = makeBufferPool(concurrency);

  /** Where the index is, asked once. A wrong key or name fails here, before anything else is tried. */
  async function locate(signal: AbortSignal): Promise<Target> {
    if (target) return target;
    const { describeIndex, indexOperationsBuilder } = (sdk ??= await import("./pinecone-sdk.ts"));
    const control = indexOperationsBuilder({
      apiKey: String(apiKey),
      maxRetries: 0,
      fetchApi: (url, init) => request(host, url, { ...sdkInput(init), signal }, READ),
      ...(controllerHostUrl === undefined ? {} : { controllerHostUrl }),
    });
    const found = await settle(describeIndex(control, String(name)), signal);
    const metric = told(() => found.metric);
    if (metric !== undefined && metric !== "cosine" && metric !== "dotproduct") {
      throw invalid("index", `"${name}" measures by ${metric}; create it with cosine or dotproduct`);
    }
    const url = /^https?:\/\//.test(found.host) ? found.host : `https://${found.host}`;
    target = {
      host: url,
      dimension: told(() => found.dimension),
      namespace: `${tenant}.${await hash128(space)}`,
    };
    return target;
  }

  /** One data plane call. `body` replaces what the SDK would print. @throws `index_unavailable` when not all of it was taken. */
  async function call<T>(
    work: (index: Index) => Promise<T>,
    options: RequestOptions,
    signal: AbortSignal,
    body?: Partial<UpsertBody> & Pick<UpsertBody, "bytes"> & { readonly matches?: unknown[] },
  ): Promise<T> {
    const { host: url, namespace } = await locate(signal);
    const { Index } = (sdk ??= await import("./pinecone-sdk.ts"));
    // The SDK takes no signal for a call, so each call has an Index (a few small objects) whose fetch knows it.
    const index = new Index(
      { host: url, namespace },
      {
        apiKey: String(apiKey),
        maxRetries: 0,
        fetchApi: async (input, init) => {
          if (!body) return request(host, input, { ...sdkInput(init), signal }, options);
          const sent = { ...sdkInput(init), body: body.bytes, signal };
          const response = await request(host, input, sent, options);
          if (body.matches) return takeMatches(response, body.matches);
          if (body.records === undefined) return response;
          const { upsertedCount }: { readonly upsertedCount?: number } = await response.clone().json();
          if (upsertedCount === undefined || upsertedCount === body.records) return response;
          const message = `${PEER} took ${upsertedCount} of ${body.records} records.`;
          throw new QuaysideError("index_unavailable", message);
        },
      },
    );
    return settle(work(index), signal);
  }

  async function checkLengths(vectors: readonly Float32Array[], signal: AbortSignal): Promise<void> {
    const { dimension } = await locate(signal);
    const length = vectors.find((vector) => vector.length !== dimension)?.length;
    if (dimension !== undefined && length !== undefined) {
      const message = `The Pinecone index "${name}" holds vectors of ${dimension}, the embedder gives ${length}.`;
      throw new QuaysideError("index_embedder_mismatch", message);
    }
  }

  return {
    maxTopK: MAX_TOP_K,
    // As many as keep all connections busy: 1,000 records of 1,536 dimensions are four requests.
    maxUpsert: 2000,
    // Pinecone's "Understanding cost", 2026-11; its bill has the last word.
    writeUnits: { bytes: 1000, least: 5 },

    async query({ vector, topK, filter }, signal) {
      const filters = filtersOf(filter);
      if (filters.length === 0) return [];
      await checkLengths([vector], signal);
      const { namespace } = await locate(signal);
      // As with an upsert: the SDK checks and prints a query of its own, the bytes sent are ours; and so are the matches read.
      const found = await inParallel(filters, concurrency, async (part) => {
        const matches: unknown[] = [];
        const body = { bytes: queryBody(vector, topK, part, namespace), matches };
        await call((index) => index.query({ vector: [1], topK, filter: part }), READ, signal, body);
        return matches;
      });
      return best(found.flat(), topK);
    },

    async upsert(entries, signal) {
      if (entries.length === 0) return;
      await checkLengths(
        entries.map(({ vector }) => vector),
        signal,
      );
      const { namespace } = await locate(signal);
      // The SDK checks its own copy of the records; the bytes sent are ours.
      const records = [{ id: "in the body", values: [1] }];
      await inParallel(upsertBodies(entries, namespace, pool, host.vectorText), concurrency, async (body) => {
        await call((index) => index.upsert({ records }), WRITE, signal, body);
        pool.give(body.bytes);
      });
    },

    async delete(ids, signal) {
      await inParallel(slices(ids, MAX_IDS), concurrency, async (part) => {
        try {
          await call((index) => index.deleteMany({ ids: [...part] }), DELETE, signal);
        } catch (error) {
          if (!(error instanceof QuaysideError && error.code === "not_found")) throw error;
        }
      });
    },

    async drop(signal) {
      try {
        await call((index) => index.deleteAll(), DELETE, signal);
      } catch (error) {
        if (!(error instanceof QuaysideError && error.code === "not_found")) throw error;
      }
    },

    async has(ids, signal) {
      const found = await inParallel(slices(ids, FETCH_IDS), concurrency, async (part) => {
        const { records } = await call((index) => index.fetch({ ids: [...part] }), READ_BACK, signal);
        return part.filter((id) => Object.hasOwn(records, id));
      });
      return new Set(found.flat());
    },

    async stats(signal) {
      const { namespaces } = await call((index) => index.describeIndexStats(), READ, signal);
      const { namespace } = await locate(signal);
      return { entries: namespaces?.[namespace]?.recordCount ?? 0 };
    },
  };
};

const CALL: RequestOptions = {
  peer: PEER,
  codes: { unavailable: "index_unavailable", rejected: "config_invalid" },
  failure: (status, body) =>
    status === 404
      ? new QuaysideError("index_unavailable", `${PEER} has no index of that name: create it first.`)
      : status === 400 && /filter/i.test(body)
        ? new QuaysideError("too_many_labels", `${PEER} refused the access filter.`)
        : undefined,
};

/** Someone waits for the answer. */
const READ: RequestOptions = { ...CALL, deadlineMs: 8000, retries: 1 };
/** Repeating a write changes nothing: ids are functions of the rows. */
const WRITE: RequestOptions = { ...CALL, deadlineMs: 120_000, retries: 6 };
/** A namespace that nothing was written to does not exist, and so holds none of the ids to delete. */
const DELETE: RequestOptions = {
  ...WRITE,
  failure: (status) => (status === 404 ? new QuaysideError("not_found", "No such namespace.") : undefined),
};
const READ_BACK: RequestOptions = { ...WRITE, maxBytes: 64 * 1024 * 1024 };

/** Pinecone's form of a filter: one per query to make, none when nothing can match. */
function filtersOf(filter: Filter): Record<string, unknown>[] {
  if (filter.classes.length === 0 || filter.tables?.length === 0) return [];
  if (filter.classes.length > MAX_IN * MAX_QUERIES) {
    throw new QuaysideError("too_many_labels", "This user's permissions are too many for one question.");
  }
  const narrowed: Record<string, unknown> = filter.tables ? { table: { $in: [...filter.tables] } } : {};
  for (const [column, value] of Object.entries(filter.cells ?? {})) {
    narrowed[cellField(column)] = { $eq: value };
  }
  return [...slices(filter.classes, MAX_IN)].map((part) => ({ class: { $in: [...part] }, ...narrowed }));
}

/** Takes the matches out of an answer: the SDK would make another object of each of hundreds. */
async function takeMatches(response: Response, taken: unknown[]): Promise<Response> {
  const { matches, ...rest }: { readonly matches?: unknown } = await response.json();
  if (!Array.isArray(matches)) throw new TypeError("no matches");
  for (const match of matches) taken.push(match);
  // Read already: printed and parsed once more it would be the same.
  response.json = async () => rest;
  return response;
}

/** The best of several results: each id once, what has no name or no number for a score left out. */
function best(matches: readonly unknown[], topK: number): Match[] {
  const byId = new Map<string, Match>();
  for (const match of matches) {
    const { id, score } = fieldsOf(match);
    if (typeof id !== "string" || typeof score !== "number" || !Number.isFinite(score)) continue;
    if (!byId.has(id)) byId.set(id, { id, score });
  }
  return [...byId.values()].sort((a, b) => b.score - a.score).slice(0, topK);
}

function fieldsOf(match: unknown): { readonly id?: unknown; readonly score?: unknown } {
  return typeof match === "object" && match !== null ? match : {};
}

/** The SDK's failure as ours. */
async function settle<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await result;
  } catch (cause) {
    if (signal.aborted) throw aborted(signal);
    throw (
      failureIn(cause) ??
      new QuaysideError("index_unavailable", `${PEER} answered with something unreadable.`, { cause })
    );
  }
}

/** A property that the SDK derives, and throws for when this index, or this version of the API, does not tell. */
function told<T>(derive: () => T): T | undefined {
  try {
    return derive();
  } catch {
    return undefined;
  }
}

function invalid(setting: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `index.${setting}: ${rule}.`, {
    violations: [{ pointer: `index.${setting}`, rule }],
  });
}
