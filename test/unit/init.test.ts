import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { command } from "../../ingest/commands/init.ts";
import { lookAt } from "../../ingest/commands/init-look.ts";
import { sourceNamed } from "../../ingest/commands/init-source.ts";
import { writeConfig, type Heading } from "../../ingest/commands/init-write.ts";
import type { Context } from "../../ingest/commands/command.ts";
import type { InferredTable } from "../../ingest/inference/infer.ts";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, Row } from "../../shared/ports/source.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { memorySource, type MemoryTable } from "../fakes/memory-source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), "quayside-init-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A table of text columns: a heading and its rows, `|` between cells; an empty cell is null. */
function text(heading: string, ...lines: readonly string[]): MemoryTable {
  const columns = heading.split("|");
  const rows = lines.map((line): Row => {
    const cells = line.split("|");
    return Object.fromEntries(columns.map((name, i): [string, Cell] => [name, cells[i] || null]));
  });
  return { columns: Object.fromEntries(columns.map((name) => [name, "string" as const])), rows };
}

async function inferred(tables: Record<string, MemoryTable>): Promise<Record<string, InferredTable>> {
  const refs = Object.keys(tables).map((name) => ({ name: [name] }));
  const found = await lookAt(memorySource(tables), refs, signal, () => {});
  return Object.fromEntries(found.map((table) => [table.id, table]));
}

const SHOP: Record<string, MemoryTable> = {
  customers: text(
    "customer_id|company_name|region|phone|updated_at",
    "C1|Quai Nord|north|+33 2 35 00 00 01|2026-01-01 10:00:00",
    "C2|Sea Road|south|+33 2 35 00 00 02|2026-01-02 10:00:00",
    "C3|Harbour|south|+33 2 35 00 00 03|2026-01-03 10:00:00",
  ),
  employees: text(
    "id|first_name|last_name|manager_id|password_hash|salary",
    "1|Ada|Roux||x1|100",
    "2|Bo|Klein|1|x2|90",
    "3|Cy|Petit|1|x3|80",
  ),
  orders: text(
    "order_id|customer_id|sold_by|notes",
    "10|C1|1|Leave it at the gate, and ring the bell twice before noon please.",
    "11|C2|2|",
    "12|C1|2|Call first.",
  ),
  order_lines: text("order_id|line_no|quantity", "10|1|5", "10|2|5", "11|1|5"),
};

