import { describe, expect, it } from "vitest";
import { applyRoute, questionKind, type Facts, type RouteConfig } from "../../workers/answer/route-rules.ts";
import { BERTH, evidence } from "../fakes/ask-world.ts";

const FACTS: Facts = {
  question: "Until when is the east berth closed?",
  tenant: "t",
  language: "en",
  evidence: [BERTH],
  maxOutputTokens: 1000,
};
const MODEL = {
  classes: ["public" as const],
  contextTokens: 8000,
  price: { input: 1, output: 10 },
  region: "eu",
  retention: "none",
  trainsOnData: false,
};

type Rule = RouteConfig["rules"][number];
const rest: Rule = { name: "rest", models: ["a/rest"] };

function chosen(rule: Rule, facts: Partial<Facts> = {}) {
  return applyRoute("auto", { rules: [rule, rest] }, { ...FACTS, ...facts }).models[0];
}

describe("question kind", () => {
  it.each([
    ["Compare the fares of Dieppe and Newhaven", "comparison"],
    ["Quelle est la différence entre les deux tarifs ?", "comparison"],
    ["Is the Salicorne older than or cheaper to run than the Aster?", "comparison"],
    ["Summarise the contract with Breton Provisions", "summary"],
    ["Résume l'incident INC-2648", "summary"],
    ["Why was the 06:30 sailing cancelled?", "analysis"],
    ["Pourquoi le départ a-t-il été annulé ?", "analysis"],
    ["When does check-in close?", "lookup"],
    ["Qui est le capitaine ?", "lookup"],
  ] as const)("of %j is %s", (question, kind) => {
    expect(questionKind(question)).toBe(kind);
  });
});

describe("a rule", () => {
  it.each<readonly [string, NonNullable<Rule["when"]>, Partial<Facts>, Partial<Facts>]>([
    ["the kind of question", { kinds: ["analysis"] }, { question: "Why is it closed?" }, {}],
    ["the language", { languages: ["fr"] }, { language: "fr" }, {}],
    [
      "a class of the rows",
      { classes: ["restricted"] },
      { evidence: [BERTH, evidence("3", "Pay.", { classification: "restricted" })] },
      {},
    ],
    ["much evidence", { minEvidenceTokens: 50 }, { evidence: [evidence("1", "word ".repeat(60))] }, {}],
    ["little evidence", { maxEvidenceTokens: 50 }, {}, { evidence: [evidence("1", "word ".repeat(60))] }],
    [
      "all that it names",
      { kinds: ["lookup"], languages: ["fr"] },
      { language: "fr" },
      { language: "fr", question: "Pourquoi ?" },
    ],
  ])("holds for %s", (_, when, does, doesNot) => {
    const rule = { name: "this", when, models: ["a/this"] };
    expect(chosen(rule, does)).toBe("a/this");
    expect(chosen(rule, doesNot)).toBe("a/rest");
  });

  it("passes over a model whose answer may cost more, by estimate", () => {
    const { passedOver } = applyRoute("auto", { rules: [{ ...rest, maxCostUsd: 0.005 }] }, FACTS);
    expect(passedOver("a/rest", MODEL)).toBe("too_expensive");
    expect(passedOver("a/rest", { ...MODEL, price: { input: 1, output: 3 } })).toBeUndefined();
  });

  it("passes over a model that is slower, not one whose speed is unknown", () => {
    const { passedOver } = applyRoute("auto", { rules: [{ ...rest, maxFirstTokenMs: 500 }] }, FACTS);
    expect(passedOver("a/rest", { ...MODEL, firstTokenMs: 501 })).toBe("too_slow");
    expect(passedOver("a/rest", { ...MODEL, firstTokenMs: 500 })).toBeUndefined();
    expect(passedOver("a/rest", MODEL)).toBeUndefined();
  });
});

describe("weights", () => {
  const rule: Rule = {
    name: "rollout",
    models: [
      { model: "a/old", weight: 90 },
      { model: "a/new", weight: 10 },
    ],
  };
  const first = (n: number): string | undefined =>
    chosen(rule, { question: `What is the status of ticket TK-${n}?` });

  it("share out the first place: a tenth of the questions goes to the new model", () => {
    const news = Array.from({ length: 10_000 }, (_, n) => first(n)).filter((model) => model === "a/new");
    expect(news.length).toBeGreaterThan(900);
    expect(news.length).toBeLessThan(1100);
  });

  it("give the same question to the same model each time", () => {
    expect(Array.from({ length: 50 }, (_, n) => first(n))).toEqual(
      Array.from({ length: 50 }, (_, n) => first(n)),
    );
  });

  it("leave the others in order behind it", () => {
    const { models } = applyRoute("auto", { rules: [rule] }, FACTS);
    expect([...models].sort()).toEqual(["a/new", "a/old"]);
  });

  it("of 0 keep the order that is written", () => {
    const { models } = applyRoute("auto", { rules: [{ name: "r", models: ["a/1", "a/2"] }] }, FACTS);
    expect(models).toEqual(["a/1", "a/2"]);
  });
});
