import { describe, expect, it } from "vitest";
import type { Config } from "../../shared/config.ts";
import { describeModels } from "../../workers/surfaces/about.ts";
import { ADMISSION, CONFIG, MODEL, PRINCIPAL } from "../fakes/ask-world.ts";

/** A model for confidential rows, one for pay. */
const config: Config = {
  ...CONFIG,
  models: {
    default: "a/one",
    groups: { hr: "c/pay" },
    register: {
      "a/one": { ...MODEL, classes: ["public"] },
      "c/pay": { ...MODEL, classes: ["restricted"] },
      "n/nothing": { ...MODEL, classes: [] },
    },
  },
};

/** Why each model is not available to somebody who sees rows of these tables, as the API says it. */
async function whyNots(tables: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
  const admission = {
    ...ADMISSION,
    config,
    tables: ADMISSION.tables.filter((t) => tables.includes(t.table)),
  };
  const { models } = await describeModels(admission, PRINCIPAL, [], async () => undefined);
  return Object.fromEntries(models.map(({ id, why_not: why }) => [id, why]));
}

async function defaultOf(groups: readonly string[]): Promise<string> {
  const caller = { ...PRINCIPAL, groups };
  return (await describeModels({ ...ADMISSION, config }, caller, [], async () => "no key")).default;
}

describe("the models that a caller may use", () => {
  it("are those that may receive a row of a class that the caller sees", async () => {
    expect(await whyNots(["notices"])).toEqual({
      "a/one": null,
      "c/pay": "It may receive restricted rows only, and you see none of these.",
      "n/nothing": "It may receive no rows.",
    });
    expect(await whyNots(["notices", "pay"])).toMatchObject({ "a/one": null, "c/pay": null });
  });

  it("are all of them where the caller sees nothing yet", async () => {
    expect(await whyNots([])).toEqual({ "a/one": null, "c/pay": null, "n/nothing": null });
  });

  it("have the default of the caller's group", async () => {
    expect([await defaultOf(["hr"]), await defaultOf(["it"])]).toEqual(["c/pay", "a/one"]);
  });
});
