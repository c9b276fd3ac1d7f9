import { button, type Child, h } from "./dom.ts";

/**
 * What a marker in the text is: a way to open its source, `pending` while the sources are not settled yet, or undefined for
 * a number that cites nothing.
 */
export type MarkerOf = (
  marker: number,
) => { readonly name: string; readonly open: () => void } | "pending" | undefined;

interface Block {
  readonly kind: "p" | "ul" | "ol" | "h";
  /** One string for a paragraph, one an item for a list. */
  readonly lines: readonly string[];
}

/**
 * The part of Markdown that answers use (paragraphs, lists, headings, bold, code, `[n]`), built as elements. Links and images
 * stay the characters that they are: nothing in an answer's text can be followed or fetched.
 */
function blocksOf(text: string): readonly Block[] {
  const blocks: { kind: Block["kind"]; lines: string[] }[] = [];
  let open = false;
  for (const line of text.split("\n")) {
    const item = /^\s{0,6}(?:([-*•])|\d{1,3}[.)])\s+(.*)$/.exec(line);
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    const last = blocks.at(-1);
    if (item) {
      const kind = item[1] ? "ul" : "ol";
      if (last?.kind === kind) last.lines.push(item[2] ?? "");
      else blocks.push({ kind, lines: [item[2] ?? ""] });
      open = false;
    } else if (heading) {
      blocks.push({ kind: "h", lines: [heading[1] ?? ""] });
      open = false;
    } else if (line.trim() === "") {
      open = false;
    } else if (open && last) {
      last.lines.push(line);
    } else {
      blocks.push({ kind: "p", lines: [line] });
      open = true;
    }
  }
  return blocks;
}

const INLINE = /\*\*(\S(?:.*?\S)?)\*\*|`([^`\n]+)`|\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g;

function inline(text: string, markerOf: MarkerOf): Child[] {
  const out: Child[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, bold, code, markers] = match;
    const before = text.slice(at, match.index);
    at = match.index + whole.length;
    const cites = markers === undefined ? undefined : citations(markers, markerOf);
    if (cites) {
      // A marker stays on the line of the word that it belongs to, unless that is too long for one; the style sheet spaces them.
      const [, rest = "", word = ""] = /^(.*?)(\S{0,24}) *$/s.exec(before) ?? [];
      out.push(rest, h("span", { class: "keep" }, word, ...cites));
      continue;
    }
    out.push(before);
    if (bold !== undefined) out.push(h("strong", {}, ...inline(bold, markerOf)));
    else if (code !== undefined) out.push(h("code", {}, code));
    else out.push(whole);
  }
  out.push(text.slice(at));
  return out;
}

/** Undefined when one of the numbers cites nothing. */
function citations(markers: string, markerOf: MarkerOf): Child[] | undefined {
  const numbers = markers.split(",").map(Number);
  const found = numbers.map((n) => markerOf(n));
  if (found.some((f) => f === undefined)) return undefined;
  return found.map((f, i) => {
    const n = String(numbers[i]);
    if (f === undefined || f === "pending") return h("span", { class: "cite" }, n);
    return button({ class: "cite", "aria-label": f.name, "data-marker": n }, f.open, n);
  });
}

function build(block: Block, markerOf: MarkerOf): HTMLElement {
  switch (block.kind) {
    case "p":
      return h("p", {}, ...block.lines.flatMap((line, i) => [i > 0 && h("br"), ...inline(line, markerOf)]));
    case "h":
      return h("p", { class: "subhead" }, ...inline(block.lines[0] ?? "", markerOf));
    case "ul":
    case "ol":
      return h(block.kind, {}, ...block.lines.map((line) => h("li", {}, ...inline(line, markerOf))));
  }
}

/**
 * Shows answer text in an element and keeps it up to date as text arrives: paragraphs that did not change keep their nodes, so
 * a reader's selection and focus stay. `known` names the markers that `markerOf` answers; a change of it rebuilds.
 */
export function proseView(element: HTMLElement): (text: string, known: string, markerOf: MarkerOf) => void {
  let shown: string[] = [];
  return (text, known, markerOf) => {
    const blocks = blocksOf(text);
    const keys = blocks.map((block) => JSON.stringify([known, block]));
    blocks.forEach((block, i) => {
      if (keys[i] === shown[i]) return;
      const node = build(block, markerOf);
      const old = element.children[i];
      if (old) old.replaceWith(node);
      else element.append(node);
    });
    while (element.children.length > blocks.length) element.lastElementChild?.remove();
    shown = keys;
  };
}

/** Text that is still arriving, without a marker or a bold mark that is cut in half at its end. */
export function settled(text: string): string {
  return text.replace(/(?:\[[\d,\s]*|\*{1,2}|`)$/, "");
}

const FRENCH =
  /\b(?:le|la|les|des|du|une?|est|sont|et|que|qui|pour|dans|sur|au|aux|avec|pas|ce|cette|il|elle|quel(?:le)?s?)\b|[àâçèêëîïôùûœ]|\b[ldnsqj]['’]/gi;
const ENGLISH =
  /\b(?:the|of|and|is|are|was|were|for|with|this|that|what|which|who|when|why|how|not|to|in|on|by|from|has|have|an?)\b/gi;

/** The language that a text is most likely written in, for the `lang` attribute; undefined when there is no telling. */
export function languageOf(text: string): "en" | "fr" | undefined {
  const french = text.match(FRENCH)?.length ?? 0;
  const english = text.match(ENGLISH)?.length ?? 0;
  if (french === english) return undefined;
  return french > english ? "fr" : "en";
}

/** A link target that is safe to follow: absolute http or https; undefined for everything else. */
export function webLink(url: string): URL | undefined {
  if (!/^https?:\/\//i.test(url)) return undefined;
  const parsed = URL.parse(url);
  if (!parsed || (parsed.protocol !== "https:" && parsed.protocol !== "http:")) return undefined;
  // A name and password before the host only ever serve to disguise where a link leads.
  return parsed.username || parsed.password ? undefined : parsed;
}
