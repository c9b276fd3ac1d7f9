import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import config from "../../ingest/sample/config.ts";
import { generateSample } from "../../ingest/sample/generate.ts";
import { SCHEMA } from "../../ingest/sample/schema.ts";
import { parseConfig, type AccessConfig, type TableConfig } from "../../shared/config.ts";
import { grantsOf, labelOf, permits } from "../../shared/policy.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Row } from "../../shared/ports/source.ts";
import { readAll, textOf, type Rows } from "../fakes/sample-tables.ts";

let directory: string;
/** Every configured table as its source reads it, queries included. */
let tables: Rows;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "quayside-sample-"));
  await generateSample({ directory });
  tables = await readAll(directory);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function rowsOf(name: string): readonly Row[] {
  return tables.get(name) ?? [];
}

function keyOf(name: string, row: Row): string {
  return `${name}:${(config.tables[name]?.key ?? []).map((column) => textOf(row[column])).join("|")}`;
}

function principal(user: string): Principal {
  const found = config.demo?.users[user];
  if (!found) throw new Error(`no demo user ${user}`);
  return {
    tenant: "default",
    subject: user,
    groups: found.groups,
    attributes: found.attributes ?? {},
    scopes: ["ask"],
  };
}

function mayRead(rule: AccessConfig, row: Row, user: string): boolean {
  const label = labelOf(rule, row);
  return label !== undefined && permits(label, grantsOf(principal(user)));
}

/** The row as the user's widest view shows it; undefined when no view does. */
function seenBy(user: string, name: string, row: Row): Row | undefined {
  const table = config.tables[name];
  if (!table) return undefined;
  const views = table.views ?? [{ columns: "*" as const, access: table.access ?? { allowAny: [] } }];
  const view = views.find((v) => mayRead(v.access, row, user));
  if (!view) return undefined;
  const shown = Object.entries(row).filter(
    ([column]) =>
      table.columns?.[column]?.exclude !== true && (view.columns === "*" || view.columns.includes(column)),
  );
  return Object.fromEntries(shown);
}

function visible(user: string, name: string): number {
  return rowsOf(name).filter((row) => seenBy(user, name, row)).length;
}

/** Id and visible text of every row that a user sees, by user: made once, asked often. */
const texts = new Map<string, readonly (readonly [string, string])[]>();

function textsOf(user: string): readonly (readonly [string, string])[] {
  const known = texts.get(user);
  if (known) return known;
  const made = [...tables].flatMap(([name, rows]) =>
    rows.map((row): readonly [string, string] => [
      keyOf(name, row),
      JSON.stringify(Object.values(seenBy(user, name, row) ?? {})),
    ]),
  );
  texts.set(user, made);
  return made;
}

/** Ids of the rows that the user sees and whose visible text matches all of the patterns. */
function find(user: string, ...patterns: readonly RegExp[]): string[] {
  const found = textsOf(user).filter(([, text]) => patterns.every((pattern) => pattern.test(text)));
  return found.map(([id]) => id).sort();
}

