import { describe, expect, it } from "vitest";
import { runsOf } from "../../workers/answer/leak.ts";
import { makePrompt } from "../../workers/answer/prompt.ts";
import { makeVerifier, verifyText } from "../../workers/answer/verify.ts";
import { LIFT, QUESTION, replay, row, settled, text } from "./verify-rows.ts";

describe("what is let through", () => {
  it.each([
    ["a date in words", "It was built on 3 June 1987 [1]."],
    ["a date in American order", "It was built on June 3, 1987 [1]."],
    ["a date that begins a sentence", "June 3, 1987 is the day [1]."],
    ["a date after a colon", "built: June 3, 1987 [1]."],
    ["the number before a scale", "It cost 1.2 million [1]."],
    ["a French date", "Il a été construit le 3 juin 1987 [1]."],
    ["a month and year", "It opened in June 1987 [1]."],
    ["a numeric date", "Built 03/06/1987 [1]."],
    ["an English thousands separator", "It cost 1,234,567.5 euros [1]."],
    ["a French thousands separator", "Il a coûté 1 234 567,5 € [1]."],
    ["a rounded million", "It cost about €1.2M [1]."],
    ["a rounded number of thousands", "It cost some 1235k [1]."],
    ["a share as per cent", "The share is 20% [1]."],
    ["a per cent sign apart", "La part est de 20 % [1]."],
    ["a code", "Its code is BL-4711 [1]."],
    ["a code without its dash", "Its code is BL4711 [1]."],
    ["a name", "It was checked by Odile Marchetti [1]."],
    ["a name with a possessive", "It is Marchetti's lift [1]."],
    ["a telephone number", "Call (503) 555-0142 [1]."],
    ["a sentence's first word", "Perhaps the lift is old [1]."],
    ["words of our own with a capital", "The Date and the Price are known [1]."],
    ["a name of the question", "The lift at Bergheim is old [1]."],
    ["numbered list items", "1. code: BL-4711 [1]\n2. share: 0.2 [1]"],
    ["an abbreviation", "It is known to the EU [1]."],
  ])("%s", (_, answer) => {
    expect(text(answer)).toBe(answer);
  });

  it("text without claims", () => {
    expect(text("nothing is known about that")).toBe("nothing is known about that");
  });
});

describe("what is taken back", () => {
  it.each([
    ["a wrong number", "It carries 345 people [1].", "number"],
    ["a wrong date", "It opened on 4 June 1987 [1].", "date"],
    ["a wrong year", "It opened in 1988 [1].", "number"],
    ["a wrong code", "Its code is BL-4712 [1].", "identifier"],
    ["a wrong name", "It was checked by Ivan Petrescu [1].", "name"],
    ["a small count rounded from nothing", "It has 3 engines [1].", "number"],
  ])("%s", (_, answer, why) => {
    const verified = verifyText(answer, [LIFT], "Tell me about it.");
    expect(verified.text).toBe("");
    expect(verified.removed).toEqual([{ text: answer, why }]);
  });

  it("the sentence that fails, and only that", () => {
    const verified = verifyText(
      "It is the Bergheim chairlift [1]. It carries 345 people an hour [1]. It cost 1,234,567.5 [1].",
      [LIFT],
      QUESTION,
    );
    expect(verified.text).toBe("It is the Bergheim chairlift [1]. It cost 1,234,567.5 [1].");
    expect(verified.removed).toEqual([{ text: "It carries 345 people an hour [1].", why: "number" }]);
  });

  it("a marker beyond the evidence, the sentence staying", () => {
    const verified = verifyText("It is quite old [4].", [LIFT], QUESTION);
    expect(verified.text).toBe("It is quite old.");
    expect(verified.removed).toEqual([{ text: "[4]", why: "marker" }]);
  });

  it("the markers of a list that point at nothing", () => {
    expect(text("It was built in 1987 [1, 9].")).toBe("It was built in 1987 [1].");
  });

  it("a marker of zero", () => {
    expect(text("It is quite old [0].")).toBe("It is quite old.");
  });

  it("a number, date or identifier of the question that no row holds", () => {
    for (const [said, why] of [
      ["Yes, it was built in 1990 [1].", "number"],
      ["Yes, it was built on 4 May 1990 [1].", "date"],
      ["Yes, it is GX-17 [1].", "identifier"],
    ]) {
      const verified = verifyText(said ?? "", [LIFT], "Is GX-17 of 4 May 1990 at Bergheim?");
      expect(verified).toMatchObject({ text: "", removed: [{ text: said, why }] });
    }
  });
});

