import { analyse, detectLanguage, isStopWord, stem, tokenise, type Language } from "../../shared/analysis.ts";
import type { LexicalFields } from "../../shared/ports/registry.ts";
import type { Known } from "./known.ts";
import { FIELD_WEIGHTS } from "./schema.ts";
import { isAllowed, type Allowed, type ChunkScore, type Writable } from "./vectors.ts";

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
  const words = nameWords(fields.title);
  const isName = words.length > 0 && words.length <= LONGEST_NAME && !words.some(hasDigit);
  const name = isName ? nameTerm(words) : "";
  return {
    title: terms(fields.title, language),
    body: terms(fields.body, language),
    labels: `${terms(fields.labels, language)} ${name}`.trim(),
    meta: terms(fields.meta, detectLanguage(fields.meta)),
    language,
  };
}

function terms(text: string, language: Language): string {
  return analyse(text, language).map(spell).join(" ");
}

/**
 * The whole of a short title is a term of its own beside its words: of all rows that mention a ship, BM25 can't tell the one that
 * is called so, and that is the one which says what she is.
 */
function nameTerm(words: readonly string[]): string {
  return `${NAME}${words.map(spell).join("__")}`;
}

/** No word is spelled so: what follows `_` in one is a code and `_`. */
const NAME = "name__";
/** Words of a title that is a name, and of a question that are looked through for names. */
const LONGEST_NAME = 5;
const MOST_WORDS = 24;
/** A title that more versions have names none of their rows, nor one that more chunks have, of which it is then not read whose they are. */
const MOST_NAMESAKES = 4;
const MOST_CHUNKS = 64;
/** Rows that a question names, at most. */
const MOST_NAMED = 3;

/** Words that tell, unstemmed: names are the same in every language. */
function nameWords(text: string): readonly string[] {
  return tokenise(text).filter((token) => !isStopWord(token, "en") && !isStopWord(token, "fr"));
}

/** What has a number in it is rare by that already, and new in most questions: looking for it as a name would cost the most. */
function hasDigit(word: string): boolean {
  return /\d/.test(word);
}

/** The names that a question may hold. */
function namesIn(question: string): readonly string[] {
  const words = nameWords(question).slice(0, MOST_WORDS);
  return words.flatMap((_, from) => {
    const rest = words.slice(from, from + LONGEST_NAME);
    const number = rest.findIndex(hasDigit);
    const run = number < 0 ? rest : rest.slice(0, number);
    return run.map((_, n) => nameTerm(run.slice(0, n + 1)));
  });
}

/** A language that fewer of the chunks are in than this is not looked for: its stems would only add chance matches. */
const MIN_SHARE = 0.05;

/**
 * Chunks that a question may make BM25 look at. A term costs as much as it is common and tells as little, so the commonest are
 * left out beyond this; measured, leaving out what is beyond half of the chunks changes no ranking.
 */
const MAX_POSTINGS = 30_000;

/**
 * Chunks whose scores are added up here. What a term is worth is read once and then known, so this costs a tenth of asking FTS5 again; of
 * more chunks, reading each into JavaScript costs more than it saves.
 */
const MAX_SUMMED = 2000;

/** What a question looks for. */
export interface LexicalQuery {
  /** Spelled terms, no two alike. */
  readonly terms: readonly string[];
  /** Terms for whole titles, no two alike. */
  readonly names: readonly string[];
  /** Quoted passages of two terms or more, spelled. */
  readonly phrases: readonly string[];
}

/**
 * A word is looked for by its stem in the question's language and, where the other language is spoken in this shard, by its
 * stem in that.
 * @param french share of chunks that are French.
 */
export function lexicalQuery(question: string, french: number): LexicalQuery {
  const own = detectLanguage(question);
  const other: Language = own === "fr" ? "en" : "fr";
  const languages = (other === "fr" ? french : 1 - french) >= MIN_SHARE ? [own, other] : [own];
  const tokens = tokenise(question);
  const telling = tokens.filter((token) => !isStopWord(token, own));
  // A question of stop words only ("who is it?") is still asked; documents keep none of those, so it finds titles at best.
  const words = telling.length > 0 ? telling : tokens;
  return {
    terms: [...new Set(languages.flatMap((language) => words.map((word) => spell(stem(word, language)))))],
    names: [...new Set(namesIn(question))],
    phrases: quoted(question)
      .map((phrase) => analyse(phrase, own).map(spell))
      .filter((words) => words.length > 1)
      .map((words) => words.join(" ")),
  };
}

/**
 * The terms that are worth their cost, rarest first; terms that no chunk has are left out.
 * @param rare leaves out terms of half of the chunks or more beside a rarer one: FTS5 weighs them a millionth, and they cost the most.
 */
