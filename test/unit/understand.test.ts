import { describe, expect, it } from "vitest";
import { understand } from "../../workers/answer/understand.ts";

const TODAY = "2026-11-23";

function read(question: string) {
  return understand(question, TODAY);
}

describe("intent", () => {
  it.each([
    ["What is the price of the blue kayak?", "lookup"],
    ["Which instructors are in Annecy?", "list"],
    ["Quels moniteurs avons-nous à Annecy ?", "list"],
    ["Which is cheaper, the blue kayak or the red one?", "comparison"],
    ["Lequel est le plus cher : le kayak bleu ou le canoë rouge ?", "comparison"],
    ["Which boat is longest, the Curlew or the Plover?", "comparison"],
    ["Which employee or contractor gave the longest lesson?", "aggregate"],
    ["How many lessons were given in 2025?", "aggregate"],
    ["What is the average price of a lesson?", "aggregate"],
    ["What is the number of paddles in the shed?", "aggregate"],
    ["What is the exact number of paddles in the shed?", "aggregate"],
    ["What is the telephone number of the boathouse?", "lookup"],
    ["What is the order number of the red kayak?", "lookup"],
    ["Which instructor gave the most lessons?", "aggregate"],
    ["Why was the regatta postponed?", "cause"],
    ["Pourquoi la régate a-t-elle été reportée ?", "cause"],
    ["Is the blue kayak available?", "yes-no"],
    ["Give me a short profile of Maud Keller.", "summary"],
    ["Parlez-moi de Maud Keller", "summary"],
  ])("%s", (question, intent) => {
    expect(read(question).intent).toBe(intent);
  });
});

describe("what is asked for", () => {
  it.each([
    ["Who teaches sailing?", "person", []],
    ["When does the season open?", "date", []],
    ["Where is the boathouse?", "place", []],
    ["Où se trouve le hangar ?", "place", []],
    ["How much does a lesson cost?", "money", []],
    ["Combien coûte une leçon ?", "money", []],
    ["What time does the boathouse close?", "date", []],
    ["À quelle heure ferme le hangar ?", "date", []],
    ["What time zone is Annecy in?", "thing", ["time", "zone"]],
    ["What time limit do lessons have?", "thing", ["time", "limit"]],
    ["How long does the crossing take?", "duration", []],
    ["Combien de temps dure la traversée ?", "duration", []],
    ["How many paddles are in the shed?", "count", ["paddles"]],
    ["Combien de pagaies avons-nous ?", "count", ["pagaies"]],
    ["What is the phone number of Maud Keller?", "thing", ["phone", "number"]],
    ["Quel est le numéro de téléphone de Maud Keller ?", "thing", ["numero", "telephone"]],
    ["What is Maud Keller's home address?", "thing", ["home", "address"]],
    ["What is the e-mail address of Maud Keller?", "thing", ["email", "address"]],
  ])("%s", (question, type, terms) => {
    const [wanted] = read(question).wanted;
    expect([wanted?.type, wanted?.terms.map((t) => t.folded)]).toEqual([type, terms]);
  });

  it("asks twice where the question does", () => {
    const wanted = read("Which club won the cup, and in which town is it?").wanted;
    expect(wanted.map((w) => w.terms.map((t) => t.folded))).toEqual([["club", "won"], ["town"]]);
  });
});

describe("terms", () => {
  it("tells names, numbers and codes from words", () => {
    const terms = read("Did Maud Keller sign form KY-12 in 2025?").terms;
    expect(terms.map((t) => [t.folded, t.kind])).toEqual([
      ["maud", "name"],
      ["keller", "name"],
      ["sign", "word"],
      ["form", "word"],
      ["ky", "name"],
      ["12", "number"],
      ["2025", "number"],
    ]);
  });

  it("takes no names from a question in capitals", () => {
    expect(read("WHO REPAIRED THE OLD BOATHOUSE ROOF").terms.map((t) => t.kind)).not.toContain("name");
  });

  it("knows which word labels a number", () => {
    expect(read("When was booking 8812 made?").terms.map((t) => [t.folded, t.labels])).toEqual([
      ["booking", true],
      ["8812", false],
      ["made", false],
    ]);
  });

  it("joins years that stand side by side", () => {
    expect(read("What happened in 2004 and 2005?").terms.find((t) => t.folded === "2004")?.years).toEqual([
      2004, 2005,
    ]);
  });

  it("fills a span of years", () => {
    expect(read("What happened from 2012 to 2014?").terms.find((t) => t.folded === "2012")?.years).toEqual([
      2012, 2013, 2014,
    ]);
  });
});

describe("dates", () => {
  it.each([
    ["Who called yesterday?", "2026-11-22", "2026-11-22"],
    ["Qui a appelé hier ?", "2026-11-22", "2026-11-22"],
    ["What was sold last month?", "2026-10-01", "2026-10-31"],
    ["Qu'a-t-on vendu le mois dernier ?", "2026-10-01", "2026-10-31"],
    ["What did we sell this year?", "2026-01-01", "2026-12-31"],
    ["Who came last week?", "2026-11-16", "2026-11-22"],
    ["Who came in July 2024?", "2024-07-01", "2024-07-31"],
    ["Qui est venu le 1er août 2024 ?", "2024-08-01", "2024-08-01"],
    ["Who came on August 1, 2024?", "2024-08-01", "2024-08-01"],
    ["Who came on 3 November?", "2026-11-03", "2026-11-03"],
    ["Who came on 3 December?", "2025-12-03", "2025-12-03"],
    ["What was sold last quarter?", "2026-07-01", "2026-09-30"],
  ])("%s", (question, from, to) => {
    expect(read(question).dates).toMatchObject([{ from, to }]);
  });
});

describe("comparisons", () => {
  it.each([
    ["Which is cheaper, the kayak or the canoe?", "least", false],
    ["Which is more expensive, the kayak or the canoe?", "most", false],
    ["Which is less expensive, the kayak or the canoe?", "least", false],
    ["Lequel est le moins cher : le kayak ou le canoë ?", "least", false],
    ["Who joined first, Maud Keller or Ines Roy?", "least", true],
    ["Who is younger, Maud Keller or Ines Roy?", "most", true],
  ])("%s", (question, direction, byTime) => {
    expect(read(question).comparison).toMatchObject({ direction, byTime });
  });

  it("finds the two sides", () => {
    const sides = read("Who joined first, Maud Keller or Ines Roy?").comparison?.sides;
    expect(sides?.map((side) => side.map((t) => t.folded))).toEqual([
      ["maud", "keller"],
      ["ines", "roy"],
    ]);
  });
});

describe("totals", () => {
  it.each([
    ["What is the total revenue of the school?", true],
    ["Quelle est la moyenne des prix ?", true],
    ["Which boat is the heaviest?", true],
    ["Quel est le bateau le plus cher ?", true],
    ["How many paddles are in the shed?", false],
    ["What is the name of the club in the West?", false],
    ["Who is the guest of honour?", false],
  ])("%s", (question, needsTotal) => {
    expect(read(question).needsTotal).toBe(needsTotal);
  });
});
