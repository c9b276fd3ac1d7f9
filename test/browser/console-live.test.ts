import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../shared/config.ts";
import { serve, type Served } from "../e2e/harness.ts";
import { haveChromium, launchChromium, openPage, reopen, type Watched } from "./chromium.ts";
import { imported } from "./stub-api.ts";

const INCIDENTS = `incident_id,vessel,cause,delay_minutes,occurred_on
I-1,Heron,corroded connector on the bow door sensor,95,2026-10-14
I-2,Curlew,late pilot,20,2026-10-15
`;
const NOTICES = `notice_id,title,body
N-1,Cabins,Cabins may be booked until two hours before departure.
N-2,Animaux,Les chiens voyagent gratuitement sur le pont inférieur.
`;

const config = (folder: string) =>
  parseConfig({
    name: "Test Line",
    sources: { files: { kind: "duckdb", path: folder } },
    tables: {
      incidents: {
        source: "files",
        key: ["incident_id"],
        description: "What went wrong on board",
        classification: "internal",
        access: { allowAny: ["group:crew"] },
      },
      notices: {
        source: "files",
        key: ["notice_id"],
        title: "title",
        text: ["body"],
        classification: "public",
        access: { allowAny: ["public"] },
      },
    },
    demo: {
      users: {
        crew: { label: "Crew", groups: ["crew"], language: "en" },
        visitor: { label: "Visitor", groups: [], language: "en" },
      },
      examples: [
        {
          question: "What was the cause of the delay of Heron?",
          as: "crew",
          shows: { en: "A cause", fr: "Une cause" },
        },
      ],
    },
  });

/** The n-th turn, once it is answered. */
function done(page: Page, n: number): Locator {
  return page.locator(".turn").nth(n).and(page.locator('[data-phase="done"]'));
}

