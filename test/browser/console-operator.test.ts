import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { haveChromium } from "./chromium.ts";
import { askSeveral, everyReader, pagesUnderTest, useKey } from "./pages.ts";
import { run } from "./stub-data.ts";

/** The pages that show an operator how tables, runs and budgets fare. */
describe.skipIf(!haveChromium())("console's pages for operators", () => {
  const pages = pagesUnderTest();
  const { visitAt } = pages;

  async function asOperator(path: string): Promise<Page> {
    const page = await visitAt(path);
    await page.locator(".outlet h1").waitFor();
    await useKey(page);
    await page.locator(".page-when span").first().waitFor();
    return page;
  }

  describe("tables", () => {
    test("tell how fresh they are, the late ones first, and to who may how their last run went", async () => {
      const page = await asOperator("/#/tables");
      const first = page.locator(".record").first();
      expect(await page.locator(".summary").textContent()).toBe("10 tables, 1 late");
      expect(await first.locator(".sign").allTextContents()).toEqual([
        "late",
        "internal",
        "1 row held back",
        "published",
      ]);
      expect(await first.locator("dd").allTextContents()).toEqual([
        "23 Nov 2026, 09:41",
        "2 hours, target 1 hour",
        "212",
        "published 3 minutes ago+3 ~2 −1",
      ]);
    });

    test("say to others what they are not told", async () => {
      const page = await visitAt("/#/tables");
      await page.locator(".record").first().waitFor();
      expect(await page.locator(".record").first().locator("dd").last().textContent()).toBe(
        "for holders of the scope “ingest”",
      );
    });

    test("of one person are gone from the page before another's are there", async () => {
      const page = await visitAt("/#/tables");
      await page.locator(".record").first().waitFor();
      const theirs = Promise.withResolvers<void>();
      await page.route("**/v1/tables", async (route) => {
        await theirs.promise;
        await route.continue();
      });
      await page.locator(".menu.who .opener").click();
      await page.locator('[data-user="guest"]').click();
      await page.locator(".menu.who strong", { hasText: "A passenger" }).waitFor();
      expect(await page.locator(".record").count()).toBe(0);
      theirs.resolve();
      await page.locator(".summary", { hasText: "3 tables, none late" }).waitFor();
      expect(await page.evaluate(() => document.activeElement?.className)).toBe("opener");
      await page.unrouteAll();
    });

    test("say so when there is none", async () => {
      pages.api.says.set("/v1/tables", { tables: [] });
      const page = await visitAt("/#/tables");
      expect(await page.locator(".outlet .card h2").textContent()).toBe("No table is open to you");
    });
  });

  const sent = (): unknown => pages.api.sent.map(([, body]) => body);

  describe("runs", () => {
    test("are followed while they go on, keep what is opened, and can be cancelled", async () => {
      const running = { state: "running", finished_at: null, generation: null };
      pages.api.says.set("/v1/ingest/runs", { runs: [run("run_9", running), run("run_8")] });
      const page = await asOperator("/#/runs");
      await page.locator("#tables-run_8 summary").click();
      await page.getByRole("button", { name: "Cancel run run_9" }).focus();
      const more = [
        { table: "incidents", read: 99, added: 9, changed: 0, deleted: 0, unchanged: 90, failed: 0 },
      ];
      pages.api.says.set("/v1/ingest/runs", {
        runs: [run("run_9", { ...running, tables: more }), run("run_8")],
      });
      await page.locator(".run.running .figures dd", { hasText: "99" }).waitFor();
      expect(await page.locator("#tables-run_8").getAttribute("open")).toBe("");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("cancel-run_9");
      await page.keyboard.press("Enter");
      await expect.poll(() => pages.api.sent[0]?.[0]).toBe("DELETE /v1/ingest/runs/run_9");
    });

    test("are started for all tables or for some", async () => {
      const page = await asOperator("/#/runs");
      await page.locator(".starter > summary").click();
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.locator(".starter .said", { hasText: "The run waits to be carried out." }).waitFor();
      await page.getByLabel("Only these").check();
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.locator(".starter .said", { hasText: "Choose at least one table." }).waitFor();
      await page.getByLabel("incidents").check();
      await page.getByLabel("Read every table").check();
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await expect.poll(sent).toEqual([{}, { tables: ["incidents"], read_all: true }]);
      await page.getByLabel("Make every row anew").check();
      await page.getByRole("button", { name: "Start", exact: true }).click();
      const both = { tables: ["incidents"], read_all: true, full: true };
      await expect.poll(sent).toEqual([{}, { tables: ["incidents"], read_all: true }, both]);
    });

    test("tell on demand which rows they hold back, and why", async () => {
      pages.api.says.set("/v1/ingest/runs", { runs: [run("run_8"), run("run_7")] });
      pages.api.fails.set("/v1/ingest/runs/run_7", ["internal", 500]);
      const page = await asOperator("/#/runs");
      await page.locator("#held-run_8 summary", { hasText: "Rows held back: 1" }).click();
      const cells = page.locator("#held-run_8 tbody tr").locator("th, td");
      await cells.first().waitFor();
      expect(await cells.allTextContents()).toEqual([
        "incidents",
        "INC-204|2026-11",
        "Another row has the same key.",
        "incidents",
        "<b>",
        "of a later kind",
      ]);
      expect(await page.locator("#held-run_8 p").textContent()).toBe("And 1 more that the list leaves out.");
      await page.locator("#refresh").click();
      expect(await cells.count()).toBe(6);
      await page.locator("#held-run_7 summary").click();
      await expect.poll(() => page.locator("#held-run_7 > div").textContent()).not.toBe("");
    });

    test("are open to a key that may do nothing else", async () => {
      const page = await visitAt("/#/runs");
      await page.locator(".outlet h1").waitFor();
      await useKey(page, "qk_ingest_secret");
      await page.locator(".run").first().waitFor();
      expect(await page.locator(".menu.who strong").textContent()).toBe("qk_ingest (key)");
    });

    test("say of a table that was not read that its source knew of nothing new", async () => {
      const skipped = {
        table: "vessels",
        read: 0,
        added: 0,
        changed: 0,
        deleted: 0,
        unchanged: 9,
        failed: 0,
        skipped: true,
      };
      pages.api.says.set("/v1/ingest/runs", { runs: [run("run_8", { tables: [skipped] })] });
      const page = await asOperator("/#/runs");
      await page.locator("#tables-run_8 summary").click();
      const cells = page.locator("#tables-run_8 tbody tr").locator("th, td");
      expect(await cells.allTextContents()).toEqual(["vessels", "nothing new", "0", "0", "0", "0"]);
    });

    test("tell why one failed", async () => {
      const page = await asOperator("/#/runs");
      expect(await page.locator(".run.failed .why").textContent()).toBe("The source is away.");
    });
  });

  test("feedback is told by model and kind of question", async () => {
    const page = await asOperator("/#/feedback");
    expect(await page.locator(".opinion .record-head").allTextContents()).toEqual([
      "anthropic/claude-sonnet-5lookup14 up, 2 down88% good",
      "local/composecomparison1 up, 4 down20% good",
    ]);
    expect(await page.locator(".comment > p:first-child").allTextContents()).toEqual([
      "Right to the day.",
      "It left out the second sailing.",
    ]);
    expect(await page.locator(".outlet .figures dd").allTextContents()).toEqual([
      "23%",
      "US$0.16, 14,400 tokens",
    ]);
  });

  test("budgets tell what is spent of what, the nearest to its cap first, and when they begin anew", async () => {
    const page = await asOperator("/#/budgets");
    expect(await page.locator(".summary").textContent()).toBe(
      "They begin anew 24 November 2026 at 00:00 (in 14 hours)",
    );
    expect(await page.locator(".record h2").allTextContents()).toEqual([
      "Model anthropic/claude-sonnet-5",
      "Person ops-fr",
      "Everybody together",
      "Group staff",
    ]);
    expect(await page.locator(".record").nth(1).locator("dd").allTextContents()).toEqual([
      "US$0.86 of US$1.00US$0.02 held for answers under way",
      "91,000 no cap",
    ]);
  });

  describe("when there is nothing to see", () => {
    test.each([
      ["runs", "ingest"],
      ["feedback", "admin"],
      ["budgets", "admin"],
    ])("%s say that they need the scope %s, and take a key", async (name, scope) => {
      const page = await visitAt(`/#/${name}`);
      const card = page.locator(".outlet .card.refused");
      expect(await card.textContent()).toContain(
        `This page needs the scope “${scope}”, which ops-fr does not`,
      );
      await card.getByRole("button", { name: "Use an API key" }).click();
      await page.locator("#key").fill("qk_op_secret");
      await page.locator("#key").press("Enter");
      await page.locator(".outlet .record").first().waitFor();
    });

    test("a failure is told, with a way to try again", async () => {
      pages.api.fails.set("/v1/tables", ["registry_unavailable", 503]);
      const page = await visitAt("/#/tables");
      expect(await page.locator(".outlet .card h3").textContent()).toBe(
        "The rows cannot be checked right now",
      );
      pages.api.fails.set("/v1/tables", ["rate_limited", 429]);
      await page.locator("#refresh").click();
      await page.locator(".outlet .card.wait h3", { hasText: "A moment, please" }).waitFor();
      pages.api.fails.clear();
      await page.locator(".outlet .card.wait button:enabled").click();
      await page.locator(".record").first().waitFor();
    });

    test("a line that is down is told, and nobody known is asked for a key", async () => {
      const page = await visitAt("/#/tables");
      await page.locator(".record").first().waitFor();
      await page.context().setOffline(true);
      await page.locator("#refresh").click();
      await page.locator(".outlet .card.failed h3", { hasText: "No connection" }).waitFor();
      await page.context().setOffline(false);
      pages.api.demo = false;
      await page.reload();
      await page.locator("#sign-in[open]").waitFor();
      expect(await page.locator(".outlet .card h3").textContent()).toBe("Please sign in");
      await page.locator("#key").fill("qs_test");
      await page.locator("#key").press("Enter");
      await page.locator(".record").first().waitFor();
    });
  });

  test("whom a sign-on vouches for is known without a key, and can be compared with the holder of one", async () => {
    pages.api.demo = false;
    pages.api.session = { subject: "ada@example.com", scopes: ["ask"] };
    const page = await visitAt("/#/people");
    expect(await page.locator("#several-said").textContent()).toBe(
      "There is nobody to compare with yet. Use a second API key.",
    );
    expect(await page.locator("#sign-in").isVisible()).toBe(false);
    await page.locator("#second-key").click();
    await page.locator("#key").fill("qs_test");
    await page.locator("#key").press("Enter");
    await page.locator("#person-1 option", { hasText: "key:test (key)" }).waitFor({ state: "attached" });
    await askSeveral(page);
    expect(await page.locator(".column-title").allTextContents()).toEqual([
      "ada@example.com (this browser)",
      "key:test (key)",
    ]);
    expect(pages.api.asked.map(({ authorization }) => authorization ?? "the sign-on's")).toEqual(
      expect.arrayContaining(["the sign-on's", "Bearer qs_test"]),
    );
  });

  test("a key is kept in the tab's memory and nowhere else", async () => {
    const page = await asOperator("/#/budgets");
    const kept = await page.evaluate(() => [
      JSON.stringify(localStorage),
      JSON.stringify(sessionStorage),
      document.cookie,
      location.href,
      document.querySelector<HTMLInputElement>("#key")?.value,
      document.documentElement.outerHTML,
    ]);
    expect(kept.filter((place) => place?.includes("qk_op_secret"))).toEqual([]);
    await page.reload();
    await page.locator(".outlet .card.refused").waitFor();
    expect(await page.locator(".menu.who strong").textContent()).toBe("Solène, port operations, Calais");
  });

  describe("for every reader", () => {
    test.each(["people", "models"])("%s: no axe violation, no sideways scroll", async (name) => {
      const page = await visitAt(`/#/${name}`);
      await page.locator(".outlet h1").waitFor();
      await askSeveral(page);
      await page.locator(".matrix").waitFor();
      await everyReader(page);
    });

    test.each(["tables", "runs", "feedback", "budgets"])(
      "%s: no axe violation, no sideways scroll",
      async (name) => {
        const page = await asOperator(`/#/${name}`);
        await page.locator(".record").first().waitFor();
        if (name === "runs") {
          await page.locator("#tables-run_2 summary").click();
          await page.locator("#held-run_2 summary").click();
          await page.locator("#held-run_2 tbody").waitFor();
        }
        await everyReader(page);
      },
    );

    test("a row, its end and a key: no axe violation, no sideways scroll", async () => {
      const page = await visitAt("/");
      await useKey(page);
      await page.evaluate((id) => (location.hash = `row=${encodeURIComponent(id)}`), "incidents:INC-1001");
      await page.getByRole("button", { name: "Erase this row" }).click();
      await everyReader(page);
    });

    test("a refusal and the box for a key: no axe violation, no sideways scroll", async () => {
      const page = await visitAt("/#/budgets");
      await page.locator(".card.refused button").click();
      await everyReader(page);
    });
  });
});
