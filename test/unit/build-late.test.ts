import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileLate, plainStrings } from "../../workers/build-late.ts";

const SOURCES: Readonly<Record<string, string>> = {
  main: `
    import { words } from "./words.js";
    export const started = words("un, deux");
    export const later = () => import("./later.js");
    export const cycle = () => import("./one.js");`,
  words: String.raw`
    export const words = (text) => text.match(/\p{L}+/gu);`,
  later: String.raw`
    globalThis.ran = (globalThis.ran ?? 0) + 1;
    const upper = /^\p{Lu}/u;
    export const isUpper = (text) => upper.test(text);
    export class Folder { fold(text) { return text.replace(/\p{M}/gu, ""); } }
    export function steps(text) { const each = /\p{N}/gu; return [each.test(text), each.test(text)]; }
    export default "by default";
    export { words as split } from "./words.js";`,
  one: `
    import { two } from "./two.js";
    export function one() { return 1; }
    export const three = two() + 1;`,
  two: `
    import { one } from "./one.js";
    export function two() { return one() + 1; }`,
};

interface Later {
  readonly default: string;
  readonly Folder: new () => { fold(text: string): string };
  readonly split: (text: string) => readonly string[];
  readonly steps: (text: string) => readonly boolean[];
}

describe("a chunk that is loaded later", () => {
  let directory: string;
  let files: readonly string[];
  let main: {
    started: readonly string[];
    later(): Promise<Later>;
    cycle(): Promise<{ three: number }>;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "quayside-late-"));
    files = await bundle(SOURCES, directory);
    main = await import(pathToFileURL(join(directory, "main.mjs")).href);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const text = (name: string): Promise<string> => readFile(join(directory, name), "utf8");

  it("is in one module with all the others", () => {
    expect(files.toSorted()).toStrictEqual(["later.mjs", "main.mjs", "start.mjs"]);
  });

  it("has nothing at its top but imports, exports and functions", async () => {
    const code = await text("later.mjs");
    expect(code).toContain("fold(text)");
    expect(code.replaceAll(/^function \w+(\$\d+)?\(\) \{[^]*?^\}$/gm, "")).not.toMatch(/class|fold|=>/);
  });

  it("runs once, when it is first imported", async () => {
    expect(Reflect.get(globalThis, "ran")).toBeUndefined();
    await main.later();
    await main.later();
    expect(Reflect.get(globalThis, "ran")).toBe(1);
  });

  it("exports what the module exports", async () => {
    const later = await main.later();
    expect(Object.keys(later).toSorted()).toStrictEqual(["Folder", "default", "isUpper", "split", "steps"]);
    expect(later.default).toBe("by default");
    expect(later.split("a b")).toStrictEqual(["a", "b"]);
    expect(new later.Folder().fold("e\u0301te\u0301")).toBe("ete");
  });

  it("may import another that imports it", async () => {
    expect((await main.cycle()).three).toBe(3);
  });

  it("holds no pattern with a property of characters as a literal", async () => {
    for (const file of files) {
      const code = await text(file);
      expect(code.match(/\/[^/\n]*\\p\{/)).toBeNull();
    }
    expect(main.started).toStrictEqual(["un", "deux"]);
  });

  it("lets a global pattern that is tested step by step begin anew at each call, as a literal does", async () => {
    const later = await main.later();
    expect(later.steps("1")).toStrictEqual([true, false]);
    expect(later.steps("1")).toStrictEqual([true, false]);
  });

  it("is refused when a variable that another imports is assigned to again", async () => {
    const sources = {
      main: `export const later = () => import("./later.js");`,
      counted: `export let count = 0; export const more = () => { count += 1; };`,
      later: `import { count, more } from "./counted.js"; more(); export const counted = count;`,
    };
    await expect(bundle(sources, directory)).rejects.toThrow("count is exported and assigned to again");
  });
});

describe("strings that a minifier wrote as templates", () => {
  it("are strings again, of the same text in one byte a character", () => {
    const code = plainStrings('export default [`a"b`, `two\nlines`, `\u00e9\u{1f600}`, `\\\\`];');
    expect(code).toBe(String.raw`export default ["a\"b", "two\nlines", "\u00e9\ud83d\ude00", "\\"];`);
  });

  it("stay templates where they have values in them, or are read by a function", () => {
    const code = "const raw = String.raw`a\\b`, whole = `${raw}c`;";
    expect(plainStrings(code)).toBe(code);
  });
});

/** Writes what a build of these makes, each module in a chunk of its own in its first pass. @returns names of the files. */
async function bundle(sources: Readonly<Record<string, string>>, directory: string): Promise<string[]> {
  const names = Object.keys(sources);
  const parts = await rolldown({
    input: { main: "main" },
    plugins: [
      {
        name: "sources",
        resolveId: (id) => id.replace(/^\.\/|\.js$/g, ""),
        load: (id) => sources[id],
      },
    ],
  });
  const { output } = await parts.generate({
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name].mjs",
    codeSplitting: { groups: names.map((name) => ({ name, test: (id: string) => id === name })) },
  });
  const joined = await rolldown({
    input: { main: "main.mjs" },
    plugins: [compileLate(output.filter((file) => file.type === "chunk"))],
  });
  const written = await joined.write({
    dir: directory,
    entryFileNames: "[name].mjs",
    chunkFileNames: "[name].mjs",
    codeSplitting: { groups: [{ name: "start", tags: ["$initial"] }] },
  });
  return written.output.map((file) => file.fileName);
}
