import * as z from "zod/mini";
import type { Ask } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { ReadRows } from "../answer/read-row.ts";
import type { Retrieve } from "../answer/retrieve.ts";
import { coded, problemResponse } from "../problem.ts";
import { readJson } from "./body.ts";
import { enter, requireAsk, type EnterDeps } from "./enter.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface McpDeps extends EnterDeps {
  readonly ask: Ask;
  readonly retrieve: Retrieve;
  readonly readRows: ReadRows;
  readonly host: Pick<Host, "log" | "now">;
  /** Issuers whose access tokens are taken: `OIDC_ISSUER`. */
  readonly issuers: readonly string[];
}

const MCP = "/mcp";
/** RFC 9728, section 3.1: the resource's path follows the well-known one; some clients ask without it. */
const METADATA = "/.well-known/oauth-protected-resource";

/**
 * The Model Context Protocol over Streamable HTTP, stateless: tools and resources for agents. Protocol and tools
 * are loaded by the first request. Here is what comes before them: who is asking, how much, and where a client finds out how
 * to sign in (RFC 9728).
 */
export function mcpSurface(deps: McpDeps): Surface {
  const metadata = (path: string): Route => ({
    method: "GET",
    path,
    handle: ({ url }) => describeResource(deps, url),
  });
  return {
    name: "mcp",
    routes: [
      {
        method: "POST",
        path: MCP,
        doc: { summary: "Call tools and read resources by the Model Context Protocol", scope: "ask" },
        handle: (call) => handle(deps, call),
      },
      metadata(METADATA),
      metadata(`${METADATA}${MCP}`),
    ],
  };
}

function describeResource({ issuers }: McpDeps, url: URL): Response {
  if (issuers.length === 0) throw new QuaysideError("not_found", "There is no identity provider here.");
  return Response.json({
    resource: `${url.origin}${MCP}`,
    authorization_servers: issuers,
    bearer_methods_supported: ["header"],
  });
}

/** Methods that search or ask: they count against the caller's limits. What only opens a connection does not. */
const COUNTED = ["tools/call", "resources/read"];

const nothing = (): void => undefined;
const UNCOUNTED: McpDeps["limiter"] = { enter: () => nothing };

const methodOf = z.object({ method: z.string() });

async function handle(deps: McpDeps, call: Call): Promise<Response> {
  let leave = nothing;
  try {
    const caller = await enter({ ...deps, limiter: UNCOUNTED }, call.request);
    ({ leave } = caller);
    requireAsk(caller.principal);
    const message = await readJson(call.request, caller.limits.bodyBytes);
    // The protocol has had none since 2025-06-18; a list would also be many calls for the price of one.
    if (Array.isArray(message)) {
      leave();
      return rpcError(400, -32_600, "Batches are not taken.");
    }
    const { success, data } = methodOf.safeParse(message);
    if (success && COUNTED.includes(data.method)) {
      const left = deps.limiter.enter(caller.principal, caller.limits);
      leave = () => {
        caller.leave();
        left();
      };
    }
    const { answerMessage } = await import("./mcp-server.ts");
    return await answerMessage(deps, call, caller, message, leave);
  } catch (thrown) {
    leave();
    return refusal(coded(thrown), deps, call);
  }
}

/** Failures before the protocol's own: HTTP statuses, with where to sign in. */
function refusal(error: QuaysideError, { issuers }: McpDeps, call: Call): Response {
  if (error.code === "internal") throw error;
  if (error.code === "malformed_json") return rpcError(400, -32_700, "The body is not JSON.");
  const response = problemResponse(error, call.requestId);
  const { status, headers } = response;
  if (status === 401 && issuers.length > 0) {
    const sent = call.request.headers.has("authorization") ? ', error="invalid_token"' : "";
    const where = `${call.url.origin}${METADATA}${MCP}`;
    headers.set("www-authenticate", `Bearer resource_metadata="${where}"${sent}`);
  }
  if (error.code === "forbidden") {
    headers.set("www-authenticate", 'Bearer error="insufficient_scope", scope="ask"');
  }
  return response;
}

function rpcError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status });
}
