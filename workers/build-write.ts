import { readFile, rename, writeFile } from "node:fs/promises";

/**
 * Writes a file of a build, unless it is there as it should be: whoever serves the build, or starts beside it, never reads half a
 * file.
 */
export async function writeBuilt(path: string, contents: Uint8Array | string): Promise<void> {
  const bytes = Buffer.from(contents);
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(bytes)) return;
  const next = `${path}.${crypto.randomUUID()}.new`;
  await writeFile(next, bytes);
  await rename(next, path);
}
