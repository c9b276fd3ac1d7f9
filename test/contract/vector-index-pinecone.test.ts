import { pinecone } from "../../shared/indexes/pinecone.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { PINECONE_STUB_KEY, startPinecone } from "../stubs/pinecone.ts";
import { vectorIndexContract } from "./vector-index.ts";

const DIMENSIONS = 8;
const signal = new AbortController().signal;

vectorIndexContract("pinecone", async () => {
  const stub = await startPinecone(0, { dimension: DIMENSIONS });
  const host = secretHost({
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_INDEX: "quayside",
    PINECONE_CONTROLLER_HOST: stub.url,
  });
  const index = pinecone({ tenant: "acme", space: "space" }, host);
  return {
    index,
    dimensions: DIMENSIONS,
    put: (entries) => index.upsert(entries, signal),
    remove: (ids) => index.delete(ids, signal),
    entryId: (id) => id,
    close: () => stub[Symbol.asyncDispose]().then(() => undefined),
  };
});
