import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveChromium, launchChromium, openPage, type Watched } from "../browser/chromium.ts";
import { citation, startStubApi, steps, type StubApi } from "../browser/stub-api.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const file = join(
  process.env["QUAYSIDE_DATA"] ?? join(root, "../shared/data"),
  "adversarial/xss-strings.jsonl",
);

function hostileStrings(): readonly { readonly id: string; readonly text: string }[] {
  if (!existsSync(file)) {
    process.stderr.write(
      `\nSKIPPED: hostile strings were NOT tried on the console: no ${file}; set QUAYSIDE_DATA.\n\n`,
    );
    return [];
  }
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.flatMap((line) => {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null) return [];
    const { id, text } = { id: "", text: "", ...entry };
    return [{ id, text }];
  });
}

const STRINGS = hostileStrings();

/** What answers and rows are built from; anything else came out of a hostile string. */
const EXPECTED = new Set(
  "A ARTICLE BLOCKQUOTE BR BUTTON CODE DD DETAILS DIV DL DT H2 H3 LI OL P S SPAN STRONG SUMMARY TABLE TBODY TD TH THEAD TIME TR UL path svg use".split(
    " ",
  ),
);

describe.skipIf(STRINGS.length === 0 || !haveChromium())("hostile strings in the console", () => {
  let browser: Browser;
  let api: StubApi;
  let watched: Watched;

  beforeAll(async () => {
    api = await startStubApi();
    browser = await launchChromium();
    watched = await openPage(browser, api.url);
  });
  afterAll(async () => {
    await browser.close();
    await api.stop();
  });

  test.each(STRINGS)(
    "$id is inert as text, title, key, cell, excerpt, address and removal",
    async ({ text }) => {
      const { page, trouble } = watched;
      const row = citation(1, {
        table: text,
        title: text,
        excerpt: text,
        url: text,
        key: { id: text },
        cells: [{ column: text, value: text }],
      });
      api.answer = () =>
        steps(`${text}\n\nIt is so [1].`, {
          citations: [row],
          model: text,
          route: { requested: "auto", why: text },
          verification: { checked: 1, supported: 0, removed: [{ text, why: text }] },
        });
      await page.locator("#question").fill(text.slice(0, 4000).trim() || "x");
      await page.locator("#question").press("Enter");
      await page.locator('.turn[data-phase="done"]').waitFor();
      await page.locator(".prose .cite").last().click();
      const seen = await page.evaluate(() => {
        const areas = [...document.querySelectorAll(".turn, #evidence")];
        const elements = areas.flatMap((area) => [...area.querySelectorAll("*")]);
        return {
          tags: [...new Set(elements.map((element) => element.tagName))],
          handlers: elements.flatMap((element) =>
            element.getAttributeNames().filter((name) => name.startsWith("on")),
          ),
          links: elements.flatMap((element) => (element instanceof HTMLAnchorElement ? [element.href] : [])),
          cell: document.querySelector("#evidence td div > span")?.textContent,
          title: document.querySelector("#evidence h2")?.lastChild?.textContent,
          removed: document.querySelector(".removed s")?.textContent,
        };
      });
      expect(trouble).toEqual([]);
      expect(seen.tags.filter((tag) => !EXPECTED.has(tag))).toEqual([]);
      expect(seen.handlers).toEqual([]);
      expect(seen.links.filter((link) => !/^https?:\/\//.test(link))).toEqual([]);
      expect([seen.cell, seen.title, seen.removed]).toEqual([text, text, text]);
      await page.locator("#restart").click();
    },
  );
});
