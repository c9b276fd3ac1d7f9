import { lazily } from "../../shared/lazily.ts";
import type { PersonalKind } from "../../shared/config.ts";
import type { Cell } from "../../shared/ports/source.ts";
import { isList } from "./cells.ts";
import { fold, type Folded } from "./fold.ts";
import { isCard, isIban, isIp, isPhone } from "./identifiers.ts";

/**
 * Personal data and secrets in free text, found by their form. The second line only: a column that is known to hold them is
 * excluded or masked. Names, addresses and health have no form; they are a matter of the column.
 *
 * Found on compatibility-folded text, so that full-width digits, unusual hyphens and invisible characters hide nothing, and
 * replaced in the text as it was. Every pattern runs in time linear in the text.
 */

/** Raised when the same text would be redacted otherwise: rows of redacted columns are then rendered anew. */
export const REDACTION = 1;

/** A piece of text, by UTF-16 offsets; `end` is the first that is not part of it. */
export interface Span {
  readonly kind: PersonalKind;
  readonly start: number;
  readonly end: number;
}

/** Where a kind is found in folded text, as offsets in that. */
type Find = (text: string) => Iterable<readonly [start: number, end: number]>;

/** In the order in which they win where two overlap. */
const FINDERS: readonly (readonly [PersonalKind, Find])[] = [
  ["secret", secrets],
  ["email", emails],
  ["iban", ibans],
  ["card", cards],
  ["ssn", ssns],
  ["ip", ips],
  ["phone", phones],
];

