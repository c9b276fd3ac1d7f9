import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunk, shorten } from "../../ingest/pipeline/chunk.ts";
import { estimateTokens } from "../../shared/tokens.ts";

const HEADER = "Tickets\nTicket 1";

describe("chunk", () => {
  it("keeps a short row in one chunk", () => {
    expect(
      chunk(
        HEADER,
        [
          { label: "status", value: "open" },
          { label: "", value: "It rains." },
        ],
        100,
      ),
    ).toEqual([{ text: "Tickets\nTicket 1\nstatus: open\nIt rains.", body: "open\nIt rains." }]);
  });

  it("cuts between sentences and heads every chunk", () => {
    const sentence = "The ramp did not come down when the crew pressed the button twice. ";
    const chunks = chunk(HEADER, [{ label: "text", value: sentence.repeat(8) }], 60);
    expect(chunks.length).toBeGreaterThan(1);
    for (const { text, body } of chunks) {
      expect(text.startsWith(`${HEADER}\ntext: The ramp`)).toBe(true);
      expect(body.trimEnd().endsWith("twice.")).toBe(true);
    }
  });

  it("never cuts a grapheme: a family of seven code points stays whole", () => {
    const family = "👩‍👩‍👧‍👦";
    const chunks = chunk(HEADER, [{ label: "", value: family.repeat(200) }], 64);
    expect(chunks.length).toBeGreaterThan(1);
    for (const { body } of chunks) expect(body.length % family.length).toBe(0);
  });

  it("still cuts a single grapheme that is longer than a chunk, between code points", () => {
    const zalgo = `a${"\u0301".repeat(500)}`;
    const chunks = chunk(HEADER, [{ label: "", value: zalgo }], 64);
    expect(chunks.map((c) => c.body).join("")).toBe(zalgo);
    for (const { text } of chunks) expect(estimateTokens(text)).toBeLessThanOrEqual(64);
  });

  it("loses nothing, changes nothing, stays within the limit, and never splits a surrogate pair", () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom(" ", ". ", "\n", "。", "word", "é", "東", "👍🏽", "\r\n"),
        fc.string({ unit: "grapheme", maxLength: 3 }),
      ),
      maxLength: 400,
    });
    fc.assert(
      fc.property(
        fc.array(
          text.filter((t) => t !== ""),
          { minLength: 1, maxLength: 4 },
        ),
        fc.integer({ min: 48, max: 120 }),
        (values, max) => {
          const chunks = chunk(
            HEADER,
            values.map((value) => ({ label: "x", value })),
            max,
          );
          // Pieces of one value follow each other; joined without the line ends between pieces they are the values again.
          const all = values.join("");
          expect(
            chunks
              .map((c) => c.body)
              .join("")
              .replaceAll("\n", ""),
          ).toBe(all.replaceAll("\n", ""));
          for (const { text: made } of chunks) {
            expect(made.isWellFormed()).toBe(true);
            expect(estimateTokens(made)).toBeLessThanOrEqual(max);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("makes no chunk without a header or passages, one of the header alone", () => {
    expect(chunk("", [], 100)).toEqual([]);
    expect(chunk(HEADER, [], 100)).toEqual([{ text: HEADER, body: "" }]);
  });
});

describe("shorten", () => {
  it("cuts before the grapheme that crosses the limit", () => {
    expect(shorten("ab👍🏽cd", 5)).toBe("ab…");
    expect(shorten("short", 5)).toBe("short");
  });
});
