import { describe, expect, test } from "vitest";
import { haveChromium } from "../browser/chromium.ts";
import { pagesUnderTest } from "../browser/pages.ts";
import { citation, run, steps } from "../browser/stub-data.ts";
import { BATCHES, hostileAnswer, STRINGS } from "./xss.ts";

/** What answers and rows are built from; anything else came out of a hostile string. */
const EXPECTED = new Set(
  "A ARTICLE BLOCKQUOTE BR BUTTON CODE COL COLGROUP DD DETAILS DIV DL DT H2 H3 LI MARK OL P S SPAN STRONG SUMMARY TABLE TBODY TD TH THEAD TIME TR UL path svg use".split(
    " ",
  ),
);

/** And what the other pages are built from. */
const PAGES_MADE_OF = new Set([
  ..."FIELDSET FORM H1 INPUT LABEL LEGEND SELECT OPTION SECTION TEXTAREA".split(" "),
  ...EXPECTED,
]);

describe.skipIf(STRINGS.length === 0 || !haveChromium())("hostile strings in the console", () => {
  // Dialogs, errors, other hosts and violations of the content policy fail the test.
  const pages = pagesUnderTest();

  test.each(BATCHES)("$name are inert wherever they arrive", async ({ texts }) => {
    const { said, citations } = hostileAnswer(texts);
    const whole = texts.join("\n");
    pages.api.answer = () =>
      steps(said, {
        citations,
        model: whole,
        route: { requested: "auto", why: whole },
        verification: { checked: 1, supported: 0, removed: texts.map((text) => ({ text, why: text })) },
      });
    const page = await pages.visit();
    await page.locator("#question").fill(whole.slice(0, 3000));
    await page.locator("#question").press("Enter");
    await page.locator('.turn[data-phase="done"]').waitFor();
    const seen = await page.evaluate(() => {
      const elements = [...document.querySelectorAll(".turn *")];
      const shown: (string | null | undefined)[][] = [];
      document.querySelectorAll<HTMLElement>(".source").forEach((source, i) => {
        source.click();
        elements.push(...document.querySelectorAll("#evidence *"));
        shown.push([
          document.querySelector("#evidence .value")?.textContent,
          document.querySelector("#evidence h2")?.lastChild?.textContent,
          document.querySelectorAll(".removed s")[i]?.textContent,
        ]);
      });
      return {
        shown,
        tags: [...new Set(elements.map((element) => element.tagName))],
        handlers: elements.flatMap((element) =>
          element.getAttributeNames().filter((name) => name.startsWith("on")),
        ),
        links: elements.flatMap((element) => (element instanceof HTMLAnchorElement ? [element.href] : [])),
      };
    });
    expect(seen.tags.filter((tag) => !EXPECTED.has(tag))).toEqual([]);
    expect(seen.handlers).toEqual([]);
    expect(seen.links.filter((link) => !/^https?:\/\//.test(link))).toEqual([]);
    expect(seen.shown).toEqual(texts.map((text) => [text, text, text]));
  });

  test("are inert on every page beside the conversation", async () => {
    const texts = STRINGS;
    const rows = texts.map((text, i) =>
      citation(0, { id: `t:${i}`, table: text, title: text, key: { id: text }, cells: [] }),
    );
    const says: Readonly<Record<string, unknown>> = {
      "/v1/search": { matches: rows },
      "/v1/tables": {
        tables: texts.map((text) => ({ table: text, description: text, classification: text, as_of: text })),
      },
      "/v1/admin/status": { tables: [] },
      "/v1/ingest/runs": {
        runs: texts.map((text) =>
          run(text, {
            state: text,
            trigger: text,
            host: text,
            reason: text,
            asked: [text],
            tables: [{ table: text, read: 1 }],
          }),
        ),
      },
      "/v1/admin/shapes": { tables: Object.fromEntries(texts.map((text) => [text, {}])) },
      "/v1/admin/budgets": { resets_at: texts[0], budgets: texts.map((scope) => ({ scope })) },
      "/v1/admin/answers": {
        answers: texts.map((text) => ({ model: text, cache: text, outcome: text })),
        feedback: texts.map((text) => ({ model: text, question_kind: text, up: 1, down: 1 })),
        comments: texts.map((text) => ({ answer_id: text, rating: 1, comment: text, at: text })),
      },
      "/v1/models": { models: texts.map((text) => ({ id: text, available: false, why_not: text })) },
    };
    pages.api.answer = () => steps("So it is.", { citations: [] });
    for (const [path, body] of Object.entries(says)) pages.api.says.set(path, body);
    const page = await pages.visit();
    await page.locator(".menu.who .opener").click();
    await page.locator("#menu-who button").last().click();
    await page.locator("#key").fill("qk_op_secret");
    await page.locator("#key").press("Enter");
    await page.locator("#sign-in").waitFor({ state: "hidden" });
    const shown: Readonly<Record<string, string>> = {
      tables: ".record h2 code",
      runs: ".record h3 code",
      feedback: ".opinion h3 code",
      models: ".choices .option-name",
      people: ".matrix .row-title",
      budgets: ".record h2",
    };
    for (const [name, element] of Object.entries(shown)) {
      await page.evaluate((to) => (location.hash = `/${to}`), name);
      if (name === "people") {
        await page.locator("#several-question").fill("Why?");
        await page.locator("#several-question").press("Enter");
      }
      await page.locator(element).first().waitFor();
      const seen = await page.locator(".outlet").evaluate((outlet) => {
        const elements = [...outlet.querySelectorAll("*")];
        return {
          tags: [...new Set(elements.map(({ tagName }) => tagName))],
          handlers: elements.flatMap((e) => e.getAttributeNames().filter((one) => one.startsWith("on"))),
          links: elements.flatMap((e) => (e instanceof HTMLAnchorElement ? [e.href] : [])),
        };
      });
      expect(seen.tags.filter((tag) => !PAGES_MADE_OF.has(tag))).toEqual([]);
      expect([seen.handlers, seen.links]).toEqual([[], []]);
      const shownTexts = await page.locator(element).allTextContents();
      if (name !== "budgets") {
        expect(new Set(shownTexts)).toEqual(new Set(STRINGS));
      }
    }
  });
});
