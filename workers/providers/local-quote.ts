import type { ChatRequest } from "../../shared/ports/chat-provider.ts";
import { understand } from "../answer/understand.ts";
import { candidatesOf } from "./local-choose.ts";
import type { Composed } from "./local-compose.ts";
import { factsOf, nameOf } from "./local-facts.ts";
import { coverOf } from "./local-match.ts";
import { capital, mark, quoteSentence } from "./local-phrases.ts";
import { answersEnough } from "./local-prose.ts";
import { passagesOf } from "./local-sentences.ts";

/** Most places that are quoted. */
const MOST_QUOTES = 3;
/** Quotes this much weaker than the best are left out. */
const CLOSE = 0.8;

/** Quotes the sentences or cells that come closest to an answer, word for word, and writes nothing of its own. */
export function quote(request: Pick<ChatRequest, "question" | "evidence" | "language" | "today">): Composed {
  const question = understand(request.question, request.today, request.language);
  const covers = factsOf(request.evidence).map((fact) => coverOf(fact, question));
  const within = question.needsTotal ? covers.filter((c) => c.fact.evidence.rollup) : covers;
  const wanted = question.wanted[0];
  const colon = question.language === "fr" ? " :" : ":";
  const cells = wanted ? candidatesOf(within, question, wanted) : [];
  const best = cells[0];
  if (best) {
    const seen = new Set<number>();
    const lines: string[] = [];
    for (const c of cells) {
      if (c.field?.column !== best.field?.column || c.score < best.score * 0.95 || seen.has(c.fact.marker))
        continue;
      seen.add(c.fact.marker);
      lines.push(
        `${capital(nameOf(c.fact))}${c.field ? ` — ${c.field.label}${colon} ${c.field.value}` : ""} ${mark(c.fact)}`,
      );
      if (lines.length === MOST_QUOTES) break;
    }
    return { text: lines.join("\n"), reason: "stop" };
  }
  const passages = passagesOf(within, question);
  const first = passages[0];
  if (!first || !answersEnough(first, question))
    return { text: "", reason: question.needsTotal ? "needs-total" : "no-evidence" };
  const close = passages.filter((p) => p.score >= first.score * CLOSE).slice(0, MOST_QUOTES);
  return {
    text: close.map((p) => quoteSentence(p.fact, p.text, question.language, true)).join("\n"),
    reason: "stop",
  };
}
