import { describe, expect, it } from "vitest";
import { analyse, detectLanguage, fold, stem, tokenise } from "../../shared/analysis.ts";
import { localEmbedder } from "../../shared/embedders/local.ts";
import { secretHost } from "../fakes/secret-host.ts";

describe("fold", () => {
  it("takes case, accents, ligatures and compatibility forms away", () => {
    expect(fold("Côté ŒUVRE Straße ﬁn Å ① l’été")).toBe("cote oeuvre strasse fin a 1 l'ete");
  });
});

describe("tokens", () => {
  it("keep an identifier whole and give its parts", () => {
    expect(tokenise("INV-2024-0012")).toEqual(["inv-2024-0012", "inv", "2024", "0012"]);
  });

  it("keep a date whole and give its parts", () => {
    expect(tokenise("2024-05-12")).toEqual(["2024-05-12", "2024", "05", "12"]);
  });

  it("write a number one way", () => {
    expect(tokenise("1,234.50 1234.5 19.00 007 1,5 3,141,592")).toEqual([
      "1234.5",
      "1234.5",
      "19",
      "007",
      "1",
      "5",
      "3141592",
    ]);
  });

  it("split names of columns and addresses", () => {
    expect(tokenise("unit_price ada@example.com")).toEqual(["unit", "price", "ada", "example", "com"]);
  });

  it("keep C++ and C#, and signs that stand alone", () => {
    expect(tokenise("C++ or C# ?? ok.")).toEqual(["c++", "c", "or", "c#", "c", "??", "ok"]);
  });

  it("pair the letters of scripts without spaces", () => {
    expect(tokenise("東京都")).toEqual(["東京", "京都"]);
  });

  it("cut what is too long to be a word", () => {
    expect(tokenise("x".repeat(500))).toEqual(["x".repeat(64)]);
  });
});

describe("stems", () => {
  const english = {
    caresses: "caress",
    ponies: "poni",
    agreed: "agre",
    hopping: "hop",
    falling: "fall",
    filing: "file",
    happy: "happi",
    sky: "sky",
    relational: "relat",
    vietnamization: "vietnam",
    hopefulness: "hope",
    electricity: "electr",
    adjustment: "adjust",
    adoption: "adopt",
    controlling: "control",
    rate: "rate",
    cease: "ceas",
  };
  for (const [word, expected] of Object.entries(english)) {
    it(`of English: ${word}`, () => {
      expect(stem(word, "en")).toBe(expected);
    });
  }

  const french = [
    ["annulation", "annulations", "annulee", "annulees", "annuler"],
    ["navire", "navires"],
    ["bateau", "bateaux"],
    ["cheval", "chevaux"],
    ["retard", "retards"],
    ["national", "nationaux", "nationale"],
  ];
  for (const family of french) {
    it(`of French are one for ${family.join(", ")}`, () => {
      expect(new Set(family.map((word) => stem(word, "fr"))).size).toBe(1);
    });
  }

  it("leave anything but plain words alone", () => {
    expect(["inv-2024", "1998", "c++", "東京"].map((token) => stem(token, "en"))).toEqual([
      "inv-2024",
      "1998",
      "c++",
      "東京",
    ]);
  });
});

describe("language", () => {
  it("is told by function words and elisions", () => {
    expect(detectLanguage("Quels sont les retards du navire ?")).toBe("fr");
    expect(detectLanguage("l'état d'un navire")).toBe("fr");
    expect(detectLanguage("Which sailings were late in May?")).toBe("en");
  });

  it("is not told by names", () => {
    expect(detectLanguage("Guylène Nodier, Sales Manager, Paris")).toBe("en");
    expect(detectLanguage("Daniel Tonini of La Corne d'abondance, Versailles, is a Sales Manager")).toBe(
      "en",
    );
    expect(detectLanguage("")).toBe("en");
  });
});

describe("index terms", () => {
  it("are stems without stop words, in order", () => {
    expect(analyse("Which of the invoices were paid?")).toEqual(["invoic", "paid"]);
    expect(analyse("Quels navires ont été réparés ?")).toEqual(["navir", "repar"]);
  });
});

describe("the local embedder", () => {
  const embedder = localEmbedder({ kind: "local" }, secretHost({}));

  it("gives the vector that it has always given: stored vectors stay comparable", async () => {
    const { vectors } = await embedder.embed(
      ["Vessel Aurora, 2024-05-12"],
      "document",
      new AbortController().signal,
    );
    const [vector = new Float32Array(0)] = vectors;
    const strongest = [...vector.entries()].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 3);
    expect(strongest.map(([i, value]) => [i, value.toFixed(4)])).toEqual([
      [340, "-0.3437"],
      [363, "0.3437"],
      [0, "0.2030"],
    ]);
  });

  it("takes 128 to 1536 dimensions", () => {
    expect(localEmbedder({ dimensions: 1536 }, secretHost({})).id).toBe("local/lexical-v1/1536");
    for (const dimensions of [127, 1537, 384.5, "384"]) {
      expect(() => localEmbedder({ dimensions }, secretHost({}))).toThrow(
        expect.objectContaining({ code: "config_invalid" }),
      );
    }
  });
});
