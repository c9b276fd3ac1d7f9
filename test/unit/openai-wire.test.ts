import { describe, expect, it } from "vitest";
import type { Answer, AnswerEvent } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { chunkWire, completion, SOURCES, type Form } from "../../workers/surfaces/openai-wire.ts";

const ANSWER: Answer = {
  id: "ans_1",
  outcome: "answered",
  reason: null,
  text: "The berth is closed [1]. It opens on Monday [2].",
  truncated: false,
  citations: [
    {
      marker: 1,
      id: "notices:1",
      table: "notices",
      key: { id: "1" },
      title: "Berth [east] *closed*",
      excerpt: "The berth is closed.",
      cells: [],
      asOf: "2026-11-20T06:00:00.000Z",
      changedAt: "2026-11-01T08:00:00.000Z",
      url: "https://port.example/notices/1",
    },
    {
      marker: 2,
      id: "notices:2",
      table: "notices",
      key: { id: "2" },
      title: "Opening",
      excerpt: "It opens on Monday.",
      cells: [],
      asOf: "2026-11-20T06:00:00.000Z",
      changedAt: "2026-11-01T08:00:00.000Z",
    },
  ],
  verification: { checked: 2, supported: 2, removed: [] },
  model: "openai/gpt-test",
  route: { requested: "auto", why: "asked for" },
  attempts: [],
  cache: "miss",
  generation: 3,
  asOf: "2026-11-20T06:00:00.000Z",
  tables: [],
  usage: { inputTokens: 12, outputTokens: 5, costUsd: 0, estimated: false },
  timings: { totalMs: 1, retrieveMs: 1, firstTokenMs: 1 },
};

const FORM: Form = {
  id: "chatcmpl-1",
  created: 1,
  model: "quayside",
  hosts: ["port.example"],
  sources: true,
  usage: true,
};

const delta = (text: string): AnswerEvent => ({ type: "delta", text });
const settled: AnswerEvent = { type: "settled" };
const evidence: AnswerEvent = { type: "evidence", citations: [] };

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string; readonly annotations?: unknown };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: unknown;
  readonly error?: { readonly code: string };
}

/** What a client gets of these events, chunk by chunk. */
function stream(events: readonly AnswerEvent[], form: Partial<Form> = {}, failure?: QuaysideError) {
  const wire = chunkWire({ ...FORM, ...form });
  const sent = events.map((event) => wire.frame(event)).join("") + (failure ? wire.failure(failure) : "");
  const lines = sent.split("\n\n").filter((line) => line !== "");
  const chunks = lines
    .filter((line) => line !== "data: [DONE]")
    .map((line): Chunk => JSON.parse(line.slice("data: ".length)));
  const pieces = chunks.flatMap(({ choices }) => choices?.map((choice) => choice.delta.content ?? "") ?? []);
  return {
    chunks,
    pieces: pieces.filter((piece) => piece !== ""),
    text: pieces.join(""),
    last: lines.at(-1),
  };
}

