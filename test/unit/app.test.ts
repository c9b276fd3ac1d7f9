import { describe, expect, it, vi } from "vitest";
import { makeApp } from "../../workers/app.ts";
import type { LaterSurface, Surface } from "../../workers/surfaces/surface.ts";

function surface(name: string, path: string): Surface {
  return { name, routes: [{ method: "GET", path, handle: () => new Response(name) }] };
}

function open(surfaces: readonly (Surface | LaterSurface)[]) {
  const app = makeApp({
    surfaces,
    host: { fetch, secret: () => undefined, now: Date.now, log: () => undefined },
    allowedOrigins: async () => [],
  });
  return async (path: string) => {
    const response = await app.fetch(new Request(`http://here.test${path}`));
    return { status: response.status, body: await response.text() };
  };
}

describe("a surface that is loaded later", () => {
  it("is loaded by the first request under its paths, once", async () => {
    const load = vi.fn<LaterSurface["load"]>(async () => surface("late", "/late/one"));
    const get = open([surface("early", "/early"), { under: ["/late/"], load }]);
    expect(await get("/early")).toEqual({ status: 200, body: "early" });
    expect(load).not.toHaveBeenCalled();
    expect(await get("/late/one")).toEqual({ status: 200, body: "late" });
    expect((await get("/late/one?again")).status).toBe(200);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("serves requests that come while it is loaded", async () => {
    const get = open([{ under: ["/late/"], load: async () => surface("late", "/late/:id") }]);
    const answers = await Promise.all([get("/late/1"), get("/late/2"), get("/late/3")]);
    expect(answers.map(({ body }) => body)).toEqual(["late", "late", "late"]);
  });

  it("leaves what was served before as it was", async () => {
    const get = open([{ under: ["/late"], load: async () => surface("late", "/late") }, surface("a", "/a")]);
    await get("/late");
    expect([(await get("/a")).body, (await get("/nothing")).status]).toEqual(["a", 404]);
  });

  it("is refused with a path outside of those that load it: it would be found by chance", async () => {
    const get = open([{ under: ["/late"], load: async () => surface("late", "/other") }]);
    expect((await get("/late")).status).toBe(500);
  });
});
