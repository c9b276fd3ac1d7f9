import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { Answer } from "../../shared/ports/answer.ts";
import { inertMarkdown } from "../../workers/surfaces/inert.ts";
import { chunkWire } from "../../workers/surfaces/openai-wire.ts";
import { active } from "./active-markdown.ts";
import { hostile } from "./hostile.ts";

const itemSchema = z.object({
  id: z.string(),
  kind: z.string(),
  model_output: z.string(),
  expect: z.enum(["neutralise", "unchanged_text"]),
  allow_hosts: z.array(z.string()),
});

const xssSchema = z.object({ id: z.string(), text: z.string() });

describe("model output", () => {
  const items = hostile("output-exfil.jsonl", itemSchema) ?? [];

  it.each(items)("$id $kind", ({ model_output, expect: wanted, allow_hosts }) => {
    const safe = inertMarkdown(model_output, allow_hosts);
    if (wanted === "unchanged_text") expect(safe).toBe(model_output);
    else expect(active(safe, allow_hosts)).toEqual([]);
  });

  it.runIf(items.length > 0)("is told apart by the check itself", () => {
    const attacks = items.filter((item) => item.expect === "neutralise");
    const missed = attacks.filter((item) => active(item.model_output, item.allow_hosts).length === 0);
    // Plain Markdown takes no blank in an address: these two are dead to begin with.
    expect(missed.map((item) => item.kind)).toEqual(["md_link_js_tab", "md_link_custom_scheme"]);
  });

  it.each(hostile("xss-strings.jsonl", xssSchema) ?? [])("$id", ({ text }) => {
    expect(active(inertMarkdown(text, []), [])).toEqual([]);
  });
});

const ANSWER: Answer = {
  id: "ans_1",
  outcome: "answered",
  reason: null,
  text: "",
  truncated: false,
  citations: [],
  verification: { checked: 0, supported: 0, removed: [] },
  model: "a/model",
  route: { requested: "auto", why: "" },
  attempts: [],
  cache: "miss",
  generation: 1,
  asOf: "",
  tables: [],
  usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, estimated: false },
  timings: { totalMs: 0, retrieveMs: 0, firstTokenMs: 0 },
};

/** What a client of the OpenAI API has, when the first half of an answer is settled before the second arrives. */
function streamed(text: string, cut: number, hosts: readonly string[]): string {
  const form = { id: "1", created: 1, model: "quayside", hosts, sources: false, usage: false };
  const wire = chunkWire(form);
  const halves = [text.slice(0, cut), text.slice(cut)];
  const sent = [
    ...halves.flatMap((half) => [{ type: "delta", text: half } as const, { type: "settled" } as const]),
    { type: "done", answer: { ...ANSWER, text } } as const,
  ].map((event) => wire.frame(event));
  const chunks = z.array(
    z.object({ choices: z.array(z.object({ delta: z.object({ content: z.optional(z.string()) }) })) }),
  );
  const lines = sent
    .join("")
    .split("\n\n")
    .filter((line) => line.startsWith("data: {"));
  const parsed = chunks.parse(lines.map((line): unknown => JSON.parse(line.slice(6))));
  return parsed.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
}

describe("model output in a stream that can't take words back", () => {
  const items = hostile("output-exfil.jsonl", itemSchema) ?? [];

  it.each(items)("$id $kind, cut anywhere", ({ model_output, expect: wanted, allow_hosts }) => {
    for (let cut = 0; cut <= model_output.length; cut++) {
      const text = streamed(model_output, cut, allow_hosts);
      if (wanted === "neutralise") expect(active(text, allow_hosts)).toEqual([]);
    }
    if (wanted === "unchanged_text") expect(streamed(model_output, 0, allow_hosts)).toBe(model_output);
  });
});