describe("the sample's configuration", () => {
  test("parses", () => {
    expect(parseConfig(config).name).toBe("Samphire Line");
  });

  test("covers every base table", () => {
    expect(Object.keys(SCHEMA).filter((name) => !(name in config.tables))).toEqual([]);
  });

  test("names only columns that exist", () => {
    const unknown: string[] = [];
    for (const [name, table] of Object.entries(config.tables)) {
      const columns = new Set(Object.keys(rowsOf(name)[0] ?? {}));
      for (const column of namedColumns(table)) if (!columns.has(column)) unknown.push(`${name}.${column}`);
    }
    expect(unknown).toEqual([]);
  });

  test("has keys that are unique and never null", () => {
    for (const [name, rows] of tables) {
      const keys = rows.map((row) => keyOf(name, row));
      expect([name, new Set(keys).size]).toEqual([name, rows.length]);
      expect(keys.filter((key) => key.includes("null"))).toEqual([]);
    }
  });

  test("resolves every foreign key", () => {
    const broken: string[] = [];
    for (const [name, table] of Object.entries(config.tables)) {
      for (const [column, target] of Object.entries(table.lookups ?? {})) {
        const [other = "", label = ""] = target.split(".");
        const key = config.tables[other]?.key[0] ?? "";
        const known = new Map(rowsOf(other).map((row) => [row[key], row[label]]));
        for (const row of rowsOf(name)) {
          const value = row[column] ?? null;
          if (value !== null && typeof known.get(value) !== "string") {
            broken.push(`${keyOf(name, row)} ${column}`);
          }
        }
      }
    }
    const bookings = new Set(rowsOf("bookings").map((row) => row["booking_id"]));
    const orphans = rowsOf("booking_lines").filter((row) => !bookings.has(row["booking_id"] ?? null));
    expect([...broken, ...orphans]).toEqual([]);
  });

  test("gives every row of every table to nobody or somebody on purpose: no label fails", () => {
    for (const [name, table] of Object.entries(config.tables)) {
      for (const rule of table.views?.map((v) => v.access) ?? [table.access ?? { allowAny: [] }]) {
        const failed = rowsOf(name).filter((row) => labelOf(rule, row) === undefined);
        expect([name, failed.length]).toEqual([name, 0]);
      }
    }
  });

  test("sends restricted rows to no outside model, confidential ones to one", () => {
    const models = Object.values(config.models?.register ?? {});
    expect(models.filter((m) => m.classes.includes("restricted"))).toEqual([]);
    expect(models.filter((m) => m.classes.includes("confidential"))).toHaveLength(1);
    expect(config.tables["pay"]?.classification).toBe("restricted");
  });

  test("shows each demo user what is theirs", () => {
    const users = ["ops-fr", "sales-uk", "hr", "guest"];
    const seen = (name: string): boolean[] => users.map((user) => visible(user, name) > 0);
    expect(seen("sailings")).toEqual([true, true, true, true]);
    expect(seen("knowledge_articles")).toEqual([true, true, true, true]);
    expect(seen("incidents")).toEqual([true, true, false, false]);
    expect(seen("contracts")).toEqual([false, true, false, false]);
    expect(seen("contacts")).toEqual([false, true, false, false]);
    expect(seen("parts")).toEqual([true, false, false, false]);
    expect(seen("pay")).toEqual([false, false, true, false]);
    expect(seen("employees")).toEqual([true, true, true, false]);
    expect(seen("hr_policies")).toEqual([true, true, true, false]);
    expect(visible("hr", "hr_policies")).toBeGreaterThan(visible("ops-fr", "hr_policies"));
    expect(visible("ops-fr", "knowledge_articles")).toBeGreaterThan(visible("guest", "knowledge_articles"));
  });

  test("keeps the two sites apart", () => {
    for (const name of ["incidents", "bookings", "support_tickets", "customers"]) {
      const sites = (user: string): unknown[] => [
        ...new Set(
          rowsOf(name)
            .filter((row) => seenBy(user, name, row))
            .map((row) => row["site"]),
        ),
      ];
      expect([name, sites("ops-fr")]).toEqual([name, ["fr"]]);
      expect([name, sites("sales-uk")]).toEqual([name, ["uk"]]);
    }
  });

  test("shows credit terms to sales, dates of birth to Human Resources, bank accounts to nobody", () => {
    const [customer] = rowsOf("customers").filter((row) => row["site"] === "fr");
    const [mine] = rowsOf("customers").filter((row) => row["site"] === "uk");
    const [employee] = rowsOf("employees");
    const [pay] = rowsOf("pay");
    if (!customer || !mine || !employee || !pay) throw new Error("rows are missing");
    expect(seenBy("ops-fr", "customers", customer)).not.toHaveProperty("credit_terms_days");
    expect(seenBy("sales-uk", "customers", mine)).toHaveProperty("credit_terms_days");
    expect(seenBy("sales-uk", "employees", employee)).not.toHaveProperty("date_of_birth");
    expect(seenBy("hr", "employees", employee)).toHaveProperty("date_of_birth");
    expect(seenBy("hr", "pay", pay)).not.toHaveProperty("bank_account");
  });
});

function braces(text: string): string[] {
  return [...text.matchAll(/\{([^{}]+)\}/g)].map((m) => m[1] ?? "");
}

function namedColumns(table: TableConfig): string[] {
  const rules = [...(table.views ?? []).map((v) => v.access), ...(table.access ? [table.access] : [])];
  const title = table.title ?? "";
  return [
    ...table.key,
    ...(title.includes("{") ? braces(title) : title === "" ? [] : [title]),
    ...(table.text ?? []),
    ...(table.filters ?? []),
    ...Object.keys(table.columns ?? {}),
    ...Object.keys(table.lookups ?? {}),
    ...(table.changedAt === undefined ? [] : [table.changedAt]),
    ...(table.views ?? []).flatMap((view) => (view.columns === "*" ? [] : view.columns)),
    ...rules.flatMap((rule) =>
      [...rule.allowAny, ...(rule.allowAll ?? []), ...(rule.deny ?? [])].flatMap(braces),
    ),
  ];
}

function example(part: string): { readonly question: string; readonly as: string } {
  const found = config.demo?.examples.filter((e) => e.question.includes(part)) ?? [];
  if (found.length !== 1 || !found[0]) throw new Error(`not one example with ${part}`);
  return found[0];
}

