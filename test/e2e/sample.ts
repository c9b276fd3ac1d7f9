import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSample } from "../../ingest/sample/generate.ts";
import sample from "../../ingest/sample/config.ts";
import { parseConfig, type Config } from "../../shared/config.ts";

/** The sample in a folder of its own, so that a test may change its files. */
export async function ownSample(): Promise<{ readonly config: Config; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "quayside-sample-"));
  await generateSample({ directory });
  const config = parseConfig({
    ...sample,
    sources: {
      warehouse: { kind: "duckdb", path: join(directory, "warehouse.duckdb") },
      files: { kind: "duckdb", path: join(directory, "files") },
    },
  });
  return { config, directory };
}
