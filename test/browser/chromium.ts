import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const path = process.env["CHROMIUM_PATH"] || "/usr/bin/chromium";

/**
 * Whether there is a Chromium to test in. Where there is none, says so loudly; under `CI` that is a failure, because a browser
 * test that nobody ran proves nothing.
 */
export function haveChromium(): boolean {
  if (existsSync(path)) return true;
  if (process.env["CI"]) throw new Error(`No Chromium at ${path}: set CHROMIUM_PATH.`);
  process.stderr.write(`\nSKIPPED: the pages were NOT tested. No Chromium at ${path}; set CHROMIUM_PATH.\n`);
  return false;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export interface Watched {
  readonly page: Page;
  /** Everything that should not happen: errors, dialogs, violations of the content policy, requests to another host. */
  readonly trouble: string[];
  close(): Promise<void>;
}

/** A fresh page of the console, in English unless told otherwise, whose troubles are written down. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  path = "/",
): Promise<Watched> {
  const context = await browser.newContext({
    locale: "en-GB",
    timezoneId: "Europe/London",
    viewport: { width: 1280, height: 900 },
    // Nothing moves, so nothing has to be waited for.
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  const trouble: string[] = [];
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A failed fetch is logged by the browser itself, and is what the error tests are about.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      trouble.push(`console: ${message.text()}`);
    }
  });
  page.on("dialog", (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) {
      trouble.push(`request: ${request.url()}`);
    }
  });
  context.on("page", (other) => {
    if (other !== page) trouble.push(`opened: ${other.url()}`);
  });
  await page.exposeFunction("reportViolation", (text: string) => trouble.push(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      Reflect.get(globalThis, "reportViolation")(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await context.clock.setFixedTime("2026-11-23T09:44:00Z");
  await page.goto(new URL(path, url).href);
  await page.locator("body.loaded").waitFor();
  return { page, trouble, close: () => context.close() };
}

let visits = 0;

/** The page in a tab that was used before, as if it were opened for the first time: nothing remembered, nothing emulated, online. */
export async function reopen(page: Page, url: string, path = "/"): Promise<void> {
  await page.context().setOffline(false);
  await page.evaluate(() => localStorage.clear());
  await page.emulateMedia({ colorScheme: null, forcedColors: null, reducedMotion: "reduce" });
  await page.setViewportSize({ width: 1280, height: 900 });
  // Another query, so that it is loaded anew even where only the fragment differs.
  const address = new URL(path, url);
  address.searchParams.set("visit", String((visits += 1)));
  await page.goto(address.href);
  await page.locator("body.loaded").waitFor();
}
