/** French stop words, folded: function words, elided letters, and the words that only make a question. */
export const FRENCH_STOP_WORDS: ReadonlySet<string> = new Set(
  `a ai aie ainsi alors as au aucun aucune aux avait avaient avec avoir avons ayant c ca car ce ceci cela celle celles celui ces
  cet cette ceux chaque chez ci combien comme comment d dans de dehors depuis des donc dont du elle elles en encore entre es est
  et etaient etait etant etc ete etes etre eu eux fait faire faut font furent fut il ils j je jusqu jusque l la laquelle le
  lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais me meme memes mes moi moins mon n ne ni non nos notre nous
  on ont or ou par parce pas peu peut peuvent plus pour pourquoi pu puis puisque qu quand que quel quelle quelles quels qui quoi
  s sa sans se sera seront ses si soi soit sommes son sont sous suis sur t ta tandis te tes toi ton tous tout toute toutes tres tu
  un une va vers voici voila vos votre vous vu y aurait auraient serait seraient avez ait quelque quelques lorsqu puisqu afin
  donne montre`.split(/\s+/),
);

/** `[ending, replacement, letters that must remain before it]`; the first that fits decides. */
type Rule = readonly [ending: string, replacement: string, keep: number];

const PLURALS: readonly Rule[] = [
  ["eaux", "eau", 2],
  ["aux", "al", 3],
  ["eux", "eux", 2],
  ["x", "", 3],
  ["s", "", 2],
];

const SUFFIXES: readonly Rule[] = [
  ["issement", "iss", 3],
  ["ivement", "if", 3],
  ["eusement", "eux", 3],
  ["ablement", "abl", 3],
  ["emment", "ent", 3],
  ["amment", "ant", 3],
  ["ement", "", 4],
  ["ment", "", 4],
  ["icatrice", "iqu", 2],
  ["icateur", "iqu", 2],
  ["ication", "iqu", 2],
  ["atrice", "", 3],
  ["ateur", "", 3],
  ["ation", "", 3],
  ["logie", "log", 2],
  ["logue", "log", 2],
  ["istique", "ist", 3],
  ["isme", "ist", 3],
  ["iste", "ist", 3],
  ["able", "", 4],
  ["ible", "", 4],
  ["ite", "", 4],
  ["euse", "eux", 2],
  ["trice", "teur", 2],
  ["iere", "ier", 2],
  ["ienne", "ien", 2],
  ["onne", "on", 3],
  ["enne", "en", 3],
  ["elle", "el", 3],
  ["ette", "et", 3],
  ["ive", "if", 3],
  ["ance", "", 4],
  ["ence", "", 4],
  ["age", "", 4],
];

const VERBS: readonly Rule[] = [
  ["issaient", "i", 3],
  ["issait", "i", 3],
  ["issant", "i", 3],
  ["issent", "i", 3],
  ["eraient", "", 3],
  ["erait", "", 3],
  ["aient", "", 3],
  ["erent", "", 3],
  ["assent", "", 3],
  ["eront", "", 3],
  ["ait", "", 3],
  ["ant", "", 4],
  ["ees", "", 3],
  ["era", "", 3],
  ["ent", "", 4],
  ["ee", "", 3],
  ["er", "", 3],
  ["ez", "", 3],
  ["ir", "i", 3],
  ["e", "", 3],
];

function apply(word: string, rules: readonly Rule[]): string {
  for (const [ending, replacement, keep] of rules) {
    if (word.endsWith(ending) && word.length - ending.length >= keep) {
      return word.slice(0, -ending.length) + replacement;
    }
  }
  return word;
}

/**
 * A light French stemmer over words whose accents are gone: number, gender, the commonest verb and noun endings. Endings are
 * cut only where enough of the word remains to tell it from others.
 */
export function stemFrench(word: string): string {
  let w = apply(word, PLURALS);
  w = apply(w, SUFFIXES);
  w = apply(w, VERBS);
  w = w.replace(/(?<=.{2})([bcdfglmnprst])\1$/, "$1");
  return w.length > 3 && w.endsWith("i") ? w.slice(0, -1) : w;
}
