import { describe, expect, it } from "vitest";
import { indexName, isDense, spaceOf } from "../../shared/space.ts";

describe("a space's index", () => {
  it.each([
    [undefined, "embedded", false],
    [{ kind: "pinecone" }, "pinecone", false],
    [{ kind: "pinecone", lexical: true }, "pinecone", false],
    [{ kind: "pinecone", lexical: false }, "pinecone-dense", true],
    [{ kind: "embedded", lexical: false }, "embedded", false],
  ])("%o is %s, without words: %s", (index, name, dense) => {
    expect(indexName(index)).toBe(name);
    expect(isDense(spaceOf("local/lexical-v1/384", indexName(index)))).toBe(dense);
  });
});
