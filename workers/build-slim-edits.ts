import { parseSync } from "rolldown/utils";
import { edited, type Edit } from "./build-late.ts";

/** What is left out of a vendor's sources. */
export interface LeftOut {
  /** Functions and methods that no call reaches: a function throws where it is called after all, a method is not there. */
  readonly unreached: ReadonlySet<string>;
  /**
   * Variables, fields and functions that hold or give nothing here: `undefined` where they are read or called. A statement that
   * only sets or calls one is dropped, with what it would set it to or call it with.
   */
  readonly absent: ReadonlySet<string>;
  /** Conditions of `if` that never hold, as they are written; `…` for what they differ in: the code throws where one holds after all. */
  readonly never: ReadonlySet<string>;
  /** In a class of one method a call, the methods that are called. */
  readonly called?: RegExp;
}

/**
 * The source without that. What only that used the bundler drops, since then nothing uses it.
 * @param met gets each name and condition that was found.
 */
export function without(source: string, rules: LeftOut, met: Set<string>): string {
  const { unreached, absent, never, called } = rules;
  const cuts: Edit[] = [];
  let within = "";
  const cut = (node: Node, name: string, text: string): void => {
    for (const rule of [name, `${within}.${name}`]) met.add(rule);
    cuts.push({ start: node.start, end: node.end, text });
  };
  const isAbsent = (name: string | undefined): name is string => name !== undefined && absent.has(name);
  const has = (rule: string): boolean => unreached.has(rule) || absent.has(rule);
  /** In a class, `Class.x` is `x` of that class alone. */
  const isLeft = (name: string | undefined): name is string =>
    name !== undefined && (has(name) || has(`${within}.${name}`));

  /** @param binds whether names are declared or given a value here, not read. */
  const visit = (node: Node, binds: boolean): void => {
    const name = nameOf(node);
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
        if (name && unreached.has(name)) return cut(node, name, `function ${name}() { ${thrown(name)} }`);
        break;
      case "MethodDefinition":
      case "PropertyDefinition": {
        const uncalled =
          called && node.type === "MethodDefinition" && name !== "constructor" && !called.test(name ?? "");
        if (isLeft(name) || uncalled) return cut(node, name ?? "", "");
        break;
      }
      case "ExpressionStatement": {
        const given = givenIn(node["expression"]);
        if (isLeft(given)) return cut(node, given, ";");
        // `OpenAI.APIError = APIError`, for whoever has no import of it.
        if (isHungOn(node["expression"]))
          return void cuts.push({ start: node.start, end: node.end, text: ";" });
        const used = usedIn(node["expression"]);
        if (isAbsent(used)) return cut(node, used, ";");
        break;
      }
      case "IfStatement": {
        const { test, consequent } = node;
        if (!isNode(test) || !isNode(consequent)) break;
        const text = source.slice(test.start, test.end).replaceAll(/\s+/g, " ");
        const rule = [...never].find((one) => isLike(text, one.split("…")));
        if (rule) cut(consequent, rule, `{ ${thrown(rule.replace(/…[\s\S]*/, ""))} }`);
        break;
      }
      case "VariableDeclarator": {
        const { init } = node;
        if (!isNode(init) || !name) break;
        if (absent.has(name)) return cut(init, name, "void 0");
        if (unreached.has(name) && /Function/.test(init.type))
          return cut(init, name, `() => { ${thrown(name)} }`);
        break;
      }
      case "ChainExpression":
        for (let link = node["expression"]; isNode(link); link = link["object"] ?? link["callee"]) {
          const read = readIn(link);
          if (isAbsent(read)) return cut(node, read, "(void 0)");
        }
        break;
      case "Property":
        if (!binds && node["shorthand"] === true && isAbsent(name)) return cut(node, name, `${name}: void 0`);
        break;
      case "BinaryExpression": {
        const kind =
          node["operator"] === "instanceof" && isNode(node["right"]) ? nameOf(node["right"]) : undefined;
        if (isAbsent(kind)) return cut(node, kind, "false");
        break;
      }
      case "CallExpression":
      case "MemberExpression":
      case "Identifier": {
        const read = binds ? undefined : readIn(node);
        if (isAbsent(read)) return cut(node, read, "(void 0)");
        break;
      }
    }
    const outer = within;
    if (/^Class[DE]/.test(node.type) || isClass(node["init"])) within = name ?? within;
    for (const [key, child] of childrenOf(node)) visit(child, bindsIn(node, key, binds));
    within = outer;
  };
  visit(parse(source), false);
  return edited(source, cuts);
}

