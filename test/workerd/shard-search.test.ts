import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import { makeKnown } from "../../workers/index/known.ts";
import { matching, summed } from "../../workers/index/lexical.ts";
import { resolveFilter } from "../../workers/index/search.ts";
import {
  batch,
  EVERYTHING,
  OPEN,
  openShard,
  PUBLIC_ONLY,
  published,
  question,
  row,
  run,
  SECRET,
  nearOf,
  vectorOf,
  type OpenShard,
  type RowInput,
  filled,
} from "./shard-fixture.ts";

/** Changes the shard's tables behind its back, as a bug or a stale copy would. */
async function tamper(shard: OpenShard, statement: string, ...bindings: string[]): Promise<void> {
  await runInDurableObject(shard.stub, (_, state) => {
    state.storage.sql.exec(statement, ...bindings);
  });
}

describe("search", () => {
  it("ranks a hit in the title above one in the body, and that above one in a looked-up name", async () => {
    const shard = await filled(
      { id: "label", text: "nothing to see", title: "plain", labels: "Calais" },
      { id: "body", text: "loaded in Calais", title: "plain" },
      { id: "title", text: "nothing to see", title: "Calais" },
    );
    expect(await shard.find("Calais")).toEqual(["notes:title", "notes:body", "notes:label"]);
  });

  it("finds inflections, accents and case alike, in both languages", async () => {
    const shard = await filled(
      { id: "en", text: "The engines were overhauled by the suppliers in winter" },
      { id: "fr", text: "Les départs annulés de la ligne sont remboursés dans les délais" },
    );
    expect((await shard.find("engine overhaul"))[0]).toBe("notes:en");
    expect((await shard.find("Quel départ annulé est remboursé ?"))[0]).toBe("notes:fr");
  });

  it("finds an identifier whole and a date by its year", async () => {
    const shard = await filled(
      { id: "1", text: "invoice INV-2024-0012 paid" },
      { id: "2", text: "invoice INV-2024-0013 paid" },
      { id: "3", text: "sailed on 1997-05-12" },
    );
    expect((await shard.find("INV-2024-0013"))[0]).toBe("notes:2");
    expect((await shard.find("1997"))[0]).toBe("notes:3");
  });

  it("puts a quoted phrase first", async () => {
    const shard = await filled(
      { id: "apart", text: "door of the bow, bow thruster, door seal, bow" },
      { id: "phrase", text: "the bow door was checked together with the seal and the thruster" },
      // BM25 gives a term no weight that half of the rows have.
      ...["pump", "invoice", "rope"].map((text) => ({ id: text, text })),
    );
    expect((await shard.find('"bow door"'))[0]).toBe("notes:phrase");
  });

  it("puts the row that is called what the question names among the first, however many mention it", async () => {
    const mentions = Array.from({ length: 12 }, (_, n) => ({
      id: `m${n}`,
      title: `Curlew: report ${n} of the week`,
      text: "Curlew and Curlew again, said Curlew",
    }));
    const shard = await filled(
      ...mentions,
      { id: "boat", title: "Curlew", text: "a steady boat with two masts and a stove" },
      { id: "way", title: "Newhaven – Dieppe", text: "the founding route, sailed every day of the year" },
      ...Array.from({ length: 12 }, (_, n) => ({
        id: `s${n}`,
        title: `Newhaven to Dieppe, day ${n} of the month`,
        text: "Newhaven Dieppe",
      })),
    );
    expect((await shard.find("What do we know about the curlew?"))[2]).toBe("notes:boat");
    expect((await shard.find("How far is it from Newhaven to Dieppe?"))[2]).toBe("notes:way");
  });

  it("takes a title that many rows share for no name", async () => {
    const shard = await filled(
      ...Array.from({ length: 60 }, (_, n) => ({ id: `v${n}`, title: "Site visit", text: `entry ${n}` })),
      { id: "rules", title: "What a site visit needs", text: "a site visit needs a permit" },
    );
    expect((await shard.find("Which permit does a site visit need?"))[0]).toBe("notes:rules");
  });

  it("scores from 0 to 1, falling", async () => {
    const shard = await filled(
      { id: "1", text: "engine engine" },
      { id: "2", text: "engine" },
      { id: "3", text: "pump" },
    );
    const { evidence } = await shard.api.query(await question("engine"));
    const scores = evidence.map((hit) => hit.score);
    expect(scores[0]).toBeCloseTo(1, 5);
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  });

  it("finds by vector what shares no word with the question", async () => {
    const shard = await filled({ id: "1", text: "overheating" }, { id: "2", text: "invoice" });
    expect((await shard.find("overheated"))[0]).toBe("notes:1");
  });

  it("searches by words alone where the vectors live elsewhere", async () => {
    const shard = await filled({ id: "1", text: "engine", vectorless: true });
    expect(await shard.find("engine")).toEqual(["notes:1"]);
  });

  it("gives everything that evidence is made of", async () => {
    const shard = openShard();
    const staged = await row({
      id: "a%7Cb|7",
      text: "engine",
      version: "v1",
      title: "Engine",
      changedAt: "2026-10-01T00:00:00Z",
      cells: [
        { column: "code", value: "a|b" },
        { column: "n", value: 7 },
        { column: "big", value: "9007199254740993" },
        { column: "none", value: null },
      ],
      accessClass: SECRET.id,
    });
    await shard.api.stage(run(1), batch(0, [{ ...staged, url: "https://example.com/7" }]));
    await shard.api.publish(run(1), [{ ...published({ added: 1 }), key: ["code", "n"], rollup: true }], 5);
    const { evidence, epoch } = await shard.api.query(await question("engine"));
    expect(epoch).toBe(5);
    expect(evidence).toEqual([
      {
        id: "notes:a%7Cb|7#0",
        row: "notes:a%7Cb|7",
        table: "notes",
        key: { code: "a|b", n: "7" },
        title: "Engine",
        text: "engine",
        cells: staged.cells,
        version: "v1",
        classification: "restricted",
        rollup: true,
        asOf: "2026-11-01T00:00:00Z",
        changedAt: "2026-10-01T00:00:00Z",
        url: "https://example.com/7",
        score: 1,
      },
    ]);
  });

  it("shows at most three chunks of one row", async () => {
    const shard = await filled(
      { id: "long", text: ["engine one", "engine two", "engine three", "engine four", "engine five"] },
      { id: "short", text: "a word about the engine in a longer line of text than the others" },
    );
    const found = await shard.find("engine");
    expect(found.filter((id) => id === "notes:long")).toHaveLength(3);
    expect(found).toContain("notes:short");
  });

  it("shows a row in the widest view that the caller may see", async () => {
    const wide = [
      { column: "id", value: "1" },
      { column: "pay", value: "90000" },
    ];
    const shard = await filled(
      {
        id: "1",
        view: "a-narrow",
        text: "Ada, engineer",
        version: "n",
        cells: [{ column: "id", value: "1" }],
      },
      {
        id: "1",
        view: "b-wide",
        text: "Ada, engineer, pay 90000",
        version: "w",
        cells: wide,
        accessClass: SECRET.id,
      },
    );
    const all = await shard.api.query(await question("Ada engineer"));
    expect(all.evidence.map((hit) => hit.version)).toEqual(["w"]);
    const guest = await shard.api.query(await question("Ada engineer", { filter: PUBLIC_ONLY }));
    expect(guest.evidence.map((hit) => [hit.version, hit.text])).toEqual([["n", "Ada, engineer"]]);
  });
});

