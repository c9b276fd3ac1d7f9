import { describe, expect, it } from "vitest";
import { ADMISSION, BERTH, CONFIG, GOOD, makeWorld, PRINCIPAL, SECRET, tell } from "../fakes/ask-world.ts";
import { saying, scriptedProvider } from "../fakes/scripted-provider.ts";

describe("ask: which model", () => {
  it("refuses a model that is not registered, before anything is searched", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    for (const model of ["a/nine", "constructor", "local/nine"]) {
      expect((await tell(world, { model })).failure).toBe("unknown_model");
    }
    expect((await tell(world, { fallbacks: ["nobody/knows"] })).failure).toBe("unknown_model");
    expect(world.trips).toEqual(["admit", "admit", "admit", "admit"]);
  });

  it("follows an alias", async () => {
    const { answer } = await tell(makeWorld({ "b/two": saying(GOOD) }), { model: "quick" });
    expect(answer).toMatchObject({ model: "b/two", route: { requested: "quick", why: "as requested" } });
  });

  it("sends rows to no model that may not receive their class", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    world.evidence = [BERTH, SECRET];
    expect((await tell(world, { model: "a/one" })).failure).toBe("provider_not_permitted");
    expect(model.requests).toHaveLength(0);
  });

  it("takes the next fallback that may receive the class", async () => {
    const barred = saying(GOOD);
    const world = makeWorld({
      "a/one": barred,
      "b/two": barred,
      "c/all": saying("She earns 61400 EUR [1]."),
    });
    world.evidence = [SECRET];
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two", "c/all"] });
    expect(answer).toMatchObject({
      model: "c/all",
      attempts: [
        { model: "a/one", outcome: "not_permitted" },
        { model: "b/two", outcome: "not_permitted" },
        { model: "c/all", outcome: "ok" },
      ],
      route: { requested: "a/one", why: "fallback: a/one not_permitted, b/two not_permitted" },
    });
    expect(barred.requests).toHaveLength(0);
  });

  it("answers auto with the built-in answerer where the default may not receive the rows", async () => {
    const world = makeWorld({ "a/one": saying(GOOD), "local/compose": saying("She earns 61400 EUR [1].") });
    world.evidence = [SECRET];
    expect((await tell(world)).answer?.model).toBe("local/compose");
  });

  it("never gives an explicit request to a model that was not named", async () => {
    const builtIn = saying(GOOD);
    const world = makeWorld({
      "a/one": scriptedProvider([{ fail: "provider_rejected" }]),
      "local/compose": builtIn,
    });
    expect((await tell(world, { model: "a/one" })).failure).toBe("provider_rejected");
    expect(builtIn.requests).toHaveLength(0);
  });

  it("says that a registered model can't be called", async () => {
    expect((await tell(makeWorld({}), { model: "d/keyless" })).failure).toBe("no_provider_available");
  });
});

const routed = (models: Partial<NonNullable<typeof CONFIG.models>>) => ({
  ...ADMISSION,
  config: { ...CONFIG, models: { ...CONFIG.models, ...models } },
});
const RULES = {
  rules: [
    { name: "pay", when: { classes: ["restricted" as const] }, models: ["c/all"] },
    { name: "reasons", when: { kinds: ["analysis" as const] }, models: ["b/two", "a/one"] },
    { name: "all else", models: ["a/one", "b/two"] },
  ],
};
const models = () => ({
  "a/one": saying(GOOD),
  "b/two": saying(GOOD),
  "c/all": saying("She earns 61400 EUR [1]."),
});

describe("ask: routes", () => {
  it("auto is the route of that name where no default is set, and says which rule decided", async () => {
    const world = makeWorld(models());
    world.admission = routed({ default: undefined, routes: { auto: RULES } });
    const { answer } = await tell(world, { text: "Why is the east berth closed?" });
    expect(answer).toMatchObject({
      model: "b/two",
      route: { requested: "auto", why: "route auto: reasons" },
    });
  });

  it("a route is asked for by its name, and looks at the rows that were found", async () => {
    const world = makeWorld(models());
    world.admission = routed({ routes: { careful: RULES } });
    world.evidence = [SECRET];
    expect((await tell(world, { model: "careful" })).answer).toMatchObject({
      model: "c/all",
      route: { requested: "careful", why: "route careful: pay" },
    });
  });

  it("a route never reaches past the class of the rows", async () => {
    const barred = saying(GOOD);
    const world = makeWorld({ "a/one": barred });
    world.admission = routed({ routes: { open: { rules: [{ name: "all", models: ["a/one"] }] } } });
    world.evidence = [SECRET];
    expect((await tell(world, { model: "open" })).failure).toBe("provider_not_permitted");
    expect(barred.requests).toHaveLength(0);
  });

  it("its models stand in for each other, and the answer says so", async () => {
    const world = makeWorld({ ...models(), "a/one": scriptedProvider([{ fail: "provider_unreachable" }]) });
    world.admission = routed({ routes: { careful: RULES } });
    expect((await tell(world, { model: "careful" })).answer).toMatchObject({
      model: "b/two",
      route: { why: "route careful: all else; fallback: a/one provider_unreachable" },
    });
  });

  it("a model that is dearer than the rule allows is passed over, and told", async () => {
    const world = makeWorld(models());
    const rules = [{ name: "cheap", models: ["a/one", "local/compose"], maxCostUsd: 0.000_001 }];
    world.admission = routed({ routes: { cheap: { rules } } });
    const local = makeWorld({ ...models(), "local/compose": saying(GOOD) });
    local.admission = world.admission;
    expect((await tell(local, { model: "cheap" })).answer?.attempts).toEqual([
      { model: "a/one", outcome: "too_expensive" },
      { model: "local/compose", outcome: "ok" },
    ]);
  });

  it("a group has a default of its own, and shares no cached answer with others", async () => {
    const world = makeWorld(models());
    world.admission = routed({ groups: { finance: "b/two" } });
    expect((await tell(world)).answer?.model).toBe("a/one");
    const { answer } = await tell(world, {}, undefined, { ...PRINCIPAL, groups: ["finance"] });
    expect(answer).toMatchObject({ model: "b/two", cache: "miss" });
  });
});
