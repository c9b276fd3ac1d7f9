import { analyse, detectLanguage, isStopWord, stem, tokenise, type Language } from "../../shared/analysis.ts";
import type { LexicalFields } from "../../shared/ports/registry.ts";
import { FIELD_WEIGHTS } from "./schema.ts";
import type { ChunkScore } from "./vectors.ts";

/** The lexical leg: BM25 over four fields, through SQLite's FTS5 (k1 1.2 and b 0.75 are its own). */

/**
 * A term in letters that FTS5 takes for one word whatever is in it: everything but a-z and 0-9 is spelled `_<hex>_`.
 * Neither the tokenizer's idea of Unicode nor the query syntax can then get in the way.
 */
export function spell(term: string): string {
  return term.replace(/[^a-z0-9]/gu, (c) => `_${(c.codePointAt(0) ?? 0).toString(16)}_`);
}

/** What `fts` stores for a chunk, and the language it was read in. */
export interface AnalysedChunk {
  readonly title: string;
  readonly body: string;
  readonly labels: string;
  readonly meta: string;
  readonly language: Language;
}

export function analyseChunk(fields: LexicalFields): AnalysedChunk {
  const language = detectLanguage(`${fields.title}\n${fields.body}`);
  return {
    title: terms(fields.title, language),
    body: terms(fields.body, language),
    labels: terms(fields.labels, language),
    meta: terms(fields.meta, detectLanguage(fields.meta)),
    language,
  };
}

function terms(text: string, language: Language): string {
  return analyse(text, language).map(spell).join(" ");
}

/** A language that fewer of the chunks are in than this is not looked for: its stems would only add chance matches. */
const MIN_SHARE = 0.05;

/**
 * The FTS5 query: any of the question's terms, and quoted passages as phrases besides. A word is looked for by its stem in the
 * question's language and, where the other language is spoken in this shard, by its stem in that.
 * @param french share of chunks that are French.
 * @returns undefined when the question has no term at all.
 */
export function matchQuery(question: string, french: number): string | undefined {
  const own = detectLanguage(question);
  const other: Language = own === "fr" ? "en" : "fr";
  const languages = (other === "fr" ? french : 1 - french) >= MIN_SHARE ? [own, other] : [own];
  const tokens = tokenise(question);
  const telling = tokens.filter((token) => !isStopWord(token, own));
  const terms = new Set<string>();
  // A question of stop words only ("who is it?") is still asked; documents keep none of those, so it finds titles at best.
  for (const token of telling.length > 0 ? telling : tokens) {
    for (const language of languages) terms.add(spell(stem(token, language)));
  }
  for (const phrase of quoted(question)) {
    const words = analyse(phrase, own).map(spell);
    if (words.length > 1) terms.add(words.join(" "));
  }
  return terms.size === 0 ? undefined : Array.from(terms, (term) => `"${term}"`).join(" OR ");
}

function quoted(question: string): string[] {
  return Array.from(question.matchAll(/["“«]\s*([^"“”«»]{3,200}?)\s*["”»]/g), (match) => match[1] ?? "");
}

/** The access filter and what narrows it, as JSON lists of the shard's own numbers; `undefined` does not narrow. */
export interface SqlFilter {
  readonly classes: string;
  readonly tables: string | undefined;
  readonly recs: string | undefined;
}

/** Chunks by BM25, best first, scores positive. The filter works inside the search: nothing outside it is ever ranked. */
export function searchLexical(
  sql: SqlStorage,
  match: string,
  filter: SqlFilter,
  limit: number,
): ChunkScore[] {
  const narrow: string[] = [];
  const bindings: (string | number)[] = [match, filter.classes];
  if (filter.tables !== undefined) {
    narrow.push("AND e.tbl IN (SELECT value FROM json_each(?))");
    bindings.push(filter.tables);
  }
  if (filter.recs !== undefined) {
    narrow.push("AND e.rec IN (SELECT value FROM json_each(?))");
    bindings.push(filter.recs);
  }
  // CROSS JOIN fixes the order: the index first, then one look-up a match.
  return sql
    .exec<{ chunk: number; rec: number; score: number }>(
      `SELECT e.no AS chunk, e.rec AS rec, -bm25(fts, ${FIELD_WEIGHTS}) AS score FROM fts CROSS JOIN entry e ON e.no = fts.rowid
       WHERE fts MATCH ? AND e.live = 1 AND e.class IN (SELECT value FROM json_each(?)) ${narrow.join(" ")}
       ORDER BY score DESC, e.no LIMIT ?`,
      ...bindings,
      limit,
    )
    .toArray();
}
