import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Plugin } from "rolldown";
import { asModule, without } from "./build-slim-edits.ts";

/**
 * Leaves out of the vendors' SDKs, and of Hono, what the Worker never calls. workerd compiles every module when it starts, used
 * or not, and a bundler can't drop what hangs on a client as a property, or runs only for an option that is never given. So it
 * is told what is never called, never there and never true (see `LeftOut`); what then nothing uses it drops by itself. What is
 * left is the package's own code, called as its documentation says. What is left out throws where it is needed after all, and
 * the contract suites run over the packages in this form (see test/vitest.config.ts). A build fails when a rule finds nothing.
 *
 * What holds for all three SDKs, because of what they are given:
 * - no retries (`maxRetries: 0`), and no status but a good one: `fetch` is made of `shared/http.ts`, which throws otherwise;
 * - nothing out of the environment, no log, no tracing: settings are the configuration's, and the Worker traces by itself;
 * - a key, and no other kind of credential; a JSON body, no form and no file; no query; no middleware, no list of pages.
 */

interface Sdk {
  /** The package's name. */
  readonly name: string;
  /** The files that its rules are for. */
  readonly files: RegExp;
  /** Whether it is CommonJS as TypeScript prints it: a bundler drops what nothing uses of ES modules alone. */
  readonly commonJs?: true;
  /** A file that is the same as another, but for comments and lines like this. */
  readonly twin?: { readonly file: string; readonly of: string; readonly but: RegExp };
  /** Of generated classes with one method a call, which are in files like this: the methods that are called. */
  readonly calls?: { readonly in: RegExp; readonly methods: RegExp };
  /** As `LeftOut` has them, names separated by space. */
  readonly unreached: string;
  readonly absent: string;
  readonly never: readonly string[];
}

