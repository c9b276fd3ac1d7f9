import type { AccessConfig } from "./config.ts";
import { encodePart, hash128 } from "./ids.ts";
import type { Principal } from "./ports/answer.ts";
import type { Classification } from "./ports/evidence.ts";
import type { AccessClass, Label } from "./ports/registry.ts";
import type { Cell, Row } from "./ports/source.ts";

/**
 * Row policy: a table's access rule and a row give a label; a label and a classification give an access class; a principal's
 * grants decide which classes it may see. Deny wins, an empty label is nobody, every doubt is nobody.
 */

/** Grants that a principal holds: `public`, its groups, its attributes, itself. Values are percent-encoded like id parts. */
export function grantsOf(principal: Principal): ReadonlySet<string> {
  const grants = new Set(["public", `user:${encodeGrant(principal.subject)}`]);
  for (const group of principal.groups) grants.add(`group:${encodeGrant(group)}`);
  for (const [name, values] of Object.entries(principal.attributes)) {
    // `group` and `user` are namespaces of their own: an attribute can't forge them.
    if (name === "group" || name === "user" || name === "public") continue;
    for (const value of values) grants.add(`${encodeGrant(name)}:${encodeGrant(value)}`);
  }
  return grants;
}

/** Whether the grants satisfy the label. */
export function permits(label: Label, grants: ReadonlySet<string>): boolean {
  if (label.deny.some((grant) => grants.has(grant))) return false;
  if (!label.allowAll.every((grant) => grants.has(grant))) return false;
  return label.allowAny.some(
    (conjunction) => conjunction.length > 0 && conjunction.every((g) => grants.has(g)),
  );
}

/**
 * The label of a row under a rule; undefined when it can't be computed (a column that the row lacks, or a value that is not
 * a scalar), in which case the row is held back.
 */
export function labelOf(rule: AccessConfig, row: Row): Label | undefined {
  const allowAny: string[][] = [];
  for (const alternative of rule.allowAny) {
    const grants = expand(alternative, row);
    if (grants === undefined) return undefined;
    if (grants !== null) allowAny.push(grants);
  }
  const allowAll = expandAll(rule.allowAll ?? [], row);
  // Each grant of a deny denies by itself, so one whose column is null takes no other along.
  const deny = expandAll(
    (rule.deny ?? []).flatMap((item) => item.split("&")),
    row,
  );
  if (allowAll === undefined || deny === undefined) return undefined;
  // A requirement whose column is null can't be met by anyone; a deny of a null value denies no one.
  if (allowAll.includes(null)) return { allowAny: [], allowAll: [], deny: [] };
  return canonical({
    allowAny,
    allowAll: allowAll.flatMap((g) => g ?? []),
    deny: deny.flatMap((g) => g ?? []),
  });
}

/** The class of a label, ids sorted and deduplicated so that equal labels are one class. */
export async function classOf(label: Label, classification: Classification): Promise<AccessClass> {
  const canon = canonical(label);
  const id = await hash128(JSON.stringify([canon.allowAny, canon.allowAll, canon.deny, classification]));
  return { id, label: canon, classification };
}

function canonical(label: Label): Label {
  const any = new Map(label.allowAny.map((c) => [sorted(c).join(" & "), sorted(c)] as const));
  return {
    allowAny: [...any.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, c]) => c),
    allowAll: sorted(label.allowAll),
    deny: sorted(label.deny),
  };
}

function sorted(list: readonly string[]): string[] {
  return [...new Set(list)].sort();
}

function expandAll(list: readonly string[], row: Row): (string[] | null)[] | undefined {
  const out: (string[] | null)[] = [];
  for (const item of list) {
    const grants = expand(item, row);
    if (grants === undefined) return undefined;
    out.push(grants);
  }
  return out;
}

/** Grants of one alternative; null when a column is null; undefined when it can't be computed. */
function expand(alternative: string, row: Row): string[] | null | undefined {
  const grants: string[] = [];
  let missing = false;
  let empty = false;
  for (const part of alternative.split("&").map((p) => p.trim())) {
    const colon = part.indexOf(":");
    if (colon < 0) {
      if (part !== "public") return undefined;
      grants.push(part);
      continue;
    }
    const namespace = encodeGrant(part.slice(0, colon));
    const value = part.slice(colon + 1).replace(/\{([^{}]+)\}/g, (_, name: string) => {
      const cell = Object.hasOwn(row, name) ? row[name] : undefined;
      if (cell === undefined || (cell !== null && typeof cell === "object")) missing = true;
      if (cell === null || cell === "") empty = true;
      return scalar(cell);
    });
    grants.push(`${namespace}:${encodeGrant(value)}`);
  }
  // Missing first: a null beside it must not hide that the row can't be judged.
  if (missing) return undefined;
  return empty ? null : grants;
}

function scalar(cell: Cell | undefined): string {
  return typeof cell === "string" || typeof cell === "number" || typeof cell === "boolean"
    ? String(cell)
    : "";
}

/** Keeps `&` and the reserved id characters out of a grant, so that no value can be read as two grants. */
function encodeGrant(value: string): string {
  return encodePart(value.normalize("NFC")).replaceAll("&", "%26");
}
