import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeVerifier, verifyText, type VerifyEvent } from "../../workers/answer/verify.ts";
import { costOf } from "../fakes/cost.ts";
import { LIFT, QUESTION, replay, row, settled } from "./verify-rows.ts";

/** Three kinds of pieces, `count` of each. */
function stream(count: number): void {
  const verifier = makeVerifier([LIFT], QUESTION);
  for (let i = 0; i < count; i++) verifier.push(i % 3 === 0 ? "9" : "A");
  for (let i = 0; i < count; i++) verifier.push("[1");
  for (let i = 0; i < count; i++) verifier.push(" So 1987. ");
  verifier.end();
}

describe("streaming", () => {
  it("plain words pass before the sentence ends", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    expect(verifier.push("the lift is quite old and ")).toEqual([
      { type: "delta", text: "the lift is quite old and" },
    ]);
  });

  it("a number waits until it is whole", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    expect(replay(verifier.push("built in 19"))).toBe("built in");
    expect(replay(verifier.push("87 by hand "))).toBe(" 1987 by hand");
  });

  it("the letters of a plain word pass before it ends", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    expect(["The li", "ft is ol", "d "].map((piece) => replay(verifier.push(piece)))).toEqual([
      "The li",
      "ft is ol",
      "d",
    ]);
  });

  it("a word that turns into an unsupported identifier is taken back with its sentence", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    verifier.push("It is old. It is of type zx");
    const events = verifier.push("900 and good. ");
    expect(events[0]).toEqual({ type: "retract", from: "It is old.".length });
    expect(verifier.end().text).toBe("It is old.");
  });

  it("a capital inside a sentence and the name of a month wait until they are whole", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    expect(replay(verifier.push("it came in may"))).toBe("it came in");
    expect(replay(makeVerifier([LIFT], QUESTION).push("it came from Mart"))).toBe("it came from");
  });

  it("a failing sentence is retracted from where it began", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    const events = [...verifier.push("it is old. Then it carried 345 people. "), ...verifier.end().events];
    expect(events).toContainEqual({ type: "retract", from: 10 });
    expect(replay(events)).toBe("it is old.");
  });

  it("says what is settled once a sentence stands, and not while it may fall", () => {
    const verifier = makeVerifier([LIFT], QUESTION);
    expect(settled(verifier.push("it is old"))).toBe(0);
    expect(settled(verifier.push(". Then"))).toBe(1);
    expect(settled(verifier.push(" it carried 345 people. "))).toBe(0);
    expect(settled(verifier.end().events)).toBe(0);
  });

  it("gives the same text however it is cut", () => {
    const TWO = [LIFT, row({ built: "2004-12-18" }, { id: "lifts:8#0", row: "lifts:8" })];
    const piece = fc.constantFrom(
      "the lift", " ", "  ", "\n", "\n\n", ". ", "? ", " 1987", " 3 June 1987", " 345", " [1]", "[2]", ";", " [1, 9]", " [1", "] ", " Bergheim",
      " Petrescu", " 2004", ", ", "1,234,567.5", " 1 234 567,5", " 20 %", " BL-4711", ": ", "e.g. ", " Dr. ", "(", ")", " of ", "th", " — ", "é", "…", "\u00a0", "😀", "1. ", "- ",
    ); // prettier-ignore
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (parts, sizes) => {
          const whole = parts.join("");
          const once = verifyText(whole, TWO, QUESTION);
          const verifier = makeVerifier(TWO, QUESTION);
          const events: VerifyEvent[] = [];
          let at = 0;
          while (at < whole.length) {
            const size = sizes.next().value ?? 1;
            events.push(...verifier.push(whole.slice(at, at + size)));
            at += size;
          }
          const { events: last, ...end } = verifier.end();
          expect(end).toEqual(once);
          expect(replay([...events, ...last])).toBe(once.text);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("costs time in proportion to the text, however hostile", () => {
    stream(2000);
    // Eight times the text: 8 times the work, or 64 where each piece looks at all before it.
    expect(costOf(() => stream(16_000)) / costOf(() => stream(2000))).toBeLessThan(30);
  });
});