describe("the example questions", () => {
  test("are eight", () => {
    expect(config.demo?.examples).toHaveLength(8);
  });

  test("a cause is in one row, of ops in France", () => {
    const { as } = example("06:30 Salicorne");
    const cause = [/stern ramp burst/];
    expect(find(as, ...cause)).toEqual(["incidents:INC-2648"]);
    for (const other of ["sales-uk", "hr", "guest"]) expect(find(other, ...cause)).toEqual([]);
    const [sailing] = rowsOf("sailings").filter((row) => row["sailing_id"] === "DPE-20261103-0630");
    expect([sailing?.["status"], sailing?.["disruption"]]).toEqual(["cancelled", "technical"]);
  });

  test("a contract term is in one row, and ops in France sees nothing of the customer", () => {
    const { as } = example("quay rent");
    expect(find(as, /Alderbrook/, /65 euros for each day/)).toEqual(["contracts:CON-301"]);
    expect(find("ops-fr", /Alderbrook/i)).toEqual([]);
    expect(find("ops-fr", /quay rent/i)).toEqual([]);
    expect(find("guest", /Alderbrook/i)).toEqual([]);
  });

  test("pay is in one row, of Human Resources", () => {
    const { as } = example("Odile Marchepont");
    expect(find(as, /Odile Marchepont/, /71,850 EUR/)).toEqual(["pay:E-104"]);
    for (const other of ["ops-fr", "sales-uk", "guest"]) expect(find(other, /71.?850/)).toEqual([]);
  });

  test("two public rows contradict each other, and both are dated", () => {
    const { as } = example("check-in close at Dieppe");
    expect(find(as, /car check-in at Dieppe closes (?:45|75) minutes before departure/i)).toEqual([
      "knowledge_articles:KA-101",
      "notices:N-2614",
    ]);
    expect(dayOf("knowledge_articles:KA-101") < dayOf("notices:N-2614")).toBe(true);
  });

  test("a French question has a French and an English row", () => {
    const { as } = example("Toutes les combien");
    expect(find(as, /température de chaque reefer à bord du Salicorne .* 30 minutes/)).toEqual([
      "notices:N-2619",
    ]);
    expect(find(as, /temperature of each reefer on Salicorne .* 60 minutes/)).toEqual([
      "knowledge_articles:KA-118",
    ]);
    expect(dayOf("knowledge_articles:KA-118") < dayOf("notices:N-2619")).toBe(true);
    expect(find("guest", /reefer/, /30 minutes|60 minutes/)).toEqual([]);
  });

  test("a total is in one rollup row, in its figures and its sentence", () => {
    const { as } = example("total revenue at Newhaven");
    const [row] = rowsOf("revenue_by_port_and_quarter").filter(
      (r) => r["port"] === "Newhaven" && r["quarter"] === "Q3 2026",
    );
    const spoken = Number(row?.["total_revenue_in_euros"]).toLocaleString("en", { minimumFractionDigits: 2 });
    const sentence = `Total revenue at Newhaven in the third quarter of 2026 (Q3 2026) was ${spoken} euros`;
    expect(textOf(row?.["summary"]).startsWith(sentence)).toBe(true);
    expect(find(as, /Newhaven in the third quarter of 2026/)).toEqual([
      "revenue_by_port_and_quarter:Newhaven|Q3 2026",
    ]);
    for (const other of ["ops-fr", "hr", "guest"]) {
      expect(find(other, /third quarter of 2026 \(Q3/)).toEqual([]);
    }
    expect(config.tables["revenue_by_port_and_quarter"]?.rollup).toBe(true);
  });

  test("a contact's number is in one row and in no other, so that erasing the row erases it", () => {
    const { as } = example("Imogen Tarrant-Vale");
    const [contact] = rowsOf("contacts").filter((row) => row["name"] === "Imogen Tarrant-Vale");
    const digits = new RegExp(textOf(contact?.["phone"]).replace("+", "\\+"));
    expect(find(as, digits)).toEqual([keyOf("contacts", contact ?? {})]);
    expect(find(as, /Imogen/)).toEqual([keyOf("contacts", contact ?? {})]);
    for (const other of ["ops-fr", "hr", "guest"]) expect(find(other, /Imogen/)).toEqual([]);
  });

  test("one question has no row at all", () => {
    example("Santander");
    const text = [...tables.values()].map((rows) => JSON.stringify(rows)).join("\n");
    expect(text).not.toMatch(/Santander/i);
  });
});

describe("articles that newer rows contradict", () => {
  test.each([
    ["knowledge_articles:KA-101", /45 minutes/, "notices:N-2614", /75 minutes/],
    ["knowledge_articles:KA-106", /kennel is free/, "notices:N-2607", /costs 12 euros/],
    ["knowledge_articles:KA-202", /chenil est gratuite/, "notices:N-2608", /coûte 12 euros/],
    ["knowledge_articles:KA-108", /you may charge/, "notices:N-2605", /may not be charged/],
    ["knowledge_articles:KA-118", /every 60 minutes/, "notices:N-2619", /toutes les 30 minutes/],
    ["knowledge_articles:KA-114", /four lashings/, "notices:N-2604", /six lashings/],
    ["hr_policies:HR-03", /two days a week/, "notices:N-2612", /three days a week/],
  ])("%s says %s, later %s says %s", (older, says, newer, denies) => {
    expect(JSON.stringify(rowOf(older))).toMatch(says);
    expect(JSON.stringify(rowOf(newer))).toMatch(denies);
    expect(dayOf(older) < dayOf(newer)).toBe(true);
  });
});

function rowOf(id: string): Row {
  const [name = ""] = id.split(":");
  const found = rowsOf(name).find((row) => keyOf(name, row) === id);
  if (!found) throw new Error(`no row ${id}`);
  return found;
}

/** The day on which a row last changed, as its table's configuration says. */
function dayOf(id: string): string {
  return textOf(rowOf(id)[config.tables[id.split(":")[0] ?? ""]?.changedAt ?? ""]);
}
