import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host } from "../../shared/ports/host.ts";
import { usage } from "./inputs.ts";

/** A source as the command line names it. */
export interface NamedSource {
  readonly settings: Readonly<Record<string, string>> & { readonly kind: string };
  /** The host with what the URL told: a connection string never reaches a file. */
  readonly host: Host;
  /** Said beside the source in the file. */
  readonly notes: readonly string[];
  /** What the configuration is called, e.g. the file's name. */
  readonly name: string;
}

const FILES = [".duckdb", ".ddb", ".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson"];
const DATABASES = [".duckdb", ".ddb", ".db"];

/** Folders whose name says nothing of what they hold. */
const GENERIC = new Set(["csv", "data", "db", "files", "parquet", "tables"]);

/**
 * The settings of a source: a path is DuckDB's, `kind://…` with a host is a connection string, which the adapter finds under
 * `DATABASE_URL`, and `kind` alone takes everything from the environment.
 * @throws QuaysideError `config_invalid`.
 */
export function sourceNamed(given: string, host: Host): NamedSource {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]+):\/\/(.*)$/i.exec(given) ?? [];
  if (scheme === undefined) {
    if (/^[a-z]+$/.test(given) && !existsSync(given)) {
      return {
        settings: { kind: given },
        host,
        notes: [`Reads its connection from the environment.`],
        name: given,
      };
    }
    return files(given, host);
  }
  const kind = scheme.toLowerCase() === "postgresql" ? "postgres" : scheme.toLowerCase();
  if (kind === "file") return files(fileURLToPath(given), host);
  if (kind === "duckdb") return files(decodeURIComponent(rest), host);
  if (!URL.canParse(given)) throw usage("--source is not a URL.");
  const database = new URL(given).pathname.split("/").findLast((part) => part !== "");
  return {
    settings: { kind },
    host: { ...host, secret: (name) => (name === "DATABASE_URL" ? given : host.secret(name)) },
    notes: ["Its URL is a secret: set DATABASE_URL in .dev.vars or the environment."],
    name: database === undefined ? kind : decodeURIComponent(database),
  };
}

function files(path: string, host: Host): NamedSource {
  if (!existsSync(path)) {
    throw usage(
      `There is nothing at ${path}. --source takes a .duckdb file, a folder of CSV, Parquet or JSON files, or a URL such as postgres://….`,
    );
  }
  const parts = path.split(/[/\\]/).filter((part) => part !== "" && part !== "." && part !== "..");
  const base = parts.findLast((part) => !GENERIC.has(part.toLowerCase())) ?? parts.at(-1) ?? "warehouse";
  return {
    settings: { kind: "duckdb", path },
    host,
    notes: ["Relative to where the command runs; opened read-only."],
    name: base.replace(/\.[^.]+$/, "") || base,
  };
}

/** Paths in a folder that could be sources: database files, and the folder or folders in it that hold data files. Sorted. */
export async function candidatesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const names = (await readdir(folder)).sort();
  if (names.some(isData)) found.push(".");
  for (const name of names) {
    if (name.startsWith(".") || name === "node_modules") continue;
    const info = await stat(join(folder, name)).catch(() => undefined);
    if (info?.isFile() === true && DATABASES.includes(extname(name).toLowerCase())) found.push(name);
    if (info?.isDirectory() === true) {
      const inside = await readdir(join(folder, name)).catch(() => []);
      if (inside.some(isData)) found.push(name);
    }
  }
  return found;
}

function isData(name: string): boolean {
  const extension = extname(name).toLowerCase();
  // Settings of programs are JSON too: alone it says nothing.
  return FILES.includes(extension) && !DATABASES.includes(extension) && extension !== ".json";
}
