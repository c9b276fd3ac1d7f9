import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Plugin } from "rolldown";
import { type ESTree, parseSync, Visitor } from "rolldown/utils";
import { edited, type Edit } from "./build-late.ts";
import { writeBuilt } from "./build-write.ts";
import { openapi } from "./surfaces/openapi.ts";
import { makeWorker } from "./worker.ts";

/**
 * Makes when the Worker is built what it says of itself: what only describes an API, the making of JSON Schemas above all, is
 * compiled at every start otherwise, and hardly ever run.
 */

const assets = join(dirname(fileURLToPath(import.meta.url)), "surfaces/console/dist");

/** Writes what `GET /openapi.json` serves, and what it serves in demo mode: of the surfaces that the Worker mounts then. */
export async function buildOpenapi(outdir = assets): Promise<void> {
  await mkdir(outdir, { recursive: true });
  for (const demo of [false, true]) {
    Reflect.set(globalThis, "QUAYSIDE_DEMO", demo);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing is bound: surfaces are made, none is called
    const worker = makeWorker({} as Parameters<typeof makeWorker>[0], () => {});
    const document = JSON.stringify(openapi(await worker.surfaces()));
    await writeBuilt(join(outdir, demo ? "openapi-demo.json" : "openapi.json"), document);
  }
}

/**
 * Takes the routes' `doc` out of the Worker, and with it the schemas that nothing else needs: these are marked as what may go.
 * Of MCP's tools it leaves what they are listed as, in JSON.
 */
export function describedAlready(): Plugin {
  return {
    name: "described-already",
    load: {
      filter: { id: /\/workers\/surfaces\/mcp-listed\.ts$/ },
      async handler(path) {
        const made: Record<string, unknown> = await import(pathToFileURL(path).href);
        return Object.entries(made)
          .map(
            ([name, value]) => `export const ${name} = JSON.parse(${JSON.stringify(JSON.stringify(value))});`,
          )
          .join("\n");
      },
    },
    transform: {
      filter: { id: /\/(workers|shared)\/.*\.ts$/ },
      handler: (code, path) => edited(code, withoutDocs(parseSync(path, code).program)),
    },
  };
}

function withoutDocs(program: ESTree.Program): readonly Edit[] {
  const edits: Edit[] = [];
  new Visitor({
    ObjectExpression({ properties }) {
      const names = properties.map(nameOf);
      const at = names.indexOf("doc");
      const doc = properties[at];
      if (!doc || !names.includes("path") || !names.includes("method")) return;
      edits.push({ start: doc.start, end: properties[at + 1]?.start ?? doc.end, text: "" });
    },
    // All that zod does is make a schema, but for its one setting.
    CallExpression(call) {
      const [first] = call.arguments;
      const checks =
        call.callee.type === "MemberExpression" && first?.type === "CallExpression" && ofZod(first);
      if (checks || ofZod(call)) edits.push({ start: call.start, end: call.start, text: "/* @__PURE__ */ " });
    },
  }).visit(program);
  return edits;
}

/** `z.minLength(1)`, for one. */
function ofZod({ callee }: ESTree.CallExpression): boolean {
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
  return (
    callee.object.type === "Identifier" && callee.object.name === "z" && callee.property.name !== "config"
  );
}

function nameOf(property: ESTree.ObjectPropertyKind): string | undefined {
  return property.type === "Property" && property.key.type === "Identifier" ? property.key.name : undefined;
}
