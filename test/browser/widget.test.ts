import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { haveChromium } from "./chromium.ts";
import { axeViolations, overflow, pagesUnderTest } from "./pages.ts";
import { imported } from "./stub-api.ts";
import { answer, steps } from "./stub-data.ts";

const NEVER = new Promise<undefined>(() => {});
const QUESTION = "Why did Alba leave late on 14 October?";

const inside = (page: Page, selector: string) => page.locator(`quayside-chat ${selector}`);

async function ask(page: Page, question = QUESTION): Promise<void> {
  await inside(page, "textarea").fill(question);
  await inside(page, "textarea").press("Enter");
}

test("weighs at most 25,000 bytes after gzip", async () => {
  const { buildWidget } = await imported<{ readonly buildWidget: () => Promise<number> }>(
    "workers/surfaces/widget/build.ts",
  );
  expect(await buildWidget()).toBeLessThanOrEqual(25_000);
});

describe.skipIf(!haveChromium())("widget", () => {
  const pages = pagesUnderTest("/portal");

  async function visit(): Promise<Page> {
    const page = await pages.visit();
    // Of the demo's people, one who speaks English.
    await page.locator("select").selectOption("guest");
    return page;
  }

  async function opened(): Promise<Page> {
    const page = await visit();
    await inside(page, ".launcher").click();
    return page;
  }

  test("streams an answer, and says once that it is ready", async () => {
    const { promise: until, resolve: go } = Promise.withResolvers<undefined>();
    const [first, ...rest] = steps();
    if (!first) throw new Error("no steps");
    pages.api.answer = () => [
      first,
      { event: "delta", data: { text: "Alba left" } },
      { until },
      ...rest.slice(1),
    ];
    const page = await opened();
    await ask(page);
    await inside(page, ".answer").getByText("Alba left").waitFor();
    expect(await inside(page, ".answer").getAttribute("aria-busy")).toBe("true");
    go(undefined);
    await inside(page, ".vote").first().waitFor();
    expect(await inside(page, ".answer").getAttribute("aria-busy")).toBe("false");
    expect(await inside(page, ".said").textContent()).toMatch(/^Answer ready, \d sources?\.$/);
    expect(pages.api.asked[0]?.user).toBe(await page.locator("select").inputValue());
  });

  test("opens a source with the keyboard alone, and goes back to the marker", async () => {
    const page = await visit();
    await inside(page, ".launcher").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type(QUESTION);
    await page.keyboard.press("Enter");
    await inside(page, "button.cite").first().waitFor();
    await inside(page, "button.cite").first().focus();
    await page.keyboard.press("Enter");
    await inside(page, ".source dl").waitFor();
    expect(await inside(page, ".source h3").evaluate((h) => h.matches(":focus"))).toBe(true);
    await inside(page, ".back").press("Enter");
    expect(
      await inside(page, "button.cite")
        .first()
        .evaluate((b) => b.matches(":focus")),
    ).toBe(true);
    await page.keyboard.press("Escape");
    expect(await inside(page, ".launcher").evaluate((b) => b.matches(":focus"))).toBe(true);
  });

  test("asks with what was said before, until a new conversation", async () => {
    const page = await opened();
    await ask(page);
    await inside(page, ".vote").first().waitFor();
    await ask(page, "And the day after?");
    await expect.poll(() => pages.api.asked[1]?.history?.length).toBe(2);
    await inside(page, ".vote").nth(2).waitFor();
    await inside(page, ".fresh").click();
    expect(await inside(page, "article").count()).toBe(0);
    await ask(page);
    await expect.poll(() => pages.api.asked[2]?.history ?? "none").toBe("none");
  });

  test("sends a vote", async () => {
    const page = await opened();
    await ask(page);
    await inside(page, ".vote").first().click();
    await inside(page, ".below").getByText("Thank you.").waitFor();
    expect(pages.api.sent).toEqual([
      ["POST /v1/feedback", { answer_id: expect.stringMatching(/^ans_/), rating: 1 }],
    ]);
    expect(await inside(page, ".vote").first().getAttribute("aria-pressed")).toBe("true");
  });

  test("stops the answer when its reader presses Stop", async () => {
    pages.api.answer = () => [{ event: "delta", data: { text: "Alba" } }, { until: NEVER }];
    const page = await opened();
    await ask(page);
    await inside(page, ".answer").getByText("Alba").waitFor();
    await inside(page, ".send").click();
    await inside(page, ".below").getByText("not a whole answer").waitFor();
    await expect.poll(() => pages.api.hangUps).toBe(1);
  });

  test.each([
    ["is offline", [{ cut: true }] as const, "broke off"],
    ["is limited", [{ problem: "rate_limited", status: 429, retryable: true }] as const, "Too many"],
    ["has no budget", [{ problem: "budget_exhausted", status: 429, retryable: true }] as const, "budget"],
  ])("tells what is wrong when it %s, and tries again", async (_, script, words) => {
    pages.api.answer = () => script;
    const page = await opened();
    await ask(page);
    await inside(page, ".problem").getByText(words).waitFor();
    pages.api.answer = () => steps();
    await inside(page, ".problem button").click();
    await inside(page, ".vote").first().waitFor();
    expect(await inside(page, "article").count()).toBe(1);
  });

  async function portal(): Promise<Page> {
    const page = await visit();
    await page.locator("quayside-chat").evaluate((chat) => {
      chat.removeAttribute("demo-user");
      chat.setAttribute("token-endpoint", "/quayside-token");
    });
    await inside(page, ".launcher").click();
    return page;
  }

  describe("with a token of the portal", () => {
    test("asks for another one when the first has ended, once", async () => {
      pages.api.tokens = ["qw_old", "qw_new"];
      const page = await portal();
      await ask(page);
      await inside(page, ".vote").first().waitFor();
      expect(pages.api.asked.map(({ authorization }) => authorization)).toEqual(["Bearer qw_new"]);
    });

    test("says that the session has ended when the portal gives none", async () => {
      const page = await portal();
      await ask(page);
      await inside(page, ".problem").getByText("session has ended").waitFor();
      expect(pages.api.asked).toEqual([]);
    });
  });

  test("shows model text as text", async () => {
    const text = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![x](https://evil.example/i)";
    pages.api.answer = () => [
      { event: "delta", data: { text } },
      { event: "done", data: { ...answer(text), text, citations: [] } },
    ];
    const page = await opened();
    await ask(page);
    await inside(page, ".vote").first().waitFor();
    expect(await inside(page, ".answer a, .answer img").count()).toBe(0);
    expect(await inside(page, ".answer").textContent()).toContain("<img src=x");
  });

  test("speaks French to a French page", async () => {
    const page = await visit();
    await page.locator("quayside-chat").evaluate((chat) => chat.setAttribute("lang", "fr"));
    await inside(page, ".launcher").getByText("Poser une question").waitFor();
    await inside(page, ".launcher").click();
    expect(await inside(page, ".send").textContent()).toBe("Demander");
  });

  test.each([
    ["by day", "light", 1280],
    ["by night", "dark", 1280],
    ["320 px wide", "light", 320],
  ] as const)("has no accessibility violation, and fits: %s", async (name, colorScheme, width) => {
    const page = await opened();
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 640 });
    await ask(page);
    await inside(page, ".vote").first().waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await inside(page, "button.cite").first().click();
    await inside(page, ".source dl").waitFor();
    expect(await axeViolations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    const shots = process.env["QUAYSIDE_SHOTS"];
    if (shots) await page.screenshot({ path: `${shots}/widget-${name.replaceAll(" ", "-")}.png` });
  });
});
