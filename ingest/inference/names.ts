/** What the names of tables and columns say, before a single value is read. */

/** The words of a name, lower case: `sbCustId`, `cust-id` and `CUST ID` give `cust`, `id` (the first with `sb` before them). */
export function wordsOf(name: string): readonly string[] {
  return name
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, "$1 $2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

/** The singular of an English or French noun, near enough to compare two names by. */
export function singular(word: string): string {
  if (word === "people") return "person";
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (/(?:ss|x|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return word.length > 3 && word.endsWith("s") && !/(?:ss|us|is)$/.test(word) ? word.slice(0, -1) : word;
}

/** The words of a name, each singular. */
export function stemsOf(name: string): readonly string[] {
  return wordsOf(name).map(singular);
}

const ID_WORDS = new Set([
  "id",
  "key",
  "uuid",
  "guid",
  "code",
  "no",
  "nr",
  "number",
  "num",
  "ref",
  "sku",
  "fk",
  "pk",
]);
const STRONG_ID_WORDS = new Set(["id", "key", "uuid", "guid", "fk", "pk"]);
/** Names such as `aid`, `uid`, `txid`: an abbreviation and `id` in one word. */
const SHORT_ID = /^[a-z]{1,3}id$/;
const NO_ID = new Set([
  "paid",
  "said",
  "laid",
  "bid",
  "grid",
  "avoid",
  "valid",
  "void",
  "kid",
  "mid",
  "aid",
  "acid",
]);

/** How a name says that a column identifies something: `strong` for ids and keys, `weak` for codes and numbers. */
export function idStrength(name: string): "strong" | "short" | "weak" | undefined {
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  if (STRONG_ID_WORDS.has(last)) return "strong";
  // Alone a word like `aid` is an id among identifiers; after another word it is a word.
  if (SHORT_ID.test(last) && (words.length === 1 || !NO_ID.has(last))) return "short";
  return ID_WORDS.has(last) ? "weak" : undefined;
}

/** The words of an id column without what says that it is one: `home_port_id` gives `home`, `port`; `aid` gives `a`. */
export function idStem(name: string): readonly string[] {
  const stems = stemsOf(name);
  const last = stems.at(-1) ?? "";
  if (ID_WORDS.has(last)) return stems.slice(0, -1);
  return SHORT_ID.test(last) ? [...stems.slice(0, -1), last.slice(0, -2)] : stems;
}

/** Words that every column of a table begins with, e.g. `sb`, `tx`; none for a table of one column. */
export function commonPrefix(names: readonly string[]): readonly string[] {
  const [first = [], ...rest] = names.map(stemsOf);
  if (rest.length === 0) return [];
  let length = 0;
  while (
    length < first.length - 1 &&
    rest.every((words) => words.length > length + 1 && words[length] === first[length])
  ) {
    length += 1;
  }
  return first.slice(0, length);
}

/** Whether a name ends in these words. An empty list ends nothing. */
export function endsIn(words: readonly string[], end: readonly string[]): boolean {
  const from = words.length - end.length;
  return end.length > 0 && from >= 0 && end.every((word, i) => words[from + i] === word);
}

/** Whether one word shortens the other: `cust` and `customer`, `ship` and `shipper`; three letters at least. */
export function shortens(short: string, long: string): boolean {
  return short.length >= 3 && long.startsWith(short);
}

const PEOPLE = new Set(
  (
    "person employee user contact student instructor teacher author patient member staff colleague applicant candidate " +
    "passenger guest volunteer subscriber attendee resident donor driver agent personne employé employe salarié salarie " +
    "utilisateur étudiant etudiant auteur adhérent adherent"
  ).split(" "),
);

/** Whether a table's name means people. Customers and suppliers may be companies and don't count. */
export function meansPeople(table: string): boolean {
  return PEOPLE.has(stemsOf(table).at(-1) ?? "");
}

const ORGANISATIONS = new Set(
  "supplier vendor company organisation organization merchant shop store shipper carrier partner branch fournisseur société societe entreprise".split(
    " ",
  ),
);

/** Whether a table's name means organisations: an e-mail address in it does not make its name a person's. */
export function meansOrganisations(table: string): boolean {
  return ORGANISATIONS.has(stemsOf(table).at(-1) ?? "");
}
