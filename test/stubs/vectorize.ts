import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * Cloudflare Vectorize (V2, over REST) as far as Quayside calls it, strict: published limits, metadata indexes that must exist
 * before a vector is filtered by them, asynchronous mutations. They show at once unless `hold` is on; then `settle` shows them.
 */

const TOKEN = "cf-test-token";
const ACCOUNT = "0123456789abcdef0123456789abcdef";

/** The account, the token and the index that the stub accepts. */
export const VECTORIZE_STUB = { account: ACCOUNT, token: TOKEN, index: "quayside" };

export interface VectorizeOptions {
  readonly dimensions?: number;
  readonly metric?: string;
  /** Properties with a metadata index. */
  readonly properties?: readonly string[];
}

export interface VectorizeStub extends Stub {
  /** What is really stored, whatever fault is on. */
  stored(): readonly StoredVector[];
  /** Keeps mutations from showing until `settle`. */
  hold(): void;
  settle(): void;
}

const text64 = z.string().check(z.refine((text) => Buffer.byteLength(text) <= 64, "at most 64 bytes"));
const vectorSchema = z.strictObject({
  id: text64.check(z.minLength(1)),
  values: z.array(z.number()),
  namespace: z.optional(text64),
  metadata: z.optional(
    z.record(z.string().check(z.regex(/^[^.$"][^."]*$/)), z.union([z.string(), z.number(), z.boolean()])),
  ),
});
type StoredVector = z.infer<typeof vectorSchema>;

