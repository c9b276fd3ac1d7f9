import { describe, expect, it } from "vitest";
import { bench, configOf, counts, everyone, shop, warehouse } from "../fakes/ingest-bench.ts";

describe("views, masks and classification", () => {
  const people = {
    people: {
      columns: { id: "number", name: "string", salary: "number", email: "string" } as const,
      rows: [{ id: 1, name: "Ada", salary: 50_000, email: "ada@example.com" }],
    },
  };

  it("index each view apart, with its own class, and keep columns to their view", async () => {
    const config = configOf({
      people: {
        title: "name",
        views: [
          { name: "full", columns: "*", access: { allowAny: ["group:hr"] }, classification: "restricted" },
          { name: "directory", columns: ["id", "name"], access: everyone },
        ],
      },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    const report = await run();
    expect(counts(report, "people")).toMatchObject({ read: 1, added: 1 });
    const rows = registry.served("people");
    expect(rows.map((row) => [row.view, row.cells.map((cell) => cell.column)])).toEqual([
      ["directory", ["id", "name"]],
      ["full", ["id", "name", "salary", "email"]],
    ]);
    expect(rows.map((row) => registry.classes.get(row.accessClass)?.classification)).toEqual([
      "internal",
      "restricted",
    ]);
    expect(JSON.stringify(rows[0])).not.toContain("50000");
  });

  it("raise the class to the most sensitive column shown", async () => {
    const config = configOf({ people: { columns: { salary: { classification: "restricted" } } } });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    expect([...registry.classes.values()].map((c) => c.classification)).toEqual(["restricted"]);
  });

  it("never read an excluded column and never store a masked value", async () => {
    const config = configOf({
      people: { columns: { salary: { exclude: true }, email: { mask: "hash" }, name: { mask: "redact" } } },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    const stored = JSON.stringify(registry.dump());
    expect(stored).not.toContain("50000");
    expect(stored).not.toContain("ada@example.com");
    expect(stored).not.toContain("Ada");
    expect(stored).toContain("[redacted]");
  });

  it("tokenise a value into a pseudonym that is the same wherever its word is", async () => {
    const rows = [
      { id: 1, name: "Ada", boss: "Bob", salary: 1 },
      { id: 2, name: "Bob", boss: null, salary: 1 },
    ];
    const columns = { id: "number", name: "string", boss: "string", salary: "number" } as const;
    const config = configOf({
      people: {
        columns: {
          name: { mask: "tokenise", token: "person" },
          boss: { mask: "tokenise", token: "person" },
          salary: { mask: "tokenise" },
        },
      },
    });
    const { run, registry } = bench({ config, tables: { people: { columns, rows } } });
    await run();
    const [ada, bob] = registry
      .served("people")
      .map((row) => Object.fromEntries(row.cells.map(({ column, value }) => [column, value] as const)));
    expect(ada?.["name"]).toMatch(/^person_[a-z0-9]{16}$/);
    expect(ada?.["boss"]).toBe(bob?.["name"]);
    expect(ada?.["name"]).not.toBe(bob?.["name"]);
    expect(ada?.["salary"]).toMatch(/^token_[a-z0-9]{16}$/);
    expect(JSON.stringify(registry.dump())).not.toMatch(/Ada|Bob/);
  });

  it("take personal data out of text before it is stored or embedded, and say how much", async () => {
    const tables = {
      people: {
        columns: { id: "string", name: "string", salary: "string" } as const,
        rows: [{ id: "4111111111111111", name: "Ada, ada@example.com", salary: "paid to ada@example.com" }],
      },
    };
    const config = configOf({ people: { redact: ["email", "card"], columns: { salary: { redact: [] } } } });
    const { run, registry } = bench({ config, tables });
    expect((await run()).redacted).toEqual({ email: 1 });
    const [row] = registry.served("people");
    // A key stays whole, and a column's own list holds before the table's.
    expect(row?.cells.map(({ value }) => value)).toEqual([
      "4111111111111111",
      "Ada, [email]",
      "paid to ada@example.com",
    ]);
    expect(row?.chunks[0]?.text).toContain("name: Ada, [email]");
  });

  it("render rows anew when what is taken out of them changes, and only then", async () => {
    const world = bench({ config: configOf({ people: {} }), tables: structuredClone(people) });
    await world.run();
    const config = configOf({ people: { redact: ["email"] } });
    expect(counts(await world.run({ config }), "people")).toMatchObject({ changed: 1 });
    expect(counts(await world.run({ config }), "people")).toMatchObject({ unchanged: 1 });
  });

  it("take it out of looked-up names by the rules of the table that they come from", async () => {
    const tables = warehouse(2);
    const suppliers = tables["suppliers"];
    if (suppliers) suppliers.rows[0] = { id: 1, name: "Foo foo@example.com" };
    const config = configOf({ ...shop.tables, suppliers: { title: "name", redact: ["email"] } });
    const { run, registry } = bench({ config, tables });
    await run();
    expect(JSON.stringify(registry.served("parts"))).toContain("Foo [email]");
    expect(JSON.stringify(registry.dump())).not.toContain("foo@example.com");
  });

  it("decide access by a column that is excluded from the record", async () => {
    const config = configOf({
      people: { columns: { email: { exclude: true } }, access: { allowAny: ["user:{email}"] } },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    expect([...registry.classes.values()][0]?.label.allowAny).toEqual([["user:ada@example.com"]]);
    expect(JSON.stringify(registry.served("people"))).not.toContain("ada@example.com");
  });
});
