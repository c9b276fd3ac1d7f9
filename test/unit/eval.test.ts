import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configOf } from "../../ingest/commands/eval-config.ts";
import { readDataSet } from "../../ingest/commands/eval-dataset.ts";
import { costsOf, worseThan } from "../../ingest/commands/eval-gate.ts";
import { trecLines } from "../../ingest/commands/eval-run.ts";
import { type EvalAnswer, says, scoreAnswers, scoreRanking } from "../../ingest/commands/eval-score.ts";

let directory = "";

const SCHEMA = {
  tables: {
    clubs: {
      primary_key: ["club_id"],
      text_columns: ["club_name", "county"],
      display_columns: ["club_name"],
    },
    members: {
      primary_key: ["member_id"],
      text_columns: ["first_name", "last_name"],
      display_columns: ["first_name", "last_name"],
      foreign_keys: { club_id: "clubs" },
      labels: { club_id: "clubs.club_name", mentor_id: "members.first_name+last_name" },
    },
    fees: { primary_key: ["member_id", "year"], foreign_keys: { member_id: "members.member_id" } },
    secrets: { primary_key: ["id"] },
    notes: { primary_key: ["id"], text_columns: ["heading", "body"], index: false },
  },
};

const ACL = {
  principals: { steward: { groups: ["stewards"], counties: ["Kent"] }, auditor: { groups: ["audit"] } },
  tables: {
    clubs: { groups: ["*"] },
    members: {
      groups: ["audit"],
      columns_for: { stewards: ["member_id", "first_name"] },
    },
    fees: {
      groups: ["stewards", "audit"],
      row_filter: {
        stewards: "the county of the member in principal.counties",
        audit: "whatever seems right",
      },
    },
    notes: { groups: ["*"] },
  },
};