const SDKS: readonly Sdk[] = [
  {
    name: "openai",
    files:
      /^(?:client|core\/(?:api-promise|error)|lib\/embeddings|resources\/(?:embeddings|chat\/.*|responses\/responses)|internal\/(?:parse|shims|request-options|realtime-credentials|auth\/x509-credential-options|qs\/stringify|utils\/(?:abort|base64|uuid)))\.mjs$/,
    // Responses are read as they came, or as JSON; the adapter reads streams.
    unreached: `
      withOptions withResponse generate makeStatusError retryRequest shouldRetry calculateDefaultRetryTimeoutMillis
      requestAPIList getAPIList uuid4 defaultIdempotencyKey get patch put delete stringify CancelReadableStream ReadableStreamFrom
      Completions.parse Completions.stream Completions.runTools Completions.retrieve Completions.update Completions.list
      Responses.parse Responses.stream Responses.retrieve Responses.cancel Responses.compact toFloat32Array
      addRequestAbortListener retainRequestAbortCallback
      _buildWebSocketHeaders adminAPIKeyAuth _hasApiKeyProvider getDeferredRealtimeAPIKeyCache validateCapturedAPIKey
      readX509ResponseError _OpenAI_sanitizeLogValue _OpenAI_isSensitiveLogKey _OpenAI_sanitizeLogger`,
    absent: `
      readEnv customHeadersEnv loggerFor logger logLevel responseInfo requestLogID retryLogStr getPlatformHeaders
      x509Authentication x509Identity usesX509Identity x509Transport x509Tenant x509Headers x509ClientFetchOptions
      x509RequestFetchOptions rejectedX509Credential isX509WorkloadIdentity _OpenAI_x509Authentication _OpenAI_x509Credential
      _OpenAI_x509Fetch X509WorkloadIdentityAuth OAuthError SubjectTokenProviderError workloadIdentity _workloadIdentityAuth legacy credential adminAPIKey webhookSecret
      provider providerRuntime _provider providerAuthStartedAt providerAuthTimeout context
      residencyBaseURL _OpenAI_explicitDataResidency isRunningInBrowserOrBrowserWorker
      hasUploadableValue finalizeStreamingFormRequestOptions finalizedMultipart isReadableStream isRetryableBody
      stopObserving observers captureResponseParser continueRequest helperMethod idempotencyHeader
      getConnectionErrorMessage transportCause normalizeChatCompletionStream addOutputText
      decisions OpenAI.completions Uploads files images contentProvenanceChecks audio moderations models fineTuning graders vectorStores
      safety webhooks beta batches uploads admin live realtime conversations evals containers skills videos
      Completions.messages Responses.inputItems Responses.inputTokens`,
    never: [
      "!response.ok",
      "retriesRemaining && …",
      "baseURL.includes('?')",
      "!isEmptyObj(baseQuery) …",
      "typeof query === 'object' …",
      "!body",
      "ArrayBuffer.isView(body) …",
      "typeof body === 'object' …",
      "props.options.stream",
    ],
  },
  {
    name: "@anthropic-ai/sdk",
    files:
      /^(?:client|core\/(?:api-promise|error|middleware)|lib\/(?:internal\/messages-request|credentials\/credential-chain)|resources\/messages\/messages|internal\/(?:parse|shims|qs\/stringify))\.mjs$/,
    // Responses are taken as they came: the adapter reads streams.
    unreached: `
      withOptions withResponse generate makeStatusError retryRequest shouldRetry calculateDefaultRetryTimeoutMillis
      requestAPIList getAPIList get patch put delete stringify CancelReadableStream ReadableStreamFrom
      _thenUnwrap APIPromise.parse defaultParseResponse addResponseIDs _responseProps makeTracedRequest applyMiddleware
      isRetryableError calculateNonstreamingTimeout _calculateNonstreamingTimeout
      Messages.parse Messages.stream Messages.countTokens
      _resolveDefaultCredentials resolveCredentialsFromConfig _credentialResolverOptions _applyCredentialBaseURL _credentialsFetch _makeTokenCache _authFlags`,
    absent: `
      readEnv customHeadersEnv loggerFor debugLogRequestDetails logger logLevel responseInfo requestLogID retryLogStr logCtx
      getPlatformHeaders isRunningInBrowser _tracer _BaseAnthropic_openTelemetry
      openTelemetry __span span scope _instrumentationScope recordMessagesCreateRequest stainlessHelperHeader
      env inherited credentials tokenCache resolution authToken _BaseAnthropic_apiKeyFunction webhookKey
      hasMiddleware requestMiddleware Messages.batches`,
    never: [
      "!response.ok",
      "retriesRemaining",
      "!isEmptyObj(defaultQuery) …",
      "typeof query === 'object' …",
      "!body",
      "ArrayBuffer.isView(body) …",
      "typeof body === 'object' …",
      "!body.stream …",
    ],
  },
  {
    name: "@pinecone-database/pinecone",
    files:
      /^dist\/(?:control|data|errors|utils|.*\/(?:apis|runtime|models\/(?:IndexModel|TypedIndexSchemaField)))/,
    commonJs: true,
    twin: { file: "db_data/runtime.js", of: "../db_control/runtime.js", but: /^exports\.BASE_PATH = .*$/m },
    calls: {
      in: /\/apis\/\w+Api\.js$/,
      methods:
        /^(?:describeIndex|queryVectors|upsertVectors|fetchVectors|deleteVectors|describeIndexStats)(?:Raw)?$/,
    },
    // An index described, and its vectors written, queried, fetched, deleted and counted. Of a description the dimension and
    // the metric are read, if it tells them.
    unreached: `
      mapHttpStatusError extractMessage isRetryableResponse calculateRetryDelay delay
      withMiddleware withPreMiddleware withPostMiddleware clone additionalHeadersMiddleware querystring provideHostUrl
      deriveVectorType deriveSpec deriveEmbed deriveLegacyReadCapacity failure formatDeriveFailure
      deleteOne listPaginated fetchByMetadata update upsertRecords searchRecords
      startImport listImports describeImport cancelImport
      createNamespace listNamespaces describeNamespace deleteNamespace
      upsertDocuments searchDocuments fetchDocuments deleteDocuments listDocuments updateDocuments`,
    absent: `
      PINECONE_DEBUG PINECONE_DEBUG_CURL isEdge sourceTag caller username password accessToken credentials validator
      IndexHostSingleton documents _deleteOne _listPaginated _fetchByMetadataCommand _updateCommand _upsertRecordsCommand
      _searchRecordsCommand _startImportCommand _listImportsCommand _describeImportCommand _cancelImportCommand
      _createNamespaceCommand _listNamespacesCommand _describeNamespaceCommand _deleteNamespaceCommand
      bulkApiProvider namespaceApiProvider documentApiProvider
      IndexDeploymentFromJSON ReadCapacityResponseFromJSON BooleanFieldFromJSONTyped FloatFieldFromJSONTyped
      IntegerFieldFromJSONTyped ResponseStringFieldFromJSONTyped SparseVectorFieldFromJSONTyped StringListFieldFromJSONTyped`,
    never: ["requestParameters.… === null || …"],
  },
  {
    name: "hono",
    files: /^dist\/(?:hono-base|context|request)\.js$/,
    // Routes, middleware, and what the app asks a request for; it makes responses by itself.
    unreached: `
      Hono.#clone Hono.basePath Hono.route Hono.mount Hono.request Hono.fire
      Context.#newResponse Context.newResponse Context.body Context.text Context.json Context.html Context.redirect Context.notFound Context.render
      Context.setLayout Context.getLayout Context.setRenderer Context.status Context.var Context.event
      HonoRequest.query HonoRequest.queries HonoRequest.parseBody HonoRequest.#cachedBody HonoRequest.json HonoRequest.text
      HonoRequest.arrayBuffer HonoRequest.bytes HonoRequest.blob HonoRequest.formData HonoRequest.addValidatedData
      HonoRequest.valid HonoRequest.matchedRoutes HonoRequest.routePath`,
    absent: "Context.#layout Context.#renderer HonoRequest.#validatedData HonoRequest.bodyCache",
    never: [],
  },
];

