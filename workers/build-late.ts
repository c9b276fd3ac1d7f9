import type { OutputChunk, Plugin } from "rolldown";
import { type ESTree, parseSync, Visitor } from "rolldown/utils";

/**
 * Makes what is loaded later cheap to compile. workerd has V8 compile every module when it starts, used or not, and V8 does
 * then what it could leave until the code runs:
 * - of code at the top of a module it builds a syntax tree and bytecode; of a function's body it only checks the syntax. So each
 *   chunk that is loaded later becomes the body of a function, called when the chunk is first imported;
 * - each module has a cost of its own, and young objects are collected for texts of modules that are not large. So these
 *   functions are in one module;
 * - the character sets of a pattern with `\p{…}` it builds to check its syntax, even in a function that never runs. So these
 *   patterns are made from strings, once, when they are first used.
 * @param chunks of a first build, the entry's among them, not minified. A second build with this plugin joins them.
 */
export function compileLate(chunks: readonly OutputChunk[]): Plugin {
  const start = atStart(chunks);
  const exported = new Set<string>();
  const modules = new Map(
    chunks.map((chunk) => {
      const early = start.has(chunk.fileName);
      const imported = new Set<string>();
      const code = withParts(chunk, (names) => {
        if (early) exported.add(`export ${names}`);
        else imported.add(`import ${names}`);
        return early ? `import("${LATER}")` : undefined;
      });
      const others = chunk.imports.filter((file) => !start.has(file) && file.endsWith(".mjs"));
      return [chunk.fileName, early ? withLatePatterns(code) : asFunction(code, [...imported], others)];
    }),
  );
  modules.set(LATER, [...exported].join("\n"));
  return {
    name: "compile-late",
    resolveId(source) {
      const file = source.replace(/^\.\//, "");
      if (modules.has(file)) return file;
      return source.startsWith("./") ? { id: source, external: "absolute" } : undefined;
    },
    load: (file) => modules.get(file),
  };
}

const LATER = "later";

/** How the first build imports what has become part of a chunk. */
const PART = /\bimport\("\.\/([^"]+)"\)\.then\(\((\w+)\) => \2\.([\w$]+)\)/g;

/**
 * The chunk with other imports for its dynamic ones.
 * @param take takes `{ … } from "./file"`, the names that are needed; gives what imports these, undefined where they are at hand.
 * @throws Error when it imports a whole chunk.
 */
function withParts({ fileName, code }: OutputChunk, take: (names: string) => string | undefined): string {
  const replaced = code.replaceAll(PART, (_, file: string, _n, name: string) => {
    const id = `${file.replaceAll(/\W/g, "_")}_${name}`;
    const module = take(`{ load as load_${id}, ${name} as part_${id} } from "./${file}";`);
    return module === undefined
      ? `Promise.resolve().then(() => (load_${id}(), part_${id}))`
      : `${module}.then((n) => (n.load_${id}(), n.part_${id}))`;
  });
  if (replaced.includes('import("./')) throw new Error(`${fileName} imports a whole chunk.`);
  return replaced;
}

/** The methods of a string that begin at its start, whatever a global pattern was used for before. */
const BEGINS_ANEW = /^(?:replace|replaceAll|match|matchAll|split|search)$/;

/**
 * The code with `"…"` for the templates without a value in them that a minifier writes for strings: V8 reads a template twice,
 * as it stands and as what it means.
 */
