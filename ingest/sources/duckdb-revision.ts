import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";

const READ_BYTES = 1024 * 1024;

/**
 * Tells what is in a file, by its name and contents alone: a file that was touched, or written anew with the same contents, is
 * the same. Undefined for one that is written while it is looked at, or was since it was first asked for: what was read of it in
 * between may have been something else.
 */
export function makeFileRevisions(): (file: string, signal: AbortSignal) => Promise<string | undefined> {
  const seen = new Map<string, string>();
  return async (file, signal) => {
    const before = writeOf(await stat(file, { bigint: true }));
    const first = seen.get(file) ?? before;
    seen.set(file, first);
    const digest = await digestOf(file, signal);
    const after = writeOf(await stat(file, { bigint: true }));
    return after === first && before === first ? `${basename(file)} ${digest}` : undefined;
  };
}

/** Reads into one buffer: a stream would make one for each megabyte, and a large file's would all be there at once. */
async function digestOf(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const handle = await open(file);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return hash.digest("base64url");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** Another after every write to a file, and after another file has taken its name. */
function writeOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}