describe.skipIf(!haveChromium())("console of the served Worker", () => {
  let folder: string;
  let served: Served;
  let browser: Browser;
  let watched: Watched | undefined;

  beforeAll(async () => {
    const { buildConsole } = await imported<{ readonly buildConsole: () => Promise<unknown> }>(
      "workers/surfaces/console/build.ts",
    );
    await buildConsole();
    folder = await mkdtemp(join(tmpdir(), "quayside-console-"));
    await writeFile(join(folder, "incidents.csv"), INCIDENTS);
    await writeFile(join(folder, "notices.csv"), NOTICES);
    served = await serve(config(folder));
    await served.ingest();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(watched?.trouble.splice(0) ?? []).toEqual([]);
  });

  async function visit(path = "/"): Promise<Page> {
    if (watched) await reopen(watched.page, served.url, path);
    watched ??= await openPage(browser, served.url, {}, path);
    return watched.page;
  }

  /** Goes on as the operator, where the demo's people have got no further. */
  async function asOperator(page: Page): Promise<void> {
    await page.locator(".menu.who .opener").click();
    await page.locator("#menu-who button").last().click();
    await page.locator("#key").fill(served.token);
    await page.locator("#key").press("Enter");
    await page.locator("#sign-in").waitFor({ state: "hidden" });
  }

  test("answers an example, and opens the row that it cites", async () => {
    const page = await visit();
    await page.locator(".example").click();
    await done(page, 0).waitFor();
    expect(await page.locator(".prose").textContent()).toContain("corroded connector on the bow door sensor");
    await page.locator(".prose .cite").first().click();
    expect(await page.locator("#evidence .facts dd").nth(1).textContent()).toBe("incident_id I-1");
    expect(await page.locator("#evidence tr.used th").allTextContents()).toContain("cause");
  });

  test("shows somebody else that there is nothing, and fewer tables", async () => {
    const page = await visit();
    await page.getByText("2 tables open to you").waitFor();
    await page.locator(".example").click();
    await done(page, 0).waitFor();
    await page.locator(".same-as .person").click();
    await done(page, 1).waitFor();
    expect(await page.locator(".card.empty h3").textContent()).toBe("No row answers this");
    await page.getByText("1 table open to you").waitFor();
    expect(await page.locator(".tables-list code").allTextContents()).toEqual(["notices"]);
  });

  test("answers the second time from the cache", async () => {
    const page = await visit();
    const badge = page.locator(".badge.sea", { hasText: "From cache, rows unchanged" });
    const askOnce = async (): Promise<void> => {
      await page.locator("#question").fill("Until when may cabins be booked?");
      await page.locator("#question").press("Enter");
      await done(page, 0).waitFor();
    };
    await askOnce();
    expect(await badge.count()).toBe(0);
    // Whatever the cache takes too long to tell is answered anew: on a busy machine that may be the second, too.
    await expect
      .poll(async () => {
        await page.locator("#restart").click();
        await askOnce();
        return badge.count();
      })
      .toBe(1);
  });

  test("lists the models that the Worker knows", async () => {
    const page = await visit();
    await page.locator(".menu.model .opener").click();
    await page.locator("#menu-model label").nth(1).waitFor();
    expect(await page.locator("#menu-model .option-name").allTextContents()).toContain("local/compose");
  });

  test("shows side by side which row one person sees and the other does not", async () => {
    const page = await visit("/#/people");
    await page.locator("#several-question").fill("What was the cause of the delay of Heron?");
    await page.locator("#several-question").press("Enter");
    await page.locator(".matrix").waitFor();
    expect(await page.locator(".column .card.empty h3").textContent()).toBe("No row answers this");
    const row = page.locator(".matrix tr.differs", { hasText: "incidents:I-1" });
    expect(await row.locator("td").first().textContent()).toContain("cites it, source 1");
    expect(await row.locator("td").last().textContent()).toBe("not there");
    // What both may see is no difference, whoever's search found it.
    expect(await page.locator(".matrix tr.differs", { hasText: "notices:" }).count()).toBe(0);
  });

  test("compares the built-in models, and counts a vote by model and kind of question", async () => {
    const page = await visit("/#/models");
    await page.locator(".choices :checked").nth(1).waitFor();
    await page.locator("#several-question").fill("Until when may cabins be booked?");
    await page.locator("#several-question").press("Enter");
    await page.locator('.column[data-phase="done"]').nth(1).waitFor();
    await page.locator(".column").first().getByRole("button", { name: "Good answer" }).click();
    await page.getByText("Thank you.").waitFor();
    await page.locator("#nav").getByRole("link", { name: "Feedback" }).click();
    await page.locator(".outlet .card.refused").waitFor();
    await asOperator(page);
    expect(await page.locator(".opinion .record-head").textContent()).toBe(
      "local/composelookup1 up, 0 down100% good",
    );
  });

  test("asks for a run of one table, shows that it waits, and cancels it", async () => {
    const page = await visit("/#/runs");
    await asOperator(page);
    await page.locator(".run.published").waitFor();
    await page.locator(".starter > summary").click();
    await page.getByLabel("Only these").check();
    await page.getByLabel("incidents").check();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const waiting = page.locator(".run.queued");
    expect(await waiting.locator(".asked").textContent()).toBe("incidents ");
    await waiting.getByRole("button", { name: /^Cancel run/ }).click();
    await page.locator(".run.cancelled").waitFor();
  });

  test("tells how fresh tables are, and what is spent", async () => {
    const page = await visit("/#/tables");
    await asOperator(page);
    await page.locator(".record", { hasText: "incidents" }).getByText("no row open to you").waitFor();
    expect(await page.locator(".record", { hasText: "incidents" }).locator("dd").nth(2).textContent()).toBe(
      "2",
    );
    await page.locator("#nav").getByRole("link", { name: "Budgets" }).click();
    await page.locator(".record h2", { hasText: "Everybody together" }).waitFor();
  });

  test("opens a row by its address and erases it, with the proof; then it is nobody's", async () => {
    const page = await visit("/#row=notices%3AN-2");
    await page.locator("#evidence .row-more .facts").waitFor();
    expect(await page.locator("#evidence h2").textContent()).toBe("Animaux");
    expect(await page.locator("#evidence .erase").count()).toBe(0);
    await page.keyboard.press("Escape");
    await asOperator(page);
    await page.evaluate(() => (location.hash = "row=notices%3AN-2"));
    await page.getByRole("button", { name: "Erase this row" }).click();
    await page.getByRole("button", { name: "Erase for good" }).click();
    await page.locator(".card.proved .receipt").waitFor();
    const told = await page.locator(".receipt dd").allTextContents();
    // Its answers of the tests before are in the cache; how many reads and writes raced is of no matter here.
    expect(told[2]).toMatch(
      /^1 row, 1 passage, 0 outside vectors, \d+ cached answers?, 0 keys in runs, \d+ records? of (an answer|answers)$/,
    );
    expect(told.slice(3)).toEqual([
      "0",
      "found when asked again, over 1 space: registry 0, index 0, cached answers 0, runs 0, records 0",
    ]);
    const left = await served.get("/v1/rows/notices%3AN-2", { "x-quayside-demo-user": "visitor" });
    expect(left.status).toBe(404);
  });

  test("serves the page locked, and its script for good", async () => {
    const page = await served.get("/");
    const html = await page.text();
    expect(page.headers.get("content-security-policy")).toContain("require-trusted-types-for 'script'");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const path = /src="(\/page\.js\?v=[0-9a-f]{12})" integrity="sha384-/.exec(html)?.[1] ?? "";
    const script = await served.get(path);
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const again = await served.get("/", { "if-none-match": page.headers.get("etag") ?? "" });
    expect(again.status).toBe(304);
  });
});
