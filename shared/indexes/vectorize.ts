import * as z from "zod/mini";
import { hash128 } from "../ids.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Factory, Host } from "../ports/host.ts";
import type { Filter, IndexEntry, Match, VectorIndex } from "../ports/vector-index.ts";
import { inParallel, slices } from "./parallel.ts";
import {
  isVectorize,
  vectorizeBound,
  vectorizeRest,
  type StoredVector,
  type VectorizeApi,
} from "./vectorize-api.ts";

/**
 * Cloudflare Vectorize: over REST from anywhere, through the binding `VECTORIZE` in a Worker that has it. Each tenant's space is
 * a namespace; ids are the index's own, whatever the namespace, so each carries its namespace too. Access class and table are
 * metadata that every query filters on inside Vectorize, which needs a metadata index made for each before anything is written.
 * Writes are mutations that show seconds later. No text of a row is stored there.
 * Limits: developers.cloudflare.com, Vectorize "Limits" and "Metadata filtering", read 2026-11-25. That a get takes 20 ids and a
 * delete 100 is written nowhere; the service answers code 40007 above.
 */

/** Without values and metadata, which are not needed. */
const MAX_TOP_K = 100;
const GET_IDS = 20;
const DELETE_IDS = 100;
const MAX_ID_BYTES = 64;
/** A filter as JSON must stay below 2,048 bytes. */
const MAX_FILTER_BYTES = 2047;
/** Room in it for tables; the rest is for classes. */
const TABLE_BYTES = 800;
/** Beyond this the caller's permissions are no longer a filter: a Worker holds six connections. */
const MAX_QUERIES = 32;
/** A string is filterable by its first 64 bytes; what is longer is stored and asked for cut. */
const INDEXED_BYTES = 64;
/** Ten metadata indexes: `class`, `table` and these. */
const MAX_FILTERABLE = 8;

const settingsSchema = z.object({
  tenant: z.string().check(z.minLength(1)),
  space: z.string().check(z.minLength(1)),
  /** The index's name; `VECTORIZE_INDEX` overrides it. Not needed where the Worker has a binding. */
  index: z.optional(z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/))),
  /** Whether words are searched beside the vectors, in the registry; see `indexName`. */
  lexical: z.optional(z.boolean()),
  /** Columns of tables' `filters` that have a metadata index, `cell_<column>`. Others are narrowed by the registry alone. */
  filterable: z.optional(z.array(z.string()).check(z.maxLength(MAX_FILTERABLE))),
  /** Requests in flight for one call; a Worker may hold six connections. */
  concurrency: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(32))),
});

const encoder = new TextEncoder();
const bytesOf = (text: string): number => encoder.encode(text).byteLength;

/**
 * Settings: `{ index?, filterable?, concurrency? }` from the configuration, with `tenant` and `space` (as `RunRequest.space`)
 * added by whoever opens the index. Environment: `VECTORIZE_INDEX`, `CLOUDFLARE_ACCOUNT_ID`, `CLOUDFLARE_API_TOKEN`
 * (permission Vectorize: Edit), `CLOUDFLARE_BASE_URL`.
 * @throws QuaysideError `config_invalid`
 */
