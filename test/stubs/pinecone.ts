import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { embeddings } from "./embedding.ts";
import { hang, parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * Pinecone as far as its SDK calls it for dense vectors, strict: control plane (list, describe, create an index; the data
 * plane's host is the stub itself) and data plane (upsert, query with real cosine and filters, fetch, list, delete, stats),
 * with the published limits enforced. In memory; writes are visible at once, except under the fault `stale_read`.
 */

/** The key that the stub accepts. */
export const PINECONE_STUB_KEY = "pc-test";

export interface PineconeOptions {
  readonly index?: string;
  readonly dimension?: number;
  readonly metric?: string;
}

export interface PineconeStub extends Stub {
  /** Ids in a namespace, sorted; what is really stored, whatever fault is on. */
  ids(namespace: string): string[];
  /** Ids, values and metadata in a namespace, a line each, sorted. */
  records(namespace: string): string[];
  /** Names of the namespaces that hold anything. */
  namespaces(): string[];
}

interface StoredRecord {
  readonly values: Float32Array;
  readonly metadata: Metadata;
}

type Metadata = Readonly<Record<string, string | number | boolean | readonly string[]>>;
type Namespaces = Map<string, Map<string, StoredRecord>>;

export async function startPinecone(port = 0, options: PineconeOptions = {}): Promise<PineconeStub> {
  const { index = "quayside", dimension = 1536, metric = "cosine" } = options;
  const namespaces: Namespaces = new Map();
  let self = "";
  const stub = await startStub(
    {
      refuse({ headers }) {
        if (headers["api-key"] !== PINECONE_STUB_KEY) {
          return { status: 401, body: `Unauthorized: invalid key ${String(headers["api-key"])}` };
        }
        return headers["x-pinecone-api-version"] === undefined
          ? { status: 400, body: error(3, "X-Pinecone-Api-Version header is required") }
          : undefined;
      },
      errorBody: (status) =>
        error(status === 404 ? 5 : 14, `Stubbed failure ${status}, key ${PINECONE_STUB_KEY}`),
      handle(call) {
        const { method, path } = call;
        const shape = {
          name: index,
          host: self,
          dimension: call.is("dim_mismatch") ? dimension + 1 : dimension,
          metric,
        };
        if (method === "GET" && path === "/indexes")
          return sendJson(call, 200, { indexes: [describe(shape)] });
        if (method === "GET" && path.startsWith("/indexes/")) {
          return path === `/indexes/${index}` && !call.is("index_missing")
            ? sendJson(call, 200, describe(shape))
            : sendJson(call, 404, {
                status: 404,
                error: { code: "NOT_FOUND", message: `Resource ${path} not found` },
              });
        }
        if (method === "POST" && path === "/embed") return embed(call);
        if (method === "POST" && path === "/vectors/upsert") return upsert(call, namespaces, dimension);
        if (method === "POST" && path === "/query") return query(call, namespaces, dimension);
        if (method === "GET" && path === "/vectors/fetch") return fetchIds(call, namespaces);
        if (method === "GET" && path === "/vectors/list") return list(call, namespaces);
        if (method === "POST" && path === "/vectors/delete") return remove(call, namespaces);
        if (method === "POST" && path === "/describe_index_stats") return stats(call, namespaces, dimension);
        return sendJson(call, 404, error(5, `No route ${method} ${path}`));
      },
    },
    port,
  );
  self = stub.url;
  return {
    ...stub,
    get exchanges() {
      return stub.exchanges;
    },
    ids: (namespace) => [...(namespaces.get(namespace)?.keys() ?? [])].sort(),
    records: (namespace) =>
      [...(namespaces.get(namespace) ?? [])]
        .map(([key, { values, metadata }]) =>
          JSON.stringify([key, [...values], Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))]),
        )
        .sort(),
    namespaces: () => [...namespaces.keys()].sort(),
    reset() {
      stub.reset();
      namespaces.clear();
    },
  };
}

