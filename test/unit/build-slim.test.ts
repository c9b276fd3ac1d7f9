import Anthropic from "@anthropic-ai/sdk";
import { Pinecone } from "@pinecone-database/pinecone";
import { OpenAI as WholeOpenAI } from "openai";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import { describe, expect, it } from "vitest";
import { describeIndex, Index, indexOperationsBuilder } from "../../shared/indexes/pinecone-sdk.ts";
import { OpenAI } from "../../shared/openai-sdk.ts";
import { slimSdks } from "../../workers/build-slim.ts";
import { asModule, without } from "../../workers/build-slim-edits.ts";
import { BaseAnthropic, Messages } from "../../workers/providers/anthropic-sdk.ts";

const names = (text: string) => new Set(text.split(" "));

function left(source: string, rules: { unreached?: string; absent?: string; never?: string[] }): string {
  const never = new Set(rules.never);
  return without(
    source,
    { unreached: names(rules.unreached ?? ""), absent: names(rules.absent ?? ""), never },
    new Set(),
  );
}

describe("what is left out of a source", () => {
  it("is the body of a function that no call reaches: it throws", () => {
    expect(left("function a() { big(); } function b() {}", { unreached: "a" })).toBe(
      'function a() { throw new Error("left out: a"); } function b() {}',
    );
  });

  it("is a method, in one class or in all", () => {
    const source = "class A { x() {} y() {} }\nclass B { x() {} y() {} }";
    expect(left(source, { unreached: "A.x y" })).toBe("class A {   }\nclass B { x() {}  }");
  });

  it("is a value that is not there: `undefined` where it is read, in no place where it is set", () => {
    expect(left("this.key = make(); use(this.key, key?.part, { key }, { key: 1 });", { absent: "key" })).toBe(
      "; use((void 0), (void 0), { key: void 0 }, { key: 1 });",
    );
    expect(left("const { key, other = key } = options; const auth = key.make();", { absent: "key" })).toBe(
      "const { key, other = (void 0) } = options; const auth = (void 0).make();",
    );
    expect(left("a instanceof Gone; logger(a).info(b()); gone();", { absent: "Gone logger gone" })).toBe(
      "false; ; ;",
    );
  });

  it("is what a condition that never holds would do: it throws", () => {
    expect(left("if (!ok && rest) { big(); } else b();", { never: ["!ok …"] })).toBe(
      'if (!ok && rest) { throw new Error("left out: !ok "); } else b();',
    );
    expect(left("if (!ok) big();", { never: ["!ok …"] })).toBe("if (!ok) big();");
  });

  it("is what hangs on a class for whoever does not import it", () => {
    expect(left("A.Failure = Failure; A.Other = errors.Other; A.LIMIT = 1; a.name = b.name;", {})).toBe(
      "; ; A.LIMIT = 1; a.name = b.name;",
    );
  });
});

describe("a module of CommonJS", () => {
  it("is made an ES module", () => {
    const source = [
      '"use strict";',
      'Object.defineProperty(exports, "__esModule", { value: true });',
      "exports.Kind = exports.LIMIT = void 0;",
      "exports.make = make;",
      'const errors_1 = require("./errors");',
      "exports.LIMIT = 3;",
      'Object.defineProperty(exports, "Kind", { enumerable: true, get: function () { return errors_1.Kind; } });',
      "function make() { return (0, errors_1.fail)(exports.LIMIT); }",
    ].join("\n");
    expect(asModule(source).trim().split("\n").filter(Boolean)).toEqual([
      "export { make as make };",
      'import * as errors_1 from "./errors";',
      "export const LIMIT = 3;",
      'export { Kind as Kind } from "./errors";',
      "function make() { return errors_1.fail(LIMIT); }",
    ]);
  });

  it("is refused in a form that TypeScript does not print", () => {
    expect(() => asModule("module.exports = { a: 1 };")).toThrow("not as TypeScript prints it");
  });
});

it("a build fails when there is nothing of what is to be left out", async () => {
  const input = fileURLToPath(new URL("../../node_modules/openai/core/error.mjs", import.meta.url));
  await expect(build({ input, plugins: [slimSdks()], write: false })).rejects.toThrow(
    /Not found in openai: .*\bretryRequest\b/,
  );
});

interface Told {
  readonly sent: readonly unknown[];
  readonly outcome: unknown;
}

/** What a call sends and what becomes of it; without the headers that tell what the SDK runs on, which the slim one leaves out. */
async function told(
  call: (fetch: typeof globalThis.fetch) => Promise<unknown>,
  answer: () => Response,
): Promise<Told> {
  const sent: unknown[] = [];
  const outcome = await call(async (input, init) => {
    const request = new Request(input, init);
    const headers = [...request.headers].filter(([name]) => !/^x-stainless-(?!retry|timeout)/.test(name));
    sent.push([request.method, request.url, headers, await request.text()]);
    return answer();
  }).catch((error: unknown) => error);
  return { sent, outcome: outcome instanceof Error ? described(outcome) : JSON.stringify(outcome) };
}

function described(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return { kind: error.constructor.name, message: error.message, cause: described(error.cause) };
}

const text = (response: Response): Promise<string> => response.text();
const signal = new AbortController().signal;
const ANSWERS: readonly (readonly [string, () => Response])[] = [
  [
    "an answer",
    () =>
      Response.json({
        data: [{ index: 0, embedding: [1] }],
        matches: [{ id: "a", score: 0.5 }],
        vectors: { a: { id: "a", values: [1], metadata: { b: 1 } } },
        namespaces: { a: { vectorCount: 2 } },
        usage: { readUnits: 1 },
        upsertedCount: 1,
      }),
  ],
  ["an empty answer", () => new Response("", { headers: { "content-type": "application/json" } })],
  ["no JSON", () => new Response("{", { headers: { "content-type": "application/json" } })],
  [
    "a failure",
    () => {
      throw new Error("no connection", { cause: new TypeError("refused") });
    },
  ],
  [
    "a failure that looks like a timeout",
    () => {
      throw new Error("The call timed out.");
    },
  ],
  [
    "an abort",
    () => {
      throw new DOMException("stopped", "AbortError");
    },
  ],
];

