import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { lookAt } from "../../ingest/commands/init-look.ts";
import type { InferredTable } from "../../ingest/inference/infer.ts";
import { placeholders } from "../../ingest/pipeline/table.ts";
import sample from "../../ingest/sample/config.ts";
import { generateSample } from "../../ingest/sample/generate.ts";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { DATA } from "./hostile.ts";

/** How much of public schemas `init` infers as their authors declare it. */

const schemaFile = z.object({
  tables: z.record(
    z.string(),
    z.object({
      primary_key: z.nullish(z.array(z.string())),
      foreign_keys: z.nullish(z.record(z.string(), z.string())),
      display_columns: z.nullish(z.array(z.string())),
      text_columns: z.nullish(z.array(z.string())),
    }),
  ),
});

const PROSE_SETS = ["fetaqa-dev", "scifact", "piaf-fr", "stackfaq", "wtq-dev"];
const SQL_SETS = ["academic", "advising", "broker", "ewallet", "restaurants"];

/** Joins of schemas that declare none, by hand: `table.column>table`. */
const JOINS: Readonly<Record<string, string>> = {
  academic:
    "author.oid>organization cite.cited>publication cite.citing>publication domain_author.aid>author domain_author.did>domain " +
    "domain_conference.cid>conference domain_conference.did>domain domain_journal.did>domain domain_journal.jid>journal " +
    "domain_keyword.did>domain domain_keyword.kid>keyword domain_publication.did>domain domain_publication.pid>publication " +
    "publication.cid>conference publication.jid>journal publication_keyword.pid>publication publication_keyword.kid>keyword " +
    "writes.aid>author writes.pid>publication",
  advising:
    "area.course_id>course comment_instructor.instructor_id>instructor comment_instructor.student_id>student " +
    "course_offering.course_id>course course_offering.semester>semester course_prerequisite.pre_course_id>course " +
    "course_prerequisite.course_id>course course_tags_count.course_id>course offering_instructor.offering_id>course_offering " +
    "offering_instructor.instructor_id>instructor program_course.program_id>program program_course.course_id>course " +
    "program_requirement.program_id>program student.program_id>program student_record.student_id>student " +
    "student_record.course_id>course student_record.semester>semester student_record.offering_id>course_offering",
  broker:
    "sbTransaction.sbTxCustId>sbCustomer sbTransaction.sbTxTickerId>sbTicker sbDailyPrice.sbDpTickerId>sbTicker",
  ewallet:
    "coupons.merchant_id>merchants notifications.user_id>users user_sessions.user_id>users " +
    "user_setting_snapshot.user_id>users wallet_merchant_balance_daily.merchant_id>merchants " +
    "wallet_transactions_daily.coupon_id>coupons wallet_user_balance_daily.user_id>users",
  restaurants:
    "location.restaurant_id>restaurant location.city_name>geographic restaurant.city_name>geographic",
};

/** Columns with names, ways to reach someone, birth, pay, accounts, addresses of devices, or secrets, by hand: `table.column`. */
const PERSONAL: Readonly<Record<string, string>> = {
  northwind:
    "customers.contact_name customers.address customers.phone customers.fax suppliers.contact_name suppliers.address " +
    "suppliers.phone suppliers.fax employees.first_name employees.last_name employees.birth_date employees.address " +
    "employees.postal_code employees.home_phone employees.notes shippers.phone orders.ship_address",
  academic: "author.name author.homepage",
  advising:
    "instructor.name instructor.uniqname student.lastname student.firstname course_offering.monday course_offering.tuesday " +
    "course_offering.wednesday course_offering.thursday course_offering.friday",
  broker:
    "sbCustomer.sbCustName sbCustomer.sbCustEmail sbCustomer.sbCustPhone sbCustomer.sbCustAddress1 " +
    "sbCustomer.sbCustAddress2 sbCustomer.sbCustPostalCode",
  ewallet:
    "users.username users.email users.phone_number users.address_billing users.address_delivery merchants.contact_name " +
    "merchants.contact_email merchants.contact_phone wallet_transactions_daily.ip_address " +
    "user_setting_snapshot.password_hash user_setting_snapshot.api_key user_setting_snapshot.verified_ips",
  restaurants: "",
  sample:
    "contacts.name contacts.email contacts.phone employees.name employees.work_email employees.work_phone " +
    "employees.date_of_birth employees.home_town pay.annual_salary pay.annual_allowance pay.bank_account " +
    "suppliers.email suppliers.phone",
};