export const vectorize: Factory<VectorIndex> = (settings, host) => {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
  }
  const { tenant, space, filterable = [], concurrency = 6 } = parsed.data;
  const name = host.secret("VECTORIZE_INDEX") ?? parsed.data.index;
  const api = openApi(host, name);
  let prefix: string | undefined;
  let checked: number | undefined;
  /** Mutations of ours that may not show yet: the last one, and when it was accepted. */
  let last: { readonly mutation: string; readonly at: number } | undefined;

  /** A name for the tenant's space, and what the ids in it begin with. */
  const namespaceOf = async (): Promise<string> =>
    (prefix ??= await hash128(JSON.stringify([tenant, space])));

  /** Metric, metadata indexes and length are looked at once; a wrong name or token fails here, before anything is written. */
  async function check(vectors: readonly Float32Array[], signal: AbortSignal): Promise<void> {
    if (checked === undefined) {
      const [{ dimensions }, setUp] = await Promise.all([api.info(signal), api.setUp(signal)]);
      if (setUp && setUp.metric !== "cosine" && setUp.metric !== "dot-product") {
        throw invalid("index", `"${name}" measures by ${setUp.metric}; create it with cosine or dot-product`);
      }
      const missing = ["class", "table", ...filterable.map(cellField)].filter(
        (property) => setUp && !setUp.properties.includes(property),
      );
      if (missing.length > 0) throw invalid("index", unfilterable(name ?? "", missing));
      checked = dimensions;
    }
    const length = vectors.find((vector) => vector.length !== checked)?.length;
    if (length !== undefined) {
      const message = `The Vectorize index holds vectors of ${checked}, the embedder gives ${length}.`;
      throw new QuaysideError("index_embedder_mismatch", message);
    }
  }

  const wrote = (mutation: string): void => {
    last = { mutation, at: host.now() };
  };

  return {
    maxTopK: MAX_TOP_K,
    maxUpsert: api.maxUpsert,

    async query({ vector, topK, filter }, signal) {
      const filters = filtersOf(filter, filterable);
      if (filters.length === 0) return [];
      await check([vector], signal);
      const namespace = await namespaceOf();
      const values = rounded(vector);
      const answers = await inParallel(filters, concurrency, (part) =>
        api.query(values, { topK: Math.min(topK, MAX_TOP_K), namespace, filter: part }, signal),
      );
      // Hits of another space can only be those of a store that ignored the namespace.
      return best(
        answers.flat().flatMap(({ id, score }) => {
          const own = id.startsWith(`${namespace}/`) ? id.slice(namespace.length + 1) : undefined;
          return own === undefined ? [] : [{ id: own, score }];
        }),
        topK,
      );
    },

    async upsert(entries, signal) {
      if (entries.length === 0) return;
      await check(
        entries.map(({ vector }) => vector),
        signal,
      );
      const namespace = await namespaceOf();
      await inParallel(slices(entries, api.maxUpsert), concurrency, async (part) => {
        wrote(
          await api.upsert(
            part.map((entry) => stored(entry, namespace, filterable)),
            signal,
          ),
        );
      });
    },

    async delete(ids, signal) {
      const namespace = await namespaceOf();
      await inParallel(slices(ids, DELETE_IDS), concurrency, async (part) => {
        wrote(
          await api.deleteByIds(
            part.map((id) => storedId(namespace, id)),
            signal,
          ),
        );
      });
    },

    async has(ids, signal) {
      if (last && !shows(await api.info(signal), last)) return new Set();
      const namespace = await namespaceOf();
      const found = await inParallel(slices(ids, GET_IDS), concurrency, async (part) => {
        const held = new Set(
          await api.getByIds(
            part.map((id) => storedId(namespace, id)),
            signal,
          ),
        );
        return part.filter((id) => held.has(storedId(namespace, id)));
      });
      return new Set(found.flat());
    },

    async drop(signal) {
      const { list } = api;
      if (!list) {
        const names = "VECTORIZE_INDEX, CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN";
        throw new QuaysideError("not_configured", `A binding lists no vectors: set ${names} too.`);
      }
      const namespace = await namespaceOf();
      for (let cursor: string | undefined; ;) {
        const page = await list(cursor, signal);
        const own = page.ids.filter((id) => id.startsWith(`${namespace}/`));
        await inParallel(slices(own, DELETE_IDS), concurrency, async (part) => {
          wrote(await api.deleteByIds(part, signal));
        });
        cursor = page.next;
        if (cursor === undefined) return;
      }
    },

    /** Of the whole index, all spaces together: Vectorize counts nothing else. Looks at how the index is made, as a write does. */
    async stats(signal) {
      await check([], signal);
      return { entries: (await api.info(signal)).vectorCount };
    },
  };
};

function openApi(host: Host, name: string | undefined): VectorizeApi {
  const binding = host.binding?.("VECTORIZE");
  if (!isVectorize(binding)) return restApi(host, name);
  const listing = name !== undefined && host.secret("CLOUDFLARE_API_TOKEN") !== undefined;
  return { ...vectorizeBound(binding), ...(listing ? { list: restApi(host, name).list } : {}) };
}

