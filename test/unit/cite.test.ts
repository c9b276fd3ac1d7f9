import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { citationsOf, makeCiter } from "../../workers/answer/cite.ts";
import type { VerifyEvent } from "../../workers/answer/verify.ts";
import { evidence } from "../fakes/ask-world.ts";

/** What a reader has after these events. */
function read(events: readonly VerifyEvent[]): string {
  return events.reduce((text, e) => {
    if (e.type === "settled") return text;
    return e.type === "delta" ? text + e.text : text.slice(0, e.from);
  }, "");
}

const delta = (text: string): VerifyEvent => ({ type: "delta", text });

describe("citer", () => {
  it("numbers rows in the order in which they are cited", () => {
    const citer = makeCiter(9);
    const events = [...citer.push([delta("b [7], a [2], b again [7][2].")]), ...citer.end()];
    expect(read(events)).toBe("b [1], a [2], b again [1][2].");
    expect(citer.cited()).toEqual([6, 1]);
  });

  it("writes lists of markers apart, each once", () => {
    const citer = makeCiter(9);
    citer.push([delta("x [3, 5;3].")]);
    expect(citer.text()).toBe("x [1][2].");
  });

  it("leaves out numbers that name no row", () => {
    const citer = makeCiter(2);
    citer.push([delta("x [3] y [0] z [2].")]);
    expect(citer.text()).toBe("x  y  z [1].");
  });

  it("says the same however the text is cut", () => {
    const text = "One [4]. Two [2,4] three [10] [not a marker] [12, four [1].";
    const whole = makeCiter(10);
    const expected = read([...whole.push([delta(text)]), ...whole.end()]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const citer = makeCiter(10);
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const events = at.slice(1).flatMap((end, i) => citer.push([delta(text.slice(at[i], end))]));
        return read([...events, ...citer.end()]) === expected && citer.text() === expected;
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("moves a retraction to where the renumbered text has it, and frees the numbers", () => {
    const citer = makeCiter(20);
    const events = [...citer.push([delta("Right [12]. ")])];
    events.push(...citer.push([delta("Wrong [15]"), { type: "retract", from: "Right [12]. ".length }]));
    events.push(...citer.push([delta("Then [3].")]), ...citer.end());
    expect(read(events)).toBe("Right [1]. Then [2].");
    expect(citer.cited()).toEqual([11, 2]);
  });

  it("takes back what it had not sent yet", () => {
    const citer = makeCiter(20);
    const events = [...citer.push([delta("Right. "), delta("[1"), { type: "retract", from: 7 }])];
    expect(read([...events, ...citer.push([delta("Ok [2].")]), ...citer.end()])).toBe("Right. Ok [1].");
  });
});

describe("citations", () => {
  const row = evidence("9", "Name: Ada Marchmont\nThe lease runs to 3 May 2027. It costs 61400 EUR.", {
    cells: [
      { column: "id", value: "9" },
      { column: "name", value: "Ada Marchmont" },
      { column: "rent", value: "61400.00" },
      { column: "ends", value: "2027-05-03" },
      { column: "note", value: "unused" },
    ],
  });

  const columns = (text: string): string[] | undefined =>
    citationsOf(text, [0], [row])[0]?.cells.map((cell) => cell.column);

  it("show first the cells that the sentence uses, whatever the writing", () => {
    expect(columns("The rent is €61,400 [1].")?.[0]).toBe("rent");
    expect(columns("It ends on 3 May 2027. [1]")?.[0]).toBe("ends");
    expect(columns("Le bail finit le 3 mai 2027 [1].")?.[0]).toBe("ends");
    expect(columns("It is in the name of Ada Marchmont [1].")?.[0]).toBe("name");
  });

  it("show every cell all the same", () => {
    expect(columns("The rent is 61400 [1].")?.toSorted()).toEqual(["ends", "id", "name", "note", "rent"]);
  });

  it("quote the sentence that says it", () => {
    const [citation] = citationsOf("The lease ends on 3 May 2027 [1].", [0], [row]);
    expect(citation?.excerpt).toContain("The lease runs to 3 May 2027.");
  });

  it("keep long cells that nobody used from filling the answer", () => {
    const long = { ...row, cells: [...row.cells, { column: "body", value: "x".repeat(9000) }] };
    const [citation] = citationsOf("The rent is 61400 [1].", [0], [long]);
    expect(citation?.cells.map((cell) => cell.column)).not.toContain("body");
  });
});
