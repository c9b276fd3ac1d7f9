import { describe, expect, test } from "vitest";
import { haveChromium } from "../browser/chromium.ts";
import { pagesUnderTest } from "../browser/pages.ts";
import { steps } from "../browser/stub-data.ts";
import { BATCHES, hostileAnswer } from "./xss.ts";

/** What answers and sources are built from; anything else came out of a hostile string. */
const MADE_OF = new Set(
  "A ARTICLE BLOCKQUOTE BR BUTTON CODE DD DIV DL DT H3 LI OL P SECTION SPAN STRONG UL path svg".split(" "),
);

describe.skipIf(BATCHES.length === 0 || !haveChromium())("hostile strings in the widget", () => {
  // Dialogs, errors, other hosts and violations of the content policy fail the test.
  const pages = pagesUnderTest("/portal");

  test.each(BATCHES)("$name are inert wherever they arrive", async ({ texts }) => {
    const { said, citations } = hostileAnswer(texts);
    pages.api.answer = () => steps(said, { citations, model: texts.join("\n") });
    const page = await pages.visit();
    await page.locator("select").selectOption("guest");
    await page.locator("quayside-chat .launcher").click();
    await page.locator("quayside-chat textarea").fill(texts.join("\n").slice(0, 3000));
    await page.locator("quayside-chat textarea").press("Enter");
    await page.locator("quayside-chat .vote").first().waitFor();
    const seen = await page.locator("quayside-chat").evaluate((chat) => {
      const root = chat.shadowRoot;
      const all = (selector: string) => [...(root?.querySelectorAll<HTMLElement>(selector) ?? [])];
      const elements = all("article *");
      // Some strings hold what reads as a marker: a source may be cited more than once.
      const shown = new Map<number, readonly (string | null | undefined)[]>();
      for (const cite of all("button.cite")) {
        cite.click();
        elements.push(...all(".source *"));
        shown.set(
          Number(cite.dataset["marker"]),
          ["h3", "dt", "dd"].map((name) => all(`.source ${name}`)[0]?.textContent),
        );
        all(".back")[0]?.click();
      }
      return {
        shown: [...shown].sort(([a], [b]) => a - b),
        tags: [...new Set(elements.map((element) => element.tagName))],
        handlers: elements.flatMap((element) =>
          element.getAttributeNames().filter((name) => name.startsWith("on")),
        ),
        links: elements.flatMap((element) => (element instanceof HTMLAnchorElement ? [element.href] : [])),
      };
    });
    expect(seen.tags.filter((tag) => !MADE_OF.has(tag))).toEqual([]);
    expect(seen.handlers).toEqual([]);
    expect(seen.links.filter((link) => !/^https?:\/\//.test(link))).toEqual([]);
    expect(seen.shown).toEqual(texts.map((text, i) => [i + 1, [text, text, text]]));
  });
});
