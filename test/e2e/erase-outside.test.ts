import { afterAll, beforeAll, expect, it } from "vitest";
import { localEmbedder } from "../../shared/embedders/local.ts";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import { storedId } from "../../shared/ids.ts";
import { makeRegistryClient, type RegistryClient } from "../../shared/registry-client.ts";
import { spaceOf } from "../../shared/space.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";

const TOKEN = "a-token-for-this-test";
let store: PineconeStub;
let worker: RunningWorker;
let registry: RegistryClient;

beforeAll(async () => {
  store = await startPinecone(0, { dimension: 384 });
  const env = {
    QUAYSIDE_TOKEN: TOKEN,
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_CONTROLLER_HOST: store.url,
    PINECONE_INDEX: "quayside",
  };
  worker = await runWorker({ demo: false, env });
  registry = makeRegistryClient({ url: worker.url, token: TOKEN, fetch });
  await seedRows(registry, { ...CONFIG, index: { kind: "pinecone" } });
  const host = secretHost(env);
  const embedder = localEmbedder({}, host);
  const space = spaceOf(embedder.id, "pinecone");
  const { vectors } = await embedder.embed(["berth", "café"], "document", AbortSignal.timeout(30_000));
  const ids = await Promise.all(["notices:1", "notices:2"].map((row) => storedId(row, "all", 0)));
  const entry = (i: number) => ({
    id: ids[i] ?? "",
    vector: vectors[i] ?? new Float32Array(384),
    table: "notices",
    accessClass: "AAAAAAAAAAAAAAAAAAAAAA",
    text: "",
  });
  await pinecone({ tenant: "default", space }, host).upsert(
    [entry(0), entry(1)],
    AbortSignal.timeout(30_000),
  );
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});

it("erases a row's vectors from an index outside the shards", async () => {
  const [namespace = ""] = store.namespaces();
  expect(store.ids(namespace)).toHaveLength(2);
  const receipt = await registry.erase("notices", "1", AbortSignal.timeout(30_000));
  expect(receipt.residue).toBe(0);
  expect(store.ids(namespace)).toEqual([await storedId("notices:2", "all", 0)]);
});
