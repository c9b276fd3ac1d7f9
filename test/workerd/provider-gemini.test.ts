import { expect, it } from "vitest";
import { gemini } from "../../workers/providers/gemini.ts";
import { ANSWER, collect, CONTENT, events, recorded } from "./recorded.ts";

it("gemini in workerd streams", async () => {
  const { host } = recorded({ GEMINI_API_KEY: "k" }, () => events(CONTENT));
  expect(await collect(gemini({}, host))).toEqual(ANSWER);
});