function restApi(host: Host, name: string | undefined): VectorizeApi {
  const account = host.secret("CLOUDFLARE_ACCOUNT_ID");
  const token = host.secret("CLOUDFLARE_API_TOKEN");
  if (name === undefined) throw invalid("index", "name the index, or set VECTORIZE_INDEX");
  if (account === undefined) throw invalid("CLOUDFLARE_ACCOUNT_ID", "is not set");
  if (token === undefined) throw invalid("CLOUDFLARE_API_TOKEN", "is not set");
  const base = host.secret("CLOUDFLARE_BASE_URL") ?? "https://api.cloudflare.com/client/v4";
  if (!/^https?:\/\/[^\s?#]+$/.test(base)) throw invalid("CLOUDFLARE_BASE_URL", "is no http or https URL");
  const path = `accounts/${encodeURIComponent(account)}/vectorize/v2/indexes/${encodeURIComponent(name)}`;
  return vectorizeRest(host, `${base.replace(/\/+$/, "")}/${path}`, token);
}

/** Whether a mutation shows: it is the last that does, or one that began to show later is. */
function shows(
  info: { readonly processedUpToMutation: string | null; readonly processedUpToMs: number },
  mutation: { readonly mutation: string; readonly at: number },
): boolean {
  return info.processedUpToMutation === mutation.mutation || info.processedUpToMs >= mutation.at;
}

function storedId(namespace: string, id: string): string {
  const own = `${namespace}/${id}`;
  if (bytesOf(own) <= MAX_ID_BYTES) return own;
  throw new QuaysideError("internal", "A stored id is longer than Vectorize takes.");
}

function stored(entry: IndexEntry, namespace: string, filterable: readonly string[]): StoredVector {
  const metadata: Record<string, string> = { class: entry.accessClass, table: entry.table };
  for (const column of filterable) {
    const value = entry.cells?.[column];
    if (value !== undefined) metadata[cellField(column)] = indexed(value);
  }
  return { id: storedId(namespace, entry.id), values: rounded(entry.vector), namespace, metadata };
}

/** Seven decimals: half the bytes, and no cosine moves by more than 1e-6. */
function rounded(vector: Float32Array): readonly number[] {
  return Array.from(vector, (x) => Math.round(x * 1e7) / 1e7);
}

/** A property's name may not hold dots, quotes or a leading `$`. */
function cellField(column: string): string {
  return `cell_${column.replace(/[."$]/g, "_")}`;
}

/** The first 64 bytes, whole characters. */
function indexed(value: string): string {
  let bytes = 0;
  let text = "";
  for (const character of value.toWellFormed()) {
    bytes += bytesOf(character);
    if (bytes > INDEXED_BYTES) break;
    text += character;
  }
  return text;
}

/** One filter per query to make, each within what Vectorize takes; none when nothing can match. */
function filtersOf(filter: Filter, filterable: readonly string[]): Readonly<Record<string, unknown>>[] {
  const { classes, tables } = filter;
  if (classes.length === 0 || tables?.length === 0) return [];
  const cells: Record<string, unknown> = {};
  for (const column of filterable) {
    const value = filter.cells?.[column];
    if (value !== undefined) cells[cellField(column)] = { $eq: indexed(value) };
  }
  const tableSets = tables ? within(tables, TABLE_BYTES) : [undefined];
  const filters = tableSets.flatMap((set) => {
    const narrowed = { ...cells, ...(set ? { table: { $in: set } } : {}) };
    const room = MAX_FILTER_BYTES - bytesOf(JSON.stringify({ class: { $in: [] }, ...narrowed }));
    return within(classes, room).map((part) => ({ class: { $in: part }, ...narrowed }));
  });
  if (filters.length > MAX_QUERIES) {
    throw new QuaysideError("too_many_labels", "This user's permissions are too many for one question.");
  }
  return filters;
}

/** The values in lists whose JSON, commas included, takes at most `bytes`; a single value may take more. */
function within(values: readonly string[], bytes: number): string[][] {
  const lists: string[][] = [];
  let used = Infinity;
  for (const value of values) {
    const size = bytesOf(JSON.stringify(value)) + 1;
    if (used + size > bytes) {
      lists.push([]);
      used = 0;
    }
    lists.at(-1)?.push(value);
    used += size;
  }
  return lists;
}

/** The best of several results, each id once. */
function best(matches: readonly Match[], topK: number): Match[] {
  const byId = new Map(
    matches.filter(({ score }) => Number.isFinite(score)).map((match) => [match.id, match]),
  );
  return [...byId.values()].sort((a, b) => b.score - a.score).slice(0, topK);
}

function unfilterable(name: string, properties: readonly string[]): string {
  const commands = properties.map(
    (property) =>
      `npx wrangler vectorize create-metadata-index ${name} --property-name=${property} --type=string`,
  );
  return `vectors can't be filtered by ${properties.join(", ")}. Before anything is written, run:\n${commands.join("\n")}\n`;
}

function invalid(setting: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `index.${setting}: ${rule}.`, {
    violations: [{ pointer: `index.${setting}`, rule }],
  });
}
