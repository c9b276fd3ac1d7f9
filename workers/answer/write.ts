import type { Answer, AnswerEvent, Citation } from "../../shared/ports/answer.ts";
import type { FinishReason } from "../../shared/ports/chat-provider.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { citationOf, citationsOf, claimsOf, makeCiter } from "./cite.ts";
import { NEEDS_TOTAL_LINE, NO_EVIDENCE_LINE } from "./prompt.ts";
import type { Settled } from "./usage.ts";
import { makeVerifier, type VerifyEvent } from "./verify.ts";

/** What became of a model's words. */
export interface Written {
  readonly outcome: Answer["outcome"];
  readonly reason: Answer["reason"];
  readonly text: string;
  readonly citations: readonly Citation[];
  readonly verification: Answer["verification"];
  readonly usage: Settled;
  readonly truncated: boolean;
  /** The model said all that it had to say: only then may the answer be kept. */
  readonly whole: boolean;
}

export interface WriterEnd {
  readonly events: readonly AnswerEvent[];
  readonly written: Written;
}

/** Turns a model's words into an answer while they arrive: verified, cited, with an outcome. */
export interface Writer {
  /** The evidence as citations, without markers: none of it is cited yet. */
  candidates(): readonly Citation[];
  push(text: string): readonly AnswerEvent[];
  /** Call once, last. */
  finish(reason: FinishReason, usage: Settled): WriterEnd;
}

/** What an answer without rows says, in the asker's language. */
const FIXED = {
  none_found: {
    en: "I found nothing that answers this in the tables that you can see.",
    fr: "Je n'ai rien trouvé qui réponde à cette question dans les tables que vous pouvez consulter.",
  },
  stale: {
    en: "The tables that may answer this have not been brought up to date in time, so I leave them out.",
    fr: "Les tables qui pourraient répondre n'ont pas été mises à jour à temps : je n'en tiens pas compte.",
  },
  unsupported: {
    en: "I found related rows, but they do not support an answer.",
    fr: "J'ai trouvé des lignes proches du sujet, mais elles ne permettent pas d'établir une réponse.",
  },
  needs_total: {
    en: "This asks for a total that no row states. I do not count rows myself: the count would be of what was found, not of all there is.",
    fr: "Cette question demande un total qu'aucune ligne n'indique. Je ne compte pas les lignes moi-même : le compte porterait sur ce qui a été trouvé, pas sur l'ensemble.",
  },
  safety: {
    en: "The model declined to answer this.",
    fr: "Le modèle a refusé de répondre à cette question.",
  },
} as const;

const NO_USAGE: Settled = { inputTokens: 0, outputTokens: 0, estimated: false };

/** The answer where no row was found, or only rows of late tables: no model is asked. */
export function writeNothing(reason: "none_found" | "stale", language: "en" | "fr"): WriterEnd {
  return fixed(reason, language, NO_USAGE, { checked: 0, supported: 0, removed: [] }, reason !== "stale");
}

/** @param evidence what the model was given; it cites `evidence[i]` as `[i + 1]`. */
export function makeWriter(evidence: readonly Evidence[], question: string, language: "en" | "fr"): Writer {
  const verifier = makeVerifier(evidence, question);
  const citer = makeCiter(evidence.length);
  const asked = claimsOf(question);
  const candidates = evidence.map((item) => citationOf(item, 0, asked));
  let shownCited = 0;
  // The first words, until it is clear that they are no signal of ours.
  let opening: string | undefined = "";

  /** Candidates again as soon as one has its number, so that a reader can follow `[1]` while the text still runs. */
  const render = (sent: readonly VerifyEvent[]): AnswerEvent[] => {
    const cited = citer.cited();
    // Until a row is cited all of it may go: see reasonNot.
    const events = sent.filter(({ type }) => type !== "settled" || cited.length > 0);
    if (events.length === 0 || cited.length <= shownCited) return events;
    shownCited = cited.length;
    const numbered = candidates.map((citation, i) => ({ ...citation, marker: cited.indexOf(i) + 1 }));
    return [{ type: "evidence", citations: numbered }, ...events];
  };

  const take = (text: string): AnswerEvent[] => render(citer.push(verifier.push(text)));

  return {
    candidates: () => candidates,
    push(text) {
      if (opening === undefined) return take(text);
      opening += text;
      if (mayBeSignal(opening)) return [];
      const words = opening;
      opening = undefined;
      return take(words);
    },
    finish(reason, usage) {
      const signal = opening === undefined ? undefined : signalIn(opening);
      const events: AnswerEvent[] = [];
      if (opening !== undefined && signal === undefined) events.push(...take(opening));
      const end = verifier.end();
      events.push(...render([...citer.push(end.events), ...citer.end()]));
      const verification = { checked: end.checked, supported: end.supported, removed: end.removed };
      const text = citer.text();
      const instead = reasonNot(signal, reason, text, citer.cited().length);
      if (instead !== undefined) {
        const other = fixed(instead, language, usage, verification, reason !== "length");
        const retract: AnswerEvent[] = text === "" ? [] : [{ type: "retract", from: 0 }];
        return { events: [...events, ...retract, ...other.events], written: other.written };
      }
      const citations = citationsOf(text, citer.cited(), evidence);
      const whole = reason === "stop";
      return {
        events,
        written: {
          outcome: "answered",
          reason: null,
          text,
          citations,
          verification,
          usage,
          truncated: reason === "length",
          whole,
        },
      };
    },
  };
}

/** Why the model's words are not an answer; undefined when they are one. */
function reasonNot(
  signal: keyof typeof FIXED | undefined,
  reason: FinishReason,
  text: string,
  citedCount: number,
): keyof typeof FIXED | undefined {
  if (reason === "content-filter") return "safety";
  if (reason === "no-evidence") return "none_found";
  if (reason === "needs-total") return "needs_total";
  if (signal !== undefined) return signal;
  // An answer that rests on no row is not one, however well it reads.
  return text === "" || citedCount === 0 ? "unsupported" : undefined;
}

function fixed(
  reason: keyof typeof FIXED,
  language: "en" | "fr",
  usage: Settled,
  verification: Answer["verification"],
  whole: boolean,
): WriterEnd {
  const text = FIXED[reason][language];
  const refused = reason === "safety";
  return {
    events: [{ type: "delta", text }],
    written: {
      outcome: refused ? "refused" : "no_evidence",
      reason,
      text,
      citations: [],
      verification,
      usage,
      truncated: false,
      whole: whole && !refused,
    },
  };
}

const SIGNALS = { [NO_EVIDENCE_LINE]: "none_found", [NEEDS_TOTAL_LINE]: "needs_total" } as const;

/** Whether text that has arrived so far is, or may become, one of the lines that the prompt asks for. */
function mayBeSignal(text: string): boolean {
  const start = text.trimStart();
  return Object.keys(SIGNALS).some((line) => line.startsWith(start) || start.startsWith(line));
}

function signalIn(text: string): keyof typeof FIXED | undefined {
  const start = text.trimStart();
  for (const [line, reason] of Object.entries(SIGNALS)) if (start.startsWith(line)) return reason;
  return undefined;
}
