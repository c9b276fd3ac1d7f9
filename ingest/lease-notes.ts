import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kill, pid } from "node:process";

/**
 * Which process of this machine holds which run, one small file a run: when a run was killed, the next one knows that it may
 * take its lease over at once. Losing the notes costs waiting for a lease to end, nothing else.
 */
export interface LeaseNotes {
  write(run: string): Promise<void>;
  forget(run: string): Promise<void>;
  /** Whether the run that a conflict tells of was begun here, by a process that is no more; its note is dropped then. */
  isOrphan(conflict: string): Promise<boolean>;
}

/** @param directory e.g. `.quayside/runs`; made when needed. */
export function makeLeaseNotes(directory: string): LeaseNotes {
  return {
    async write(run) {
      await mkdir(directory, { recursive: true }).catch(() => undefined);
      await writeFile(join(directory, run), `${pid}\n`).catch(() => undefined);
    },
    async forget(run) {
      await rm(join(directory, run), { force: true }).catch(() => undefined);
    },
    async isOrphan(conflict) {
      for (const run of await readdir(directory).catch(() => [])) {
        if (!conflict.includes(run)) continue;
        const holder = Number((await readFile(join(directory, run), "utf8").catch(() => "")).trim());
        if (!Number.isInteger(holder) || holder <= 0 || isAlive(holder)) continue;
        await rm(join(directory, run), { force: true }).catch(() => undefined);
        return true;
      }
      return false;
    },
  };
}

function isAlive(process: number): boolean {
  try {
    kill(process, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