export function plainStrings(code: string): string {
  const edits: Edit[] = [];
  const tagged = new Set<number>();
  new Visitor({
    TaggedTemplateExpression: ({ quasi }) => void tagged.add(quasi.start),
    TemplateLiteral({ start, end, quasis: [text, more] }) {
      const value = more ? undefined : text?.value.cooked;
      if (typeof value !== "string" || tagged.has(start)) return;
      // One byte a character, as the rest.
      const ascii = JSON.stringify(value).replaceAll(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      edits.push({ start, end, text: ascii });
    },
  }).visit(parseSync("chunk.js", code).program);
  return edited(code, edits);
}

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The entry's file and all that it imports, directly or not, other than by `import()`. */
function atStart(chunks: readonly OutputChunk[]): ReadonlySet<string> {
  const reached = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  for (const file of reached) {
    for (const imported of chunks.find(({ fileName }) => fileName === file)?.imports ?? [])
      reached.add(imported);
  }
  return reached;
}

function withLatePatterns(code: string): string {
  const { edits, declared } = latePatterns(parseSync("chunk.js", code).program);
  return edited(code, edits, declared);
}

/** @returns edits that put a variable in each pattern's place, and the variables' declaration. */
function latePatterns(program: ESTree.Program): { edits: readonly Edit[]; declared: string } {
  const edits: Edit[] = [];
  // A global or sticky pattern remembers where it was: one is shared only as the argument of a method that begins anew.
  const shared = new Set<number>();
  let made = 0;
  new Visitor({
    CallExpression({ callee, arguments: [pattern] }) {
      if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier" || !pattern) return;
      if (BEGINS_ANEW.test(callee.property.name)) shared.add(pattern.start);
    },
    Literal(node) {
      if (!("regex" in node) || !/\\p\{/iu.test(node.regex.pattern)) return;
      const { pattern, flags } = node.regex;
      const pure = `new RegExp(${JSON.stringify(pattern)}, "${flags}")`;
      const once = !/[gy]/.test(flags) || (shared.has(node.start) && !flags.includes("y"));
      const text = once ? `(pattern_${made} ??= ${pure})` : pure;
      if (once) made += 1;
      edits.push({ start: node.start, end: node.end, text });
    },
  }).visit(program);
  const names = Array.from({ length: made }, (_, n) => `pattern_${n}`);
  return { edits, declared: made > 0 ? `let ${names.join(", ")};\n` : "" };
}

/**
 * The module with what it does in a function, which `load` calls once, after that of those that it imports. Imports and exports
 * stay as they are.
 */
function asFunction(code: string, imports: readonly string[], others: readonly string[]): string {
  const { program } = parseSync("chunk.js", code);
  const { edits, declared } = latePatterns(program);
  const outside: string[] = [];
  const moved: Edit[] = [];
  const exported = new Map<string, string>();
  const functions = new Set<string>();
  for (const statement of program.body) {
    if (statement.type === "FunctionDeclaration" && statement.id) functions.add(statement.id.name);
    if (statement.type === "ExportNamedDeclaration" && !statement.source && !statement.declaration) {
      for (const { local, exported: as } of statement.specifiers) {
        exported.set(nameOf(as), nameOf(local));
      }
    } else if (/^(Im|Ex)port/.test(statement.type)) {
      outside.push(code.slice(statement.start, statement.end));
    } else continue;
    moved.push({ start: statement.start, end: statement.end, text: "" });
  }
  refuseReassigned(program, new Set(exported.values()));
  const names = [...exported].map(([as, local], n) => ({ as, local, name: `export_${n}` }));
  const assigned = (early: boolean): string =>
    names
      .filter(({ local }) => functions.has(local) === early)
      .map(({ name, local }) => `${name} = ${local};\n`)
      .join("");
  return [
    ...outside,
    ...imports,
    ...others.map((file, n) => `import { load as load_${n} } from "./${file}";`),
    names.length > 0 ? `let ${names.map(({ name }) => name).join(", ")};` : "",
    "function evaluate() {",
    // As in a module, functions are there before anything runs: chunks may import each other.
    assigned(true),
    edited(code, [...edits, ...moved], declared),
    assigned(false),
    "}",
    "let loaded = false;",
    "export function load() {",
    "if (loaded) return;",
    "loaded = true;",
    ...others.map((_, n) => `load_${n}();`),
    "evaluate();",
    "}",
    `export { ${names.map(({ name, as }) => `${name} as ${as}`).join(", ")} };`,
  ].join("\n");
}

/** What importers see is the value at the end of the function, so it has to be the last. @throws Error naming what is not. */
function refuseReassigned(program: ESTree.Program, exported: ReadonlySet<string>): void {
  const variables = program.body.flatMap((statement) =>
    statement.type === "VariableDeclaration" && statement.kind !== "const" ? statement.declarations : [],
  );
  const names = new Set(variables.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : [])));
  const refuse = (target: { readonly type: string; readonly name?: string }): void => {
    const { name = "" } = target;
    if (names.has(name) && exported.has(name)) throw new Error(`${name} is exported and assigned to again.`);
  };
  new Visitor({
    AssignmentExpression: ({ left }) => refuse(left),
    UpdateExpression: ({ argument }) => refuse(argument),
  }).visit(program);
}

function nameOf(node: ESTree.ModuleExportName): string {
  return node.type === "Literal" ? JSON.stringify(node.value) : node.name;
}

/** The code with each part replaced; of parts within each other the outer one is. */
export function edited(code: string, edits: readonly Edit[], before = ""): string {
  let out = before;
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    if (start < at) continue;
    out += code.slice(at, start) + text;
    at = end;
  }
  return out + code.slice(at);
}