export function slimSdks(): Plugin {
  const sdks = SDKS.map((sdk) => ({ ...sdk, rules: rulesOf(sdk), met: new Set<string>(), read: false }));
  return {
    name: "slim-sdks",
    load: {
      filter: { id: new RegExp(`node_modules/(${SDKS.map(({ name }) => name).join("|")})/.*\\.m?js$`) },
      async handler(path) {
        const sdk = sdks.find(({ name }) => path.includes(`node_modules/${name}/`));
        if (!sdk) return undefined;
        sdk.read = true;
        const { name, files, commonJs, twin, calls, rules, met } = sdk;
        const source = await readFile(path, "utf8");
        if (twin && path.endsWith(twin.file)) {
          const other = await readFile(join(dirname(path), twin.of), "utf8");
          if (stripped(source, twin.but) === stripped(other, twin.but)) return `export * from "${twin.of}";`;
          throw new Error(`${path} is no longer the same as ${twin.of}.`);
        }
        const code = commonJs ? asModule(source) : source;
        const called = calls?.in.test(path) ? { called: calls.methods } : {};
        const ours = files.test(path.slice(path.indexOf(name) + name.length + 1));
        return { code: ours ? without(code, { ...rules, ...called }, met) : code, moduleSideEffects: false };
      },
    },
    buildEnd(error) {
      if (error) return;
      for (const { name, rules, met, read } of sdks) {
        const idle = Object.values(rules).flatMap((found) => [...found].filter((rule) => !met.has(rule)));
        if (read && idle.length > 0) throw new Error(`Not found in ${name}: ${idle.join(", ")}.`);
      }
    },
  };
}

function rulesOf({
  unreached,
  absent,
  never,
}: Sdk): Record<"unreached" | "absent" | "never", ReadonlySet<string>> {
  return { unreached: words(unreached), absent: words(absent), never: new Set(never) };
}

function words(names: string): ReadonlySet<string> {
  return new Set(names.trim().split(/\s+/));
}

/** The code without comments and the lines in which it may differ. */
function stripped(source: string, but: RegExp): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replace(but, "");
}
