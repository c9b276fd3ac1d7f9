import { describe, expect, test } from "vitest";
import { haveChromium } from "./chromium.ts";
import { QUESTION, askSeveral, pagesUnderTest, useKey } from "./pages.ts";
import { NO_EVIDENCE, RECEIPT, answer, citation, steps } from "./stub-data.ts";

/** The pages beside the conversation that everyone may read, and the row behind a link. */
describe.skipIf(!haveChromium())("console's pages", () => {
  const pages = pagesUnderTest();
  const { visitAt } = pages;

  test("each have an address, a title and the focus on their heading", async () => {
    const page = await visitAt("/");
    for (const [name, title] of [
      ["Side by side", "Side by side"],
      ["Models", "Compare models"],
      ["Tables", "Tables and freshness"],
      ["Runs", "Ingest runs"],
      ["Feedback", "Feedback"],
      ["Budgets", "Budgets"],
    ] as const) {
      await page.locator("#nav").getByRole("link", { name, exact: true }).click();
      await page.locator(".outlet h1", { hasText: title }).waitFor();
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
      expect(await page.title()).toBe(`${title} · Quayside`);
      expect(await page.locator("#nav [aria-current]").textContent()).toBe(name);
    }
    await page.goBack();
    await page.locator(".outlet h1", { hasText: "Feedback" }).waitFor();
    await page.locator("#nav a").first().click();
    expect(await page.locator("#question").isVisible()).toBe(true);
    expect(await page.locator(".outlet").isVisible()).toBe(false);
  });

  test.each([1280, 320])("nothing moves while a page %i px wide loads", async (width) => {
    const page = await visitAt("/");
    await page.setViewportSize({ width, height: 700 });
    for (const [address, there] of [
      ["/?still", ".example"],
      ["/?still=2#/tables", ".record"],
      ["/?still=3#/models", ".choices .option"],
    ] as const) {
      await page.goto(new URL(address, pages.api.url).href);
      await page.locator(there).first().waitFor();
      const moved = await page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            let sum = 0;
            const observer = new PerformanceObserver((list) => {
              for (const entry of list.getEntries()) sum += Number(Reflect.get(entry, "value"));
            });
            observer.observe({ type: "layout-shift", buffered: true });
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
          }),
      );
      // The menu of models is a few pixels narrower before the one who asks is named.
      expect(moved).toBeLessThan(0.03);
    }
  });

  describe("side by side", () => {
    test("asks as two people, and shows at a glance which rows differ", async () => {
      pages.api.answer = ({ user }) =>
        user === "ops-fr" ? steps() : steps("It was late [1].", { citations: [citation(1)] });
      const page = await visitAt("/#/people");
      await askSeveral(page);
      expect(pages.api.asked.map(({ user }) => user)).toEqual(expect.arrayContaining(["ops-fr", "sales-uk"]));
      await page.locator(".matrix").waitFor();
      expect(await page.locator(".tile strong").allTextContents()).toEqual(["1", "2", "0"]);
      const cells = await page
        .locator(".matrix tbody tr")
        .evaluateAll((rows) =>
          rows.map((row) => [
            row.querySelector("code")?.textContent,
            ...[...row.querySelectorAll("td")].map((cell) => cell.textContent.replace(/: .*/, "")),
          ]),
        );
      expect(cells).toEqual([
        ["incidents:INC-1002", "2cites it, source 2", "not there"],
        ["incidents:INC-1001", "1cites it, source 1", "1cites it, source 1"],
        ["incidents:INC-1003", "sees it", "sees it"],
      ]);
    });

    test("does not call a row different that was only crowded out of one search", async () => {
      pages.api.says.set("/v1/search", { matches: [citation(3, { marker: undefined })] });
      const page = await visitAt("/#/people");
      pages.api.answer = ({ user }) =>
        user === "ops-fr"
          ? steps("It was late [1].", { citations: [citation(1)] })
          : [{ event: "done", data: NO_EVIDENCE }];
      await askSeveral(page);
      await page.locator(".matrix").waitFor();
      expect(await page.locator(".tile strong").allTextContents()).toEqual(["0", "2", "0"]);
    });

    test("takes the holder of a key as the second person", async () => {
      const page = await visitAt("/#/people");
      await page.locator("#second-key").click();
      await page.locator("#key").fill("qs_test");
      await page.locator("#key").press("Enter");
      await page.locator("#person-1 option", { hasText: "key:test (key)" }).waitFor({ state: "attached" });
      await askSeveral(page);
      expect(pages.api.asked.map(({ user, authorization }) => [user, authorization])).toContainEqual([
        undefined,
        "Bearer qs_test",
      ]);
    });

    test("wants two different people", async () => {
      const page = await visitAt("/#/people");
      await page.locator("#person-1").selectOption("ops-fr");
      await page.locator("#several-question").fill(QUESTION);
      await page.locator("#several-question").press("Enter");
      expect(await page.locator("#several-said").textContent()).toBe("Choose two different people.");
      expect(pages.api.asked).toEqual([]);
    });

    test("opens a row as the person who sees it", async () => {
      const page = await visitAt("/#/people");
      await askSeveral(page);
      await page.locator(".matrix tbody tr").first().locator("button").first().click();
      await page.locator("#evidence .row-more h3").waitFor();
      expect(await page.locator("#evidence .row-more dd").first().textContent()).toBe("warehouse");
    });
  });

  describe("models compared", () => {
    test("stream side by side with cost, times and checks, and take votes", async () => {
      const page = await visitAt("/#/models");
      await page.locator(".choices .option").first().waitFor();
      await askSeveral(page);
      const figures = (n: number) => page.locator(".column").nth(n).locator(".metrics dd").allTextContents();
      expect(await figures(0)).toEqual(["4 / 4", "0", "42 ms", "18 ms", "812 + 64", "US$0.002best"]);
      expect(await figures(1)).toEqual(["4 / 4", "0", "42 ms", "18 ms", "812 + 64", "US$0.004"]);
      expect(await page.locator(".matrix tbody td").allTextContents()).toEqual([
        "2source 2: Bow door sensor fault on Alba, no. 2",
        "–",
        "1source 1: Bow door sensor fault on Alba, no. 1",
        "1source 1: Bow door sensor fault on Alba, no. 1",
      ]);
      await page.locator(".column").nth(1).getByRole("button", { name: "Good answer" }).click();
      await page.locator(".column").nth(1).getByText("Thank you.").waitFor();
      expect(pages.api.sent).toEqual([["POST /v1/feedback", { answer_id: "ans_01TEST", rating: 1 }]]);
    });

    test("tell a model's failure beside the others' answers", async () => {
      pages.api.compared = ([first, second]) => [
        ["done", { model: first, answer: answer("It was late [1]."), problem: null }],
        ["error", { model: second, answer: null, problem: { code: "provider_unreachable", status: 503 } }],
        ["end", {}],
      ];
      const page = await visitAt("/#/models");
      await page.locator(".choices .option").first().waitFor();
      await page.locator("#several-question").fill(QUESTION);
      await page.locator("#several-question").press("Enter");
      await page.locator('.column[data-phase="failed"]').waitFor();
      expect(await page.locator(".column .card.failed h3").textContent()).toBe("No model answers right now");
      expect(await page.locator('.column[data-phase="done"]').count()).toBe(1);
    });

    test("want at least two", async () => {
      const page = await visitAt("/#/models");
      await page.locator(".choices :checked").first().uncheck();
      expect(await page.locator("#several-said").textContent()).toBe("Choose at least two models.");
    });
  });

  describe("a row by its address", () => {
    const ADDRESS = `/#row=${encodeURIComponent("incidents:INC-1002")}`;

    test("opens with its fields, its source, its time and the answers that were written from it", async () => {
      const page = await visitAt(ADDRESS);
      const panel = page.locator("#evidence");
      await panel.locator(".answer-refs").waitFor();
      expect(await panel.locator("h2").textContent()).toBe("Bow door sensor fault on Alba, no. 2");
      expect(await panel.locator(".facts dd").allTextContents()).toEqual([
        "incidents",
        "incident_id INC-1002",
        "15 October 2026 at 08:12",
        "23 November 2026 at 09:41 (3 minutes ago)",
        "warehouse",
        "internal",
      ]);
      expect(await panel.locator(".answer-refs li").allTextContents()).toEqual([
        "ans_01TEST3 minutes ago · local/compose",
      ]);
      expect(await panel.getByRole("button", { name: "Erase" }).count()).toBe(0);
      await page.keyboard.press("Escape");
      expect(new URL(page.url()).hash).toBe("#/");
    });

    test("says the same of a row that is barred and of one that is not there", async () => {
      const page = await visitAt("/#row=pay%3A7");
      await page.locator("#evidence h2", { hasText: "No such row" }).waitFor();
      expect(await page.locator("#evidence code").textContent()).toBe("pay:7");
    });

    test("is erased by who may, after a second word, with a receipt that proves it", async () => {
      const page = await visitAt("/");
      await useKey(page);
      await page.evaluate((id) => (location.hash = `row=${encodeURIComponent(id)}`), "incidents:INC-1001");
      const panel = page.locator("#evidence");
      await panel.getByRole("button", { name: "Erase this row" }).click();
      await panel.getByRole("button", { name: "Cancel" }).click();
      expect(pages.api.sent).toEqual([]);
      await panel.getByRole("button", { name: "Erase this row" }).click();
      await panel.getByRole("button", { name: "Erase for good" }).click();
      await panel.locator(".receipt").waitFor();
      expect(pages.api.sent).toEqual([
        ["POST /v1/erase", { table: "incidents", key: { incident_id: "INC-1001" } }],
      ]);
      expect(await panel.locator(".receipt dd").allTextContents()).toEqual([
        "ers_01TEST",
        "23 November 2026 at 09:41 (3 minutes ago)",
        "2 rows, 3 passages, 0 outside vectors, 1 cached answer, 0 keys in runs, 2 records of answers",
        "0",
        "found when asked again, over 1 space: registry 0, index 0, cached answers 0, runs 0, records 0",
      ]);
    });

    test("is not called erased while a store still shows a part of it", async () => {
      pages.api.says.set("/v1/erase", {
        ...RECEIPT,
        erased_at: null,
        residue: 1,
        proof: { ...RECEIPT.proof, index: 1 },
      });
      const page = await visitAt("/");
      await useKey(page);
      await page.evaluate((id) => (location.hash = `row=${encodeURIComponent(id)}`), "incidents:INC-1001");
      const panel = page.locator("#evidence");
      await panel.getByRole("button", { name: "Erase this row" }).click();
      await panel.getByRole("button", { name: "Erase for good" }).click();
      await panel.getByText("Erased here, not yet confirmed everywhere").waitFor();
      pages.api.says.clear();
      await panel.getByRole("button", { name: "Check again" }).click();
      await panel.locator(".card.proved h3", { hasText: "Erased" }).waitFor();
    });
  });

  test("a row by its address waits for a key where nobody is known, and opens then", async () => {
    pages.api.demo = false;
    const page = await visitAt(`/#row=${encodeURIComponent("incidents:INC-1001")}`);
    await page.locator("#evidence .card.failed", { hasText: "Please sign in" }).waitFor();
    await page.locator("#key").fill("qs_test");
    await page.locator("#key").press("Enter");
    await page.locator("#evidence h2", { hasText: "Bow door sensor fault on Alba, no. 1" }).waitFor();
  });
});