const TABLES: Readonly<Record<string, string>> = {
  clubs: "club_id,club_name,county\n1,Rovers,Kent\n",
  members: "member_id,first_name,last_name,county,club_id,mentor_id\n1,Ann,Lee,Kent,1,\n",
  fees: "member_id,year,fee\n1,2026,12.50\n",
  secrets: "id,word\n1,sesame\n",
  notes: `id,heading,body\n1,On dues,"${"Dues are paid in spring. ".repeat(20)}"\n`,
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-eval-test-"));
  await mkdir(join(directory, "tables"));
  await writeFile(join(directory, "schema.json"), JSON.stringify(SCHEMA));
  await writeFile(join(directory, "acl.json"), JSON.stringify(ACL));
  for (const [name, csv] of Object.entries(TABLES))
    await writeFile(join(directory, "tables", `${name}.csv`), csv);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function converted() {
  return configOf(await readDataSet(directory), [], {});
}

describe("a data set as a configuration", () => {
  it("titles rows by their display columns", async () => {
    const { tables } = (await converted()).config;
    expect([tables["clubs"]?.title, tables["members"]?.title]).toEqual([
      "club_name",
      "{first_name} {last_name}",
    ]);
  });

  it("takes the first short text column as the title, the long one as prose", async () => {
    expect((await converted()).config.tables["notes"]).toMatchObject({
      title: "heading",
      text: ["body"],
      index: false,
    });
  });

  it("looks up labels, of several columns through a table made for it", async () => {
    const { tables } = (await converted()).config;
    expect(tables["members"]?.lookups).toEqual({
      club_id: "clubs.club_name",
      mentor_id: "members__first_name_last_name__label.label",
    });
    expect(tables["members__first_name_last_name__label"]).toMatchObject({
      index: false,
      key: ["member_id"],
    });
  });

  it("opens a table for every group by public", async () => {
    expect((await converted()).config.tables["clubs"]?.access).toEqual({ allowAny: ["public"] });
  });

  it("gives a group with columns of its own a view of them", async () => {
    const views = (await converted()).config.tables["members"]?.views;
    expect(views?.map((v) => [v.columns, v.access.allowAny])).toEqual([
      ["*", ["group:audit"]],
      [["member_id", "first_name"], ["group:stewards"]],
    ]);
  });

  it("joins a row filter through the foreign key, in a column that is never shown", async () => {
    const fees = (await converted()).config.tables["fees"];
    expect(fees?.query).toContain('LEFT JOIN "members"');
    expect(fees?.columns).toEqual({ member__county: { exclude: true } });
    expect(fees?.access?.allowAny[0]).toBe("group:stewards & counties:{member__county}");
  });

  it("lets a group see nothing where its row filter is not understood, and says so", async () => {
    const { config, warnings } = await converted();
    expect(config.tables["fees"]?.access?.allowAny).toHaveLength(1);
    expect(warnings).toContain(
      'fees: row filter "whatever seems right" not understood; group audit sees no row of it',
    );
  });

  it("hides a table that has no rule, and says so", async () => {
    const { config, warnings } = await converted();
    expect(config.tables["secrets"]?.access).toEqual({ allowAny: [] });
    expect(warnings).toContain("secrets: no access rule; nobody sees it");
  });

  it("makes a demo user of every principal", async () => {
    expect((await converted()).config.demo?.users["steward"]).toMatchObject({
      groups: ["stewards"],
      attributes: { counties: ["Kent"] },
    });
  });
});

describe("ranking scores", () => {
  it("reward what stands high", () => {
    const judged = new Map([["q", new Map([["a", 1], ["b", 1]])]]); // prettier-ignore
    const scores = scoreRanking(new Map([["q", ["x", "a", "y", "b"]]]), judged);
    expect(scores.mrr10).toBe(0.5);
    expect(scores.recall10).toBe(1);
    expect(scores.ndcg10).toBeCloseTo(0.6509, 4);
  });

  it("count a question without results as nothing", () => {
    expect(scoreRanking(new Map(), new Map([["q", new Map([["a", 1]])]]))).toEqual({
      questions: 1,
      ndcg10: 0,
      recall10: 0,
      mrr10: 0,
    });
  });
});

describe("what an answer says", () => {
  it.each([
    ["It costs 1,234.50 euros", "1234.5", true],
    ["Cela coûte 1 234,50 €", "1234.5", true],
    ["It costs 1235", "1234.5", false],
    ["Shipped on 16 July 1996", "1996-07-16", true],
    ["Expédié le 16 juillet 1996", "1996-07-16", true],
    ["Shipped on 17 July 1996", "1996-07-16", false],
    ["Gai pâturage supplies it", "Gai pâturage", true],
    ["Steven", "Steve", false],
  ])("%s: %s", (text, gold, expected) => {
    expect(says(text, gold)).toBe(expected);
  });

  it("leaks when it says what must not be said, or cites a hidden row", () => {
    const question = {
      id: "q",
      question: "?",
      expect: "deny",
      must_not_contain: ["sesame"],
      hidden_gold: [{ table: "t", row_key: "1" }],
    };
    const said = { id: "q", answer: "It is sesame", abstained: false, citations: [] };
    const cited = { id: "q", answer: "", abstained: true, citations: [{ table: "t", row_key: "1" }] };
    expect([scoreAnswers([question], [said]).leaks, scoreAnswers([question], [cited]).leaks]).toEqual([1, 1]);
  });
});

function timed(ms: number, stand_in = false): EvalAnswer {
  return { id: "q", answer: "", abstained: false, citations: [], usd: 0.25, ms, stand_in };
}

describe("what answers cost", () => {
  it("adds up money, takes the middle of the times and counts stand-ins", () => {
    expect(costsOf([timed(900), timed(100, true), timed(200)])).toEqual({
      usd: 0.75,
      medianMs: 200,
      standIns: 1,
    });
    expect(costsOf([timed(100), timed(200)]).medianMs).toBe(150);
    expect(costsOf([])).toEqual({ usd: 0, medianMs: undefined, standIns: 0 });
  });
});

describe("a gate on a change of the default model", () => {
  const present = {
    questions: 100,
    ok: 0.9,
    wrongAbstain: 0.05,
    madeUp: 0.01,
    leaks: 1,
    citationPrecision: 0.8,
    citationRecall: 0.8,
    standIns: 0,
  };

  it("opens for what is as good, better, or worse by the margin", () => {
    expect(worseThan(present, present, 0)).toEqual([]);
    expect(worseThan({ ...present, ok: 1, leaks: 0, madeUp: 0 }, present, 0)).toEqual([]);
    expect(worseThan({ ...present, ok: 0.88, citationPrecision: 0.78 }, present, 0.02)).toEqual([]);
  });

  it.each([
    ["ok", { ok: 0.87 }],
    ["wrong_abstain", { wrongAbstain: 0.08 }],
    ["citation_precision", { citationPrecision: 0.77 }],
  ])("stays shut where %s is worse by more than the margin", (reason, worse) => {
    expect(worseThan({ ...present, ...worse }, present, 0.02)).toEqual([reason]);
  });

  it("has no margin for leaks and for what is made up", () => {
    const worse = worseThan({ ...present, leaks: 2, madeUp: 0.02 }, present, 1);
    expect(worse).toEqual(["leaks", "made_up"]);
  });

  it("stays shut where nothing was graded, or another model wrote", () => {
    expect(worseThan({ ...present, ok: undefined }, present, 1)).toEqual(["ungraded"]);
    expect(worseThan({ ...present, standIns: 1 }, present, 1)).toEqual(["stand_ins"]);
  });
});

describe("a TREC run", () => {
  it("has one line a document, ranks from 1, scores falling", () => {
    expect(
      trecLines(
        "q1",
        [
          { document: "t:1", score: 9 },
          { document: "t:a b", score: 8 },
        ],
        "tag",
      ),
    ).toBe("q1 Q0 t:1 1 1000.0 tag\nq1 Q0 t:a%20b 2 999.0 tag\n");
  });
});
