import { describe, expect, it } from "vitest";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

const TABLE = { source: "w", key: ["id"], classification: "public", access: { allowAny: ["public"] } };

function mistakes(config: unknown): string[] {
  try {
    parseConfig(config);
    return [];
  } catch (error) {
    if (error instanceof QuaysideError) return error.violations.map(({ pointer }) => pointer);
    throw error;
  }
}

describe("parseConfig", () => {
  it("takes the least that works", () => {
    expect(mistakes({ name: "x", sources: { w: { kind: "duckdb" } }, tables: { t: TABLE } })).toEqual([]);
  });

  it("lists five mistakes at once, of shape and of reference", () => {
    const config = {
      name: "x",
      sources: { w: { kind: "duckdb" } },
      tables: {
        a: { ...TABLE, source: "elsewhere" },
        b: { ...TABLE, classification: "secret" },
        c: { ...TABLE, lookups: { port_id: "ports.name" } },
        d: { source: "w", key: ["id"], classification: "public" },
      },
      models: { default: "openai/unregistered" },
    };
    expect(mistakes(config).toSorted()).toEqual([
      "models.default",
      "tables.a.source",
      "tables.b.classification",
      "tables.c.lookups.port_id",
      "tables.d",
    ]);
  });

  it.each([null, 7, "x", [], { tables: null }, { sources: {}, tables: { t: null } }])(
    "refuses %j without following it",
    (input) => {
      expect(mistakes(input).length).toBeGreaterThan(0);
    },
  );

  it("finds what is wrong among routes, groups and names of models", () => {
    const models = {
      register: {},
      aliases: { fast: "local/quote" },
      routes: {
        fast: { rules: [{ name: "all", models: ["local/quote"] }] },
        careful: {
          rules: [
            { name: "first", models: ["openai/unregistered"] },
            { name: "last", when: { languages: ["fr"] }, models: [{ model: "fast", weight: 1 }] },
          ],
        },
      },
      groups: { hr: "nobody" },
    };
    const config = { name: "x", sources: { w: { kind: "duckdb" } }, tables: { t: TABLE }, models };
    expect(mistakes(config)).toEqual([
      "models.routes.fast",
      "models.routes.careful.rules.0.models",
      "models.routes.careful.rules.1.models",
      "models.routes.careful.rules.1",
      "models.groups.hr",
    ]);
  });

  it("refuses a table that nobody could see by accident", () => {
    const { access: _, ...open } = TABLE;
    expect(mistakes({ name: "x", sources: { w: { kind: "duckdb" } }, tables: { t: open } })).toEqual([
      "tables.t",
    ]);
  });
});
