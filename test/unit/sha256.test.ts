import * as fc from "fast-check";
import { expect, it } from "vitest";
import { nodeHasher } from "../../ingest/node-hasher.ts";
import { hash128 } from "../../shared/ids.ts";
import { makeHasher } from "../../shared/sha256.ts";

it("hashes every text as WebCrypto does, whatever was hashed before", async () => {
  const hasher = makeHasher();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 300 }), async (text) => {
      expect(hasher.hash128(text)).toBe(await hash128(text));
    }),
    { numRuns: 300 },
  );
});

it("hashes by the machine's own means to the same", async () => {
  const native = nodeHasher();
  const own = makeHasher();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 300 }), async (text) => {
      expect([native.hash256(text), native.hash128(text), native.bytes]).toEqual([
        own.hash256(text),
        await hash128(text),
        own.bytes,
      ]);
    }),
    { numRuns: 300 },
  );
});

it("hashes texts longer than its first buffer, and at the edges of a block", async () => {
  const hasher = makeHasher();
  for (const length of [0, 55, 56, 63, 64, 65, 5000, 100_000]) {
    expect(hasher.hash128("x".repeat(length))).toBe(await hash128("x".repeat(length)));
  }
});

it("gives the whole hash too", () => {
  // FIPS 180-4's own example, in base64url.
  expect(makeHasher().hash256("abc")).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
});

it("counts UTF-8 bytes", () => {
  const hasher = makeHasher();
  hasher.hash128("aé東👍");
  expect(hasher.bytes).toBe(10);
});