function affordable(
  known: Known,
  terms: readonly string[],
  rare: boolean,
): { readonly terms: readonly string[]; readonly postings: number } {
  // Numbers and identifiers are new with nearly each question, and rare: they are counted only where all of them may be too many.
  const cheap = known.chunks() * terms.length <= MAX_POSTINGS;
  const words = cheap ? terms.filter((term) => !/\d/.test(term)) : terms;
  const others = cheap ? terms.filter((term) => /\d/.test(term)) : [];
  const counts = known.terms(words);
  const counted = words
    .map((term) => ({ term, chunks: counts.get(term) ?? 0 }))
    .filter(({ chunks }) => chunks > 0)
    .sort((a, b) => a.chunks - b.chunks);
  const half = known.chunks() / 2;
  const rarest = counted[0]?.chunks ?? 0;
  let seen = 0;
  const kept = counted.filter(({ chunks }, i) => {
    seen += chunks;
    return i === 0 || (seen <= MAX_POSTINGS && !(rare && rarest < half && chunks >= half));
  });
  const postings = kept.reduce((sum, { chunks }) => sum + chunks, 0);
  return { terms: [...kept.map(({ term }) => term), ...others], postings };
}

function quoted(question: string): string[] {
  return Array.from(question.matchAll(/["“«]\s*([^"“”«»]{3,200}?)\s*["”»]/g), (match) => match[1] ?? "");
}

/**
 * Chunks by BM25, best first, scores positive; equal ones in the order of ingest. The filter works inside the search: nothing
 * outside it is ever ranked.
 * @param reached whether the other leg finds as well what only common terms are in.
 */
export function searchLexical(
  sql: SqlStorage,
  known: Known,
  query: LexicalQuery,
  allowed: Allowed,
  limit: number,
  reached: boolean,
): ChunkScore[] {
  const find = (all: boolean): ChunkScore[] => {
    const { terms, postings } = affordable(known, query.terms, !all);
    const wanted = [...terms, ...query.phrases];
    return postings <= MAX_SUMMED
      ? summed(known, wanted, allowed, limit)
      : matching(sql, wanted, allowed, limit);
  };
  const found = find(!reached);
  // Of rare words that are in nothing the caller may see, the common ones are all that is left.
  return found.length === 0 && reached ? find(true) : found;
}

/** BM25 of a question is the sum of that of its terms and phrases, in their order. @param wanted as they are spelled. */
export function summed(
  known: Known,
  wanted: readonly string[],
  allowed: Allowed,
  limit: number,
): ChunkScore[] {
  const scores = known.scores(wanted);
  const sums = new Map<number, Writable<ChunkScore>>();
  for (const term of wanted) {
    for (const hit of scores.get(term) ?? []) {
      if (!isAllowed(hit, allowed)) continue;
      const sum = sums.get(hit.chunk);
      if (sum) sum.score += hit.score;
      else sums.set(hit.chunk, { chunk: hit.chunk, rec: hit.rec, score: hit.score });
    }
  }
  return [...sums.values()].sort((a, b) => b.score - a.score || a.chunk - b.chunk).slice(0, limit);
}

/** The same, of more chunks than are read into JavaScript. */
export function matching(
  sql: SqlStorage,
  wanted: readonly string[],
  { classes, tables, recs }: Allowed,
  limit: number,
): ChunkScore[] {
  if (wanted.length === 0) return [];
  const match = wanted.map((term) => `"${term}"`).join(" OR ");
  const narrow: string[] = [];
  const bindings: (string | number)[] = [match, JSON.stringify([...classes])];
  if (tables !== undefined) {
    narrow.push("AND e.tbl IN (SELECT value FROM json_each(?))");
    bindings.push(JSON.stringify([...tables]));
  }
  if (recs !== undefined) {
    narrow.push("AND e.rec IN (SELECT value FROM json_each(?))");
    bindings.push(JSON.stringify([...recs]));
  }
  // CROSS JOIN fixes the order: the index first, then one look-up a match. Rows as lists: objects cost half as much again.
  const rows = sql
    .exec(
      `SELECT e.no, e.rec, -bm25(fts, ${FIELD_WEIGHTS}) AS score FROM fts CROSS JOIN entry e ON e.no = fts.rowid
       WHERE fts MATCH ? AND e.live = 1 AND e.class IN (SELECT value FROM json_each(?)) ${narrow.join(" ")}
       ORDER BY score DESC, e.no LIMIT ?`,
      ...bindings,
      limit,
    )
    .raw<[chunk: number, rec: number, score: number]>();
  return Array.from(rows, ([chunk, rec, score]) => ({ chunk, rec, score }));
}

/** The first chunks of rows that are called what the question says, the longest name first; of no use without a ranking. */
export function namedChunks(known: Known, { names }: LexicalQuery, allowed: Allowed): readonly ChunkScore[] {
  const counts = known.terms(names);
  const called = names.filter((name) => {
    const chunks = counts.get(name) ?? 0;
    return chunks > 0 && chunks <= MOST_CHUNKS;
  });
  const scores = known.scores(called.sort((a, b) => b.length - a.length));
  const named = called.flatMap((name) => {
    const hits = (scores.get(name) ?? []).filter((hit) => isAllowed(hit, allowed));
    const byVersion = new Map(hits.toReversed().map((hit) => [hit.rec, hit]));
    return byVersion.size <= MOST_NAMESAKES ? [...byVersion.values()] : [];
  });
  return named.slice(0, MOST_NAMED);
}