function error(code: number, message: string): unknown {
  return { code, message, details: [] };
}

/** The 2026-07 shape: dimension and metric live in the schema's reserved vector field. */
function describe(shape: { name: string; host: string; dimension: number; metric: string }): unknown {
  const { name, host, dimension, metric } = shape;
  return {
    name,
    host,
    status: { ready: true, state: "Ready" },
    deployment: { deployment_type: "managed", cloud: "aws", region: "us-east-1", environment: "aped-stub" },
    schema: { fields: { _values: { type: "dense_vector", dimension, metric } } },
    deletion_protection: "disabled",
    tags: null,
  };
}

const id = z.string().check(z.minLength(1), z.maxLength(512));
const namespaceName = z.string().check(z.regex(/^[\x20-\x7e]{1,512}$/));
const metadataSchema = z.record(
  z.string().check(z.regex(/^[^$]/)),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]),
);
const upsertSchema = z.strictObject({
  vectors: z
    .array(z.strictObject({ id, values: z.array(z.number()), metadata: z.optional(metadataSchema) }))
    .check(z.minLength(1), z.maxLength(1000)),
  namespace: z.optional(namespaceName),
});

function upsert(call: Call, namespaces: Namespaces, dimension: number): void | Promise<void> {
  const parsed = parseBody(upsertSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(3, parsed.problem));
  let bytes = 0;
  for (const { id, values, metadata } of parsed.input.vectors) {
    if (values.length !== dimension) {
      const message = `Vector dimension ${values.length} does not match the dimension of the index ${dimension}`;
      return sendJson(call, 400, error(3, message));
    }
    if (values.every((x) => x === 0))
      return sendJson(call, 400, error(3, "Dense vectors must contain a non-zero value"));
    const size = Buffer.byteLength(JSON.stringify(metadata ?? {}));
    if (size > 40 * 1024) return sendJson(call, 400, error(3, `Metadata size is ${size} bytes, limit 40960`));
    bytes += values.length * 4 + Buffer.byteLength(id) + size;
  }
  if (bytes > 2_000_000)
    return sendJson(call, 400, error(11, `Request size ${bytes} exceeds the limit of 2 MB`));
  const space = namespaceOf(namespaces, parsed.input.namespace ?? "__default__");
  const { vectors } = parsed.input;
  const kept = call.is("drops_upserts")
    ? []
    : call.is("partial_upsert")
      ? vectors.slice(0, Math.ceil(vectors.length * 0.6))
      : vectors;
  for (const { id, values, metadata } of kept) {
    space.set(id, { values: Float32Array.from(values), metadata: metadata ?? {} });
  }
  if (call.is("upsert_timeout_applied")) return hang(call);
  if (call.is("upsert_lost_applied")) return void call.response.socket?.destroy();
  return sendJson(call, 200, { upsertedCount: vectors.length });
}

const querySchema = z.strictObject({
  namespace: z.optional(namespaceName),
  topK: z.number().check(z.int(), z.minimum(1), z.maximum(10_000)),
  vector: z.array(z.number()),
  filter: z.optional(z.record(z.string(), z.unknown())),
  includeValues: z.optional(z.boolean()),
  includeMetadata: z.optional(z.boolean()),
});