describe("a streamed completion", () => {
  const whole = [
    evidence,
    delta("The berth is closed [1]."),
    settled,
    delta(" It opens on Monday [2]."),
    settled,
    { type: "done", answer: ANSWER } as const,
  ];

  it("begins with the role, ends with reason, usage and [DONE]", () => {
    const { chunks, last } = stream(whole);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
    });
    expect(last).toBe("data: [DONE]");
  });

  it("says the same as a whole one", () => {
    expect(completion(FORM, ANSWER)).toMatchObject({
      choices: [{ message: { content: stream(whole).text } }],
      usage: { total_tokens: 17 },
    });
  });

  it("sends a sentence once it is settled, and no sooner", () => {
    expect(stream([evidence, delta("The berth is")]).pieces).toEqual([]);
    expect(stream([evidence, delta("The berth is closed [1]."), settled, delta(" It")]).pieces).toEqual([
      "The berth is closed ",
    ]);
  });

  it("never sends what is taken back", () => {
    const { text } = stream([
      evidence,
      delta("The berth is closed [1]."),
      settled,
      delta(" It was built"),
      { type: "retract", from: 24 },
      delta(" It opens on Monday [2]."),
      settled,
      { type: "done", answer: ANSWER },
    ]);
    expect(text.split(SOURCES)[0]).toBe(ANSWER.text);
  });

  it("ends as filtered, with the answer's own words, when the provider declines in the middle", () => {
    const refused: Answer = {
      ...ANSWER,
      outcome: "refused",
      reason: "safety",
      text: "The model declined to answer this.",
      citations: [],
    };
    const { chunks, text } = stream([
      evidence,
      delta("The berth is closed [1]."),
      settled,
      { type: "retract", from: 0 },
      delta(refused.text),
      { type: "done", answer: refused },
    ]);
    expect(text).toBe("The berth is closed \n\nThe model declined to answer this.");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("content_filter");
  });

  it("that reached its limit says so", () => {
    const { chunks } = stream([evidence, { type: "done", answer: { ...ANSWER, truncated: true } }]);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("length");
  });

  it("that breaks off ends with an error, and not as if it were complete", () => {
    const broken = new QuaysideError("provider_stream_interrupted", "x");
    const { chunks, last } = stream([evidence, delta("The"), settled], {}, broken);
    expect(chunks.at(-1)?.error?.code).toBe("provider_stream_interrupted");
    expect(last).not.toContain("[DONE]");
  });

  it("names rows that have an address where the text does", () => {
    const { chunks, text } = stream(whole);
    const annotations = chunks.flatMap(({ choices }) => choices[0]?.delta.annotations ?? []);
    expect(annotations).toEqual([
      {
        type: "url_citation",
        url_citation: {
          start_index: 20,
          end_index: 23,
          url: "https://port.example/notices/1",
          title: "Berth [east] *closed*",
        },
      },
    ]);
    expect(text.slice(20, 23)).toBe("[1]");
  });

  it("lists its sources, words of rows as words, unless asked not to", () => {
    expect(stream(whole).text.split(SOURCES)[1]).toBe(
      String.raw`1. [Berth (east) \*closed\*](https://port.example/notices/1) (notices:1, as of 2026-11-20T06:00:00.000Z)` +
        "\n2. Opening (notices:2, as of 2026-11-20T06:00:00.000Z)",
    );
    expect(stream(whole, { sources: false }).text).toBe(ANSWER.text);
  });

  it.each([
    ["an image", "![x](https://evil.example/?q=1) [1]."],
    ["a link", "[x](https://evil.example) [1]."],
    ["a tag", "<img src=https://evil.example/a> [1]."],
    ["an address", "https://evil.example/?q=1 [1]."],
  ])("leads nowhere with %s, wherever it is cut", (_, text) => {
    const answer = { ...ANSWER, text };
    const expected = stream([evidence, { type: "done", answer }], { sources: false }).text;
    expect(expected).not.toMatch(/!\[|\]\(|<img|https:/);
    for (let cut = 1; cut < text.length; cut++) {
      const events = [evidence, delta(text.slice(0, cut)), settled, delta(text.slice(cut)), settled];
      const cutText = stream([...events, { type: "done", answer }], { sources: false }).text;
      expect(cutText).not.toMatch(/!\[|\]\(|<img|https:\/\//);
    }
  });

  it("does not let code that ends later make an image of what is shown", () => {
    const text = "Use `a. b` ![x](https://evil.example/) ` [1].";
    const answer = { ...ANSWER, text };
    const events = [evidence, delta("Use `a."), settled, delta(text.slice(7)), settled];
    const sent = stream([...events, { type: "done", answer }], { sources: false }).text;
    expect(sent).not.toMatch(/!\[x\]\(https:\/\//);
  });
});
