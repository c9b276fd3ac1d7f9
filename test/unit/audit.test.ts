import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AUDIT_START, brokenAt, chainHash, type Chained } from "../../shared/audit-wire.ts";
import { ADMISSION, evidence, GOOD, makeWorld, PRINCIPAL, QUESTION, tell } from "../fakes/ask-world.ts";
import { saying, scriptedProvider } from "../fakes/scripted-provider.ts";

const PAY = evidence("ADA-3", "Ada earns 61400 EUR.", {
  classification: "restricted",
  version: "v9",
});

describe("the record of a question", () => {
  it("says who, under which policy, which rows and which model, and how it ended", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const { answer } = await tell(world, { requestId: "r-1" });
    expect(world.audit).toMatchObject([
      {
        action: "ask",
        at: "2026-11-23T00:00:00.000Z",
        request: "r-1",
        tenant: "t",
        requested: "auto",
        config: 2,
        epoch: 1,
        generation: 4,
        index: "embedded",
        rows: [
          { version: "v-1", class: "public" },
          { version: "v-2", class: "public" },
        ],
        ending: "answered",
        answer: answer?.id,
        model: "a/one",
        attempts: [{ model: "a/one", outcome: "ok" }],
        cache: "miss",
        cited: 1,
        inputTokens: 100,
        outputTokens: 20,
        costUsd: 0.0003,
      },
    ]);
  });

  it("holds neither question nor answer, row text, key or name", async () => {
    const world = makeWorld({ "c/all": saying("Ada earns 61400 EUR [1].") });
    world.evidence = [PAY];
    await tell(world, { model: "c/all", text: "What does Ada earn?" }, undefined, {
      ...PRINCIPAL,
      subject: "grace@example.com",
    });
    expect(world.audit).toHaveLength(2);
    expect(JSON.stringify(world.audit)).not.toMatch(/Ada|ADA-3|61400|earn|grace|example/);
  });

  it.each([
    ["a failure", { model: "a/nine" }, "unknown_model"],
    ["an interrupted answer", { model: "b/two" }, "provider_stream_interrupted"],
    ["a refusal", { model: "c/all" }, "refused"],
    ["no evidence", { model: "a/one", text: "NO" }, "no_evidence"],
  ] as const)("is one, for %s too", async (_, question, ending) => {
    const world = makeWorld({
      "a/one": saying("NO_EVIDENCE"),
      "b/two": scriptedProvider([{ say: "The east berth is " }, { fail: "no_provider_available" }]),
      "c/all": scriptedProvider([{ finish: "content-filter" }]),
    });
    await tell(world, question);
    expect(world.audit.map((record) => record["ending"])).toEqual([ending]);
  });

  it("is one when the reader leaves in the middle", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    for await (const event of world.ask(QUESTION, PRINCIPAL, new AbortController().signal)) {
      if (event.type === "delta") break;
    }
    await Promise.all(world.deferred);
    expect(world.audit.map((record) => record["ending"])).toEqual(["left"]);
  });

  it("is one for an answer from the cache, with the rows that it rests on", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    await tell(world);
    expect(world.audit.map((record) => record["cache"])).toEqual(["miss", "exact"]);
    expect(world.audit[1]?.["rows"]).toHaveLength(2);
  });

  it("that can't be written takes no public answer away, and is an error in the log", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    world.auditDown = true;
    expect((await tell(world)).answer?.outcome).toBe("answered");
    await expect.poll(() => world.logs.some(({ event }) => event === "audit-failed")).toBe(true);
  });
});

const restricted = () => {
  const world = makeWorld({ "c/all": saying("Ada earns 61400 EUR [1].") });
  world.evidence = [PAY];
  return world;
};

describe("rows that are recorded first", () => {
  const asked = { model: "c/all", text: "What does Ada earn?" };
  it("leave a record before anything of them is told, and another at the end", async () => {
    const world = restricted();
    for await (const event of world.ask({ ...QUESTION, ...asked }, PRINCIPAL, AbortSignal.timeout(30_000))) {
      expect(event.type).toBe("evidence");
      break;
    }
    await Promise.all(world.deferred);
    expect(world.audit.map((record) => [record["action"], record["id"]])).toEqual([
      ["ask-opened", world.audit[0]?.["id"]],
      ["ask", world.audit[0]?.["id"]],
    ]);
  });

  it("are not told, nor shown to a model, when that can't be recorded", async () => {
    const model = saying("Ada earns 61400 EUR [1].");
    const world = makeWorld({ "c/all": model });
    world.evidence = [PAY];
    world.auditDown = true;
    const { failure, events } = await tell(world, asked);
    expect([failure, events, model.requests.length]).toEqual(["registry_unavailable", [], 0]);
  });

  it("are not told from the cache either", async () => {
    const world = restricted();
    await tell(world, asked);
    world.auditDown = true;
    expect(await tell(world, asked)).toMatchObject({ failure: "registry_unavailable", events: [] });
  });

  it("are of the classes that the configuration names", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    world.auditDown = true;
    world.admission = { ...ADMISSION, config: { ...ADMISSION.config, audit: { first: ["public"] } } };
    expect((await tell(world)).failure).toBe("registry_unavailable");
  });
});

const chainOf = (records: readonly string[]): Chained[] => {
  let hash = AUDIT_START;
  return records.map((record, i) => {
    hash = chainHash(hash, i + 1, record);
    return { seq: i + 1, record, hash };
  });
};

describe("the chain", () => {
  it("is whole as it was written", () => {
    expect(brokenAt(chainOf(["a", "b", "c"]), AUDIT_START, 1)).toBeUndefined();
    const [first, ...rest] = chainOf(["a", "b", "c"]);
    expect(brokenAt(rest, first?.hash ?? "", 2)).toBeUndefined();
  });

  it("tells any single record that was changed, removed, put in or moved (1,000 random cases)", () => {
    const chain = chainOf(Array.from({ length: 20 }, (_, i) => `{"id":${i}}`));
    fc.assert(
      fc.property(
        fc.nat(18),
        fc.constantFrom("change", "remove", "insert", "swap"),
        fc.string(),
        (at, how, other) => {
          const broken = [...chain];
          const [here, next] = [chain[at], chain[at + 1]];
          if (!here || !next) return;
          if (how === "change") broken[at] = { ...here, record: `${here.record}${other}!` };
          if (how === "remove") broken.splice(at, 1);
          if (how === "insert") broken.splice(at, 0, { ...here, record: other });
          if (how === "swap") broken.splice(at, 2, next, here);
          expect(brokenAt(broken, AUDIT_START, 1)).toBeDefined();
        },
      ),
      { numRuns: 1000 },
    );
  });
});
