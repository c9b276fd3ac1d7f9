import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve, type Served } from "./harness.ts";
import { ownSample } from "./sample.ts";

/** The whole story on the real runtime: the CLI's ingest into the served Worker, questions over HTTP, the eight examples. */

let served: Served;
let sample: Awaited<ReturnType<typeof ownSample>>;

beforeAll(async () => {
  sample = await ownSample();
  served = await serve(sample.config);
  await served.ingest();
});

afterAll(async () => {
  await served?.stop();
  await rm(sample.directory, { recursive: true, force: true });
});

const ids = (citations: readonly { readonly id: string }[]): string[] => citations.map((c) => c.id);

describe("the eight examples", () => {
  test("a cause is answered from the incident and cites the cell that holds it", async () => {
    const question = "Why was the 06:30 Salicorne sailing from Dieppe cancelled on 3 November 2026?";
    const answer = await served.ask(question, "ops-fr");
    expect(answer.outcome).toBe("answered");
    expect(answer.text).toContain("hydraulic hose of the stern ramp burst");
    expect(ids(answer.citations)).toContain("incidents:INC-2648");
    const cited = answer.citations.find((c) => c.id === "incidents:INC-2648");
    expect(cited?.cells.some((cell) => String(cell.value).includes("hydraulic hose"))).toBe(true);
    expect((await served.ask(question, "guest")).outcome).toBe("no_evidence");
  });

  test("a contract term is there for sales and absent for everyone else, in the same words as a row that never was", async () => {
    const question = "What quay rent does Alderbrook Provender pay for its trailers?";
    const mine = await served.ask(question, "sales-uk");
    expect(mine.text).toContain("65 euros");
    expect(ids(mine.citations)).toEqual(["contracts:CON-301"]);
    const theirs = await served.ask(question, "ops-fr");
    const never = await served.ask("What quay rent does Thornycastle Bloom pay for its trailers?", "ops-fr");
    expect([theirs.outcome, theirs.reason, theirs.text]).toEqual([never.outcome, never.reason, never.text]);
    expect(theirs.reason).toBe("none_found");
  });

  test.each(["ops-fr", "sales-uk", "guest"])("pay is for hr alone, not for %s", async (user) => {
    const question = "What is Odile Marchepont's annual salary?";
    const answer = await served.ask(question, "hr");
    expect(answer.text).toMatch(/71[, ]?850/);
    expect(ids(answer.citations)).toEqual(["pay:E-104"]);
    const other = await served.ask(question, user);
    expect(other.outcome).toBe("no_evidence");
    expect(JSON.stringify(other)).not.toMatch(/71[, ]?850/);
  });

  test("two rows in conflict are both shown with their dates, the newer first", async () => {
    const answer = await served.ask("How long before departure does car check-in close at Dieppe?", "guest");
    expect(ids(answer.citations)).toEqual(["notices:N-2614", "knowledge_articles:KA-101"]);
    expect(answer.text.indexOf("75 minutes")).toBeGreaterThan(-1);
    expect(answer.text.indexOf("75 minutes")).toBeLessThan(answer.text.indexOf("45 minutes"));
    expect(answer.text).toContain("2026");
    expect(answer.text).toContain("2025");
  });

  test("a French question is answered in French from a French and an English row", async () => {
    const answer = await served.ask(
      "Toutes les combien de minutes note-t-on la température des reefers du Salicorne ?",
      "ops-fr",
    );
    expect(answer.outcome).toBe("answered");
    expect(answer.text).toContain("30 minutes");
    expect(ids(answer.citations)).toEqual(["notices:N-2619", "knowledge_articles:KA-118"]);
  });

  test("a total comes from the rollup that the warehouse computed", async () => {
    const question = "What was the total revenue at Newhaven in the third quarter of 2026?";
    const answer = await served.ask(question, "sales-uk");
    expect(answer.outcome).toBe("answered");
    expect(answer.citations[0]?.table).toBe("revenue_by_port_and_quarter");
    const other = await served.ask(question, "guest");
    expect([other.outcome, other.reason]).toEqual(["no_evidence", "needs_total"]);
  });

  test("a question that no row answers gets no answer", async () => {
    const answer = await served.ask("Which ship sails to Santander on Sundays?", "guest");
    expect([answer.outcome, answer.citations.length]).toEqual(["no_evidence", 0]);
  });

  test("a contact that is erased is gone at once, cache included, and no later ingest brings it back", async () => {
    const question = "What is Imogen Tarrant-Vale's phone number?";
    const before = await served.ask(question, "sales-uk");
    expect(before.text).toContain("+44 1632 960107");
    await expect.poll(async () => (await served.ask(question, "sales-uk")).cache).toBe("exact");
    const erased = await served.post(
      "/v1/erase",
      { table: "contacts", key: "CT-3001" },
      { authorization: `Bearer ${served.token}` },
    );
    expect(erased.status).toBe(202);
    const receipt = (await erased.json()) as { removed: { answers: number } };
    expect(receipt.removed.answers).toBeGreaterThan(0);
    expect(receipt).toMatchObject({
      removed: { rows: 1 },
      residue: 0,
      proof: { spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 },
    });
    const after = await served.ask(question, "sales-uk");
    expect([after.outcome, JSON.stringify(after).includes("960107")]).toEqual(["no_evidence", false]);
    await served.ingest();
    expect((await served.ask(question, "sales-uk")).outcome).toBe("no_evidence");
  });
});

