/**
 * HTML as the text that a reader sees: tags and comments left out, scripts and styles with what is in them, character
 * references decoded, blocks on lines of their own. For reading only: nothing here makes HTML safe to show as HTML.
 */
export function htmlText(html: string): string {
  const lines: string[] = [];
  let line = "";
  const endLine = (): void => {
    lines.push(line.replaceAll(/ {2,}/g, " ").trim());
    line = "";
  };
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    const tag = open >= 0 && opensTag(html, open);
    const textEnd = open < 0 ? html.length : tag ? open : open + 1;
    line += decoded(html.slice(at, textEnd)).replaceAll(/[ \t\r\n]+/g, " ");
    at = textEnd;
    if (!tag) continue;
    if (html.startsWith("<!--", open)) {
      const end = html.indexOf("-->", open + 4);
      at = end < 0 ? html.length : end + 3;
      continue;
    }
    at = endOfTag(html, open);
    const name = /^<\/?([a-z][a-z0-9]*)/i.exec(html.slice(open, open + 20))?.[1]?.toLowerCase() ?? "";
    if (HIDDEN.has(name) && html[open + 1] !== "/") at = afterElement(html, at, name);
    if (name === "td" || name === "th") line += " ";
    const paragraph = PARAGRAPHS.has(name);
    if (paragraph || LINES.has(name)) {
      if (line.trim() === "") line = "";
      else endLine();
    } else if (name === "br") endLine();
    if (paragraph && lines.at(-1) !== "") lines.push("");
  }
  endLine();
  return lines
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

const HIDDEN = new Set(["script", "style", "head", "template", "noscript"]);
/** Set off by an empty line. */
const PARAGRAPHS = new Set(
  "article aside blockquote dl figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p pre section table ul".split(
    " ",
  ),
);
/** On lines of their own. */
const LINES = new Set("address dd div dt fieldset figcaption li tbody tfoot thead tr".split(" "));

function opensTag(html: string, at: number): boolean {
  return /^<(?:[a-z!?]|\/[a-z])/i.test(html.slice(at, at + 3));
}

/** After the `>` that closes a tag; one within quotes does not. */
function endOfTag(html: string, open: number): number {
  let quote = "";
  for (let i = open + 1; i < html.length; i++) {
    const c = html[i] ?? "";
    if (quote !== "") quote = c === quote ? "" : quote;
    else if (c === ">") return i + 1;
    else if ((c === '"' || c === "'") && html[i - 1] === "=") quote = c;
  }
  return html.length;
}

function afterElement(html: string, from: number, name: string): number {
  // Searched forward from here each time, so that a text of many openings costs no more than its length.
  const closing = new RegExp(`</${name}[\\s>/]`, "gi");
  closing.lastIndex = from;
  const match = closing.exec(html);
  return match ? endOfTag(html, match.index) : html.length;
}

const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  bull: "•",
  middot: "·",
  euro: "€",
  pound: "£",
  copy: "©",
  reg: "®",
  trade: "™",
  deg: "°",
  times: "×",
  eacute: "é",
  egrave: "è",
  ecirc: "ê",
  agrave: "à",
  acirc: "â",
  ccedil: "ç",
  ocirc: "ô",
  ucirc: "û",
  icirc: "î",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  szlig: "ß",
  ntilde: "ñ",
};

/** Character references; those not known stay as they are. */
function decoded(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi, (all, decimal, hex, name) => {
    if (typeof name === "string") return Object.hasOwn(NAMED, name) ? (NAMED[name] ?? all) : all;
    const code = typeof decimal === "string" ? Number(decimal) : Number.parseInt(String(hex), 16);
    const valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return valid ? String.fromCodePoint(code) : "\uFFFD";
  });
}
