import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import * as z from "zod/mini";

/**
 * What the vendor stubs share: a real HTTP server on loopback that records every byte it receives and misbehaves on demand.
 * Control while running: `POST /__fault` with a `Fault` (an empty body: none), `GET /__calls`, `POST /__reset`.
 */

/** A way to misbehave, for some of the calls made from now on. */
export interface Fault {
  readonly mode: string;
  /** The first call that it strikes, counted from 1; default 1. */
  readonly fromCall?: number | undefined;
  /** How many calls it strikes; default all. */
  readonly calls?: number | undefined;
  /** Only calls whose path ends with this are counted and struck. */
  readonly path?: string | undefined;
  /** Only calls whose body holds this are counted and struck. */
  readonly body?: string | undefined;
  /** For modes that spoil texts: only those that hold this. */
  readonly only?: string | undefined;
  /** For slow modes, in milliseconds. */
  readonly ms?: number | undefined;
  /** For mode `obey`: a model that says `say` whenever its prompt holds `trigger`. */
  readonly obey?: readonly { readonly trigger: string; readonly say: string }[] | undefined;
}

const faultSchema = z.object({
  mode: z.string(),
  from_call: z.optional(z.number()),
  calls: z.optional(z.number()),
  path: z.optional(z.string()),
  body: z.optional(z.string()),
  ms: z.optional(z.number()),
  only: z.optional(z.string()),
  obey: z.optional(z.array(z.object({ trigger: z.string(), say: z.string() }))),
});

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Call extends Exchange {
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
  readonly fault: Fault | undefined;
  /** True when the fault's mode is this. */
  is(mode: string): boolean;
}

export interface Vendor {
  /** A response that refuses the call; undefined when its credentials are right. */
  refuse(call: Exchange): { readonly status: number; readonly body: unknown } | undefined;
  /** The vendor's own form of an error. */
  errorBody(status: number, kind: string): unknown;
  handle(call: Call): void | Promise<void>;
}

export interface Stub extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string;
  /** Every call, in order. */
  readonly exchanges: readonly Exchange[];
  fault(fault: Fault | undefined): void;
  /** Resolves once a client has left a response before its end, now or earlier (since the last reset). */
  left(): Promise<void>;
  reset(): void;
}

