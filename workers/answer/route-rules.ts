import type { Config, ModelConfig } from "../../shared/config.ts";
import type { Classification, Evidence } from "../../shared/ports/evidence.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { foldText } from "./understand-text.ts";

/** Named routes: rules of the configuration over what is known of a question once its rows are found. */

export type RouteConfig = NonNullable<NonNullable<Config["models"]>["routes"]>[string];
export type QuestionKind = "lookup" | "comparison" | "summary" | "analysis";

/** What rules look at. */
export interface Facts {
  readonly question: string;
  readonly tenant: string;
  readonly language: "en" | "fr";
  readonly evidence: readonly Evidence[];
  readonly maxOutputTokens: number;
}

/** What a route chose, before permissions are looked at. */
export interface Chosen {
  readonly models: readonly string[];
  /** The rule, for people. */
  readonly rule: string;
  /** Why a model of the route is passed over: dearer or slower than the rule allows. */
  readonly passedOver: (id: string, model: ModelConfig) => "too_expensive" | "too_slow" | undefined;
}

/** Instructions, question and frame around the rows, in tokens. */
const PROMPT_TOKENS = 600;

/** The first rule that holds; the configuration's check sees to it that the last one always does. */
export function applyRoute(name: string, route: RouteConfig, facts: Facts): Chosen {
  const known = lazyFacts(facts);
  const rule = route.rules.find(({ when }) => when === undefined || holds(when, facts, known));
  const costOf = (model: ModelConfig): number =>
    ((known.tokens() + PROMPT_TOKENS) * model.price.input + facts.maxOutputTokens * model.price.output) / 1e6;
  return {
    models: rule ? ordered(rule.models, `${name}\n${facts.tenant}\n${facts.question.trim()}`) : [],
    rule: rule?.name ?? "none",
    passedOver(_, model) {
      if (rule?.maxCostUsd !== undefined && costOf(model) > rule.maxCostUsd) return "too_expensive";
      const slow = rule?.maxFirstTokenMs !== undefined && (model.firstTokenMs ?? 0) > rule.maxFirstTokenMs;
      return slow ? "too_slow" : undefined;
    },
  };
}

type When = NonNullable<RouteConfig["rules"][number]["when"]>;

interface Known {
  readonly kind: () => QuestionKind;
  readonly tokens: () => number;
}

/** Worked out when a rule asks, once. */
function lazyFacts({ question, evidence }: Facts): Known {
  let kind: QuestionKind | undefined;
  let tokens: number | undefined;
  return {
    kind: () => (kind ??= questionKind(question)),
    tokens: () => (tokens ??= evidence.reduce((sum, item) => sum + estimateTokens(item.text), 0)),
  };
}

/** Everything that a rule names must hold. */
function holds(when: When, { language, evidence }: Facts, known: Known): boolean {
  const { kinds, languages, classes, minEvidenceTokens, maxEvidenceTokens } = when;
  return (
    (kinds === undefined || kinds.includes(known.kind())) &&
    (languages === undefined || languages.includes(language)) &&
    (classes === undefined || hasOneOf(evidence, classes)) &&
    (minEvidenceTokens === undefined || known.tokens() >= minEvidenceTokens) &&
    (maxEvidenceTokens === undefined || known.tokens() <= maxEvidenceTokens)
  );
}

/** Whether one of the rows is of one of these classes. */
function hasOneOf(evidence: readonly Evidence[], classes: readonly Classification[]): boolean {
  return evidence.some(({ classification }) => classes.includes(classification));
}

type Entry = RouteConfig["rules"][number]["models"][number];

/**
 * The models of a rule in order of preference. Weights share out the first place: the same question always falls to the same
 * model, so that a roll-out of a tenth changes the answers to a tenth of the questions, not to each one now and then.
 */
function ordered(entries: readonly Entry[], seed: string): string[] {
  const weighted = entries.map((entry) => (typeof entry === "string" ? { model: entry, weight: 0 } : entry));
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  const ids = weighted.map(({ model }) => model);
  if (total === 0) return ids;
  let at = (hash32(seed) / 2 ** 32) * total;
  const first = weighted.find(({ weight }) => (at -= weight) < 0);
  return first ? [first.model, ...ids.filter((id) => id !== first.model)] : ids;
}

/** FNV-1a with a final mix (of MurmurHash3), so that texts that differ in their last letter fall apart. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Folded: lower case, without accents. The first that matches decides. */
const KINDS: readonly (readonly [QuestionKind, RegExp])[] = [
  [
    "comparison",
    /\b(compare[sdrz]?|comparer|comparison|comparaison|versus|vs|differences? (between|entre)|differ|higher|lower|cheaper|more than|less than|plus .{1,40} que|moins .{1,40} que|par rapport)\b/,
  ],
  [
    "summary",
    /\b(summar\w+|overview|recap|outline|main points|in short|resume[rz]?|synthese|apercu|grandes lignes|en bref|what happened|que s'est-il passe)\b/,
  ],
  [
    "analysis",
    /\b(why|how come|explain\w*|analy[sz]\w*|analyse[rz]?|cause[ds]?|reason\w*|trends?|impact\w*|pourquoi|expliquer?|expliquez|raisons?|tendances?|consequences?)\b/,
  ],
];

/** What a question wants, by its words, in English and French: enough to choose a model by, not to answer by. */
export function questionKind(question: string): QuestionKind {
  const folded = foldText(question);
  return KINDS.find(([, words]) => words.test(folded))?.[0] ?? "lookup";
}
