import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccessConfig } from "../../shared/config.ts";
import { classOf, grantsOf, labelOf, permits } from "../../shared/policy.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Label } from "../../shared/ports/registry.ts";
import type { Row } from "../../shared/ports/source.ts";
import { cases, maySee, written, type Case } from "./policy-oracle.ts";

const RUNS = 10_000;

const NOBODY: Principal = { tenant: "t", subject: "u1", groups: [], attributes: {}, scopes: [] };
const who = (over: Partial<Principal>): Principal => ({ ...NOBODY, ...over });

function sees(rule: AccessConfig, row: Row, principal: Principal): boolean {
  const label = labelOf(rule, row);
  return label !== undefined && permits(label, grantsOf(principal));
}

describe("row policy", () => {
  it("shows a row to a member of the group that its column names", () => {
    const rule = { allowAny: ["group:site-{site}"] };
    expect(sees(rule, { site: "FR" }, who({ groups: ["site-FR"] }))).toBe(true);
    expect(sees(rule, { site: "UK" }, who({ groups: ["site-FR"] }))).toBe(false);
  });

  it("shows nothing under an empty list, to anyone", () => {
    expect(sees({ allowAny: [] }, {}, who({ groups: ["admin", "public", "*"] }))).toBe(false);
  });

  it("lets a deny win over every allow", () => {
    const rule = { allowAny: ["public", "group:hr"], deny: ["group:leavers"] };
    expect(sees(rule, {}, who({ groups: ["hr", "leavers"] }))).toBe(false);
  });

  it("reads no wildcard", () => {
    expect(sees({ allowAny: ["group:*"] }, {}, who({ groups: ["hr"] }))).toBe(false);
    expect(sees({ allowAny: ["group:hr"] }, {}, who({ groups: ["*"] }))).toBe(false);
  });

  it("grants no row through a scope", () => {
    expect(sees({ allowAny: ["group:hr"] }, {}, who({ scopes: ["admin", "hr", "group:hr"] }))).toBe(false);
  });

  it("holds a row back when a column of the rule is missing", () => {
    expect(labelOf({ allowAny: ["public", "group:{site}"] }, { other: 1 })).toBeUndefined();
    expect(labelOf({ allowAny: ["public"], deny: ["group:{site}"] }, {})).toBeUndefined();
  });

  it("holds a row back when a column of the rule is a list or an object", () => {
    expect(labelOf({ allowAny: ["group:{site}"] }, { site: ["FR"] })).toBeUndefined();
    expect(labelOf({ allowAny: ["group:{site}"] }, { site: { name: "FR" } })).toBeUndefined();
  });

  it("does not find a column on the prototype", () => {
    expect(labelOf({ allowAny: ["group:{toString}"] }, {})).toBeUndefined();
    expect(labelOf({ allowAny: ["group:{__proto__}"] }, {})).toBeUndefined();
  });

  it("grants nothing through a null, and shows nobody a row whose requirement is null", () => {
    expect(sees({ allowAny: ["group:{site}"] }, { site: null }, who({ groups: ["", "null"] }))).toBe(false);
    expect(
      sees({ allowAny: ["public"], allowAll: ["group:{site}"] }, { site: null }, who({ groups: [""] })),
    ).toBe(false);
  });

  it("keeps an attribute out of the namespaces group, user and public", () => {
    const forged = who({ attributes: { group: ["hr"], user: ["boss"], public: ["x"], "group:hr": ["x"] } });
    expect(sees({ allowAny: ["group:hr"] }, {}, forged)).toBe(false);
    expect(sees({ allowAny: ["user:boss"] }, {}, forged)).toBe(false);
  });

  it("reads an ampersand or a colon in a value as part of the value", () => {
    const rule = { allowAny: ["group:{team}"] };
    const both = who({ groups: ["hr", "fr"], attributes: { fr: ["x"] } });
    expect(sees(rule, { team: "hr & group:fr" }, both)).toBe(false);
    expect(sees(rule, { team: "hr&fr" }, both)).toBe(false);
    expect(sees(rule, { team: "hr & group:fr" }, who({ groups: ["hr & group:fr"] }))).toBe(true);
    expect(
      sees({ allowAny: ["region:{team}"] }, { team: "a:b" }, who({ attributes: { "region:a": ["b"] } })),
    ).toBe(false);
  });

  it("tells groups that differ by case or by separator apart", () => {
    const rule = { allowAny: ["group:{team}"] };
    expect(sees(rule, { team: "Sales" }, who({ groups: ["sales"] }))).toBe(false);
    expect(sees(rule, { team: "a,b" }, who({ groups: ["a", "b"] }))).toBe(false);
  });

  it("takes composed and decomposed letters as equal", () => {
    expect(
      sees({ allowAny: ["group:{team}"] }, { team: "Qualit\u00e9" }, who({ groups: ["Qualite\u0301"] })),
    ).toBe(true);
  });

  it("needs every grant of an alternative", () => {
    const rule = { allowAny: ["group:hr & region:FR"] };
    expect(sees(rule, {}, who({ groups: ["hr"] }))).toBe(false);
    expect(sees(rule, {}, who({ groups: ["hr"], attributes: { region: ["FR"] } }))).toBe(true);
  });

  it(`agrees with the reference in ${RUNS} random cases`, () => {
    fc.assert(
      fc.property(cases, (given) => {
        expect(sees(written(given.rule), given.row, given.principal)).toBe(maySee(given));
      }),
      { numRuns: RUNS },
    );
  });

  it("is tried by cases of which enough are visible and enough are not", () => {
    const visible = fc.sample(cases, { numRuns: RUNS, seed: 1 }).filter(maySee).length;
    expect(visible / RUNS).toBeGreaterThan(0.1);
    expect(visible / RUNS).toBeLessThan(0.9);
  });
});