describe("the access filter", () => {
  const secret: RowInput = { id: "pay", text: "salary of Ada is 90000", accessClass: SECRET.id };

  it("keeps out what no permitted class allows", async () => {
    const shard = await filled(secret, { id: "open", text: "salary bands are public" });
    expect(await shard.find("salary", { filter: PUBLIC_ONLY })).toEqual(["notes:open"]);
    expect(await shard.find("salary", { filter: { classes: [], tables: undefined } })).toEqual([]);
  });

  it("takes more classes than a statement takes parameters", async () => {
    const shard = await filled(secret);
    const classes = [...Array.from({ length: 5000 }, (_, i) => `class-${i}`), SECRET.id];
    expect(await shard.find("salary", { filter: { classes, tables: undefined } })).toEqual(["notes:pay"]);
  });

  it("narrows to a cell's value, whatever its type", async () => {
    const shard = await filled(
      {
        id: "1",
        text: "engine",
        cells: [
          { column: "ok", value: true },
          { column: "n", value: 12.5 },
        ],
      },
      {
        id: "2",
        text: "engine",
        cells: [
          { column: "ok", value: "true" },
          { column: "n", value: 12 },
        ],
      },
      {
        id: "3",
        text: "engine",
        cells: [
          { column: "ok", value: null },
          { column: "n", value: "12" },
        ],
      },
    );
    const find = (cells: Record<string, string>): Promise<readonly string[]> =>
      shard.find("engine", { filter: { ...EVERYTHING, cells } });
    expect((await find({ ok: "true" })).toSorted()).toEqual(["notes:1", "notes:2"]);
    expect((await find({ n: "12" })).toSorted()).toEqual(["notes:2", "notes:3"]);
    expect(await find({ n: "12", ok: "true" })).toEqual(["notes:2"]);
    expect(await find({ n: "12.5" })).toEqual(["notes:1"]);
    expect(await find({ absent: "" })).toEqual([]);
  });

  it("is checked again in the registry: a search that says otherwise shows nothing", async () => {
    const shard = await filled(secret, { id: "open", text: "salary bands are public" });
    await tamper(shard, "UPDATE entry SET class = (SELECT no FROM class WHERE id = ?)", OPEN.id);
    expect(await shard.find("salary", { filter: PUBLIC_ONLY })).toEqual(["notes:open"]);
  });

  it("is checked again for staged and ended versions that the search takes for live", async () => {
    const shard = await filled({ id: "1", text: "engine one" }, { id: "2", text: "engine two" });
    await shard.api.stage(run(2), batch(0, [await row({ id: "2", text: "engine new" })]));
    await shard.api.publish(run(2), [published({ unchanged: 1, changed: 1 })], 1);
    await shard.api.stage(run(3), batch(0, [await row({ id: "3", text: "engine staged" })]));
    await tamper(shard, "UPDATE entry SET live = 1");
    const { evidence } = await shard.api.query(await question("engine"));
    expect(evidence.map((hit) => hit.text).toSorted()).toEqual(["engine new", "engine one"]);
  });
});