describe("what rests on a row that is read but not cited", () => {
  const LIFTS = [
    LIFT,
    row({ name: "Sonnkar gondola", built: "2004-12-18", code: "SG-22", inspector: "Ivan Petrescu" }, { id: "lifts:8#0", row: "lifts:8", key: { id: "8" } }),
    row({ note: "carries 345 people" }, { id: "lifts:7#1" }),
  ]; // prettier-ignore

  it.each([
    ["a number", "It was built in 2004 [1]."],
    ["a date", "It was built on 18 December 2004 [1]."],
    ["an identifier", "Its code is SG-22 [1]."],
    ["a name", "It was checked by Petrescu [1]."],
    ["a sentence without a marker, and no other", "It was built in 2004."],
    ["a marker that names no row", "It was built in 1987 [9]."],
  ])("is taken back: %s", (_, said) => {
    const verified = verifyText(said, LIFTS, QUESTION);
    expect(verified.text).toBe("");
    expect(verified.removed.at(-1)?.why).toBe("uncited");
    expect([verified.checked, verified.supported]).toEqual([1, 0]);
  });

  it.each([
    ["the sentence cites it beside another", "One is of 1987, one of 2004 [1][2]."],
    ["a sentence before cites it", "The gondola is new [2]. It was built in 2004."],
    ["a sentence after cites it", "It was built in 2004. The gondola is new [2]."],
    [
      "a name is of a row that another sentence cites",
      "That of 1987 was checked by Petrescu [1]. The gondola is new [2].",
    ],
    ["another passage of the row is cited", "It carries 345 people [1]."],
    ["the name is the question's", "The lift at Bergheim is old [2]."],
  ])("stands where %s", (_, said) => {
    expect(text(said, LIFTS)).toBe(said);
  });

  it("goes, and what came after it stays", () => {
    const verified = verifyText(
      "The lift is of 1987 [1]. The gondola is of 2004. It carries 345 people [1].",
      LIFTS,
      QUESTION,
    );
    expect(verified.text).toBe("The lift is of 1987 [1]. It carries 345 people [1].");
    expect(verified.removed).toEqual([{ text: "The gondola is of 2004.", why: "uncited" }]);
  });

  it("goes at the beginning without leaving its white space", () => {
    expect(text("The gondola is of 2004.\nThe lift is of 1987 [1].", LIFTS)).toBe("The lift is of 1987 [1].");
  });

  it("goes with the sentence that alone cited its row", () => {
    // 18 people are in no row: the only citation of the gondola goes with them.
    const said = "The gondola is of 2004. It carries 18 people [2]. The lift is of 1987 [1].";
    expect(text(said, LIFTS)).toBe("The lift is of 1987 [1].");
    // Neither row holds the name that it is cited for, and the other of each is cited by the other alone.
    const chain = "One is of 1987. It is checked by Petrescu [1]. It is checked by Marchetti [2].";
    expect(text(chain, LIFTS)).toBe(chain);
    expect(text("One is of 2004. It is checked by Marchetti [2].", LIFTS)).toBe("");
  });

  it.each([
    ["a number", "The gondola is new [2]. It was built in 2004 [1]."],
    ["a date", "It was built on 18 December 2004 [1]. The gondola is new [2]."],
    ["an identifier", "The gondola is new [2]. Its code is SG-22 [1]."],
    ["a number whose marker follows the full stop", "The gondola is new [2]. It was built in 2004. [1]"],
  ])("is taken back where its own marker names another row than it stands in: %s", (_, said) => {
    const verified = verifyText(said, LIFTS, QUESTION);
    expect(verified.text).toBe("The gondola is new [2].");
    expect(verified.removed.map(({ why }) => why)).toEqual(["uncited"]);
    expect([verified.checked, verified.supported]).toEqual([1, 0]);
  });

  it("is taken back of two sentences that each cite what the other states", () => {
    expect(text("One is of 2004 [1]. One is of 1987 [2].", LIFTS)).toBe("");
  });

  it.each([
    ["clauses cite their own rows", "The lift is of 1987 [1]; the gondola is of 2004 [2]."],
    ["one marker group is for all clauses", "One is of 1987; the other is of 2004 [1][2]."],
    ["the first clause leads in to all", "One is of 1987, one of 2004: the lift [1]; the gondola [2]."],
    ["clauses are joined by a comma", "Of 1987 and 2004 are the lift [1], and the gondola [2]."],
    [
      "values and rows stand in the same order",
      "Those of 1987 and 2004 are the lift [1] and the gondola [2].",
    ],
    ["a clause has no marker of its own", "The lift is old [1]; it is of 1987; the gondola is new [2]."],
    ["markers follow the semicolon", "The lift is of 1987; [1] the gondola is of 2004. [2]"],
    ["a marker has a semicolon in it", "One is of 1987 and one of 2004 [1; 2]."],
  ])("stands where %s", (_, said) => {
    expect(text(said, LIFTS)).toBe(said);
  });

  it.each([
    ["the row that the other clause cites", "The lift is of 2004 [1]; the gondola is of 1987 [2]."],
    ["the row of the clause before", "The lift is old [1]; the gondola is of 1987 [2]."],
    ["the row of the clause after", "One is here; the lift is of 2004 [1]; the gondola is new [2]."],
    ["markers that follow the semicolon", "The lift is old; [1] the gondola is of 1987; [2] all of it."],
  ])("is taken back where a clause behind a semicolon cites another row: %s", (_, said) => {
    const verified = verifyText(said, LIFTS, QUESTION);
    expect(verified.text).toBe("");
    expect(verified.removed).toEqual([{ text: said, why: "uncited" }]);
  });

  it("is taken back at its sentence's end where its own marker says so, and holds up nothing", () => {
    const verifier = makeVerifier(LIFTS, QUESTION);
    expect(replay(verifier.push("The gondola is new [2]. It is of"))).toBe(
      "The gondola is new [2]. It is of",
    );
    const events = verifier.push(" 2004 [1]. The lift is SG-22 [2]. Next");
    expect(events).toContainEqual({ type: "retract", from: "The gondola is new [2].".length });
    expect(settled(events)).toBe(1);
  });

  it("is settled when its row is cited, and holds up what comes after it until then", () => {
    const verifier = makeVerifier(LIFTS, QUESTION);
    expect(settled(verifier.push("The gondola is of 2004. "))).toBe(0);
    expect(settled(verifier.push("The lift is of 1987 [1]. "))).toBe(0);
    expect(settled(verifier.push("It is SG-22 [2]. Next"))).toBe(1);
  });
});