/** Waits until the client leaves: a response that never comes, or never goes on. */
export function hang(call: Call): Promise<void> {
  return new Promise((resolve) => {
    call.response.on("close", resolve);
  });
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Sends JSON, or what a JSON fault makes of it. */
export function sendJson(
  call: Call,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const { response } = call;
  const body = Buffer.from(JSON.stringify(value));
  if (call.is("json_truncated")) {
    response.writeHead(status, { "content-type": "application/json", "content-length": body.byteLength });
    response.write(body.subarray(0, body.byteLength >> 1), () => response.socket?.destroy());
  } else if (call.is("json_garbage")) {
    response.writeHead(status, { "content-type": "application/json" }).end('{"id": "x", "data": [{]');
  } else if (call.is("json_huge")) {
    response.writeHead(status, { "content-type": "application/json" });
    flood(response, Buffer.alloc(1 << 20, 0x20), 200);
  } else if (call.is("gzip_bomb")) {
    const bomb = gzipSync(Buffer.alloc(64 << 20, 0x20));
    response.writeHead(status, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
  } else {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
  }
}

function flood(response: ServerResponse, chunk: Buffer, times: number): void {
  if (times === 0 || response.destroyed) {
    response.end();
    return;
  }
  response.write(chunk, () => flood(response, chunk, times - 1));
}

export async function startStub(vendor: Vendor, port = 0): Promise<Stub> {
  let exchanges: Exchange[] = [];
  let fault: Fault | undefined;
  let struck = 0;
  let departures = 0;
  let waiting: (() => void)[] = [];

  const server = createServer((request, response) => {
    response.on("close", () => {
      if (response.writableFinished) return;
      departures += 1;
      for (const resolve of waiting) resolve();
      waiting = [];
    });
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://stub");
    const body = await read(request);
    if (url.pathname.startsWith("/__")) {
      control(url.pathname, body, response);
      return;
    }
    const exchange: Exchange = {
      method: request.method ?? "GET",
      path: url.pathname,
      headers: request.headers,
      body,
    };
    exchanges.push(exchange);
    const active = strikes(exchange) ? fault : undefined;
    const call: Call = {
      ...exchange,
      query: url.searchParams,
      response,
      fault: active,
      is: (mode) => active?.mode === mode,
    };
    if (await misbehave(call, vendor)) return;
    const refusal = vendor.refuse(exchange);
    if (refusal) sendJson(call, refusal.status, refusal.body);
    else await vendor.handle(call);
  }

  function strikes({ path, body }: Exchange): boolean {
    if (!fault || (fault.path !== undefined && !path.endsWith(fault.path))) return false;
    if (fault.body !== undefined && !body.includes(fault.body)) return false;
    struck += 1;
    const from = Math.max(1, fault.fromCall ?? 1);
    if (fault.mode === "status_500_every_7th") return struck % 7 === 0;
    return struck >= from && struck < from + (fault.calls ?? Infinity);
  }

  function control(path: string, body: string, response: ServerResponse): void {
    if (path === "/__fault") stub.fault(body === "" ? undefined : parseFault(body));
    if (path === "/__reset") stub.reset();
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(path === "/__calls" ? exchanges : { ok: true }));
  }

  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  const stub: Stub = {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    get exchanges() {
      return exchanges;
    },
    fault(next) {
      fault = next;
      struck = 0;
    },
    left() {
      if (departures > 0) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    reset() {
      fault = undefined;
      struck = 0;
      exchanges = [];
      departures = 0;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return stub;
}

/** Runs a stub as a program: `npx node test/stubs/x.ts --port N`. */
export async function runStub(start: (port: number) => Promise<Stub>): Promise<void> {
  const at = process.argv.indexOf("--port");
  const { url } = await start(at < 0 ? 0 : Number(process.argv[at + 1]));
  process.stdout.write(`${url}\n`);
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}

function parseFault(body: string): Fault {
  const { from_call: fromCall, ...rest } = faultSchema.parse(JSON.parse(body));
  return { ...rest, fromCall };
}

/** A body in the form a vendor demands, or what is wrong with it, which quotes what was sent. */
export function parseBody<T>(
  schema: z.ZodMiniType<T>,
  body: string,
): { readonly input: T } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { problem: `We could not parse the JSON body of your request: ${body}` };
  }
  const result = schema.safeParse(value);
  if (result.success) return { input: result.data };
  const issue = result.error.issues[0];
  return {
    problem: `Invalid value at ${issue?.path.join(".")}: ${issue?.message}, in ${body.slice(0, 200)}`,
  };
}

function read(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}

const RETRY_AFTER: Readonly<Record<string, () => Record<string, string>>> = {
  status_429_retry_after_s: () => ({ "retry-after": "1" }),
  status_429_retry_after_date: () => ({ "retry-after": new Date(Date.now() + 1000).toUTCString() }),
  status_429_retry_after_ms: () => ({ "retry-after-ms": "300" }),
  status_429_far: () => ({ "retry-after": "3600" }),
  status_429_negative: () => ({ "retry-after": "-5" }),
  status_429_garbage: () => ({ "retry-after": "soon" }),
};

/** Faults that any HTTP service can have. True when the call was answered, or never will be. */
async function misbehave(call: Call, vendor: Vendor): Promise<boolean> {
  const { fault, response } = call;
  if (!fault) return false;
  if (fault.mode === "headers_never") {
    await hang(call);
    return true;
  }
  if (fault.mode === "slow_headers") await wait(fault.ms ?? 100);
  if (fault.mode === "reset") {
    response.socket?.resetAndDestroy();
    return true;
  }
  if (fault.mode === "redirect_302") {
    response.writeHead(302, { location: "http://169.254.169.254/" }).end();
    return true;
  }
  const [, digits] = /^(?:status|query|upsert|delete)_(\d{3})/.exec(fault.mode) ?? [];
  if (digits === undefined) return false;
  const status = Number(digits);
  if (fault.mode.endsWith("_html")) {
    response
      .writeHead(status, { "content-type": "text/html" })
      .end("<html><body>Please log in</body></html>");
    return true;
  }
  const kind = fault.mode.replace(/^[a-z]+_\d+_?/, "");
  sendJson(call, status, vendor.errorBody(status, kind), RETRY_AFTER[fault.mode]?.() ?? {});
  return true;
}
