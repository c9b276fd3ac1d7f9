import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Plugin } from "rolldown";
import { type ESTree, parseSync, Visitor } from "rolldown/utils";
import { edited, type Edit } from "./build-late.ts";

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
  /** In the generated classes of one method a call: the methods that are called. */
  readonly methods?: RegExp;
  /** In all other files: functions and methods that no call reaches. */
  readonly unreached?: RegExp;
  /** The file that writes its log, for an SDK that puts a line together before it looks whether lines are wanted. */
  readonly log?: string;
}

const SDKS: readonly Sdk[] = [
  {
    name: "openai",
    // Besides products: credentials of other kinds than a key, bodies that are forms, several pages of a list, and the headers
    // that tell the vendor what it runs on.
    products:
      /^(resources|lib|helpers|realtime|azure|bedrock|auth|internal\/(responses|auth\/x509-workload|uploads|to-file|detect-platform)|core\/pagination)/,
    keep: /^(lib\/embeddings|resources\/(index|chat|chat\/(index|chat)|chat\/completions\/(index|completions)|embeddings|responses\/(index|responses)))\.mjs$/,
    log: "internal/utils/log.mjs",
    // Retries (there are none), errors by status (they are told apart before the SDK sees them), streams (they are read by the
    // adapter), queries (there are none), clients made of clients, sockets, certificates, and log lines.
    unreached:
      /^(withOptions|retryRequest|shouldRetry|calculateDefaultRetryTimeoutMillis|makeStatusError|sleep|requestAPIList|getAPIList|_buildWebSocketHeaders|mergeWebSocketAuthHeaders|readX509ResponseError|prepareX509ClientClone|assertX509APIOrigin|prepareProviderClone|configureProvider|_OpenAI_(sanitizeLogValue|isSensitiveLogKey)|getDeferredRealtimeAPIKeyCache|validateCapturedAPIKey|createAbortableSSESource|createStreamTeeQueue|fromReadableStream|fromSSEResponse|toReadableStream|tee|iterSSEChunks|_iterSSEMessages|decode|_LineDecoder_append|findNewlineIndex|findDoubleNewlineIndex|flush|stringify|inner_stringify|normalize_stringify_options|encode|compact|toFloat32Array|ReadableStream(ToAsyncIterable|From)|makeReadableStream|CancelReadableStream|uuid4|assertValidBedrockBearerCredential|retrieve|list|update|delete|cancel|runTools)$/,
  },
  {
    name: "@anthropic-ai/sdk",
    // Besides products: its tracing, since the Worker traces by itself, and what it tells of the platform.
    products:
      /^(resources|lib|tools|helpers|internal\/(file-store|node|tracing|uploads|to-file|detect-platform)|core\/pagination|_vendor)/,
    keep: /^(resources\/(index|shared|messages\/(index|messages))|lib\/(parser|internal\/messages-request))\.mjs$/,
    // As above; and credentials of other kinds than a key.
    unreached:
      /^(withOptions|retryRequest|shouldRetry|isRetryableError|calculateDefaultRetryTimeoutMillis|makeStatusError|sleep|requestAPIList|getAPIList|fromReadableStream|fromSSEResponse|toReadableStream|tee|readableStreamIterator|_iterSSEMessages|decode|findNewlineIndex|flush|concatBytes|stringify|inner_stringify|normalize_stringify_options|encode|ReadableStream(ToAsyncIterable|From)|makeReadableStream|CancelReadableStream|parseResponseTraced|defaultParseResponse|parseMiddlewareResponse|makeTracedRequest|applyMiddleware|createMiddlewareContext|formatRequestDetails|defaultLogger|_resolveDefaultCredentials|_credentialResolverOptions|_applyCredentialBaseURL|countTokens|parseMessage|parseOutputFormat|_?calculateNonstreamingTimeout|addResponseIDs|parse|stream)$/,
  },
  { name: "@opentelemetry/api", products: /^dist\//, keep: /^$/ },
  {
    name: "@pinecone-database/pinecone",
    products:
      /^dist\/(pinecone-generated-ts-fetch\/db_(control|data)\/(models|apis)|data\/(bulk|documents|namespaces)|data\/vectors\/(update|fetchByMetadata|upsertRecords|searchRecords|deleteOne|list))/,
    // An index described, and its vectors written, queried, fetched, deleted and counted: the models that these reach.
    keep: /\/(index|ManageIndexesApi|VectorOperationsApi|IndexModel|IndexModelStatus|IndexSchema|\w+Deployment|(?!Create)\w+Field|ResponseStringField\w*|ErrorResponse|ErrorResponseError|(Query|Upsert|Delete|DescribeIndexStats)Request|(Query|Upsert|Fetch)Response|IndexDescription|RpcStatus|MetadataValue|NamespaceSummary|ProtobufAny|ScoredVector|SingleQueryResults|SparseValues|Usage|Vector)\.js$/,
    methods:
      /^(describeIndex|queryVectors|upsertVectors|fetchVectors|deleteVectors|describeIndexStats)(Raw)?$/,
    // What is sent is not read, and what is read is not sent.
    unreached:
      /^((Query|Upsert|Delete|DescribeIndexStats)Request\w*FromJSON(Typed)?|(?!(Query|Upsert|Delete|DescribeIndexStats)Request|SparseValues|Vector)\w+ToJSON(Typed)?|instanceOf\w+|mapHttpStatusError|derive(Spec|Embed|VectorType)|formatDeriveFailure|formatCaller|pollUntilIndexIsReady)$/,
  },
];

export function slimSdks(): Plugin {
  return {
    name: "slim-sdks",
    load: {
      filter: { id: new RegExp(`node_modules/(${SDKS.map((sdk) => sdk.name).join("|")})/.*\\.m?js$`) },
      async handler(path) {
        for (const { name, products, keep, methods, unreached, log } of SDKS) {
          const at = path.indexOf(`node_modules/${name}/`);
          if (at === -1) continue;
          const file = path.slice(at + `node_modules/${name}/`.length);
          if (products.test(file) && !keep.test(file)) return hollow(path);
          if (file === log) return silent(path);
          if (methods && file.includes("/apis/")) return shorten(await readFile(path, "utf8"), methods);
          if (unreached) {
            const left = (to: string): boolean => {
              const target = join(dirname(file), `${to}.js`);
              return !products.test(target) || keep.test(target);
            };
            return without(withoutReexports(await readFile(path, "utf8"), left), unreached);
          }
        }
        return undefined;
      },
    },
  };
}

/** The file's exports without what they do: functions that give nothing, and may be extended and constructed. */
async function hollow(path: string): Promise<string> {
  const source = await readFile(path, "utf8");
  if (/^\s*exports\.|Object\.defineProperty\(exports/m.test(source)) {
    return "module.exports = new Proxy({}, { get: () => function () {} });";
  }
  return Array.from(exportedNames(source), (name) =>
    name === "default" ? "export default function () {}" : `export function ${name}() {}`,
  ).join("\n");
}

/** A log that nobody reads: whatever it exports gives a logger that writes nothing. */
async function silent(path: string): Promise<string> {
  const names = Array.from(
    exportedNames(await readFile(path, "utf8")),
    (name) => `export const ${name} = () => none;`,
  );
  return [
    "const quiet = () => {};",
    "const none = { error: quiet, warn: quiet, info: quiet, debug: quiet };",
    ...names,
  ].join("\n");
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

/** The file without these methods, and with functions of these names that throw: what is called after all is noticed. */
function without(source: string, names: RegExp): string {
  const cuts: Edit[] = [];
  const empty = ({ id, start, end }: ESTree.Function): void => {
    if (id && names.test(id.name))
      cuts.push({ start, end, text: `function ${id.name}() { throw new Error("left out: ${id.name}"); }` });
  };
  new Visitor({
    FunctionDeclaration: empty,
    FunctionExpression: empty,
    MethodDefinition({ key, kind, start, end }) {
      if (kind === "method" && key.type === "Identifier" && names.test(key.name)) {
        cuts.push({ start, end, text: "" });
      }
    },
  }).visit(parseSync("sdk.js", source).program);
  return edited(source, cuts);
}

/** The file without what it exports of files that are not left. */
function withoutReexports(source: string, left: (file: string) => boolean): string {
  return source.replaceAll(/^__exportStar\(require\("([^"]+)"\), exports\);$/gm, (line, file: string) =>
    left(file) ? line : "",
  );
}

/** A generated class without the other methods. */
function shorten(source: string, methods: RegExp): string {
  return source.replaceAll(/\n {4}async (\w+)\([\s\S]*?\n {4}\}(?=\n)/g, (method, name: string) =>
    methods.test(name) ? method : "",
  );
}