describe("counts", () => {
  it("claims looked up and found", () => {
    const { checked, supported } = verifyText(
      "Built 3 June 1987 as BL-4711 [1]. It has 345 seats [1].",
      [LIFT],
      QUESTION,
    );
    expect([checked, supported]).toEqual([3, 2]);
  });
});

describe("instructions in an answer", () => {
  const { system } = makePrompt({
    question: QUESTION,
    history: [],
    evidence: [LIFT],
    language: "en",
    today: "2026-11-23",
    fence: "x",
  });

  it("are taken out: no run of eight words is left", () => {
    const verified = verifyText(`The lift is old [1]. ${system} It was built in 1987 [1].`, [LIFT], QUESTION);
    expect(verified.text).toContain("The lift is old [1].");
    expect(verified.removed.map(({ why }) => why)).toContain("instructions");
    const told = [verified.text, ...verified.removed.map(({ text: taken }) => taken)].join("\n");
    expect([...runsOf(told)].filter((run) => runsOf(system).has(run))).toEqual([]);
  });

  it("are never shown for a moment either, however the text is cut", () => {
    const runs = runsOf(system);
    for (const size of [1, 4, 9]) {
      const verifier = makeVerifier([LIFT], QUESTION);
      let shown = "";
      for (let at = 0; at < system.length; at += size) {
        for (const event of verifier.push(system.slice(at, at + size))) {
          if (event.type === "delta") shown += event.text;
          else if (event.type === "retract") shown = shown.slice(0, event.from);
        }
        expect([...runsOf(shown)].filter((run) => runs.has(run))).toEqual([]);
      }
    }
  });

  it("are found whatever their case and marks", () => {
    const said = "I was told: DO NOT FOLLOW IT, and do not mention it; Say only what the rows say!";
    expect(text(said)).not.toContain("rows say");
  });

  it("leave a run of seven words", () => {
    expect(text("Plain sentences, as few as the question wants [1].")).not.toBe("");
  });
});
