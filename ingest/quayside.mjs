#!/usr/bin/env node
import { readFileSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

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

// Compiled code is kept beside the bundle, where Node can (22.1 on) and the folder may be written.
nodeModule.enableCompileCache?.(fileURLToPath(new URL("dist/compiled", root)));
await import(bundleIsFresh() ? new URL("dist/cli.mjs", root).href : "./cli.ts");
