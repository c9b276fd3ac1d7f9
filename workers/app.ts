import type { Context } from "hono";
import { HonoBase } from "hono/hono-base";
import type { Result, Router } from "hono/router";
import { TrieRouter } from "hono/router/trie-router";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Host } from "../shared/ports/host.ts";
import { withHeaders } from "./headers.ts";
import { coded, problemResponse } from "./problem.ts";
import type { LaterSurface, Route, Surface } from "./surfaces/surface.ts";
import { urlOf } from "./url.ts";

export interface AppDeps {
  readonly surfaces: readonly (Surface | LaterSurface)[];
  readonly host: Host;
  /** Origins whose pages may call, besides the Worker's own. Asked only when a foreign Origin header arrives. */
  allowedOrigins(): Promise<readonly string[]>;
  /** A check that every request has to pass, whatever it asks for. @throws QuaysideError. */
  readonly guard?: (request: Request) => void;
}

interface AppEnv {
  Variables: { requestId: string };
}

const METHODS = ["GET", "POST", "PUT", "DELETE"];

const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, POST, PUT, DELETE",
  "access-control-allow-headers": "authorization, content-type, accept",
  "access-control-max-age": "600",
} as const;

/** Serves every surface behind one origin check, one error mapping and one set of headers. */
export function makeApp(deps: AppDeps): { fetch(request: Request): Promise<Response> } {
  // In the order given, those that are still to be loaded among them.
  const slots = [...deps.surfaces];
  const loaded = (): readonly Surface[] => slots.filter((slot) => "routes" in slot);
  let app = mount(loaded(), deps);

  /** Loads what has routes under the path, and mounts it. */
  const load = async (path: string): Promise<void> => {
    const found = slots.flatMap((slot, at) =>
      "load" in slot && slot.under.some((start) => path.startsWith(start)) ? [{ slot, at }] : [],
    );
    if (found.length === 0) return;
    for (const { slot, at } of found) {
      const surface = await slot.load();
      const stray = surface.routes.find((route) => !slot.under.some((start) => route.path.startsWith(start)));
      if (stray) throw new QuaysideError("internal", `${stray.path} is not under the paths of its surface.`);
      slots[at] = surface;
    }
    app = mount(loaded(), deps);
  };

  return {
    async fetch(request) {
      try {
        await load(pathOf(request.url));
        return await app.fetch(request);
      } catch {
        // Hono passes on what is thrown and is no Error; no code of ours does that.
        return problemResponse(new QuaysideError("internal", "An unexpected failure."), crypto.randomUUID());
      }
    },
  };
}

/** The path as it stands in a URL that has one, undecoded. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start < 0 ? "/" : url.slice(start);
}

function mount(surfaces: readonly Surface[], deps: AppDeps): HonoBase<AppEnv> {
  // The one of its routers that takes all our paths: `Hono` would try another first, and bring it along.
  const app = new HonoBase<AppEnv>({ router: onceMatched(new TrieRouter()) });

  app.use(async (c, next) => {
    const id = crypto.randomUUID();
    c.set("requestId", id);
    await next();
    // Set anew only where it is another: that copies it once more.
    const response = withHeaders(c.res, id);
    if (response !== c.res) c.res = response;
  });

  app.use(async (c, next) => {
    deps.guard?.(c.req.raw);
    const origin = c.req.header("origin");
    if (origin === undefined || origin === urlOf(c.req.raw).origin) return next();
    if (!(await deps.allowedOrigins()).includes(origin)) {
      throw new QuaysideError("origin_not_allowed", "This origin is not in surfaces.allowedOrigins.");
    }
    const preflight =
      c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
    if (preflight) c.res = new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
    else await next();
    c.header("access-control-allow-origin", origin);
    c.header("access-control-expose-headers", "x-request-id, retry-after");
    c.header("vary", "Origin", { append: true });
  });

  const routes = surfaces.flatMap((surface) => surface.routes);
  for (const route of routes) app.on(route.method, route.path, (c) => call(route, c));
  // Only what no route above has taken comes here: the path is right, the method is not.
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map((route) => route.method);
    const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
    app.all(path, (c) => {
      if (c.req.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
      const error = new QuaysideError("method_not_allowed", "This path does not take this method.");
      const response = problemResponse(error, c.get("requestId"));
      response.headers.set("allow", allow);
      return response;
    });
  }
  app.notFound((c) => problemResponse(new QuaysideError("not_found", "No such path."), c.get("requestId")));

  app.onError((thrown, c) => {
    const error = coded(thrown);
    const id = c.get("requestId");
    if (error.code === "internal") {
      deps.host.log({ level: "error", event: "request-failed", requestId: id, kind: nameOf(error.cause) });
    }
    return problemResponse(error, id);
  });

  return app;
}

/** Paths without parameters match alike each time, and most requests are for one of them: the trie is searched once for each. */
function onceMatched<T>(router: Router<T>): Router<T> {
  const plain = new Set<string>();
  const matched = new Map<string, Result<T>>();
  return {
    name: router.name,
    add(method, path, handler) {
      if (!/[:*{?]/.test(path)) plain.add(path);
      router.add(method, path, handler);
    },
    match(method, path) {
      if (!plain.has(path)) return router.match(method, path);
      const key = `${method} ${path}`;
      const result = matched.get(key) ?? router.match(method, path);
      // Methods that no route names are not remembered: a caller may make them up.
      if (METHODS.includes(method)) matched.set(key, result);
      return result;
    },
  };
}

function call(route: Route, c: Context<AppEnv>): Promise<Response> | Response {
  const request = c.req.raw;
  return route.handle({
    request,
    // Few routes look at it.
    get url() {
      return urlOf(request);
    },
    params: c.req.param(),
    requestId: c.get("requestId"),
  });
}

/** The class of an unexpected error, never its message: that may hold anything. */
function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause;
}
