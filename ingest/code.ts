import { digestOfSources } from "../workers/build-code.ts";

/** Replaced when the CLI is bundled: by what the bundle was made of. */
declare const QUAYSIDE_CODE: string | undefined;

/** See `IngestDeps.code`: the same of the Worker and of the CLI that are built of the same sources. */
export function codeOf(): string {
  return typeof QUAYSIDE_CODE === "string" ? QUAYSIDE_CODE : digestOfSources();
}
