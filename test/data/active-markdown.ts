import { marked, type Token } from "marked";
import { isListed } from "../../workers/surfaces/inert.ts";

/** What an independent Markdown renderer would load, follow or hand to a browser. */
export function active(text: string, hosts: readonly string[]): readonly string[] {
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