/** Each is a mistake that someone could make in `shared/policy.ts`. */
const MUTANTS: Readonly<Record<string, (given: Case) => boolean>> = {
  "deny ignored": ({ rule, row, principal }) => sees({ ...written(rule), deny: [] }, row, principal),
  "allowAll ignored": ({ rule, row, principal }) => sees({ ...written(rule), allowAll: [] }, row, principal),
  "or instead of and": ({ rule, row, principal }) =>
    judged(rule, row, principal, (label, grants) =>
      permits({ ...label, allowAny: label.allowAny.flat().map((g) => [g]) }, grants),
    ),
  "missing label is public": ({ rule, row, principal }) =>
    labelOf(written(rule), row) === undefined || sees(written(rule), row, principal),
  "empty allow is everyone": ({ rule, row, principal }) =>
    judged(rule, row, principal, (label, grants) =>
      permits(label.allowAny.length === 0 ? { ...label, allowAny: [["public"]] } : label, grants),
    ),
  "null column asks nothing": ({ rule, row, principal }) => {
    const dropped = Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v === null ? "hr" : v]));
    return sees(written(rule), dropped, principal);
  },
  "attribute forges a group": ({ rule, row, principal }) =>
    judged(rule, row, principal, (label, grants) => {
      const more = (principal.attributes["group"] ?? []).map((g) => `group:${g}`);
      return permits(label, new Set([...grants, ...more]));
    }),
  "values not escaped": ({ rule, row, principal }) => {
    const raw = new Set([
      "public",
      `user:${principal.subject}`,
      ...principal.groups.map((g) => `group:${g}`),
    ]);
    for (const [k, list] of Object.entries(principal.attributes)) {
      for (const v of list) if (!["group", "user", "public"].includes(k)) raw.add(`${k}:${v}`);
    }
    return judged(rule, row, principal, (label) => permits(label, raw));
  },
  "deny needs the whole conjunction": ({ rule, row, principal }) => {
    const { deny, ...rest } = written(rule);
    const denied = (deny ?? []).some((part) => sees({ allowAny: [part] }, row, principal));
    return !denied && labelOf(written(rule), row) !== undefined && sees(rest, row, principal);
  },
};

function judged(
  rule: Case["rule"],
  row: Row,
  principal: Principal,
  judge: (label: Label, grants: ReadonlySet<string>) => boolean,
): boolean {
  const label = labelOf(written(rule), row);
  return label !== undefined && judge(label, grantsOf(principal));
}

describe("the reference catches", () => {
  it.each(Object.entries(MUTANTS))("%s", (_, mutant) => {
    const run = fc.check(
      fc.property(cases, (given) => mutant(given) === maySee(given)),
      { numRuns: RUNS, seed: 7 },
    );
    expect(run.failed).toBe(true);
  });
});

describe("access classes", () => {
  const label: Label = { allowAny: [["b", "a"], ["c"]], allowAll: ["y", "x"], deny: ["q", "p"] };

  it("are 22 characters of base64url", async () => {
    expect((await classOf(label, "internal")).id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it("are equal for equal labels, however they are ordered or repeated", async () => {
    const same: Label = {
      allowAny: [["c"], ["a", "b", "a"], ["c", "c"]],
      allowAll: ["x", "y"],
      deny: ["p", "q", "p"],
    };
    expect((await classOf(same, "internal")).id).toBe((await classOf(label, "internal")).id);
  });

  it("differ by classification", async () => {
    expect((await classOf(label, "internal")).id).not.toBe((await classOf(label, "restricted")).id);
  });

  it("differ when a grant moves between allow, require and deny, or between alternatives", async () => {
    const variants: Label[] = [
      { allowAny: [["a"], ["b"]], allowAll: [], deny: [] },
      { allowAny: [["a", "b"]], allowAll: [], deny: [] },
      { allowAny: [["a"]], allowAll: ["b"], deny: [] },
      { allowAny: [["a"]], allowAll: [], deny: ["b"] },
      { allowAny: [], allowAll: ["a", "b"], deny: [] },
    ];
    const ids = await Promise.all(variants.map(async (v) => (await classOf(v, "public")).id));
    expect(new Set(ids).size).toBe(5);
  });

  it("decide as their label does, for anyone", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ rule, row, principal }) => {
        const computed = labelOf(written(rule), row);
        if (!computed) return;
        const made = await classOf(computed, "public");
        expect(permits(made.label, grantsOf(principal))).toBe(permits(computed, grantsOf(principal)));
        expect((await classOf(made.label, "public")).id).toBe(made.id);
      }),
      { numRuns: 1000 },
    );
  });
});
