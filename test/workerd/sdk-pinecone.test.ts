import { beforeAll, describe, expect, it } from "vitest";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import { scripted } from "./sdk-world.ts";

describe("pinecone in workerd", () => {
  // Vite hands the SDK over file by file on first use; a built Worker has it in one.
  beforeAll(async () => {
    await import("../../shared/indexes/pinecone-sdk.ts");
  });

  it("is found, queried and written to", async () => {
    const { host, sent } = scripted(({ url }) =>
      url.includes("/indexes/")
        ? Response.json({
            name: "quayside",
            host: "quayside-abc.svc.pinecone.test",
            status: { ready: true, state: "Ready" },
            deployment: { deployment_type: "managed", cloud: "aws", region: "us-east-1" },
            schema: { fields: { _values: { type: "dense_vector", dimension: 2, metric: "cosine" } } },
            deletion_protection: "disabled",
          })
        : url.endsWith("/query")
          ? Response.json({ matches: [{ id: "a.0", score: 0.5, values: [] }], namespace: "n" })
          : Response.json({ upsertedCount: 1 }),
    );
    const index = pinecone({ tenant: "acme", space: "s" }, host);
    const signal = new AbortController().signal;
    const vector = new Float32Array([0.6, 0.8]);
    await index.upsert([{ id: "a.0", vector, table: "t", accessClass: "c", text: "x" }], signal);
    const filter = { classes: ["c"], tables: undefined };
    const matches = await index.query({ vector, text: "x", topK: 3, fusionWeight: 1, filter }, signal);
    expect(matches).toEqual([{ id: "a.0", score: 0.5 }]);
    expect(sent.map(({ url }) => url)).toEqual([
      "https://api.pinecone.io/indexes/quayside",
      "https://quayside-abc.svc.pinecone.test/vectors/upsert",
      "https://quayside-abc.svc.pinecone.test/query",
    ]);
  });
});
