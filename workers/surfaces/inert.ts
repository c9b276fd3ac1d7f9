import type { Config } from "../../shared/config.ts";

/**
 * Text of an answer, made safe to hand to a client that renders Markdown, HTML, chat mark-up or diagrams and that may load
 * what it links to: a model that was talked into it, or a row's author, could send data out through an image or a link
 * (OWASP LLM05). Nothing here is decided from the model's good will; what stays active is on a list of hosts.
 */

/** Invisible characters that carry text to a reader that is no person: tags, zero width, bidirectional controls. */
const INVISIBLE = /[\u{E0000}-\u{E007F}\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]/gu;

/** Languages of fenced code that some client runs or draws rather than shows. */
const DRAWN =
  /^\s*(?:mermaid|plantuml|puml|dot|graphviz|html?|svg|xml|latex|tex|math|json\S*|adaptive\S*)\b/i;

/** What makes an absolute address, with the address behind it; an address within an address counts too. */
const SCHEME = /([a-z][a-z0-9+.-]{0,30}):(?=(\/\/[^\s<>"'`)\]}|]*))/gi;

/** An image or link whose target is written out, with nothing clever in it. */
const PLAIN_TARGET = /(!?)\[([^[\]]*)\]\((https:\/\/[^\s()<>"'\\]+)\)/g;

/**
 * @param text Markdown as a model wrote it.
 * @param hosts whose https addresses on the usual port stay as they are; lower case.
 * @returns the same words. Code that is only shown is left alone.
 */
export function inertMarkdown(text: string, hosts: readonly string[]): string {
  return splitCode(text.replace(INVISIBLE, ""))
    .map(({ kind, text: part }) => {
      if (kind === "code") return part;
      if (kind === "fence") return inertFence(part, hosts);
      return inertProse(part, hosts);
    })
    .join("");
}

/** Whether an address may be followed or loaded: https, the usual port, no name before the host, a listed host. */
export function isListed(address: string, hosts: readonly string[]): boolean {
  if (!address.startsWith("https://")) return false;
  const url = URL.parse(address);
  return (
    url !== null &&
    url.protocol === "https:" &&
    url.port === "" &&
    url.username === "" &&
    url.password === "" &&
    hosts.includes(url.hostname)
  );
}

interface Part {
  readonly kind: "prose" | "code" | "fence";
  readonly text: string;
}

/** Fences run to their end or the text's; an unclosed code span is prose. */
const CODE = /^(```+|~~~+)[^\n]*\n[\s\S]*?(?:^\1[^\n]*$|$(?![\s\S]))|(`+)(?!`)[^\n]*?[^`]\2(?!`)/gm;

function splitCode(text: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(CODE)) {
    if (match.index > at) parts.push({ kind: "prose", text: text.slice(at, match.index) });
    parts.push({ kind: match[1] === undefined ? "code" : "fence", text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ kind: "prose", text: text.slice(at) });
  return parts;
}

/** A diagram or card becomes text that is shown. */
function inertFence(fence: string, hosts: readonly string[]): string {
  const end = fence.indexOf("\n");
  const marks = /^(?:`+|~+)/.exec(fence)?.[0] ?? "";
  const language = fence.slice(marks.length, end);
  if (!DRAWN.test(language)) return fence;
  return `${marks}text${withoutAddresses(fence.slice(end), hosts)}`;
}

function inertProse(prose: string, hosts: readonly string[]): string {
  const kept: string[] = [];
  // What is plainly fine is set aside under a character that prose never has, then everything else loses its syntax.
  const rest = prose
    .replaceAll("\uE000", "")
    .replace(PLAIN_TARGET, (whole, _image, _label, target: string) => {
      if (!isListed(target, hosts)) return whole;
      kept.push(whole);
      return `\uE000${kept.length - 1}\uE000`;
    });
  const dull = withoutAddresses(
    rest
      .replace(/<(?=[a-z/!?@#])/gi, "&lt;")
      .replace(/!\[/g, "!\\[")
      .replace(/\]\(/g, "] (")
      .replace(/\]\[/g, "] [")
      .replace(/^(\s{0,3}\[[^\]\n]*\]):/gm, "$1 :")
      .replace(/\\(href|url|includegraphics)/g, "$1"),
    hosts,
  );
  return dull.replace(/\uE000(\d+)\uE000/g, (_, i: string) => kept[Number(i)] ?? "");
}

/** Addresses that no client turns into a link: a bracketed colon or dot, as people write them in reports of attacks. */
function withoutAddresses(text: string, hosts: readonly string[]): string {
  return text
    .replace(SCHEME, (whole, scheme: string, rest: string) =>
      isListed(`${whole}${rest.replace(/[.,;:!?]+$/, "")}`, hosts) ? whole : `${scheme}[:]`,
    )
    .replace(/\bmailto:/gi, "mailto[:]")
    .replace(/\bwww\./gi, "www[.]");
}

/** Hosts that the configured tables' rows link to: the only ones that an answer may lead to. */
export function linkHosts(config: Config): readonly string[] {
  const urls = Object.values(config.tables).flatMap(({ url }) => url ?? []);
  return [...new Set(urls.flatMap((url) => URL.parse(url.replaceAll(/\{[^{}]*\}/g, "x"))?.hostname ?? []))];
}
