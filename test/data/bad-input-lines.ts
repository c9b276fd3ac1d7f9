import * as z from "zod/mini";
import { hostile } from "./hostile.ts";

/** The sets of bad requests and hostile bodies, and what their lines say in the contract's own words. */

const repeat = z.object({ repeat: z.string(), times: z.number() });

export const requests = hostile(
  "http-bad-requests.jsonl",
  z.object({
    id: z.string(),
    surface: z.string(),
    name: z.string(),
    request: z.looseObject({
      method: z.optional(z.string()),
      headers: z.optional(z.record(z.string(), z.string())),
      json: z.optional(z.record(z.string(), z.unknown())),
      body: z.optional(z.string()),
      body_b64: z.optional(z.string()),
      json_gen: z.optional(z.record(z.string(), z.unknown())),
      gen_body: z.optional(repeat),
      path_suffix: z.optional(z.string()),
      auth: z.optional(z.nullable(z.string())),
    }),
    status: z.union([z.number(), z.string()]),
    code: z.nullable(z.union([z.string(), z.number()])),
  }),
);

export const bodies = hostile(
  "json-bodies.jsonl",
  z.object({
    id: z.string(),
    name: z.string(),
    class: z.enum(["must_accept", "must_reject", "either"]),
    body_b64: z.optional(z.string()),
    gen: z.optional(z.object({ repeat_b64: z.string(), times: z.number(), tail_b64: z.string() })),
  }),
);

export type BadRequest = NonNullable<typeof requests>[number];

/** Lines that ask for what is not built yet, for a shape that the contract does not have, or for what is shown elsewhere. */
const NOT_BUILT: Readonly<Record<string, string>> = {
  "hb-d-0031": "there are no budgets yet",
  "hb-d-0035": "POST /v1/ask takes no idempotency key; ingest runs will",
  "hb-d-0061": "there is no widget page yet",
  "hb-d-0052": "test/e2e/mcp.test.ts decides it: an issuer is needed",
  "hb-d-0058": "this server keeps no sessions, so a session's id means nothing (MCP 2026-07-28)",
  "hb-d-0064": "the clock can't be set from outside: test/workerd/identity.test.ts decides it",
  "hb-d-0065": "there is no widget page yet",
  "hb-d-0066": "there is no widget page yet",
  "hb-d-0067": "there are no signed re-ingest webhooks yet",
  "hb-d-0068": "there are no re-ingest runs over HTTP yet",
  "hb-d-0072": "POST /v1/erase takes {table, key} of the caller's own tenant; it can't name another's row",
};
/** What a line says in the contract's own fields: `provider` is the front of `model`, an index is a list of tables. */
const IN_OUR_FIELDS: Readonly<Record<string, Record<string, unknown>>> = {
  "hb-d-0004": { question: "x", tables: ["tenant-b-main"] },
  "hb-d-0005": { question: "x", tables: ["nope"] },
  "hb-d-0023": { question: "x", model: "skynet/any" },
  "hb-d-0024": { question: "How much does Ada Marchmont earn?", model: "openai/gpt-test", tables: ["pay"] },
  "hb-d-0025": { question: "x", model: "openai/gpt-1000" },
  "hb-d-0033": { question: "Why is the berth closed?", model: "openai/gpt-test" },
  "hb-d-0034": { question: "Why is the berth closed?", model: "openai/gpt-test" },
};
const PING = { jsonrpc: "2.0", id: 1, method: "ping" };
Object.assign(IN_OUR_FIELDS, {
  "hb-d-0056": { ...PING, method: "tools/call", params: { name: "fetch", arguments: { id: "pay:7" } } },
  "hb-d-0057": PING,
  "hb-d-0059": PING,
});
/** Codes that the contract folds into another one. */
export const IN_OUR_CODES: Readonly<Record<string, string | number>> = {
  "hb-d-0023": "unknown_model",
  // Arguments of the wrong type are told to the model, which can mend them (MCP 2025-11-25, "Tools: error handling").
  "hb-d-0054": "isError",
  "hb-d-0056": "not_found",
};

export function reasonNot(line: BadRequest): string | undefined {
  return NOT_BUILT[line.id];
}

/** Paths of the surfaces that the lines name. */
export const PATHS: Readonly<Record<string, string>> = {
  ask: "/v1/ask",
  forget: "/v1/erase",
  widget: "/v1/widget/tokens",
  openai: "/openai/v1/chat/completions",
  mcp: "/mcp",
};

export function bodyOf({ id, request }: BadRequest): string | Buffer<ArrayBuffer> | undefined {
  const ours = IN_OUR_FIELDS[id];
  if (ours) return JSON.stringify(ours);
  if (request.json) return JSON.stringify(request.json);
  if (request.body !== undefined) return request.body;
  if (request.body_b64 !== undefined) return Buffer.from(request.body_b64, "base64");
  if (request.gen_body) return request.gen_body.repeat.repeat(request.gen_body.times);
  if (!request.json_gen) return undefined;
  const turns = request.json_gen["messages_count"];
  if (typeof turns === "number") {
    const messages = Array.from({ length: turns }, () => ({ role: "user", content: "x" }));
    return JSON.stringify({ model: "quayside", messages });
  }
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(request.json_gen).map(([name, value]) => {
        const made = repeat.safeParse(value);
        return [name, made.success ? made.data.repeat.repeat(made.data.times) : value];
      }),
    ),
  );
}

export function bytesOf(body: NonNullable<typeof bodies>[number]): Buffer<ArrayBuffer> {
  if (!body.gen) return Buffer.from(body.body_b64 ?? "", "base64");
  const part = Buffer.from(body.gen.repeat_b64, "base64").toString("latin1");
  const tail = Buffer.from(body.gen.tail_b64, "base64").toString("latin1");
  return Buffer.from(part.repeat(body.gen.times) + tail, "latin1");
}
