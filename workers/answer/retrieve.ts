import { analyse } from "../../shared/analysis.ts";
import type { Config } from "../../shared/config.ts";
import { onAbort } from "../../shared/deadline.ts";
import { aborted } from "../../shared/http.ts";
import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { Filter, Match, SearchIndex } from "../../shared/ports/vector-index.ts";
import { embedderOf } from "../../shared/space.ts";
import type { Admission } from "../tenant/api.ts";
import { cellText } from "./verify-claims.ts";

interface RetrieveDeps {
  readonly embedder: (config: Config) => Promise<Embedder>;
  readonly index: (admission: Admission) => Promise<SearchIndex>;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
}

export interface Query {
  readonly text: string;
  /** Most passages that come back. */
  readonly topK: number;
  /** Only these tables. @throws QuaysideError `not_found` for one that the caller sees nothing of. */
  readonly tables: readonly string[] | undefined;
  /** Only rows with these cell values, as text. */
  readonly cells?: Readonly<Record<string, string>> | undefined;
  /** At most one passage of each row. */
  readonly rowsOnly: boolean;
}

/** Passages that the caller may see, best first: found in the index within what policy permits, confirmed by the row registry. */
export type Retrieve = (
  query: Query,
  admission: Admission,
  signal: AbortSignal,
) => Promise<readonly Evidence[]>;

/** How many more hits than passages are asked for: views and chunks of one row fall together, stale hits drop out … */
const OVER_FETCH = 2;
/** … and how many when those were too few. */
const OVER_FETCH_AGAIN = 6;

export function makeRetrieve(deps: RetrieveDeps): Retrieve {
  return async (query, admission, signal) => {
    const filter = filterOf(query, admission);
    if (admission.space === "" || filter.classes.length === 0) return [];
    const embedder = await deps.embedder(admission.config);
    if (embedderOf(admission.space) !== embedder.id) {
      throw new QuaysideError(
        "index_embedder_mismatch",
        "The served index was built with another embedder than the one configured.",
      );
    }
    const [index, vector] = await Promise.all([deps.index(admission), embed(embedder, query.text, signal)]);
    const find = async (times: number): Promise<{ found: readonly Evidence[]; exhausted: boolean }> => {
      // Where the index confirms its own hits, only chunks of one row fall together, and for an answer they need not.
      const hits =
        index.confirms && !query.rowsOnly ? query.topK : Math.max(query.topK * times, query.topK + 4);
      const topK = Math.min(index.maxTopK, hits);
      const matches = await within(
        index.query({ vector, text: query.text, topK, fusionWeight: embedder.fusionWeight, filter }, signal),
        signal,
        "index_unavailable",
      );
      const confirmed = await confirm(matches, filter, () => deps.recheck(admission), signal);
      const found = select(confirmed.filter(allowedBy(filter)), query);
      return { found, exhausted: matches.length < topK || topK === index.maxTopK };
    };
    const first = await find(OVER_FETCH);
    if (first.found.length >= query.topK || first.exhausted) return first.found;
    return (await find(OVER_FETCH_AGAIN)).found;
  };
}

function filterOf(query: Query, admission: Admission): Filter {
  const visible = new Set(admission.tables.map((table) => table.table));
  // A table that the caller sees nothing of reads as one that does not exist.
  if (query.tables?.some((table) => !visible.has(table))) {
    throw new QuaysideError("not_found", "No such table.");
  }
  // A column that no visible table lets itself be narrowed by is a mistake, not a filter that nothing passes.
  const narrowing = [...visible].flatMap((table) => admission.config.tables[table]?.filters ?? []);
  const unknown = Object.keys(query.cells ?? {}).filter((column) => !narrowing.includes(column));
  if (unknown.length > 0) {
    throw new QuaysideError("invalid_request", "A search is narrowed by columns in a table's filters.", {
      violations: unknown.map((column) => ({
        pointer: `/scope/${column}`,
        rule: "not among any table's filters",
      })),
    });
  }
  // Always named: rows of a table that left the configuration may still be in the store.
  return { classes: admission.permitted, tables: query.tables ?? [...visible], cells: query.cells };
}

