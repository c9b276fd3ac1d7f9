import type { Plugin } from "rolldown";
import { type ESTree, parseSync, Visitor } from "rolldown/utils";

/**
 * Makes chunks cheap to compile. workerd has V8 compile every module when it starts, used or not, and V8 does then what it
 * could leave until the code runs:
 * - of code at the top of a module it builds a syntax tree and bytecode; of a function's body it only checks the syntax. So what
 *   is loaded later becomes the body of a function that its module calls when it is evaluated;
 * - the character sets of a pattern with `\p{…}` it builds to check its syntax, even in a function that never runs. So these
 *   patterns are made from strings, once, when they are first used.
 */
export function compileLate(): Plugin {
  return {
    name: "compile-late",
    renderChunk(code, chunk, _options, { chunks }) {
      const { program } = parseSync(chunk.fileName, code);
      const patterns = latePatterns(program);
      const late = !atStart(chunks).has(chunk.fileName);
      return late ? asFunction(code, program, patterns) : edited(code, patterns.edits, patterns.declared);
    },
  };
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
function atStart(
  chunks: Readonly<Record<string, { readonly isEntry: boolean; readonly imports: readonly string[] }>>,
): ReadonlySet<string> {
  const reached = new Set(Object.keys(chunks).filter((file) => chunks[file]?.isEntry));
  for (const file of reached) for (const imported of chunks[file]?.imports ?? []) reached.add(imported);
  return reached;
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

/** The module with what it does in a function. Imports and exports stay as they are. */
function asFunction(
  code: string,
  program: ESTree.Program,
  { edits, declared }: { edits: readonly Edit[]; declared: string },
): string {
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
    names.length > 0 ? `let ${names.map(({ name }) => name).join(", ")};` : "",
    "function evaluate() {",
    // As in a module, functions are there before anything runs: chunks may import each other.
    assigned(true),
    edited(code, [...edits, ...moved], declared),
    assigned(false),
    "}",
    "evaluate();",
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
