import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface ConsoleDeps {
  /** The built page and the API's description: `workers/surfaces/console/dist`. */
  readonly assets: Fetcher;
  /** Serves the example portal too, and the description of what demo mode has. */
  readonly demo: boolean;
}

/** Path on the site → file among the assets, and its type (never left to guessing). */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["/index.html", "text/html; charset=utf-8"],
  "/page.js": ["/page.js", "text/javascript; charset=utf-8"],
  "/style.css": ["/style.css", "text/css; charset=utf-8"],
  "/favicon.svg": ["/favicon.svg", "image/svg+xml"],
  "/openapi.json": ["/openapi.json", "application/json"],
};

const DEMO: typeof FILES = {
  "/openapi.json": ["/openapi-demo.json", "application/json"],
  "/portal": ["/portal.html", "text/html; charset=utf-8"],
  "/portal.js": ["/portal.js", "text/javascript; charset=utf-8"],
  "/portal.css": ["/portal.css", "text/css; charset=utf-8"],
};

/** The widget is a script for other origins' pages, and there is nothing secret in it. */
const WIDGET = "/widget.js";

/**
 * What every file of the page carries. The page runs its own script and nothing else: no inline code, no other host, no form
 * target, no frame around it, and no way to turn a string into markup or script (Trusted Types without a single policy).
 */
export const CONSOLE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), display-capture=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * The page at `/` and its files, the API's description, and the widget. Script and style are named with their hash (`?v=`) and may be kept for good;
 * pages may not.
 */
export function consoleSurface({ assets, demo }: ConsoleDeps): Surface {
  const files = Object.entries({ ...FILES, ...(demo ? DEMO : {}) });
  const routes = files.map(([path, [file, type]]): Route => {
    return { method: "GET", path, handle: (call) => serve(assets, call, file, type) };
  });
  const widget: Route = {
    method: "GET",
    path: WIDGET,
    async handle(call) {
      const response = await serve(assets, call, WIDGET, "text/javascript; charset=utf-8");
      response.headers.set("cross-origin-resource-policy", "cross-origin");
      response.headers.set("access-control-allow-origin", "*");
      return response;
    },
  };
  return { name: "console", routes: [...routes, widget] };
}

async function serve(assets: Fetcher, call: Call, file: string, type: string): Promise<Response> {
  const headers = new Headers();
  const match = call.request.headers.get("if-none-match");
  if (match !== null) headers.set("if-none-match", match);
  const found = await assets.fetch(new URL(file, call.url), { method: call.request.method, headers });
  if (found.status !== 200 && found.status !== 304) {
    await found.body?.cancel();
    throw new QuaysideError("not_found", "The page has not been built: run npm run build.");
  }
  const out = new Headers(CONSOLE_HEADERS);
  const etag = found.headers.get("etag");
  if (etag !== null) out.set("etag", etag);
  out.set("content-type", type);
  const immutable = !file.endsWith(".html") && call.url.searchParams.has("v");
  out.set("cache-control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
  return new Response(found.body, { status: found.status, headers: out });
}