test("what is stored can't be looked through beside the Worker's own surfaces", async () => {
  const browser = await served.get("/cdn-cgi/explorer/api/workers/durable_objects/namespaces");
  expect(browser.status).toBe(404);
});

describe("the index follows the warehouse", () => {
  test("an ingest that finds nothing changed embeds nothing and publishes no generation", async () => {
    const first = await served.ingest();
    const second = await served.ingest();
    expect(second.embedded_texts).toBe(0);
    expect(second.generation).toBe(first.generation);
    const articles = second.tables.find(({ table }) => table === "knowledge_articles");
    expect(articles).toMatchObject({ read: 0, added: 0, changed: 0, deleted: 0, skipped: true });
    expect(articles?.unchanged).toBeGreaterThan(0);
  });

  test("an edited row changes its answer at the next ingest, and nothing else is embedded", async () => {
    const question = "How long before departure does car check-in close at Dieppe?";
    await served.ask(question, "guest");
    const path = join(sample.directory, "files", "knowledge_articles.csv");
    const before = await readFile(path, "utf8");
    const after = before.replace("closes 45 minutes before", "closes 52 minutes before");
    expect(after).not.toBe(before);
    await writeFile(path, after);
    const result = await served.ingest();
    const changed = result.tables.filter((t) => t.added + t.changed + t.deleted > 0);
    expect(changed.map((t) => [t.table, t.added, t.changed, t.deleted])).toEqual([
      ["knowledge_articles", 0, 1, 0],
    ]);
    expect(result.embedded_texts).toBe(1);
    const answer = await served.ask(question, "guest");
    expect([answer.text.includes("52 minutes"), answer.text.includes("45 minutes")]).toEqual([true, false]);
  });

  test("a row deleted in the warehouse is gone at the next ingest", async () => {
    const path = join(sample.directory, "files", "knowledge_articles.csv");
    const before = await readFile(path, "utf8");
    const rows = before.split(/\n(?=KA-)/);
    await writeFile(path, rows.filter((row) => !row.startsWith("KA-118,")).join("\n"));
    const result = await served.ingest();
    await writeFile(path, before);
    expect(result.tables.find((t) => t.table === "knowledge_articles")?.deleted).toBe(1);
    const response = await served.post(
      "/v1/search",
      { query: "reefer sockets on Salicorne", top_k: 50 },
      { "x-quayside-demo-user": "ops-fr" },
    );
    expect(await response.text()).not.toContain("KA-118");
  });

  test("answers survive a crash and a restart of the Worker", async () => {
    await served.restart("crash");
    const answer = await served.ask(
      "What quay rent does Alderbrook Provender pay for its trailers?",
      "sales-uk",
    );
    expect(ids(answer.citations)).toEqual(["contracts:CON-301"]);
  });
});
