import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { haveChromium } from "./chromium.ts";
import { QUESTION, ask, axeViolations, everyReader, pagesUnderTest, settled, turns } from "./pages.ts";
import { imported } from "./stub-api.ts";
import { NO_EVIDENCE, steps, TEXT } from "./stub-data.ts";

test("the page weighs at most 50,000 bytes after gzip, script and style and all", async () => {
  const { buildConsole } = await imported<{
    readonly buildConsole: () => Promise<Readonly<Record<string, number>>>;
  }>("workers/surfaces/console/build.ts");
  const sizes = Object.values(await buildConsole());
  expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(50_000);
});

describe.skipIf(!haveChromium())("console", () => {
  const pages = pagesUnderTest();
  const { visit } = pages;

  describe("a conversation", () => {
    test("passes earlier questions and answers on, without their markers", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await ask(page, "And the week before?");
      await settled(page, 1).waitFor();
      expect(pages.api.asked[1]?.history).toEqual([
        { role: "user", content: QUESTION },
        {
          role: "assistant",
          content:
            "Alba left 95 minutes late because of a corroded connector on the bow door sensor. The same fault was reported on 14 October 2026.",
        },
      ]);
    });

    test("does not pass on what got no answer", async () => {
      pages.api.answer = () => [{ event: "done", data: NO_EVIDENCE }];
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await ask(page, "And now?");
      await settled(page, 1).waitFor();
      expect(pages.api.asked[1]?.history).toBeUndefined();
    });

    test("starts anew", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await page.getByRole("button", { name: "New conversation" }).click();
      expect(await turns(page).count()).toBe(0);
      expect(await page.locator(".example").count()).toBe(6);
      await ask(page);
      await settled(page).waitFor();
      expect(pages.api.asked[1]?.history).toBeUndefined();
    });

    test("asks again past the cache", async () => {
      const page = await visit();
      await ask(page);
      await page.getByRole("button", { name: "Ask again, fresh" }).click();
      await settled(page, 1).waitFor();
      expect(pages.api.asked[1]?.cache).toBe("bypass");
    });

    test("shows the notice about machine-written text once", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await ask(page, "And then?");
      await settled(page, 1).waitFor();
      expect(await page.getByText("Written by a machine from your rows").count()).toBe(1);
    });
  });

  describe("a model", () => {
    test("is sent when chosen, and says why when it can't be", async () => {
      const page = await visit();
      await page.getByRole("button", { name: "Model: Automatic" }).click();
      const closed = page.locator("label", { hasText: "anthropic/claude-sonnet-5" });
      expect(await closed.locator("input").isDisabled()).toBe(true);
      expect(await closed.locator(".soft").textContent()).toBe("Not available: ANTHROPIC_API_KEY is not set");
      await page.locator("label", { hasText: "local/quote" }).click();
      await ask(page);
      await settled(page).waitFor();
      expect(pages.api.asked[0]?.model).toBe("local/quote");
    });

    test("is left to the server unless chosen", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      expect(pages.api.asked[0]?.model).toBeUndefined();
    });
  });

  describe("when there is no answer", () => {
    test("says what each reason means", async () => {
      const page = await visit();
      const titles = {
        none_found: "No row answers this",
        needs_total: "This asks for a total",
        unsupported: "Withheld: the rows did not support it",
        stale: "The rows are too old",
      };
      for (const [i, [reason, title]] of Object.entries(titles).entries()) {
        pages.api.answer = () => [{ event: "done", data: { ...NO_EVIDENCE, reason } }];
        await ask(page);
        await settled(page, i).waitFor();
        expect(await turns(page).nth(i).locator(".card.empty h3").textContent()).toBe(title);
      }
      expect(await page.locator(".sources").count()).toBe(0);
    });

    test("says that it was refused", async () => {
      pages.api.answer = () => [
        { event: "done", data: { ...NO_EVIDENCE, outcome: "refused", reason: "safety" } },
      ];
      const page = await visit();
      await ask(page);
      expect(await page.locator(".card.refused h3").textContent()).toBe("Not answered");
    });

    test("explains a problem, with the request's id, and offers no second try where none helps", async () => {
      const page = await visit();
      const problems = [
        ["index_unavailable", 503, "The rows cannot be searched right now"],
        ["provider_not_permitted", 403, "This model may not see these rows"],
        ["something_new", 500, "Something went wrong"],
      ] as const;
      for (const [i, [problem, status, title]] of problems.entries()) {
        pages.api.answer = () => [{ problem, status }];
        await ask(page);
        await settled(page, i).waitFor();
        const card = turns(page).nth(i).locator(".card.failed");
        expect(await card.locator("h3").textContent()).toBe(title);
        expect(await card.locator("code").textContent()).toBe("req-stub-1");
        expect(await card.locator("button").count()).toBe(0);
      }
    });

    test("tries again where that may help", async () => {
      pages.api.answer = () => [{ problem: "deadline_exceeded", status: 504, retryable: true }];
      const page = await visit();
      await ask(page);
      await page.locator(".card.failed").waitFor();
      pages.api.answer = () => steps();
      await page.getByRole("button", { name: "Try again" }).click();
      await settled(page, 1).waitFor();
      expect(pages.api.asked.map((a) => a.question)).toEqual([QUESTION, QUESTION]);
    });

    test("waits as long as the server asks", async () => {
      pages.api.answer = () => [{ problem: "rate_limited", status: 429, retryable: true, retryAfter: 1 }];
      const page = await visit();
      await ask(page);
      await page.locator(".card.wait").waitFor();
      const retry = page.locator(".card.wait button");
      expect(await retry.isDisabled()).toBe(true);
      await page.locator(".card.wait button:enabled").waitFor();
      expect(await retry.textContent()).toBe("Try again");
    });

    test("shows a failure in the middle of the stream", async () => {
      pages.api.answer = () => [
        { event: "delta", data: { text: "Alba" } },
        { event: "error", data: { code: "provider_stream_interrupted", status: 502, retryable: true } },
      ];
      const page = await visit();
      await ask(page);
      expect(await page.locator(".card.failed h3").textContent()).toBe("The answer was cut off");
    });

    test("notices a stream that just ends", async () => {
      pages.api.answer = () => [{ event: "delta", data: { text: "Alba" } }, { cut: true }];
      const page = await visit();
      await ask(page);
      expect(await page.locator(".card.failed h3").textContent()).toBe("The answer was cut off");
    });

    test("says that the line is down", async () => {
      const page = await visit();
      await page.context().setOffline(true);
      await page.getByText("You are offline.").waitFor();
      await ask(page);
      expect(await page.locator(".card.failed h3").textContent()).toBe("No connection");
      await page.context().setOffline(false);
      await page.getByRole("button", { name: "Try again" }).click();
      await settled(page, 1).waitFor();
      expect(await page.getByText("You are offline.").isVisible()).toBe(false);
    });

    test("asks for a key where nobody is known", async () => {
      pages.api.demo = false;
      const page = await visit();
      await page.getByLabel("API key").fill("qs_test");
      await page.getByRole("button", { name: "Use this key" }).click();
      await page.getByText("10 tables open to you").waitFor();
      expect(await page.getByLabel("API key").isVisible()).toBe(false);
      expect(await page.locator(".menu.who strong").textContent()).toBe("key:test (key)");
    });

    test("says so when a key is not accepted, and keeps asking for one", async () => {
      pages.api.demo = false;
      const page = await visit();
      await page.getByLabel("API key").fill("qk_wrong");
      await page.getByRole("button", { name: "Use this key" }).click();
      await page.getByText("This key is not accepted.").waitFor();
      expect(await page.getByLabel("API key").isVisible()).toBe(true);
    });

    test("does not send a question that is too long", async () => {
      const page = await visit();
      await ask(page, "ä".repeat(4001));
      expect(await page.locator("#hint").textContent()).toBe("1 character too long");
      expect(pages.api.asked).toEqual([]);
    });
  });

  describe("by keyboard alone", () => {
    test("asks, opens a source and comes back", async () => {
      const page = await visit();
      await page.keyboard.press("/");
      await page.keyboard.type("Why?");
      await page.keyboard.press("Shift+Enter");
      await page.keyboard.type("When?");
      await page.keyboard.press("Enter");
      await settled(page).waitFor();
      expect(pages.api.asked[0]?.question).toBe("Why?\nWhen?");
      for (let i = 0; i < 30; i += 1) {
        await page.keyboard.press("Shift+Tab");
        const at = await page.evaluate(() => document.activeElement?.className);
        if (at === "cite") break;
      }
      await page.keyboard.press("Enter");
      expect(await page.locator("#evidence h2").isVisible()).toBe(true);
      await page.keyboard.press("Escape");
      expect(await page.evaluate(() => document.activeElement?.className)).toBe("cite");
    });

    test("switches the user", async () => {
      const page = await visit();
      await page.locator(".menu.who .opener").focus();
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      expect(await page.locator(".menu.who strong").textContent()).toBe("Edith, freight sales, Dover");
      expect(await page.evaluate(() => document.activeElement?.className)).toBe("opener");
    });

    test("closes a menu with Escape", async () => {
      const page = await visit();
      await page.locator(".menu.model .opener").focus();
      await page.keyboard.press("Enter");
      await page.keyboard.press("Escape");
      expect(await page.locator("#menu-model").isVisible()).toBe(false);
      expect(await page.evaluate(() => document.activeElement?.className)).toBe("opener");
    });

    test("has a shortcut that can be switched off", async () => {
      const page = await visit();
      await page.locator("#slash").uncheck();
      await page.locator("body").press("/");
      expect(await page.evaluate(() => document.activeElement?.id)).not.toBe("question");
    });
  });

  describe("in French", () => {
    test("follows the browser", async () => {
      const page = await visit({ locale: "fr-FR" });
      expect(await page.locator("html").getAttribute("lang")).toBe("fr");
      expect(await page.locator("#hero-text h1").textContent()).toBe("Chaque réponse, amarrée à sa ligne.");
    });

    test("changes an answer that is already there, and remembers", async () => {
      const page = await visit();
      await ask(page);
      await settled(page).waitFor();
      await page.getByRole("button", { name: "Français" }).click();
      expect(await page.locator(".badge").first().textContent()).toBe("4 faits vérifiés sur 4");
      expect(await page.locator(".prose").getAttribute("lang")).toBe("en");
      await page.reload();
      await page.locator("body.loaded").waitFor();
      expect(await page.locator("html").getAttribute("lang")).toBe("fr");
    });
  });

  describe("for every reader", () => {
    const states: Readonly<Record<string, (page: Page) => Promise<void>>> = {
      "home, with the people's menu": (page) => page.locator(".menu.who .opener").click(),
      "the models' menu": (page) => page.locator(".menu.model .opener").click(),
      "an answer": async (page) => {
        pages.api.answer = () =>
          steps(TEXT, {
            verification: { checked: 5, supported: 4, removed: [{ text: "It cost 4,200.", why: "number" }] },
          });
        await ask(page);
        await settled(page).waitFor();
        await page.locator(".how summary").click();
      },
      evidence: async (page) => {
        await ask(page);
        await page.locator(".prose .cite").first().click();
      },
      "what is no answer, and another person": async (page) => {
        const ends = [
          { event: "done", data: NO_EVIDENCE },
          { problem: "index_unavailable", status: 503, retryable: true },
          { problem: "rate_limited", status: 429, retryable: true, retryAfter: 60 },
        ] as const;
        for (const [i, end] of ends.entries()) {
          pages.api.answer = () => [end];
          await ask(page);
          await settled(page, i).waitFor();
        }
        // The next one is still waited for.
        pages.api.answer = () => [{ until: new Promise((resolve) => setTimeout(resolve, 60_000).unref()) }];
        await page.locator(".same-as .person").first().click();
        await page.locator(".waiting").waitFor();
      },
    };
    test.each(Object.keys(states))("%s: no axe violation, no sideways scroll", async (state) => {
      const page = await visit();
      await page.locator(".tables-list").waitFor();
      await states[state]?.(page);
      await everyReader(page);
    });

    test("the night chart is dark and the day chart is light", async () => {
      const page = await visit();
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await page.emulateMedia({ colorScheme: "light" });
      expect(await ground()).toBe("rgb(247, 250, 251)");
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await ground()).toBe("rgb(11, 22, 28)");
    });

    test("a sign-in page has no axe violation", async () => {
      pages.api.demo = false;
      const page = await visit();
      await page.getByLabel("API key").waitFor();
      expect(await axeViolations(page)).toEqual([]);
    });

    test("forced colours keep every button visible", async () => {
      const page = await visit();
      await page.emulateMedia({ forcedColors: "active" });
      expect(
        await page.locator("#submit").evaluate((element) => getComputedStyle(element).borderTopStyle),
      ).toBe("solid");
    });
  });

  describe("is locked", () => {
    test("an injected script does not run, and is noticed", async () => {
      const watched = await pages.open();
      const ran = await watched.page.evaluate(() => {
        const script = document.createElement("script");
        try {
          script.textContent = "globalThis.pwned = true";
          document.body.append(script);
        } catch {
          // Trusted Types refuses the assignment itself
        }
        return Reflect.get(globalThis, "pwned");
      });
      await expect.poll(() => watched.trouble.some((t) => t.startsWith("policy: "))).toBe(true);
      await watched.close();
      expect(ran).toBeUndefined();
    });

    test("a string is never parsed as markup", async () => {
      const watched = await pages.open();
      const thrown = await watched.page.evaluate(() => {
        try {
          document.body.innerHTML = "<b>x</b>";
          return "parsed";
        } catch (error) {
          return error instanceof Error ? error.name : "";
        }
      });
      await watched.close();
      expect(thrown).toBe("TypeError");
    });
  });
});