/** The spans of these kinds, in order, none overlapping another. */
export function findPersonal(text: string, kinds: readonly PersonalKind[]): readonly Span[] {
  // Nothing of any kind is shorter, and most cells are.
  if (text.length < 5 || kinds.length === 0) return [];
  const folded = fold(text);
  const found: Span[] = [];
  let taken: Uint8Array | undefined;
  for (const [kind, find] of FINDERS) {
    if (!kinds.includes(kind)) continue;
    for (const [from, to] of find(folded.text)) {
      const { start, end } = original(folded, from, to);
      taken ??= new Uint8Array(text.length);
      if (taken.subarray(start, end).includes(1)) continue;
      taken.fill(1, start, end);
      found.push({ kind, start, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/**
 * The text with each span replaced by its kind in brackets: `[email]`. Redacting again changes nothing.
 * @param count told of every span.
 */
export function redactText(
  text: string,
  kinds: readonly PersonalKind[],
  count: (kind: PersonalKind) => void,
): string {
  let out = "";
  let at = 0;
  for (const { kind, start, end } of findPersonal(text, kinds)) {
    out += `${text.slice(at, start)}[${kind}]`;
    at = end;
    count(kind);
  }
  return at === 0 ? text : out + text.slice(at);
}

/** Every text and number in the cell redacted, the names of nested fields too. */
export function redactCell(
  cell: Cell,
  kinds: readonly PersonalKind[],
  count: (kind: PersonalKind) => void,
): Cell {
  if (typeof cell === "string") return redactText(cell, kinds, count);
  if (typeof cell === "number") {
    const text = redactText(String(cell), kinds, count);
    return text === String(cell) ? cell : text;
  }
  if (cell === null || typeof cell === "boolean") return cell;
  if (isList(cell)) return cell.map((item) => redactCell(item, kinds, count));
  return Object.fromEntries(
    Object.entries(cell).map(([name, value]) => [
      redactText(name, kinds, count),
      redactCell(value, kinds, count),
    ]),
  );
}

function original({ text, starts, ends }: Folded, from: number, to: number): { start: number; end: number } {
  if (!starts || !ends) return { start: from, end: to };
  return { start: starts[from] ?? 0, end: ends[Math.min(to, text.length) - 1] ?? 0 };
}

const localPart = lazily(() => /[\p{L}\p{N}!#$%&'*+?^_`{|}~.-]/u);
const domainPart = lazily(
  () => /^(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,62}))(?:\.[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{0,62}){1,8}/u,
);

/** From each `@` outwards (RFC 5321: 64 characters before it, 255 after it): no pattern is tried anywhere else. */
function* emails(text: string): Generator<readonly [number, number]> {
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const domain =
      domainPart()
        .exec(text.slice(at + 1, at + 256))?.[0]
        .replace(/-+$/, "") ?? "";
    const top = domain.slice(domain.lastIndexOf(".") + 1);
    if (!domain.includes(".") || !/^[\p{L}\p{M}-]{2,}|^xn--/u.test(top)) continue;
    const start = text[at - 1] === '"' ? quotedStart(text, at) : localStart(text, at);
    const end = at + 1 + domain.length;
    if (start === at) continue;
    // The remote of a repository, `git@host:path`, is an address of no one.
    if (text.slice(start, at) === "git" && text[end] === ":") continue;
    yield [start, end];
  }
}

function localStart(text: string, at: number): number {
  let start = at;
  while (start > 0 && at - start < 64 && localPart().test(text[start - 1] ?? "")) start -= 1;
  // Punctuation around an address is not part of it.
  while (start < at && /[^\p{L}\p{N}_+]/u.test(text[start] ?? "")) start += 1;
  return start;
}

function quotedStart(text: string, at: number): number {
  const open = text.lastIndexOf('"', at - 2);
  return open >= 0 && at - open <= 66 && !text.slice(open, at).includes("\n") ? open : at;
}

function* ibans(text: string): Generator<readonly [number, number]> {
  for (const { index } of text.matchAll(/(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])/g)) {
    const end = isIban(text, index);
    if (end !== undefined) yield [index, end];
  }
}

/** Most groups of digits that a card number is printed in. */
const CARD_GROUPS = 5;

/** Groups of digits with one blank or hyphen between them; other digits may stand beside a card number, such as its expiry. */
function* cards(text: string): Generator<readonly [number, number]> {
  const groups = [...text.matchAll(/\d+/g)].map((m) => ({
    digits: m[0],
    start: m.index,
    end: m.index + m[0].length,
  }));
  for (let first = 0; first < groups.length; first++) {
    const { start, digits } = groups[first] ?? { start: 0, digits: "" };
    if (digits.length < 4 || (digits.length > 4 && digits.length < 12) || /[\w.]/.test(text[start - 1] ?? ""))
      continue;
    const written: string[] = [];
    for (let last = first; last < groups.length && last < first + CARD_GROUPS; last++) {
      const group = groups[last];
      const joined = last === first || /^[ -]$/.test(text.slice(groups[last - 1]?.end, group?.start));
      if (!group || !joined) break;
      written.push(group.digits);
      if (!isCard(written) || /^(?:\w|\.\d)/.test(text.slice(group.end, group.end + 2))) continue;
      yield [start, group.end];
      first = last;
      break;
    }
  }
}

/** US Social Security numbers as they are issued; with blanks only where the text says what they are. */
function* ssns(text: string): Generator<readonly [number, number]> {
  const form = /(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])/g;
  for (const { index, 0: found, 1: separator } of text.matchAll(form)) {
    if (separator === "-" || /ssn|social security/i.test(text.slice(Math.max(0, index - 40), index))) {
      yield [index, index + found.length];
    }
  }
}

function* ips(text: string): Generator<readonly [number, number]> {
  for (const { index, 0: found } of text.matchAll(/(?<![\w.:-])[0-9A-Fa-f.:]{3,45}(?![\w])/g)) {
    const address = found.replace(/[.:]+$/, (tail) => (tail === "::" ? tail : ""));
    // Versions have four parts too.
    if (/(?:version|release|build|\bv)[ :=]*$/i.test(text.slice(Math.max(0, index - 12), index))) continue;
    if (isIp(address)) yield [index, index + address.length];
  }
}

function* phones(text: string): Generator<readonly [number, number]> {
  const form = /(?<![\w.+/:-])(?:\+|\()?\d(?:[ ./()-]{0,3}\d){5,16}(?![\w]|[-/.:]\d)/g;
  for (const { index, 0: found } of text.matchAll(form)) {
    if (isPhone(found, text.slice(Math.max(0, index - 24), index))) yield [index, index + found.length];
  }
}

/** Keys by the prefixes that their issuers publish; each part in brackets is what is replaced. */
const SECRETS: readonly RegExp[] = [
  /(?<!\w)((?:AKIA|ASIA)[A-Z0-9]{16})(?!\w)/dg,
  /(?<![\w-])((?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{16,200})/dg,
  /(?<!\w)(xox[abeoprs]-[\w-]{10,200})/dg,
  /(?<!\w)((?:gh[opsur]|glpat|npm|hf|shpat|dop_v1|pypi)[_-][\w-]{16,200}|github_pat_\w{20,200})/dg,
  /(?<!\w)(AIza[\w-]{35})(?!\w)/dg,
  /(?<![\w.])(eyJ[\w-]{8,4000}\.eyJ[\w-]{8,4000}\.[\w-]{0,4000})/dg,
  /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\w\s+/=]{0,8000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?)/dg,
  // A password beside its name: letters with digits or signs, since words would be prose about passwords.
  /(?<!\w)(?:password|passwd|pwd|passphrase|api[_ -]?key|secret|token|mot de passe)["']?\s{0,3}[:=]\s{0,3}["']?((?=[^\s"']{0,80}[A-Za-z])(?=[^\s"']{0,80}[0-9!$%&*#])[^\s"',;]{6,200})/dgi,
  /(?<![\w])[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/]{1,100}:([^\s@/]{3,200})@/dgi,
];

function* secrets(text: string): Generator<readonly [number, number]> {
  for (const form of SECRETS) {
    for (const { indices } of text.matchAll(form)) if (indices?.[1]) yield indices[1];
  }
}
