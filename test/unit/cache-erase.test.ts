import { describe, expect, it } from "vitest";
import { makeErasableCache, marksOf, type ListedStore } from "../../workers/answer/cache-erase.ts";

/** A namespace of Workers KV in memory; lists in pages of two. */
function store(): ListedStore & { put(name: string, metadata: unknown): void; names(): string[] } {
  const entries = new Map<string, unknown>();
  return {
    put: (name, metadata) => void entries.set(name, metadata),
    names: () => [...entries.keys()],
    async list({ prefix, cursor }) {
      const names = [...entries.keys()]
        .filter((name) => name.startsWith(prefix) && name > (cursor ?? ""))
        .sort();
      const page = names.slice(0, 2);
      const more =
        names.length > 2 ? { list_complete: false, cursor: page.at(-1) ?? "" } : { list_complete: true };
      return { keys: page.map((name) => ({ name, metadata: entries.get(name) })), ...more };
    },
    get: async (name) => (entries.has(name) ? "{}" : null),
    delete: async (name) => void entries.delete(name),
  };
}

const marks = (...rows: string[]): Promise<unknown> =>
  marksOf(rows.map((row): [string, string] => [row, "v"]));

describe("an erasure in the answer cache", () => {
  it("deletes every answer that rests on the row, over all pages, and no other", async () => {
    const kv = store();
    for (const n of [1, 2, 3]) kv.put(`a:mine${n}`, await marks("people:1", `other:${n}`));
    for (const n of [1, 2, 3]) kv.put(`a:theirs${n}`, await marks("people:2"));
    kv.put("b:another", undefined);
    expect(await makeErasableCache(kv, "a:").erase("people:1")).toEqual({ removed: 3, left: 0 });
    expect(kv.names()).toEqual(["a:theirs1", "a:theirs2", "a:theirs3", "b:another"]);
  });

  it("deletes what does not say on which rows it rests", async () => {
    const kv = store();
    kv.put("a:old", undefined);
    kv.put("a:wide", await marksOf(Array.from({ length: 81 }, (_, i): [string, string] => [`t:${i}`, "v"])));
    expect(await makeErasableCache(kv, "a:").erase("people:1")).toEqual({ removed: 2, left: 0 });
  });

  it("says what is still there", async () => {
    const kv = store();
    kv.put("a:stuck", await marks("people:1"));
    const broken = { ...kv, delete: async () => {} };
    expect(await makeErasableCache(broken, "a:").erase("people:1")).toEqual({ removed: 1, left: 1 });
  });

  it("marks fit the store's metadata, and do not name the row", async () => {
    const wide = await marksOf(
      Array.from({ length: 80 }, (_, i): [string, string] => [`people:ada@example.com ${i}`, "v"]),
    );
    expect(JSON.stringify(wide).length).toBeLessThanOrEqual(1024);
    expect(JSON.stringify(wide)).not.toContain("ada");
  });
});
