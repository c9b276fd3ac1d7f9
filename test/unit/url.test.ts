import { expect, it } from "vitest";
import { urlOf } from "../../workers/url.ts";

it("takes a request's URL apart once, and each request's its own", () => {
  const first = new Request("https://example.com/a?key=1");
  const second = new Request("https://example.com/b");
  expect(urlOf(first)).toBe(urlOf(first));
  expect([urlOf(first).search, urlOf(second).pathname]).toEqual(["?key=1", "/b"]);
});