/** Of so many, so many right. */
interface Share {
  right: number;
  of: number;
}
type Measure =
  | "joins found"
  | "joins right"
  | "keys"
  | "personal found"
  | "personal right"
  | "text"
  | "titles";

const host = secretHost({});
const scratch: string[] = [];
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

function score(): {
  readonly add: (m: Measure, right: number, of: number) => void;
  readonly show: () => Record<string, Share>;
} {
  const shares: Record<string, Share> = {};
  return {
    add: (m, right, of) => {
      const share = (shares[m] ??= { right: 0, of: 0 });
      share.right += right;
      share.of += of;
    },
    show: () => shares,
  };
}

async function inferred(path: string): Promise<readonly InferredTable[]> {
  await using source = makeDuckDbSource({ kind: "duckdb", path }, host);
  const { signal } = new AbortController();
  // The folders hold the answers too, in a file that DuckDB would read as a table.
  const tables = ((await source.tables?.(signal)) ?? []).filter((ref) => ref.name?.[0] !== "schema");
  // Awaited here: the source is closed when this returns.
  return await lookAt(source, tables, signal, () => {});
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  [...a].sort().join("\n") === [...b].sort().join("\n");

function compare(
  total: ReturnType<typeof score>,
  measures: readonly ["found" | "right", "joins" | "personal"][],
  gold: ReadonlySet<string>,
  got: readonly string[],
): void {
  const hits = got.filter((one) => gold.has(one)).length;
  for (const [way, what] of measures)
    total.add(`${what} ${way}`, hits, way === "found" ? gold.size : got.length);
}

const joinsIn = (tables: readonly InferredTable[]): readonly string[] =>
  tables.flatMap((t) => t.joins.map(({ value }) => `${t.id}.${value.column}>${value.to}`));
const personalIn = (tables: readonly InferredTable[]): readonly string[] =>
  tables.flatMap((t) => t.sensitive.filter((s) => s.kind !== "prose").map((s) => `${t.id}.${s.column}`));
const goldOf = (list: string | undefined): ReadonlySet<string> =>
  new Set((list ?? "").split(" ").filter((one) => one !== ""));
const named = (t: InferredTable): readonly string[] => {
  const title = t.title?.value.title ?? "";
  return title.includes("{") ? placeholders(title) : [title];
};

async function measureSets(): Promise<Record<string, Share>> {
  const total = score();
  const sets = [
    ...["northwind", ...PROSE_SETS].map((set) => [set, join(DATA, set), "tables"] as const),
    ...SQL_SETS.map((set) => [set, join(DATA, "text2sql-dev/db", set), ""] as const),
  ];
  for (const [set, folder, inside] of sets) {
    const { tables: gold } = schemaFile.parse(JSON.parse(readFileSync(join(folder, "schema.json"), "utf8")));
    const tables = await inferred(join(folder, inside));
    const declared = new Set<string>();
    for (const table of tables) {
      const want = gold[table.id];
      if (want?.primary_key) total.add("keys", same(want.primary_key, table.key?.value ?? []) ? 1 : 0, 1);
      if (want?.display_columns) total.add("titles", same(want.display_columns, named(table)) ? 1 : 0, 1);
      for (const [column, target] of Object.entries(want?.foreign_keys ?? {})) {
        declared.add(`${table.id}.${column}>${target.split(".")[0] ?? ""}`);
      }
      if (PROSE_SETS.includes(set)) {
        const text = [...named(table), ...table.text.map((found) => found.value)];
        const wanted = want?.text_columns ?? [];
        total.add("text", wanted.filter((column) => text.includes(column)).length, wanted.length);
      }
    }
    const joins = JOINS[set] === undefined ? declared : goldOf(JOINS[set]);
    compare(
      total,
      [
        ["found", "joins"],
        ["right", "joins"],
      ],
      joins,
      joinsIn(tables),
    );
    compare(
      total,
      [
        ["found", "personal"],
        ["right", "personal"],
      ],
      goldOf(PERSONAL[set]),
      personalIn(tables),
    );
  }
  return total.show();
}

function shareOf(shares: Record<string, Share>, measure: Measure): number {
  const share = shares[measure];
  return share ? share.right / share.of : 0;
}

function say(what: string, shares: Record<string, Share>): void {
  const list = Object.entries(shares).map(([measure, { right, of }]) => `${measure} ${right}/${of}`);
  // oxlint-disable-next-line no-console -- the figures are what the test is for
  console.info(`init on ${what}: ${list.join(", ")}`);
}

const present = existsSync(join(DATA, "northwind/schema.json")) && existsSync(join(DATA, "text2sql-dev/db"));
// oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
if (!present) console.warn(`skipped: ${DATA} has no schemas to measure init on; set QUAYSIDE_DATA`);

describe.skipIf(!present)("init on public schemas", () => {
  it("finds keys, titles, text, joins and personal data", async () => {
    const shares = await measureSets();
    say("public schemas", shares);
    expect(shareOf(shares, "keys")).toBeGreaterThanOrEqual(0.95);
    expect(shareOf(shares, "titles")).toBeGreaterThanOrEqual(0.9);
    expect(shareOf(shares, "text")).toBeGreaterThanOrEqual(0.75);
    expect(shareOf(shares, "joins found")).toBeGreaterThanOrEqual(0.9);
    expect(shareOf(shares, "joins right")).toBeGreaterThanOrEqual(0.95);
    expect(shareOf(shares, "personal found")).toBeGreaterThanOrEqual(0.75);
    expect(shareOf(shares, "personal right")).toBeGreaterThanOrEqual(0.9);
  });
});

describe("init on the sample", () => {
  it("infers what its configuration says", async () => {
    const directory = mkdtempSync(join(tmpdir(), "quayside-init-"));
    scratch.push(directory);
    await generateSample({ directory });
    const tables = [
      ...(await inferred(join(directory, "warehouse.duckdb"))),
      ...(await inferred(join(directory, "files"))),
    ];
    const total = score();
    const gold = new Set<string>();
    for (const table of tables) {
      const want = sample.tables[table.id];
      if (!want) continue;
      total.add("keys", same(want.key, table.key?.value ?? []) ? 1 : 0, 1);
      const title = want.title ?? "";
      const wanted = title.includes("{") ? placeholders(title) : [title];
      // A query gives its table columns that the warehouse's has not.
      if (want.query === undefined) total.add("titles", same(wanted, named(table)) ? 1 : 0, 1);
      for (const [column, target] of Object.entries(want.lookups ?? {})) {
        gold.add(`${table.id}.${column}>${target.split(".")[0] ?? ""}`);
      }
      const text = [...named(table), ...table.text.map((found) => found.value)];
      const prose = want.text ?? [];
      total.add("text", prose.filter((column) => text.includes(column)).length, prose.length);
    }
    compare(total, [["found", "joins"]], gold, joinsIn(tables));
    compare(
      total,
      [
        ["found", "personal"],
        ["right", "personal"],
      ],
      goldOf(PERSONAL["sample"]),
      personalIn(tables),
    );
    const shares = total.show();
    say("the sample", shares);
    for (const measure of [
      "keys",
      "titles",
      "text",
      "joins found",
      "personal found",
      "personal right",
    ] as const) {
      expect([measure, shareOf(shares, measure) >= 0.9]).toEqual([measure, true]);
    }
  });
});