/** A module of CommonJS as TypeScript prints it, as the ES module that it was. @throws Error when it is of another form. */
export function asModule(source: string): string {
  const required = new Map<string, string>();
  const code = source
    .replaceAll(
      /^"use strict";$|^Object\.defineProperty\(exports, "__esModule".*$|^exports\..* = void 0;$/gm,
      "",
    )
    // What TypeScript brings along to import and export with.
    .replaceAll(/^var __\w+ = \(this[\s\S]*?^\}[()]*;$/gm, "")
    .replaceAll(/^__exportStar\(require\((.+)\), exports\);$/gm, "export * from $1;")
    .replaceAll(
      /^(?:const|var) (\w+) = (?:__importStar\()?require\(("[^"]+")\)\)?;$/gm,
      (_, name: string, from: string) => {
        required.set(name, from);
        return `import * as ${name} from ${from};`;
      },
    )
    .replaceAll(
      /^Object\.defineProperty\(exports, "(\w+)", \{.* return (\w+)\.(\w+); \} \}\);$/gm,
      (_, as: string, from: string, name: string) =>
        `export { ${name} as ${as} } from ${required.get(from)};`,
    )
    .replaceAll(/^exports\.(\w+) = ([A-Za-z_]\w*);$/gm, "export { $2 as $1 };")
    .replaceAll(/^exports\.(\w+) = /gm, "export const $1 = ")
    .replaceAll(/\bexports\.(\w+)/g, "$1")
    // `(0, f)(…)`: a call of what is imported.
    .replaceAll(/\(0, ([\w.]+)\)/g, "$1");
  const other = /\bexports\b[.[,]|\brequire\(|\bmodule\.exports/.exec(
    code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""),
  );
  if (other)
    throw new Error(`not as TypeScript prints it: ${other.input.slice(other.index, other.index + 80)}`);
  return code;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function isClass(init: unknown): boolean {
  return isNode(init) && init.type === "ClassExpression";
}

function parse(source: string): Node {
  const { program, errors } = parseSync("sdk.js", source);
  if (errors.length > 0) throw new Error(errors[0]?.message);
  return { ...program };
}

function* childrenOf(node: Node): Generator<readonly [string, Node]> {
  for (const [key, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield [key, child];
  }
}

/** Whether the names in this part of the node are declared, given a value or mere labels there: everything else reads them. */
function bindsIn({ type, computed }: Node, key: string, binds: boolean): boolean {
  if (/^(?:id|params?|local|imported|exported|label)$/.test(key)) return true;
  if (key === "left") return type.startsWith("Assignment");
  if (key === "property" || key === "key") return computed !== true;
  // In a pattern: `{ key: value = init }`.
  return (
    binds &&
    /Pattern$|^(?:Property|RestElement)$/.test(type) &&
    !(type === "AssignmentPattern" && key === "right")
  );
}

/** `x` of `x`, `this.x`, `A.x`, `#x`, and of what declares it. */
function nameOf(node: Node): string | undefined {
  if (typeof node["name"] === "string")
    return node.type === "PrivateIdentifier" ? `#${node["name"]}` : node["name"];
  const part = node["id"] ?? (node["computed"] === true ? undefined : (node["key"] ?? node["property"]));
  return isNode(part) ? nameOf(part) : undefined;
}

/** The name that an expression only gives a value: `this.x = …`, and as TypeScript does it with private fields. */
function givenIn(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  const { left, callee } = node;
  if (isNode(left)) return node.type === "AssignmentExpression" ? nameOf(left) : undefined;
  if (!isNode(callee)) return undefined;
  if (nameOf(callee) === "__classPrivateFieldSet") return privateIn(node);
  return nameOf(callee) === "set" && isNode(callee["object"]) ? nameOf(callee["object"]) : undefined;
}

/** Whether it is `A.X = X`, or `A.X = from.X`. */
function isHungOn(node: unknown): boolean {
  if (!isNode(node) || node.type !== "AssignmentExpression") return false;
  const { left, right } = node;
  if (
    !isNode(left) ||
    !isNode(right) ||
    !isNode(left["object"]) ||
    !/^[A-Z]/.test(nameOf(left["object"]) ?? "")
  )
    return false;
  return nameOf(left) === nameOf(right) && /^(?:Identifier|MemberExpression)$/.test(right.type);
}

/** `f` of `f(…).g(…)`: the name at the root of calls. */
function usedIn(node: unknown): string | undefined {
  let link = node;
  while (isNode(link) && link.type !== "Identifier") {
    if (!/^(?:Call|Member|Chain)Expression$/.test(link.type)) return undefined;
    link = link["object"] ?? link["callee"] ?? link["expression"];
  }
  return isNode(link) ? nameOf(link) : undefined;
}

/** The name that an expression reads or calls: `x`, `a.x`, `x(…)`, and as TypeScript does it with private fields. */
function readIn(node: Node): string | undefined {
  const { callee } = node;
  if (node.type !== "CallExpression") return nameOf(node);
  if (!isNode(callee)) return undefined;
  return nameOf(callee) === "__classPrivateFieldGet" ? privateIn(node) : nameOf(callee);
}

/** `x` of `__classPrivateField…(this, x, …)`. */
function privateIn(call: Node): string | undefined {
  const field: unknown = Array.isArray(call["arguments"]) ? call["arguments"][1] : undefined;
  return isNode(field) ? nameOf(field) : undefined;
}

/** Whether the text is made of the parts in their order, with anything between them. */
function isLike(text: string, parts: readonly string[]): boolean {
  let at = 0;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found === -1 || (at === 0 && found > 0)) return false;
    at = found + part.length;
  }
  return at === text.length || parts.at(-1) === "";
}

function thrown(name: string): string {
  return `throw new Error("left out: ${name}");`;
}
