import * as z from "zod/mini";
import { callBinding } from "../binding.ts";
import { request, type RequestOptions } from "../http.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Host } from "../ports/host.ts";

/** Vectorize's calls (V2), over REST or through a Worker's binding: the same five, in the same words. */

export interface StoredVector {
  readonly id: string;
  readonly values: readonly number[];
  readonly namespace: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface VectorizeQuery {
  readonly topK: number;
  readonly namespace: string;
  readonly filter: Readonly<Record<string, unknown>>;
}

export interface VectorizeInfo {
  readonly dimensions: number;
  readonly vectorCount: number;
  /** The last mutation that shows, and when it began to; null where nothing was written yet. */
  readonly processedUpToMutation: string | null;
  readonly processedUpToMs: number;
}

export interface VectorizeApi {
  /** Vectors that one `upsert` may carry. */
  readonly maxUpsert: number;
  query(
    vector: readonly number[],
    query: VectorizeQuery,
    signal: AbortSignal,
  ): Promise<readonly { readonly id: string; readonly score: number }[]>;
  /** @returns the mutation's id: it shows seconds later. */
  upsert(vectors: readonly StoredVector[], signal: AbortSignal): Promise<string>;
  deleteByIds(ids: readonly string[], signal: AbortSignal): Promise<string>;
  getByIds(ids: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** One page of the whole index's ids, and the cursor of the next. A binding has no such call. */
  readonly list?: (
    cursor: string | undefined,
    signal: AbortSignal,
  ) => Promise<{ readonly ids: readonly string[]; readonly next: string | undefined }>;
  info(signal: AbortSignal): Promise<VectorizeInfo>;
  /** Metric and filterable properties, where they can be asked for: a binding can't. */
  setUp(
    signal: AbortSignal,
  ): Promise<{ readonly metric: string; readonly properties: readonly string[] } | undefined>;
}

const PEER = "Vectorize";

const mutation = z.object({ mutationId: z.string() });
const matches = z.object({ matches: z.array(z.object({ id: z.string(), score: z.number() })) });
const vectors = z.array(z.object({ id: z.string() }));
const listed = z.object({
  vectors,
  isTruncated: z.boolean(),
  nextCursor: z.optional(z.nullable(z.string())),
});
const info = z.object({
  dimensions: z.number(),
  vectorCount: z.number(),
  processedUpToMutation: z.optional(z.nullable(z.string())),
  processedUpToDatetime: z.optional(z.nullable(z.union([z.string(), z.number()]))),
});
const config = z.object({ config: z.object({ dimensions: z.number(), metric: z.string() }) });
const indexes = z.object({ metadataIndexes: z.array(z.object({ propertyName: z.string() })) });

const CODES = { unavailable: "index_unavailable", rejected: "config_invalid" } as const;

function failure(status: number, body: string): QuaysideError | undefined {
  if (status === 404 || status === 410) {
    return new QuaysideError("index_unavailable", `${PEER} has no index of that name: create it first.`);
  }
  return status === 400 && /filter/i.test(body)
    ? new QuaysideError("too_many_labels", `${PEER} refused the access filter.`)
    : undefined;
}

/** Someone waits for the answer. */
const READ: RequestOptions = { peer: PEER, codes: CODES, failure, deadlineMs: 8000, retries: 1 };
/** Repeating a write changes nothing: ids are functions of the rows. */
const WRITE: RequestOptions = { peer: PEER, codes: CODES, failure, deadlineMs: 120_000, retries: 6 };

interface Body {
  readonly type: string;
  readonly text: string;
}

function json(value: unknown): Body {
  return { type: "application/json", text: JSON.stringify(value) };
}

/**
 * @param url of the index: `…/accounts/<id>/vectorize/v2/indexes/<name>`.
 * @param token an API token with the permission Vectorize: Edit.
 */
export function vectorizeRest(host: Host, url: string, token: string): VectorizeApi {
  async function call<T>(
    schema: z.ZodMiniType<T>,
    method: string,
    path: string,
    body: Body | undefined,
    options: RequestOptions,
    signal: AbortSignal,
  ): Promise<T> {
    const headers = { authorization: `Bearer ${token}`, ...(body ? { "content-type": body.type } : {}) };
    const input = { method, headers, signal, ...(body ? { body: body.text } : {}) };
    const response = await request(host, `${url}${path}`, input, options);
    const answer = z.object({ success: z.literal(true), result: schema });
    return parsed(answer, await response.json().catch(() => undefined)).result;
  }
  return {
    maxUpsert: 5000,
    async query(vector, query, signal) {
      const body = json({ vector, ...query, returnValues: false, returnMetadata: "none" });
      return (await call(matches, "POST", "/query", body, READ, signal)).matches;
    },
    async upsert(list, signal) {
      const text = list.map((vector) => JSON.stringify(vector)).join("\n");
      const body = { type: "application/x-ndjson", text };
      return (await call(mutation, "POST", "/upsert", body, WRITE, signal)).mutationId;
    },
    async deleteByIds(ids, signal) {
      return (await call(mutation, "POST", "/delete_by_ids", json({ ids }), WRITE, signal)).mutationId;
    },
    async getByIds(ids, signal) {
      return (await call(vectors, "POST", "/get_by_ids", json({ ids }), WRITE, signal)).map(({ id }) => id);
    },
    async list(cursor, signal) {
      const query = new URLSearchParams({ count: "1000", ...(cursor === undefined ? {} : { cursor }) });
      const page = await call(listed, "GET", `/list?${query.toString()}`, undefined, WRITE, signal);
      const next = page.isTruncated ? (page.nextCursor ?? undefined) : undefined;
      return { ids: page.vectors.map(({ id }) => id), next };
    },
    async info(signal) {
      return infoOf(await call(info, "GET", "/info", undefined, READ, signal));
    },
    async setUp(signal) {
      const [{ config: index }, { metadataIndexes }] = await Promise.all([
        call(config, "GET", "", undefined, READ, signal),
        call(indexes, "GET", "/metadata_index/list", undefined, READ, signal),
      ]);
      return { metric: index.metric, properties: metadataIndexes.map(({ propertyName }) => propertyName) };
    },
  };
}

/** What a Worker's binding offers, as far as it is called; the types of `@cloudflare/workers-types`, class Vectorize. */
interface VectorizeBinding {
  describe(): Promise<unknown>;
  query(
    vector: readonly number[],
    options: VectorizeQuery & { readonly returnMetadata: "none" },
  ): Promise<unknown>;
  upsert(vectors: readonly StoredVector[]): Promise<unknown>;
  deleteByIds(ids: readonly string[]): Promise<unknown>;
  getByIds(ids: readonly string[]): Promise<unknown>;
}

export function isVectorize(binding: unknown): binding is VectorizeBinding {
  return typeof binding === "object" && binding !== null && "describe" in binding && "deleteByIds" in binding;
}

async function callBound<T>(
  schema: z.ZodMiniType<T>,
  work: () => Promise<unknown>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<T> {
  const options = { peer: PEER, unavailable: CODES.unavailable, deadlineMs };
  return parsed(schema, await callBinding(work, options, signal));
}

export function vectorizeBound(binding: VectorizeBinding): VectorizeApi {
  return {
    maxUpsert: 1000,
    async query(vector, query, signal) {
      const work = (): Promise<unknown> => binding.query(vector, { ...query, returnMetadata: "none" });
      return (await callBound(matches, work, 8000, signal)).matches;
    },
    async upsert(list, signal) {
      return (await callBound(mutation, () => binding.upsert(list), 30_000, signal)).mutationId;
    },
    async deleteByIds(ids, signal) {
      return (await callBound(mutation, () => binding.deleteByIds(ids), 30_000, signal)).mutationId;
    },
    async getByIds(ids, signal) {
      return (await callBound(vectors, () => binding.getByIds(ids), 30_000, signal)).map(({ id }) => id);
    },
    async info(signal) {
      return infoOf(await callBound(info, () => binding.describe(), 8000, signal));
    },
    setUp: () => Promise.resolve(undefined),
  };
}

function infoOf(told: z.infer<typeof info>): VectorizeInfo {
  const at = new Date(told.processedUpToDatetime ?? 0).getTime();
  return {
    dimensions: told.dimensions,
    vectorCount: told.vectorCount,
    processedUpToMutation: told.processedUpToMutation ?? null,
    processedUpToMs: Number.isNaN(at) ? 0 : at,
  };
}

function parsed<T>(schema: z.ZodMiniType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new QuaysideError("index_unavailable", `${PEER} answered with something unreadable.`);
}