function query(call: Call, namespaces: Namespaces, dimension: number): void {
  const parsed = parseBody(querySchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(3, parsed.problem));
  const { namespace = "__default__", topK, vector, filter, includeMetadata, includeValues } = parsed.input;
  if (vector.length !== dimension) {
    return sendJson(call, 400, error(3, `Vector dimension ${vector.length} does not match ${dimension}`));
  }
  const problem = filter && filterProblem(filter);
  if (problem !== undefined) return sendJson(call, 400, error(3, problem));
  if (call.is("filter_too_big")) return sendJson(call, 400, error(3, "Filter is too large"));
  const spaces = call.is("wrong_namespace") ? [...namespaces.values()] : [namespaces.get(namespace)];
  const blind = call.is("ignores_filter");
  /** A store that compares no more of a string than its first 64 bytes. */
  const cut = <T extends object>(value: T): T =>
    call.is("metadata_truncated_64b")
      ? JSON.parse(JSON.stringify(value), (_, x: unknown) => (typeof x === "string" ? x.slice(0, 64) : x))
      : value;
  const found = spaces
    .flatMap((space) => [...(space ?? [])])
    .filter(([, { metadata }]) => !filter || blind || matches(cut(metadata), cut(filter)))
    .map(([id, { values, metadata }]) => ({ id, score: cosine(vector, values), values, metadata }))
    .sort((a, b) => b.score - a.score)
    .slice(0, call.is("topk_short") ? Math.ceil(topK / 2) : topK)
    .map((hit, i) => ({
      id: hit.id,
      score: call.is("score_nan") && i === 0 ? null : hit.score,
      values: includeValues === true ? [...hit.values] : [],
      ...(includeMetadata === true && !call.is("missing_metadata") ? { metadata: hit.metadata } : {}),
    }));
  const hits = call.is("dup_ids") ? [...found, ...found] : found;
  sendJson(call, 200, { matches: hits, namespace, usage: { readUnits: 1 } });
}

function cosine(a: readonly number[], b: Float32Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / Math.sqrt(aa * bb);
}

const VALUE_OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"];

function filterProblem(filter: Readonly<Record<string, unknown>>): string | undefined {
  for (const [key, condition] of Object.entries(filter)) {
    if (key === "$and" || key === "$or") {
      if (!Array.isArray(condition) || condition.length === 0) return `Filter: ${key} takes a list`;
      continue;
    }
    if (key.startsWith("$")) return `Filter: unknown operator ${key}`;
    for (const [operator, operand] of Object.entries(operators(condition))) {
      if (!VALUE_OPERATORS.includes(operator)) return `Filter: unknown operator ${operator}`;
      if (
        (operator === "$in" || operator === "$nin") &&
        (!Array.isArray(operand) || operand.length > 10_000)
      ) {
        return `Filter: ${operator} takes a list of at most 10000 values`;
      }
    }
  }
  return undefined;
}

function operators(condition: unknown): Readonly<Record<string, unknown>> {
  return typeof condition === "object" && condition !== null ? { ...condition } : { $eq: condition };
}

function matches(metadata: Metadata, filter: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filter).every(([key, condition]) => {
    if (key === "$and" || key === "$or") {
      const parts = Array.isArray(condition)
        ? condition.map((part: unknown) => matches(metadata, operators(part)))
        : [];
      return key === "$and" ? parts.every(Boolean) : parts.some(Boolean);
    }
    const value = metadata[key];
    return Object.entries(operators(condition)).every(([operator, operand]) =>
      holds(value, operator, operand),
    );
  });
}

function holds(value: Metadata[string] | undefined, operator: string, operand: unknown): boolean {
  const values: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  const list: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const number = typeof value === "number" && typeof operand === "number" ? value - operand : Number.NaN;
  switch (operator) {
    case "$eq":
    case "$in":
      return values.some((x) => list.includes(x));
    case "$ne":
    case "$nin":
      return !values.some((x) => list.includes(x));
    case "$gt":
      return number > 0;
    case "$gte":
      return number >= 0;
    case "$lt":
      return number < 0;
    case "$lte":
      return number <= 0;
    default:
      return (value !== undefined) === operand;
  }
}

function fetchIds(call: Call, namespaces: Namespaces): void {
  const ids = call.query.getAll("ids");
  if (ids.length === 0 || ids.length > 1000) return sendJson(call, 400, error(3, "Between 1 and 1000 ids"));
  const namespace = call.query.get("namespace") ?? "__default__";
  const space = namespaces.get(namespace);
  const vectors: Record<string, unknown> = {};
  for (const id of call.is("stale_read") ? [] : ids) {
    const record = space?.get(id);
    if (record) vectors[id] = { id, values: [...record.values], metadata: record.metadata };
  }
  sendJson(call, 200, { vectors, namespace, usage: { readUnits: 1 } });
}