describe("what is inferred", async () => {
  const { customers, employees, orders, order_lines } = await inferred(SHOP);

  it("takes the column named for the table as its key", () => {
    expect([customers?.key?.value, employees?.key?.value]).toEqual([["customer_id"], ["id"]]);
  });

  it("takes two columns together where none is unique", () => {
    expect(order_lines?.key?.value).toEqual(["order_id", "line_no"]);
  });

  it("takes a name as the title, first and last name together, else the key", () => {
    expect([customers, employees, orders].map((t) => t?.title?.value.title)).toEqual([
      "company_name",
      "{first_name} {last_name}",
      "Orders {order_id}",
    ]);
  });

  it("finds joins by name and values, to people by their role, and to the table itself", () => {
    const joins = [orders, employees, order_lines].flatMap((t) => t?.joins.map(({ value }) => value));
    expect(joins).toEqual([
      { column: "customer_id", to: "customers", shows: "company_name" },
      { column: "sold_by", to: "employees", shows: "last_name" },
      { column: "manager_id", to: "employees", shows: "last_name" },
      { column: "order_id", to: "orders", shows: undefined },
    ]);
  });

  it("finds no join where the values are not keys", async () => {
    const other = { ...SHOP, orders: text("order_id|customer_id", "10|X1", "11|X2", "12|X3") };
    expect((await inferred(other))["orders"]?.joins).toEqual([]);
  });

  it("classes personal data and leaves secrets out", () => {
    const found = employees?.sensitive.map(({ column, kind, exclude }) => [column, kind, exclude]);
    expect(found).toEqual([
      ["first_name", "person-name", false],
      ["last_name", "person-name", false],
      ["password_hash", "secret", true],
      ["salary", "pay", false],
    ]);
    expect(employees?.classification.value).toBe("restricted");
  });

  it("takes prose, and the column named for changes", () => {
    expect(orders?.text.map((found) => found.value)).toEqual(["notes"]);
    expect(customers?.changedAt?.value).toBe("updated_at");
  });

  it("offers columns that say whose rows these are", () => {
    expect(customers?.access.map((hint) => hint.value.grant)).toEqual(["region:{region}"]);
  });

  it("knows an IBAN by its check digits, whatever its column is called", async () => {
    const tables = {
      a: text(
        "id|ref_x",
        "1|FR7630006000011234567890189",
        "2|DE89370400440532013000",
        "3|GB82WEST12345698765432",
      ),
      b: text(
        "id|ref_x",
        "1|FR7630006000011234567890180",
        "2|DE89370400440532013001",
        "3|GB82WEST12345698765433",
      ),
    };
    const { a, b } = await inferred(tables);
    expect([a?.sensitive.map((s) => s.kind), b?.sensitive]).toEqual([["bank"], []]);
  });

  it("has no key for a table whose rows repeat", async () => {
    const { log } = await inferred({ log: text("message", "a", "a") });
    expect(log?.key).toBeUndefined();
  });

  it("sees a repeated key beyond the sample", async () => {
    const rows = Array.from({ length: 6000 }, (_, i) => ({ id: String(i === 5999 ? 0 : i), n: "1" }));
    const { log } = await inferred({ log: { columns: { id: "string", n: "string" }, rows } });
    expect(log?.key).toBeUndefined();
  });
});

const HEADING: Heading = {
  name: "shop",
  importFrom: join(import.meta.dirname, "../../shared/config.ts"),
  settings: { kind: "duckdb", path: "shop" },
  notes: [],
};

let files = 0;
/** Loads the text as the program would. */
async function loaded(written: string): Promise<unknown> {
  const path = join(folder, `written-${files++}.ts`);
  writeFileSync(path, written);
  const module: { readonly default: unknown } = await import(/* @vite-ignore */ pathToFileURL(path).href);
  return module.default;
}

describe("the file", () => {
  it("is a valid configuration that lets nobody see anything, and plans", async () => {
    const tables = await lookAt(
      memorySource(SHOP),
      Object.keys(SHOP).map((name) => ({ name: [name] })),
      signal,
      () => {},
    );
    const config = parseConfig(await loaded(writeConfig(HEADING, tables)));
    expect(Object.values(config.tables).map((table) => table.access)).toEqual(
      Array.from({ length: 4 }, () => ({ allowAny: [] })),
    );
    const plan = await planIngest(
      { config, tables: undefined, signal },
      {
        sourceOf: () => memorySource(SHOP),
        embedder: stubEmbedder(),
        indexKind: "embedded",
        registry: memoryRegistry(),
        maskKey: "k",
        now: () => 0,
      },
    );
    expect(plan.stops).toEqual([]);
    expect(plan.tables.map(({ counts }) => [counts.table, counts.read])).toEqual([
      ["customers", 3],
      ["employees", 3],
      ["orders", 3],
      ["order_lines", 3],
    ]);
  });

  it("says nothing that a warehouse's names could end a comment or a string with", async () => {
    const name = 'a"\n*/ process.exit(1) //\u2028`${1}`';
    const tables = {
      [name]: { columns: { [name]: "string" as const }, rows: [{ [name]: "1" }, { [name]: "2" }] },
    };
    const found = await lookAt(memorySource(tables), [{ name: [name] }], signal, () => {});
    const config = parseConfig(await loaded(writeConfig(HEADING, found)));
    expect(Object.values(config.tables).map((table) => table.from)).toEqual([[name]]);
  });

  it("is valid whatever the tables are", async () => {
    const cell = fc.oneof(fc.constant(null), fc.string({ maxLength: 12 }), fc.integer(), fc.boolean());
    const word = fc.oneof(
      fc.string({ maxLength: 10, unit: "binary" }),
      fc.constantFrom(
        "id",
        "name",
        "owner",
        "region",
        "e-mail",
        "__proto__",
        "constructor",
        "{x}",
        "a.b",
        "t_id",
        "",
      ),
    );
    const table = fc.record({
      columns: fc.uniqueArray(word, { maxLength: 6 }),
      rows: fc.array(fc.array(cell, { maxLength: 6 }), { maxLength: 8 }),
    });
    const shapes = fc.uniqueArray(fc.tuple(word, table), { selector: ([name]) => name, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shapes, async (given) => {
        const tables = new Map(
          given.map(([name, { columns, rows }]) => [
            name,
            {
              columns: Object.fromEntries(columns.map((c) => [c, "string" as const])),
              rows: rows.map((cells) =>
                Object.fromEntries(columns.map((c, i): [string, Cell] => [c, cells[i] ?? null])),
              ),
            },
          ]),
        );
        const source = memorySource(Object.fromEntries(tables));
        const refs = [...tables.keys()]
          .filter((name) => name !== "__proto__")
          .map((name) => ({ name: [name] }));
        const found = await lookAt(source, refs, signal, () => {});
        const config = parseConfig(await loaded(writeConfig(HEADING, found)));
        expect(Object.keys(config.tables).length).toBe(found.filter((one) => one.key).length);
      }),
      { numRuns: 60 },
    );
  });
});

