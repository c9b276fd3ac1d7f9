import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launchChromium, openPage, reopen, type Watched } from "./chromium.ts";
import { type StubApi, startStubApi } from "./stub-api.ts";

/** One Chromium, one stub and, where a test wants nothing special, one tab for all the tests of a file. */
export interface PagesUnderTest {
  readonly api: StubApi;
  /** The page as if it were opened for the first time. With options, in a browser profile of its own. */
  readonly visit: (options?: BrowserContextOptions) => Promise<Page>;
  /** The same, at an address of its own. */
  readonly visitAt: (path: string, options?: BrowserContextOptions) => Promise<Page>;
  /** As `visit`, for a test that expects trouble. */
  readonly open: () => Promise<Watched>;
}

/** Registers what a file needs around its tests; each test fails when something happens in the page that should not. */
export function pagesUnderTest(home = "/"): PagesUnderTest {
  let browser: Browser | undefined;
  let api: StubApi | undefined;
  let tab: Watched | undefined;
  let others: Watched[] = [];

  beforeAll(async () => {
    [api, browser] = await Promise.all([startStubApi(), launchChromium()]);
  });
  afterAll(async () => {
    await browser?.close();
    await api?.stop();
  });
  afterEach(async () => {
    const troubles = [...(tab?.trouble.splice(0) ?? []), ...others.flatMap(({ trouble }) => trouble)];
    await Promise.all(others.map((watched) => watched.close()));
    others = [];
    api?.reset();
    expect(troubles).toEqual([]);
  });

  const started = (): { browser: Browser; api: StubApi } => {
    if (!browser || !api) throw new Error("used before the tests began");
    return { browser, api };
  };

  const visitAt = async (path: string, options?: BrowserContextOptions): Promise<Page> => {
    const { browser, api } = started();
    if (options) {
      const watched = await openPage(browser, api.url, options, path);
      others.push(watched);
      return watched.page;
    }
    if (!tab) {
      tab = await openPage(browser, api.url, {}, path);
      return tab.page;
    }
    await reopen(tab.page, api.url, path);
    return tab.page;
  };

  return {
    get api() {
      return started().api;
    },
    visit: (options) => visitAt(home, options),
    visitAt,
    open: () => openPage(started().browser, started().api.url),
  };
}

/**
 * What axe finds wrong with the page as it is shown.
 * @param rules only these; default: all of them.
 */
export async function axeViolations(page: Page, rules?: readonly string[]): Promise<string[]> {
  const loaded = await page.evaluate("typeof axe === 'object'");
  if (loaded !== true) await page.evaluate(axe.source);
  const options = {
    resultTypes: ["violations"],
    ...(rules ? { runOnly: rules } : { rules: { "target-size": { enabled: true } } }),
  };
  const found = await page.evaluate<AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return found.violations.flatMap((v) => v.nodes.map((node) => `${v.id} ${node.html.slice(0, 120)}`));
}

/**
 * A state of the page for every reader: by day and wide with every rule of axe, then by night, in French and 320 px wide with
 * those that colours and places decide; and nothing reaches sideways out of the page.
 */
export async function everyReader(page: Page): Promise<void> {
  expect(await axeViolations(page)).toEqual([]);
  await page.evaluate(() => document.querySelector<HTMLElement>('[data-language="fr"]')?.click());
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await axeViolations(page, ["color-contrast", "scrollable-region-focusable"])).toEqual([]);
  expect(await overflow(page)).toBeLessThanOrEqual(0);
}

/** How far the page reaches beyond its window, in CSS pixels. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

export const QUESTION = "Why did Alba leave late on 14 October?";

/** Asks on the page of the conversation. */
export async function ask(page: Page, question = QUESTION): Promise<void> {
  await page.locator("#question").fill(question);
  await page.locator("#question").press("Enter");
}

export const turns = (page: Page): Locator => page.locator(".turn");

/** The n-th turn, once it has come to its end. */
export const settled = (page: Page, n = 0): Locator =>
  turns(page).nth(n).and(page.locator('[data-phase="done"], [data-phase="failed"], [data-phase="stopped"]'));

/** Goes on as the holder of a key. */
export async function useKey(page: Page, key = "qk_op_secret"): Promise<void> {
  await page.locator(".menu.who .opener").click();
  await page.locator("#menu-who").getByRole("button", { name: "Use an API key" }).click();
  await page.locator("#key").fill(key);
  await page.locator("#key").press("Enter");
  await page.locator("#sign-in").waitFor({ state: "hidden" });
}

/** Asks on the page that asks side by side. */
export async function askSeveral(page: Page): Promise<void> {
  await page.locator("#several-question").fill(QUESTION);
  await page.locator("#several-question").press("Enter");
  await page.locator('.column[data-phase="done"]').nth(1).waitFor();
}
