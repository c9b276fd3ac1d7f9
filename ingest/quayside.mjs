#!/usr/bin/env -S node --initial-heap-size=120
import { readFileSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

/** Starts the CLI: its bundle (`npm run build`) while nothing that it was made of is newer, else the sources. */
const root = new URL("../", import.meta.url);

function bundleIsFresh() {
  try {
    const built = statSync(new URL("dist/inputs.json", root)).mtimeMs;
    const inputs = JSON.parse(readFileSync(new URL("dist/inputs.json", root), "utf8"));
    return inputs.every((path) => statSync(new URL(path, root)).mtimeMs <= built);
  } catch {
    return false;
  }
}

// The heap is collected when it comes to 120 MB, as the first line says and package.json's script (a process can only be told when
// it starts), then whenever it has doubled: left to itself V8 collects a small heap again and again as buffers come and go, and
// lets a long run's grow to four times of what is in use.
setFlagsFromString("--heap-growing-percent=100");
// Each thread of the pool keeps for itself what DuckDB frees in it, and one after the other would come to have the most.
process.env.UV_THREADPOOL_SIZE ??= "2";
// The megabytes that DuckDB frees at once (a page of a Parquet file, which is a column of 122,880 rows) go back to the system at once.
process.env.DUCKDB_JE_MALLOC_CONF ??= "oversize_threshold:1048576";
// Compiled code is kept beside the bundle, where Node can (22.1 on) and the folder may be written.
nodeModule.enableCompileCache?.(fileURLToPath(new URL("dist/compiled", root)));
await import(bundleIsFresh() ? new URL("dist/cli.mjs", root).href : "./cli.ts");
