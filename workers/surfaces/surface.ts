import type * as z from "zod/mini";
import type { Answerer } from "../thread/api.ts";

/**
 * A way to reach Quayside: HTTP API, page, admin, chat platforms. A surface verifies its caller, parses the request, calls
 * what it was given (`ask`, `search`, …) and renders the result; it never sees an environment, a provider or an index.
 * `workers/worker.ts` makes surfaces, `workers/app.ts` mounts their routes.
 */
export interface Surface {
  readonly name: string;
  readonly routes: readonly Route[];
  /** For surfaces that acknowledge first and answer later: what the thread of a message calls. */
  readonly answer?: Answerer;
}

/** A surface whose code is loaded by the first request under its paths, so that starting the Worker runs none of it. */
export interface LaterSurface {
  /** What all its routes' paths begin with. */
  readonly under: readonly string[];
  load(): Promise<Surface>;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Hono syntax, from the root: `/v1/erase/:id`. A GET route answers HEAD as well. */
  readonly path: string;
  /** What `/openapi.json` says about it; none for pages and their files. The build takes it out of the Worker. */
  readonly doc?: RouteDoc;
  /** Throws QuaysideError; `workers/app.ts` turns it into a problem document. */
  handle(call: Call): Promise<Response> | Response;
}

/** A schema, or what makes it: nothing but the API's description needs those of answers. */
export type Schema = z.ZodMiniType | (() => z.ZodMiniType);

export interface RouteDoc {
  /** One line, in the imperative. */
  readonly summary: string;
  /** The scope that a credential needs; undefined for routes that need none. */
  readonly scope?: string;
  /** JSON body, when it has one. */
  readonly body?: Schema;
  /** Bodies that are not JSON. */
  readonly bodyType?: string;
  /** The JSON of a success. */
  readonly answer?: Schema;
  /** Status of a success; default 200. */
  readonly status?: number;
}

/** One request as a route sees it. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Also in the response's `x-request-id`. */
  readonly requestId: string;
}
