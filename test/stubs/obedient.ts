import type { Fault } from "./stub.ts";

/**
 * What a stub model answers: the line of the rows in its prompt that shares most words with the question, cited by the
 * row's number. It believes everything it reads: under the fault `obey` it says what an instruction in its prompt wants.
 */
export function modelAnswer(prompt: string, fault: Fault | undefined): string {
  if (fault?.mode === "echo_prompt") return prompt;
  if (fault?.mode === "obey") {
    const order = fault.obey?.find(({ trigger }) => prompt.includes(trigger));
    if (order) return order.say;
  }
  const question = wordsOf(prompt.slice(prompt.lastIndexOf("\nQuestion:")));
  let best: { readonly line: string; readonly row: string; readonly score: number } | undefined;
  let row: string | undefined;
  for (const line of prompt.split("\n")) {
    const [, number] = /^\[(\d+)\]/.exec(line) ?? [];
    if (number !== undefined) {
      row = number;
      continue;
    }
    if (/^(end |Question:)/.test(line)) row = undefined;
    if (row === undefined || line.trim() === "") continue;
    const score = [...wordsOf(line)].filter((word) => question.has(word)).length;
    if (!best || score > best.score) best = { line: line.trim(), row, score };
  }
  return best ? `${best.line.replace(/[.\s]+$/, "")} [${best.row}].` : "NO_EVIDENCE";
}

/** The model that a response names: another one under the fault `wrong_model_echo`. */
export function servedModel(model: string, fault: Fault | undefined): string {
  return fault?.mode === "wrong_model_echo" ? "another-model-2026-11-01" : model;
}

/** The pieces that a model would send one by one; joined they are the text. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,6}|\s+$/gu) ?? [];
}

export function wordsOf(text: string): Set<string> {
  return new Set(
    (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) =>
      word.length > 4 ? word.replace(/s$/, "") : word,
    ),
  );
}