describe("the local embedder", () => {
  it("gives in workerd what it gives in Node", async () => {
    const vector = await vectorOf("Vessel Aurora, 2024-05-12");
    const strongest = [...vector.entries()].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 3);
    // The same literals as in the unit test.
    expect(strongest.map(([i, value]) => [i, value.toFixed(4)])).toEqual([
      [340, "-0.3437"],
      [363, "0.3437"],
      [0, "0.2030"],
    ]);
  });
});

describe("text of any kind", () => {
  const TEXTS = [
    "' OR 1=1; --",
    '"quoted" AND NEAR(x, y) NOT *',
    "fts5: title:body ^caret {set} (paren",
    "田中さんにあげて下さい",
    "👨‍👩‍👧‍👦 🇫🇷 ❤️‍🔥",
    "ثم نفس سقطت",
    "Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤",
    "a\u0000b\u0001\u001f",
    "\u202eexe.fdp",
    "%s%n %00 \\u0000 ${jndi:ldap://x}",
    "(((((((((( ,./;'[]\\-= ",
    "\uFFFD\uFFFE\uFFFF",
    "ﬁn Å ½ ①",
    "_".repeat(300),
    "x".repeat(5000),
  ];

  it("is stored, found by itself and given back letter for letter", async () => {
    const shard = openShard();
    const rows = await Promise.all(TEXTS.map((text, i) => row({ id: `${i}`, text, title: `t${i}` })));
    await shard.publish(1, rows, { added: TEXTS.length });
    for (const [i, text] of TEXTS.entries()) {
      const { evidence } = await shard.api.query(await question(text, { topK: 20 }));
      const hit = evidence.find((item) => item.row === `notes:${i}`);
      expect(hit?.text).toBe(text);
      expect(hit?.cells[1]?.value).toBe(text);
    }
  });

  it("can be asked, even when there is nothing to look for", async () => {
    const shard = await filled({ id: "1", text: "engine" });
    for (const text of ["?", " ", "", "the of", "\u0000", "***", "AND OR NOT"]) {
      await expect(shard.api.query(await question(text || "x", { text }))).resolves.toBeDefined();
    }
  });
});