async function embed(embedder: Embedder, text: string, signal: AbortSignal): Promise<Float32Array> {
  const { vectors } = await within(embedder.embed([text], "query", signal), signal, "embedder_unavailable");
  const vector = vectors[0];
  if (vector?.length !== embedder.dimensions) {
    throw new QuaysideError(
      "embedder_unavailable",
      "The embedder returned a vector of another size than its own.",
    );
  }
  return vector;
}

/** Text and cells come from the registry: what an outside store returned beside its ids is not looked at. */
async function confirm(
  matches: readonly Match[],
  filter: Filter,
  registry: () => Promise<Recheck>,
  signal: AbortSignal,
): Promise<readonly Evidence[]> {
  const confirmed = matches.flatMap((match) => match.evidence ?? []);
  if (confirmed.length === matches.length) return confirmed;
  const hits = matches.map(({ id, score }) => ({ id, score }));
  const rechecked = (await registry()).recheck(hits, filter.classes, signal);
  return within(rechecked, signal, "registry_unavailable");
}

/** The narrowing that was asked for, once more on the confirmed cells: a store may have ignored it. */
function allowedBy(filter: Filter): (item: Evidence) => boolean {
  const cells = Object.entries(filter.cells ?? {});
  return (item) =>
    (filter.tables === undefined || filter.tables.includes(item.table)) &&
    cells.every(([column, value]) =>
      item.cells.some((cell) => cell.column === column && cellText(cell.value) === value),
    );
}

/**
 * Best first, no passage twice. A caller who may see several views of a row gets the widest only: the narrower ones say the
 * same with less.
 */
function select(evidence: readonly Evidence[], query: Query): readonly Evidence[] {
  const widest = new Map<string, Evidence>();
  for (const item of evidence) {
    const known = widest.get(item.row);
    if (!known || item.cells.length > known.cells.length) widest.set(item.row, item);
  }
  const seen = new Set<string>();
  return evidence
    .filter((item) => {
      if (widest.get(item.row)?.version !== item.version) return false;
      const id = query.rowsOnly ? item.row : item.id;
      return !seen.has(id) && seen.add(id);
    })
    .slice(0, query.topK);
}

/**
 * Waits for something outside, but not beyond the signal: an object may hang. What is not an error of ours becomes one.
 * @throws QuaysideError `deadline_exceeded`, `cancelled`, `code`.
 */
export async function within<T>(promise: Promise<T>, signal: AbortSignal, code: ErrorCode): Promise<T> {
  if (signal.aborted) throw aborted(signal);
  let release: (() => void) | undefined;
  const left = new Promise<never>((_, reject) => {
    release = onAbort(signal, () => reject(aborted(signal)));
  });
  try {
    return await Promise.race([promise, left]);
  } catch (error) {
    if (error instanceof QuaysideError) throw error;
    throw new QuaysideError(code, "A part that answers rest on does not answer.", { cause: error });
  } finally {
    release?.();
  }
}

/** Words that point back to an earlier turn, English and French, folded. */
const POINTING =
  /\b(?:it|its|they|them|their|those|these|that|this|he|she|his|her|him|same|one|ones|il|elle|ils|elles|leur|leurs|lui|ce|cet|cette|ces|celui|celle|ceux|celles|cela|meme)\b/;
const CONTINUING = /^\s*(?:and|but|so|what about|how about|also|et|mais|alors|qu'en est-il|aussi)\b/;
/** A question with fewer words that carry meaning seldom stands alone. */
const FEW_TERMS = 3;

/**
 * A follow-up question with what it points to: "and in October?" is searched together with the question before it. No model
 * is asked; a question that stands alone is left as it is.
 */
export function standalone(question: string, history: readonly ChatMessage[]): string {
  const before = history.findLast((message) => message.role === "user")?.content.trim();
  if (!before) return question;
  const folded = question
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase();
  const dependent = CONTINUING.test(folded) || POINTING.test(folded) || analyse(question).length < FEW_TERMS;
  return dependent ? `${before}\n${question}` : question;
}
