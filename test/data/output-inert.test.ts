import { marked, type Token } from "marked";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { inertMarkdown, isListed } from "../../workers/surfaces/inert.ts";
import { hostile } from "./hostile.ts";

const itemSchema = z.object({
  id: z.string(),
  kind: z.string(),
  model_output: z.string(),
  expect: z.enum(["neutralise", "unchanged_text"]),
  allow_hosts: z.array(z.string()),
});

const xssSchema = z.object({ id: z.string(), text: z.string() });

/** What an independent Markdown renderer would load, follow or hand to a browser. */
function active(text: string, hosts: readonly string[]): readonly string[] {
  const found: string[] = [];
  const visit = (token: Token): void => {
    if (token.type === "html") found.push(token.raw);
    if ((token.type === "image" || token.type === "link") && !isListed(String(token["href"]), hosts)) {
      // A mail address is linked by the renderer itself; it leads nowhere and carries nothing.
      const mail = token.type === "link" && token["href"] === `mailto:${token["text"]}`;
      if (!mail) found.push(token.raw);
    }
    if (token.type === "def" && !isListed(String(token["href"]), hosts)) found.push(token.raw);
    if (token.type === "code" && /^(mermaid|json|html)/.test(String(token["lang"]))) found.push(token.raw);
  };
  const tokens = marked.lexer(text);
  void marked.walkTokens(tokens, visit);
  const mentions = text.match(/<[!@#][^>]*>|<at>/g) ?? [];
  const bare = text.replace(/```[\s\S]*?```|`[^`]*`/g, "").match(/[a-z]+:\/\/\S+|\bwww\.\S+/gi) ?? [];
  const invisible = text.match(/[\u{E0000}-\u{E007F}\u200B-\u200F]/gu) ?? [];
  return [
    ...found,
    ...mentions,
    ...bare.filter((url) => !isListed(url.replace(/[).]+$/, ""), hosts)),
    ...invisible,
  ];
}

describe("model output", () => {
  const items = hostile("output-exfil.jsonl", itemSchema) ?? [];

  it.each(items)("$id $kind", ({ model_output, expect: wanted, allow_hosts }) => {
    const safe = inertMarkdown(model_output, allow_hosts);
    if (wanted === "unchanged_text") expect(safe).toBe(model_output);
    else expect(active(safe, allow_hosts)).toEqual([]);
  });

  it.runIf(items.length > 0)("is told apart by the check itself", () => {
    const attacks = items.filter((item) => item.expect === "neutralise");
    const missed = attacks.filter((item) => active(item.model_output, item.allow_hosts).length === 0);
    // Plain Markdown takes no blank in an address: these two are dead to begin with.
    expect(missed.map((item) => item.kind)).toEqual(["md_link_js_tab", "md_link_custom_scheme"]);
  });

  it.each(hostile("xss-strings.jsonl", xssSchema) ?? [])("$id", ({ text }) => {
    expect(active(inertMarkdown(text, []), [])).toEqual([]);
  });
});