export async function startVectorize(port = 0, options: VectorizeOptions = {}): Promise<VectorizeStub> {
  const { dimensions = 1536, metric = "cosine", properties = ["class", "table"] } = options;
  const vectors = new Map<string, StoredVector>();
  let held: (() => void)[] | undefined;
  let processed: { id: string; at: string } | undefined;

  const apply = (change: () => void): string => {
    const id = randomUUID();
    const show = (): void => {
      change();
      processed = { id, at: new Date().toISOString() };
    };
    if (held) held.push(show);
    else show();
    return id;
  };

  function upsert(call: Call): void {
    if (call.headers["content-type"] !== "application/x-ndjson")
      return refuse(call, 415, 1000, "send NDJSON");
    const lines = call.body.split("\n").filter((line) => line !== "");
    if (lines.length === 0 || lines.length > 5000) return refuse(call, 400, 40_008, "1 to 5000 vectors");
    if (Buffer.byteLength(call.body) > 100_000_000) return refuse(call, 413, 40_009, "100 MB at most");
    const batch: StoredVector[] = [];
    for (const line of lines) {
      const parsed = parseBody(vectorSchema, line);
      if ("problem" in parsed) return refuse(call, 400, 40_012, parsed.problem);
      const { values, metadata } = parsed.input;
      if (values.length !== dimensions) return refuse(call, 400, 40_012, `expected ${dimensions} dimensions`);
      if (Buffer.byteLength(JSON.stringify(metadata ?? {})) > 10_240)
        return refuse(call, 400, 40_013, "metadata too large");
      batch.push(parsed.input);
    }
    const mutationId = apply(() => {
      for (const vector of call.is("drops_upserts") ? [] : batch) vectors.set(vector.id, vector);
    });
    return answer(call, { mutationId });
  }

  function query(call: Call): void {
    const parsed = parseBody(querySchema, call.body);
    if ("problem" in parsed) return refuse(call, 400, 40_020, parsed.problem);
    const { vector, topK, namespace, filter, returnValues, returnMetadata } = parsed.input;
    if (vector.length !== dimensions) return refuse(call, 400, 40_006, `expected ${dimensions} dimensions`);
    if (topK > (returnValues === true || returnMetadata === "all" ? 20 : 100)) {
      return refuse(call, 400, 40_025, "max top K is 100 without values and metadata");
    }
    if (Buffer.byteLength(JSON.stringify(filter ?? {})) >= 2048)
      return refuse(call, 400, 40_024, "filter too large");
    const blind = call.is("ignores_filter");
    const matches = [...vectors.values()]
      .filter(
        (stored) => blind || ((stored.namespace ?? "") === (namespace ?? "") && passes(stored, filter ?? {})),
      )
      .map((stored) => ({ id: stored.id, score: cosine(vector, stored.values) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK);
    return answer(call, { count: matches.length, matches });
  }

  /** Only what has a metadata index can be filtered by, on its first 64 bytes. */
  function passes(stored: StoredVector, filter: Filter): boolean {
    return Object.entries(filter).every(([property, condition]) => {
      if (!properties.includes(property)) return false;
      const value = stored.metadata?.[property];
      const own = typeof value === "string" ? Buffer.from(value).subarray(0, 64).toString() : value;
      return "$in" in condition ? condition.$in.some((x) => x === own) : condition.$eq === own;
    });
  }

  function list(call: Call): void {
    const count = Number(call.query.get("count") ?? 100);
    if (!(count >= 1 && count <= 1000)) return refuse(call, 400, 40_030, "count must be 1 to 1000");
    const after = call.query.get("cursor") ?? "";
    const ids = [...vectors.keys()].sort().filter((id) => id > after);
    const page = ids.slice(0, count);
    const isTruncated = ids.length > count;
    return answer(call, {
      count: page.length,
      totalCount: vectors.size,
      isTruncated,
      nextCursor: isTruncated ? page.at(-1) : null,
      vectors: page.map((id) => ({ id })),
    });
  }

  const stub = await startStub(
    {
      refuse: ({ headers }) =>
        headers.authorization === `Bearer ${TOKEN}`
          ? undefined
          : { status: 403, body: envelope(null, 10_000, `Authentication error: ${headers.authorization}`) },
      errorBody: (status) => envelope(null, status, `Stubbed failure ${status}, token ${TOKEN}`),
      handle(call) {
        const root = `/accounts/${ACCOUNT}/vectorize/v2/indexes/`;
        const [name, ...rest] = call.path.startsWith(root) ? call.path.slice(root.length).split("/") : [];
        const route = `${call.method} ${rest.join("/")}`;
        if (name !== VECTORIZE_STUB.index) return refuse(call, 404, 3000, `index ${call.path} not found`);
        if (route === "GET ") return answer(call, { name, config: { dimensions, metric } });
        if (route === "GET info") {
          return answer(call, {
            dimensions,
            vectorCount: vectors.size,
            processedUpToMutation: processed?.id ?? null,
            processedUpToDatetime: processed?.at ?? null,
          });
        }
        if (route === "GET metadata_index/list") {
          return answer(call, {
            metadataIndexes: properties.map((propertyName) => ({ propertyName, indexType: "String" })),
          });
        }
        if (route === "GET list") return list(call);
        if (route === "POST upsert") return upsert(call);
        if (route === "POST query") return query(call);
        if (route === "POST get_by_ids") {
          return byIds(call, 20, (ids) => ids.flatMap((id) => vectors.get(id) ?? []));
        }
        if (route === "POST delete_by_ids") {
          return byIds(call, 100, (ids) => ({
            mutationId: apply(() => {
              for (const id of ids) vectors.delete(id);
            }),
          }));
        }
        return refuse(call, 404, 7003, `No route for ${route}`);
      },
    },
    port,
  );
  return {
    ...stub,
    get exchanges() {
      return stub.exchanges;
    },
    stored: () => [...vectors.values()],
    hold: () => {
      held ??= [];
    },
    settle: () => {
      for (const show of held ?? []) show();
      held = undefined;
    },
  };
}

const condition = z.union([
  z.strictObject({ $in: z.array(z.string()).check(z.minLength(1)) }),
  z.strictObject({ $eq: z.string() }),
]);
type Filter = Readonly<Record<string, z.infer<typeof condition>>>;

const querySchema = z.strictObject({
  vector: z.array(z.number()),
  topK: z.number().check(z.int(), z.minimum(1)),
  namespace: z.optional(text64),
  filter: z.optional(z.record(z.string().check(z.regex(/^[^.$"][^."]*$/)), condition)),
  returnValues: z.optional(z.boolean()),
  returnMetadata: z.optional(z.enum(["none", "indexed", "all"])),
});

function byIds(call: Call, most: number, then: (ids: readonly string[]) => unknown): void {
  const parsed = parseBody(z.strictObject({ ids: z.array(text64).check(z.minLength(1)) }), call.body);
  if ("problem" in parsed) return refuse(call, 400, 40_020, parsed.problem);
  const { ids } = parsed.input;
  if (ids.length > most) {
    return refuse(call, 400, 40_007, `too many ids in payload; max id count is ${most}, got ${ids.length}`);
  }
  return answer(call, then(ids));
}

function envelope(result: unknown, code?: number, message?: string): unknown {
  const errors = code === undefined ? [] : [{ code, message }];
  return { success: code === undefined, errors, messages: [], result };
}

function answer(call: Call, result: unknown): void {
  sendJson(call, 200, envelope(result));
}

function refuse(call: Call, status: number, code: number, message: string): void {
  sendJson(call, status, envelope(null, code, message));
}

function cosine(a: readonly number[], b: readonly number[]): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / (Math.sqrt(aa * bb) || 1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startVectorize);
