import { createHash } from "node:crypto";
import { createReadStream, type BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
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
    const hash = createHash("sha256");
    const stream: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: READ_BYTES, signal });
    for await (const chunk of stream) hash.update(chunk);
    const after = writeOf(await stat(file, { bigint: true }));
    return after === first && before === first ? `${basename(file)} ${hash.digest("base64url")}` : undefined;
  };
}

/** Another after every write to a file, and after another file has taken its name. */
function writeOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}
