import { describe, expect, test } from "vitest";
import { haveChromium } from "./chromium.ts";
import { QUESTION, ask, pagesUnderTest, settled } from "./pages.ts";
import { TEXT, answer, citation, steps } from "./stub-data.ts";

describe.skipIf(!haveChromium())("console", () => {
  const pages = pagesUnderTest();
  const { visit } = pages;

  describe("an answer", () => {
    test("shows what it is doing, then the text while it arrives, then its sources", async () => {
      const rows = Promise.withResolvers<void>();
      const words = Promise.withResolvers<void>();
      const [evidence, first, ...rest] = steps();
      if (!evidence || !first) throw new Error("fixture");
      pages.api.answer = () => [{ until: rows.promise }, evidence, { until: words.promise }, first, ...rest];
      const page = await visit();
      await ask(page);
      await page.getByText("Looking through the rows you may see").waitFor();
      rows.resolve();
      await page.getByText("Reading 2 rows").waitFor();
      words.resolve();
      await settled(page).waitFor();
      expect(await page.locator(".prose").textContent()).toContain("Alba left 95 minutes late");
      expect(await page.locator(".source-title").allTextContents()).toEqual([
        "Bow door sensor fault on Alba, no. 1",
        "Bow door sensor fault on Alba, no. 2",
      ]);
    });

    test("carries markers that wait for their sources while the text arrives", async () => {
      const end = Promise.withResolvers<void>();
      pages.api.answer = () => [
        { event: "evidence", data: { citations: [citation(1, { marker: 0 })] } },
        { event: "delta", data: { text: "It was late [1]. It was" } },
        { until: end.promise },
        { event: "done", data: answer("It was late [1].", { citations: [citation(1)] }) },
      ];
      const page = await visit();
      await ask(page);
      await page.locator(".prose span.cite").waitFor();
      expect(await page.locator(".prose button.cite").count()).toBe(0);
      end.resolve();
      await page.locator(".prose button.cite").waitFor();
    });

    test("drops what is retracted, and takes the final text as the truth", async () => {
      const end = Promise.withResolvers<void>();
      pages.api.answer = () => [
        { event: "delta", data: { text: "Alba was late. The repair cost 4,200 euros." } },
        { event: "retract", data: { from: 14 } },
        { until: end.promise },
        {
          event: "done",
          data: answer("Alba was late [1].", {
            verification: {
              checked: 2,
              supported: 1,
              removed: [{ text: "The repair cost 4,200 euros.", why: "number" }],
            },
          }),
        },
      ];
      const page = await visit();
      await ask(page);
      await page.getByText("A passage was taken back").waitFor();
      expect(await page.locator(".prose").textContent()).toBe("Alba was late.");
      end.resolve();
      await settled(page).waitFor();
      expect(await page.locator(".removed s").textContent()).toBe("The repair cost 4,200 euros.");
      expect(await page.locator(".badge.warn").first().textContent()).toBe("1 of 2 facts checked");
    });

    test("says how it was checked, cached, timed and written", async () => {
      pages.api.answer = () => steps(TEXT, { cache: "exact" });
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      expect(await page.locator(".badge").allTextContents()).toEqual([
        "4 of 4 facts checked",
        "From cache, rows unchanged",
        "42 ms, first word after 18 ms",
        "local/compose",
        "as of 3 minutes ago",
      ]);
      await page.getByText("How this was answered").click();
      expect(await page.locator(".how dd").allTextContents()).toEqual([
        "local/compose",
        "default model; rows are internal",
        "local/compose: ok",
        "From cache, rows unchanged",
        "42 ms",
        "12 ms",
        "18 ms",
        "812 in, 64 out",
        "free",
        "12",
        "23 November 2026 at 09:41 (3 minutes ago)",
        "ans_01TEST",
      ]);
    });

    test("is announced once, when it is finished", async () => {
      const end = Promise.withResolvers<void>();
      const all = steps();
      pages.api.answer = () => [...all.slice(0, 4), { until: end.promise }, ...all.slice(4)];
      const page = await visit();
      await ask(page);
      await page.getByText("reported on 14 October 2026").waitFor();
      expect(await page.locator("#live").textContent()).toBe("");
      end.resolve();
      await settled(page).waitFor();
      expect(await page.locator("#live").textContent()).toMatch(/^Answer: Alba left 95 .* 2 sources\.$/);
    });

    test("stops when told to, and hangs up", async () => {
      pages.api.answer = () => [
        { event: "delta", data: { text: "Alba was" } },
        { until: new Promise((resolve) => setTimeout(resolve, 60_000).unref()) },
      ];
      const page = await visit();
      await ask(page);
      await page.getByText("Alba was").waitFor();
      await page.getByRole("button", { name: "Stop" }).click();
      await page.locator(".note", { hasText: "Stopped." }).waitFor();
      await expect.poll(() => pages.api.hangUps).toBe(1);
      expect(await page.locator(".prose").textContent()).toBe("Alba was");
    });

    test("shows lists, bold text and code, and leaves Markdown links and images as characters", async () => {
      const text = "- **one** [1]\n- `two`\n\n![x](https://evil.example/p.png) [go](https://evil.example)";
      pages.api.answer = () => steps(text);
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      expect(await page.locator(".prose li").count()).toBe(2);
      expect(await page.locator(".prose strong").textContent()).toBe("one");
      expect(await page.locator(".prose a, .prose img").count()).toBe(0);
      expect(await page.locator(".prose > p").textContent()).toBe(
        "![x](https://evil.example/p.png) [go](https://evil.example)",
      );
    });
  });

  describe("a citation", () => {
    test("opens its row, with the cells that the answer used", async () => {
      const page = await visit();
      await ask(page);
      await page
        .getByRole("button", { name: "Source 1: Bow door sensor fault on Alba, no. 1" })
        .first()
        .click();
      const panel = page.locator("#evidence");
      expect(await panel.locator("h2").textContent()).toBe("1Bow door sensor fault on Alba, no. 1");
      expect(await panel.locator(".facts").first().locator("dd").allTextContents()).toEqual([
        "incidents",
        "incident_id INC-1001",
        "15 October 2026 at 08:12",
        "23 November 2026 at 09:41 (3 minutes ago)",
      ]);
      expect(await panel.locator("tr.used th").allTextContents()).toEqual([
        "vessel",
        "cause",
        "delay_minutes",
      ]);
      expect(await panel.locator("tbody tr").count()).toBe(6);
      expect(await panel.locator("tbody tr").last().textContent()).toBe("noteempty");
      const link = panel.locator("a[target]");
      expect(await link.getAttribute("href")).toBe("https://erp.example.com/incidents/INC-1001");
      expect(await link.getAttribute("rel")).toBe("noopener noreferrer");
    });

    test("marks a date that the answer writes in words", async () => {
      const page = await visit();
      await ask(page);
      await page.locator(".prose .cite").nth(1).click();
      expect(await page.locator("tr.used th").allTextContents()).toEqual(["reported_on"]);
    });

    test("marks the cell that the answer quotes from", async () => {
      const cells = [
        {
          column: "summary",
          value: "Found at dawn. A connector of the bow door sensor had corroded. It was replaced.",
        },
        { column: "crew", value: "Not to blame." },
      ];
      pages.api.answer = () =>
        steps('The report says: "A connector of the bow door sensor had corroded." [1] Not more.', {
          citations: [citation(1, { cells })],
        });
      const page = await visit();
      await ask(page);
      await page.locator(".prose .cite").click();
      expect(await page.locator("tr.used th").allTextContents()).toEqual(["summary"]);
      expect(await page.locator("tr.used mark").textContent()).toBe(
        "A connector of the bow door sensor had corroded.",
      );
    });

    test("shows a date as a date", async () => {
      pages.api.answer = () =>
        steps("Late [1].", { citations: [citation(1, { changed_at: "2026-04-01T00:00:00Z" })] });
      const page = await visit();
      await ask(page);
      await page.locator(".prose .cite").click();
      expect(await page.locator("#evidence .facts dd").nth(2).textContent()).toBe("1 April 2026");
    });

    test("gives the focus to the row, and back when closed", async () => {
      const page = await visit();
      await ask(page);
      await page.locator(".prose .cite").first().click();
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("evidence-title");
      await page.keyboard.press("Escape");
      expect(await page.locator("#evidence").isVisible()).toBe(false);
      expect(await page.evaluate(() => document.activeElement?.getAttribute("data-marker"))).toBe("1");
    });

    test("is marked while its row is open", async () => {
      const page = await visit();
      await ask(page);
      const marked = () => page.locator(".prose [aria-current]").allTextContents();
      await page.locator(".prose .cite").nth(0).click();
      await page.locator(".prose .cite").nth(1).click();
      expect(await marked()).toEqual(["2"]);
      await page.setViewportSize({ width: 600, height: 800 });
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.locator(".panel-bar").waitFor();
      expect(await marked()).toEqual(["2"]);
      await page.getByRole("button", { name: "Close" }).click();
      expect(await marked()).toEqual([]);
    });

    test("leafs to the next source", async () => {
      const page = await visit();
      await ask(page);
      await page.locator(".source").first().click();
      await page.getByRole("button", { name: "Next source" }).click();
      expect(await page.locator(".panel-count").textContent()).toBe("Source 2 of 2");
      expect(await page.getByRole("button", { name: "Next source" }).isDisabled()).toBe(true);
    });

    test("shows no link to what is no page of the web", async () => {
      const urls = [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://user:pw@evil.example/",
        "/admin",
      ];
      const citations = urls.map((url, i) => citation(i + 1, { url }));
      pages.api.answer = () => steps(urls.map((_, i) => `Late [${i + 1}].`).join(" "), { citations });
      const page = await visit();
      await ask(page);
      for (const [i] of urls.entries()) {
        await page.locator(".prose .cite").nth(i).click();
        expect(await page.locator(".panel-count").textContent()).toBe(`Source ${i + 1} of 5`);
        expect(await page.locator("#evidence a[target]").count()).toBe(0);
      }
    });
  });

  describe("the people of the demo", () => {
    test("each ask with their own name", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      expect(pages.api.asked.map((a) => a.user)).toEqual(["ops-fr"]);
      expect(await page.locator(".turn .who").textContent()).toBe("Solène, port operations, Calais");
    });

    test("see the last question answered again for them, without what came before", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await page.locator(".menu.who .opener").click();
      await page.locator('[data-user="guest"]').click();
      await settled(page, 1).waitFor();
      expect(pages.api.asked[1]).toEqual({ question: QUESTION, stream: true, user: "guest" });
      expect(await page.locator(".divider strong").textContent()).toBe(
        "Now asking as A passenger, not signed in",
      );
    });

    test("see their own tables", async () => {
      const page = await visit();
      await page.getByText("10 tables open to you").waitFor();
      await page.locator(".menu.who .opener").click();
      await page.locator('[data-user="guest"]').click();
      await page.getByText("3 tables open to you").waitFor();
      expect(await page.locator(".tables-list code").allTextContents()).toEqual([
        "vessels",
        "sailings",
        "articles",
      ]);
    });

    test("are one press away from an answer", async () => {
      const page = await visit();
      await ask(page);
      await page.locator(".same-as .person", { hasText: "Noor" }).click();
      await settled(page, 1).waitFor();
      expect(pages.api.asked[1]?.user).toBe("hr");
    });

    test("come with an example question", async () => {
      const page = await visit();
      await page.locator(".example", { hasText: "pay grade" }).click();
      await settled(page).waitFor();
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
        "What is the pay grade of Marie Duval?",
      );
      expect(pages.api.asked).toEqual([
        { question: "What is the pay grade of Marie Duval?", stream: true, user: "hr" },
      ]);
    });

    test("are remembered", async () => {
      const page = await visit();
      await page.locator(".menu.who .opener").click();
      await page.locator('[data-user="hr"]').click();
      await page.reload();
      await page.locator("body.loaded").waitFor();
      expect(await page.locator(".menu.who strong").textContent()).toBe("Noor, human resources");
    });
  });
});