describe.each(ANSWERS)("a slim SDK does what the whole one does: %s", (_, answer) => {
  const config = { baseURL: "https://a.test/v1", maxRetries: 0, logLevel: "off" } as const;
  const message = { role: "user", content: "x" } as const;

  it.each<[string, (client: WholeOpenAI) => Promise<unknown>]>([
    [
      "embeddings",
      (to) => to.embeddings.create({ model: "m", input: ["x"], encoding_format: "base64" }, { signal }),
    ],
    [
      "chat completions",
      (to) =>
        to.chat.completions
          .create({ model: "m", messages: [message], stream: true }, { signal })
          .asResponse()
          .then(text),
    ],
    [
      "responses",
      (to) =>
        to.responses.create({ model: "m", input: "x", stream: true }, { signal }).asResponse().then(text),
    ],
  ])("OpenAI, %s", async (_, call) => {
    for (const more of [
      {},
      { defaultHeaders: { authorization: null } },
      { organization: null, project: null },
    ]) {
      const slim = await told(
        (fetch) => call(new OpenAI({ apiKey: "k", ...config, ...more, fetch })),
        answer,
      );
      const whole = await told(
        (fetch) => call(new WholeOpenAI({ apiKey: "k", ...config, ...more, fetch })),
        answer,
      );
      expect(slim).toEqual(whole);
      expect(slim.sent).toHaveLength(1);
    }
  });

  it("Anthropic, messages", async () => {
    const body = { model: "m", max_tokens: 9, system: "s", messages: [message], stream: true as const };
    const options = { apiKey: "k", authToken: null, ...config, openTelemetry: false } as const;
    const slim = await told((fetch) => {
      const client = new Messages(new BaseAnthropic({ ...options, fetch }));
      return client.create(body, { signal }).asResponse().then(text);
    }, answer);
    const whole = await told((fetch) => {
      const client = new Anthropic({ ...options, fetch });
      return client.messages.create(body, { signal }).asResponse().then(text);
    }, answer);
    expect(slim).toEqual(whole);
    expect(slim.sent).toHaveLength(1);
  });

  it.each<[string, (index: Index) => Promise<unknown>]>([
    ["query", (index) => index.query({ vector: [1], topK: 2, filter: { a: { $in: ["b"] } } })],
    ["upsert", (index) => index.upsert({ records: [{ id: "a", values: [1], metadata: { b: "c" } }] })],
    ["fetch", (index) => index.fetch({ ids: ["a", "b c"] })],
    ["delete", (index) => index.deleteMany({ ids: ["a"] })],
    ["delete all", (index) => index.deleteAll()],
    ["stats", (index) => index.describeIndexStats()],
  ])("Pinecone, %s", async (_, call) => {
    const target = { host: "https://a.test", namespace: "n" };
    const options = { apiKey: "k", maxRetries: 0 };
    const slim = await told((fetchApi) => call(new Index(target, { ...options, fetchApi })), answer);
    const whole = await told(
      (fetchApi) => call(new Pinecone({ ...options, fetchApi }).index(target)),
      answer,
    );
    expect(slim).toEqual(whole);
    expect(slim.sent).toHaveLength(1);
  });
});

const deployment = { deployment_type: "managed", cloud: "aws", region: "eu-west-1" };
const DENSE = { type: "dense_vector", dimension: 3, metric: "dotproduct" };
const INDEXES: Readonly<Record<string, unknown>> = {
  "of vectors": { _values: DENSE },
  "of both kinds of vectors": { _values: DENSE, _sparse_values: { type: "sparse_vector" } },
  "of sparse vectors": { _sparse_values: { type: "sparse_vector" } },
  "of documents": { a: DENSE, b: { type: "string", full_text_search: {} }, c: { type: "integer" } },
  "of documents with two vectors": { a: DENSE, b: DENSE },
  "with a model": { a: { type: "semantic_text", model: "m", dimension: 5, metric: "cosine" } },
  "with a model that tells nothing": { a: { type: "semantic_text", model: "m" } },
  "with metadata": { _values: DENSE, a: { filterable: true } },
  "with a field of an unknown type": { _values: DENSE, a: { type: "new" } },
  "without fields": {},
};

type Described = { readonly host: string; readonly dimension?: number; readonly metric?: string };

function read(index: Described): unknown {
  return [() => index.host, () => index.dimension, () => index.metric].map((get) => {
    try {
      return get();
    } catch {
      return "not told";
    }
  });
}

it.each(Object.entries(INDEXES))(
  "a slim SDK tells of an index what the whole one does: %s",
  async (_, fields) => {
    const answer = () =>
      Response.json({
        name: "i",
        host: "i.test",
        status: { ready: true },
        deployment,
        schema: { fields },
      });
    const options = { apiKey: "k", maxRetries: 0, controllerHostUrl: "https://c.test" };
    const slim = await told(
      async (fetchApi) => read(await describeIndex(indexOperationsBuilder({ ...options, fetchApi }), "i")),
      answer,
    );
    const whole = await told(
      async (fetchApi) => read(await new Pinecone({ ...options, fetchApi }).describeIndex("i")),
      answer,
    );
    expect(slim).toEqual(whole);
    expect(slim.sent).toHaveLength(1);
  },
);
