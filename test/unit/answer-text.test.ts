import { array, assert, constantFrom, oneof, property, string } from "fast-check";
import { expect, it } from "vitest";
import type { Answer, Citation } from "../../shared/ports/answer.ts";
import { answerJson, apiWire, citationJson } from "../../workers/surfaces/render.ts";

const CITATION: Citation = {
  marker: 1,
  id: "t:1",
  table: "t",
  key: { id: "1" },
  title: "One",
  excerpt: "x",
  cells: [{ column: "a", value: 1 }],
  asOf: "2026-11-23T00:00:00.000Z",
  changedAt: "2026-11-22T00:00:00.000Z",
};

const ANSWER: Answer = {
  id: "ans_1",
  outcome: "answered",
  reason: null,
  text: "",
  truncated: false,
  citations: [CITATION],
  verification: { checked: 0, supported: 0, removed: [] },
  model: "local/compose",
  route: { requested: "auto", why: "the default" },
  attempts: [],
  cache: "exact",
  generation: 1,
  asOf: "2026-11-23T00:00:00.000Z",
  tables: [],
  usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, estimated: false },
  timings: { totalMs: 1, retrieveMs: 1, firstTokenMs: 1 },
};

const wire = apiWire("request");

function framed(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

it("an answer's last event is its JSON, whatever its text and citations hold", () => {
  const field = '"citations":[]';
  const hostile = oneof(
    string(),
    constantFrom(field, `\\${field}`, JSON.stringify({ citations: [] }), "$&$1"),
  );
  assert(
    property(hostile, hostile, array(hostile, { maxLength: 3 }), (id, text, excerpts) => {
      const citations = excerpts.map((excerpt) => ({ ...CITATION, excerpt }));
      const answer = { ...ANSWER, id, text, citations };
      expect(wire.frame({ type: "done", answer })).toBe(framed("done", answerJson(answer)));
    }),
  );
});

it("citations are told alike each time", () => {
  const expected = framed("evidence", { citations: [citationJson(CITATION)] });
  const event = { type: "evidence", citations: ANSWER.citations } as const;
  expect([wire.frame(event), wire.frame(event)]).toEqual([expected, expected]);
});