/** Words of falling frequency, the same at every run. */

function words(n: number): string {
  const common = ["harbour", "ferry", "crew", "deck", "pump", "valve", "rudder", "winch"];
  return common.filter((_, i) => (n * 7919 + i * 104_729) % (i + 1) === 0).join(" ");
}

describe("words that half of the rows or more have", () => {
  it("change no ranking when they are left out beside a rarer one", async () => {
    const ids = Array.from({ length: 60 }, (_, n) => `${n}`);
    const shard = await filled(
      ...ids.map((id, n) => ({
        id,
        text: `${words(n)} ${words(n * n)} n${n} ${n === 7 ? "zebra" : ""}`,
        vectorless: true,
        accessClass: n % 5 === 0 ? OPEN.id : SECRET.id,
      })),
    );
    const hits = await Promise.all(
      ids.map(async (id, n) => ({
        id: await storedId(`notes:${id}`, "all", 0),
        score: 0.9 - ((n * 37) % 60) / 100,
      })),
    );
    // Where the outside index says that it has nothing else, all words are looked for.
    const ranking = (text: string, filter: typeof EVERYTHING, whole: boolean): Promise<readonly string[]> =>
      shard.find(text, {
        near: nearOf(hits, whole),
        vector: new Float32Array(0),
        fusionWeight: 1,
        topK: 60,
        filter,
      });
    for (const text of [
      "harbour ferry",
      "harbour ferry winch",
      "crew pump valve rudder",
      "deck n7 harbour",
      // In no row of those who see a fifth: to them the common words are all that there is.
      "ferry zebra",
    ]) {
      for (const filter of [EVERYTHING, PUBLIC_ONLY]) {
        expect(await ranking(text, filter, false), text).toEqual(await ranking(text, filter, true));
      }
    }
  });
});

describe("what the words of a question are worth", () => {
  it("is the same added up from what is known of each as asked of FTS5 at once", async () => {
    const shard = await filled(
      ...Array.from({ length: 40 }, (_, n) => ({
        id: `${n}`,
        title: words(n + 1),
        text: `${words(n)} ${words(n * n)} ${n % 7 === 0 ? "bow door" : "door, bow"}`,
        vectorless: true,
        accessClass: n % 3 === 0 ? OPEN.id : SECRET.id,
      })),
    );
    const wanted = ["bow", "engin", "door", "unheard", "bow door", "note"];
    await runInDurableObject(shard.stub, (_, { storage: { sql } }) => {
      const known = makeKnown(sql);
      for (const filter of [EVERYTHING, PUBLIC_ONLY, { ...EVERYTHING, cells: { id: "7" } }]) {
        const allowed = resolveFilter(sql, known, filter);
        for (const limit of [5, 200]) {
          const asked = matching(sql, wanted, allowed, limit);
          expect(asked.length).toBeGreaterThan(0);
          expect(summed(known, wanted, allowed, limit)).toEqual(asked);
          expect(summed(known, wanted, allowed, limit)).toEqual(asked);
        }
      }
    });
  });
});
