import * as fc from "fast-check";
import type { AccessConfig } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Cell, Row } from "../../shared/ports/source.ts";

/** A grant of a rule before it is written as text: a namespace, and a value made of literals and columns. */
export interface RuleGrant {
  readonly namespace: string;
  readonly value: readonly { readonly literal?: string; readonly column?: string }[];
}

/** An access rule in parts, so that the oracle never reads the syntax that it judges. */
export interface Rule {
  readonly allowAny: readonly (readonly RuleGrant[])[];
  readonly allowAll: readonly (readonly RuleGrant[])[];
  readonly deny: readonly (readonly RuleGrant[])[];
}

export interface Case {
  readonly rule: Rule;
  readonly row: Row;
  readonly principal: Principal;
}

/** The reference: who sees a row, written without grants, labels or classes. */
export function maySee({ rule, row, principal }: Case): boolean {
  const every = [...rule.allowAny, ...rule.allowAll, ...rule.deny].flat(2);
  const columns = every.flatMap((grant) => grant.value.flatMap((part) => part.column ?? []));
  // A column that is not there, or is no scalar: the row is held back.
  if (columns.some((c) => !Object.hasOwn(row, c) || (row[c] !== null && typeof row[c] === "object")))
    return false;

  const isVoid = (grant: RuleGrant): boolean =>
    grant.value.some(({ column }) => column !== undefined && (row[column] === null || row[column] === ""));
  const textOf = (grant: RuleGrant): string =>
    grant.value
      .map(({ literal, column }) => literal ?? scalar(row[column ?? ""]))
      .join("")
      .normalize("NFC");
  const holds = (grant: RuleGrant): boolean => {
    if (grant.namespace === "public") return true;
    if (grant.namespace === "group") return has(principal.groups, textOf(grant));
    if (grant.namespace === "user") return has([principal.subject], textOf(grant));
    return has(principal.attributes[grant.namespace], textOf(grant));
  };

  if (rule.deny.flat().some((grant) => !isVoid(grant) && holds(grant))) return false;
  if (!rule.allowAll.every((part) => !part.some(isVoid) && part.every(holds))) return false;
  return rule.allowAny.some((part) => !part.some(isVoid) && part.every(holds));
}

function has(list: readonly string[] | undefined, text: string): boolean {
  return (list ?? []).some((held) => held.normalize("NFC") === text);
}

function scalar(cell: Cell | undefined): string {
  return typeof cell === "object" || cell === undefined ? "" : `${cell}`;
}

/** The rule in the configuration's own syntax. */
export function written(rule: Rule): AccessConfig {
  return {
    allowAny: writtenParts(rule.allowAny),
    allowAll: writtenParts(rule.allowAll),
    deny: writtenParts(rule.deny),
  };
}

function writtenGrant({ namespace, value }: RuleGrant): string {
  const text = value.map(({ literal, column }) => literal ?? `{${column}}`).join("");
  return namespace === "public" ? "public" : `${namespace}:${text}`;
}

function writtenParts(parts: readonly (readonly RuleGrant[])[]): string[] {
  return parts.map((part) => part.map(writtenGrant).join(" & "));
}

/** Few values, so that rules and principals meet; some of them look like the syntax. */
const VALUES = ["hr", "fr", "hr & fr", "group:hr", "hr|fr", "%3A", "public", "é", "é", "1", "true"];
const COLUMNS = ["region", "owner", "team"];

const value = fc.constantFrom(...VALUES);
const column = fc.constantFrom(...COLUMNS);
const part = fc.oneof(
  fc.constantFrom("hr", "fr", "1", "é").map((literal) => ({ literal })),
  column.map((name) => ({ column: name })),
);
const grant: fc.Arbitrary<RuleGrant> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ namespace: "public", value: [] }) },
  {
    weight: 9,
    arbitrary: fc.record({
      namespace: fc.constantFrom("group", "user", "region", "clearance"),
      value: fc.oneof(
        { weight: 5, arbitrary: fc.array(part, { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(part, { minLength: 2, maxLength: 2 }) },
      ),
    }),
  },
);
const conjunction = fc.array(grant, { minLength: 1, maxLength: 3 });
const seldom = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(conjunction, { maxLength: 2 }) },
);
const cell = fc.oneof(
  { weight: 40, arbitrary: value },
  { weight: 2, arbitrary: fc.constantFrom(1, true, null, "") },
  { weight: 1, arbitrary: fc.constant(["hr"]) },
);
const fullRow = fc.record({ region: cell, owner: cell, team: cell });

/** Any rule, row and principal. */
export const cases: fc.Arbitrary<Case> = fc.record({
  rule: fc.record({
    allowAny: fc.array(conjunction, { maxLength: 4 }),
    allowAll: seldom,
    deny: seldom,
  }),
  row: fc.oneof(
    { weight: 20, arbitrary: fullRow },
    { weight: 1, arbitrary: fullRow.map(({ region, owner }) => ({ region, owner })) },
  ),
  principal: fc.record({
    tenant: fc.constant("t"),
    subject: value,
    groups: fc.uniqueArray(value, { minLength: 2, maxLength: 9 }),
    attributes: fc.dictionary(
      fc.constantFrom("region", "clearance", "group", "user", "public", "region:hr"),
      fc.uniqueArray(value, { minLength: 2, maxLength: 9 }),
      { maxKeys: 4, noNullPrototype: true },
    ),
    scopes: fc.constant([]),
  }),
});