function list(call: Call, namespaces: Namespaces): void {
  const namespace = call.query.get("namespace") ?? "__default__";
  const prefix = call.query.get("prefix") ?? "";
  const limit = Number(call.query.get("limit") ?? 100);
  if (!(limit >= 1 && limit <= 100)) return sendJson(call, 400, error(3, "limit must be 1 to 100"));
  const after = call.query.get("paginationToken") ?? "";
  const ids = [...(namespaces.get(namespace)?.keys() ?? [])]
    .filter((x) => x.startsWith(prefix) && x > after)
    .sort();
  const page = ids.slice(0, limit);
  sendJson(call, 200, {
    vectors: page.map((x) => ({ id: x })),
    ...(ids.length > limit ? { pagination: { next: page.at(-1) } } : {}),
    namespace,
    usage: { readUnits: 1 },
  });
}

const deleteSchema = z.strictObject({
  ids: z.optional(z.array(id).check(z.minLength(1), z.maxLength(1000))),
  deleteAll: z.optional(z.boolean()),
  filter: z.optional(z.record(z.string(), z.unknown())),
  namespace: z.optional(namespaceName),
});

function remove(call: Call, namespaces: Namespaces): void {
  const parsed = parseBody(deleteSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(3, parsed.problem));
  const { ids, deleteAll, filter, namespace = "__default__" } = parsed.input;
  const space = namespaces.get(namespace);
  if (!space) return sendJson(call, 404, error(5, "Namespace not found"));
  if (!call.is("returns_deleted")) {
    for (const [key, record] of space) {
      if (deleteAll === true || ids?.includes(key) || (filter && matches(record.metadata, filter)))
        space.delete(key);
    }
  }
  return sendJson(call, 200, {});
}

function stats(call: Call, namespaces: Namespaces, dimension: number): void {
  const counts = [...namespaces].map(([name, space]) => [name, { vectorCount: space.size }] as const);
  sendJson(call, 200, {
    namespaces: Object.fromEntries(counts),
    dimension,
    indexFullness: 0,
    totalVectorCount: counts.reduce((sum, [, { vectorCount }]) => sum + vectorCount, 0),
  });
}

function namespaceOf(namespaces: Namespaces, name: string): Map<string, StoredRecord> {
  const space = namespaces.get(name) ?? new Map<string, StoredRecord>();
  namespaces.set(name, space);
  return space;
}

const text = z.string().check(z.minLength(1));
const embedSchema = z.strictObject({
  model: z.enum(["llama-text-embed-v2", "multilingual-e5-large"]),
  inputs: z.array(z.strictObject({ text })).check(z.minLength(1), z.maxLength(96)),
  parameters: z.strictObject({
    input_type: z.enum(["passage", "query"]),
    truncate: z.optional(z.enum(["NONE", "END", "START"])),
    dimension: z.optional(z.number()),
  }),
});

function embed(call: Call): void {
  const parsed = parseBody(embedSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(3, parsed.problem));
  const { model, inputs, parameters } = parsed.input;
  const { dimension = 1024 } = parameters;
  if (![384, 512, 768, 1024, 2048].includes(dimension)) return sendJson(call, 400, error(3, "dimension"));
  const texts = inputs.map((input) => input.text);
  const data = embeddings(call, texts, dimension).map((values) => ({
    vector_type: "dense",
    values: [...values],
  }));
  const tokens = texts.reduce((sum, one) => sum + Math.ceil(one.length / 4), 0);
  sendJson(call, 200, { model, vector_type: "dense", data, usage: { total_tokens: tokens } });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startPinecone);
