import { readFile } from "node:fs/promises";
import type { OnLoadResult, Plugin } from "esbuild";

/**
 * Leaves out of the vendors' SDKs what the Worker never calls. workerd compiles every module when it starts, used or not, and
 * a bundler can't drop what hangs on a client as a property; so files that serve other products only are replaced by the names
 * that they export. What is left is the SDK's own code, called as its documentation says. The contract suites run over the
 * SDKs in this form (see test/vitest.config.ts): what a call needs and is not there fails a test.
 */

interface Sdk {
  /** The package's name. */
  readonly name: string;
  /** Files in it that only other products need … */
  readonly products: RegExp;
  /** … except these. */
  readonly keep: RegExp;
}

const SDKS: readonly Sdk[] = [
  {
    name: "openai",
    products: /^(resources|lib|helpers|realtime|azure|bedrock|internal\/responses)/,
    keep: /^(lib\/embeddings|resources\/(index|chat|chat\/(index|chat)|chat\/completions\/(index|completions)|embeddings|responses\/(index|responses)))\.mjs$/,
  },
  {
    name: "@anthropic-ai/sdk",
    products: /^(resources|lib|tools|helpers|internal\/(file-store|node)|_vendor)/,
    keep: /^(resources\/(index|messages\/(index|messages))|lib\/(parser|internal\/(messages-request|tracing.*)))\.mjs$/,
  },
  {
    name: "@pinecone-database/pinecone",
    products: /^dist\/pinecone-generated-ts-fetch\/db_(control|data)\/(models|apis)\//,
    // An index described, and its vectors written, queried, fetched, deleted and counted: the models that these reach.
    keep: /\/(index|ManageIndexesApi|VectorOperationsApi|IndexModel|IndexModelStatus|IndexSchema|\w+Deployment|(?!Create)\w+Field|ResponseStringField\w*|ReadCapacity(?!Patch)\w+|ScalingConfigManual|ErrorResponse|ErrorResponseError|(Query|Upsert|Delete|DescribeIndexStats)Request|(Query|Upsert|Fetch)Response|IndexDescription|RpcStatus|MetadataValue|NamespaceSummary|ProtobufAny|ScoredVector|SingleQueryResults|SparseValues|Usage|Vector)\.js$/,
  },
];

export function slimSdks(): Plugin {
  return {
    name: "slim-sdks",
    setup(build) {
      for (const { name, products, keep } of SDKS) {
        const filter = new RegExp(`node_modules/${name}/.*\\.m?js$`);
        build.onLoad({ filter }, async ({ path }) => {
          const file = path.slice(path.indexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
          return products.test(file) && !keep.test(file) ? hollow(path) : undefined;
        });
      }
    },
  };
}

/** The file's exports without what they do. CommonJS needs no names. */
async function hollow(path: string): Promise<OnLoadResult> {
  if (path.endsWith(".js")) return { contents: "module.exports = {};", loader: "js" };
  const names = exportedNames(await readFile(path, "utf8"));
  return { contents: Array.from(names, (name) => `export class ${name} {}`).join("\n"), loader: "js" };
}

/** The packages write exports as declarations, or in braces. */
function exportedNames(source: string): ReadonlySet<string> {
  const declared = source.matchAll(/^export (?:async )?(?:class|function\*?|const|let|var) (\w+)/gm);
  const listed = source.matchAll(/^export \{([^}]*)\}/gm);
  const names = new Set([...declared].map((match) => match[1] ?? ""));
  for (const [, list = ""] of listed) {
    for (const part of list.split(",")) names.add(part.replace(/^.*\sas\s/s, "").trim());
  }
  names.delete("");
  return names;
}