/** Runs the command over a folder with one CSV table. */
async function init(values: Record<string, string | boolean>): Promise<{ status: number; printed: string }> {
  let printed = "";

  const context: Pick<Context, "args" | "host" | "json" | "signal" | "terminal" | "values"> = {
    values,
    args: [],
    host: secretHost({}),
    json: false,
    signal,
    terminal: {
      print: (output) => {
        printed += output;
      },
      note: () => {},
      progress: () => {},
      warn: () => {},
      interactive: false,
      live: false,
    },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- init asks for nothing else
  const { status } = await command.run(context as Context);
  return { status, printed };
}

const code = (error: unknown): string => (error instanceof QuaysideError ? error.code : "none");

describe("the command", () => {
  const source = mkdtempSync(join(folder, "csv-"));
  writeFileSync(join(source, "ports.csv"), "port_id,name\n1,Dieppe\n2,Newhaven\n");

  it("writes a file that loads, and the same one again", async () => {
    const out = join(folder, "one.config.ts");
    expect((await init({ source, out })).status).toBe(0);
    const first = readFileSync(out, "utf8");
    await init({ source, out, force: true });
    expect(readFileSync(out, "utf8")).toBe(first);
    expect(
      parseConfig(await loaded(first.replace(/from ".*"/, `from "${HEADING.importFrom}"`))).tables,
    ).toMatchObject({
      ports: { key: ["port_id"], title: "name", access: { allowAny: [] } },
    });
  });

  it("never overwrites without --force", async () => {
    const out = join(folder, "mine.ts");
    writeFileSync(out, "mine");
    expect(await init({ source, out }).catch(code)).toBe("config_invalid");
    expect(readFileSync(out, "utf8")).toBe("mine");
  });

  it("writes nothing for a source that is not there", async () => {
    const out = join(folder, "none.ts");
    expect(await init({ source: join(folder, "nowhere.duckdb"), out }).catch(code)).toBe("config_invalid");
    expect(existsSync(out)).toBe(false);
  });

  it("keeps a connection string out of the settings and lends it to the adapter", () => {
    const url = "postgresql://me:hidden@db.example.com/sales";
    const named = sourceNamed(url, secretHost({}));
    expect([named.settings, named.name]).toEqual([{ kind: "postgres" }, "sales"]);
    expect(named.host.secret("DATABASE_URL")).toBe(url);
    expect(writeConfig({ ...HEADING, settings: named.settings, notes: named.notes }, [])).not.toContain(
      "hidden",
    );
  });
});
