import type { DuckDBConnection } from "@duckdb/node-api";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** Data files of a folder, as tables. */
export interface DataFiles {
  readonly directory: string;
  /** Table name -> file. */
  readonly files: ReadonlyMap<string, string>;
}

export interface CsvSettings {
  /** One character; default: the one of `,` `;` tab `|` that the header line has most of. */
  readonly delimiter: string | undefined;
  /** As DuckDB names it, e.g. `latin-1`; default `utf-8`. */
  readonly encoding: string | undefined;
}

const EXTENSIONS = [".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson"];
/** Longest line of a CSV file; a cell of 10 MiB fits. DuckDB's buffers would be 16 times that if it chose them. */
const MAX_LINE = 11 * 1024 * 1024;
const BUFFER = MAX_LINE + 1024 * 1024;
const HEADER_BYTES = 1024 * 1024;

/** Whether a path is a database file, not data files. */
export async function isDatabase(path: string): Promise<boolean> {
  return [".duckdb", ".db", ".ddb"].includes(extname(path).toLowerCase()) && (await stat(path)).isFile();
}

/**
 * The data files of a folder, or the one file.
 * @throws QuaysideError `source_rejected` when two files would be one table.
 */
export async function listFiles(path: string): Promise<DataFiles> {
  const info = await stat(path);
  const directory = info.isDirectory() ? path : dirname(path);
  const names = info.isDirectory() ? (await readdir(path)).sort() : [basename(path)];
  const files = new Map<string, string>();
  for (const name of names) {
    const extension = extname(name).toLowerCase();
    if (!EXTENSIONS.includes(extension)) continue;
    const table = name.slice(0, -extension.length);
    const other = files.get(table);
    if (other !== undefined) {
      throw new QuaysideError(
        "source_rejected",
        `${basename(other)} and ${name} would both be the table "${table}": keep one of them.`,
      );
    }
    files.set(table, join(directory, name));
  }
  return { directory, files };
}

/** Whether a file holds text only, whose types are a guess. */
export function isCsv(file: string): boolean {
  return [".csv", ".tsv"].includes(extname(file).toLowerCase());
}

/** The SQL that reads a file as a table. CSV cells stay text, character for character; an empty field is NULL. */
export async function relationOf(file: string, csv: CsvSettings): Promise<string> {
  const extension = extname(file).toLowerCase();
  if (extension === ".parquet") return `read_parquet(${literal(file)})`;
  if (!isCsv(file)) return `read_json_auto(${literal(file)})`;
  const header = await headerOf(file, csv);
  // Nothing is left to guess: a guess fails on small or odd files, and may differ when the file grows.
  const columns = header.names.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
  return `read_csv(${literal(file)}, auto_detect = false, columns = {${columns}}, ${csvOptions(header, csv)})`;
}

/**
 * The same for use in a query, which needs types to add and compare: those that DuckDB finds over the whole file, except
 * that digits with a leading zero or plus sign (postcodes, phone numbers) stay text.
 */
export async function typedRelationOf(
  file: string,
  csv: CsvSettings,
  connection: DuckDBConnection,
): Promise<string> {
  if (!isCsv(file)) return relationOf(file, csv);
  const options = `${csvOptions(await headerOf(file, csv), csv)}, sample_size = -1`;
  const found = await connection.prepare(`SELECT * FROM read_csv(${literal(file)}, ${options})`);
  const numeric: string[] = [];
  for (let i = 0; i < found.columnCount; i++) {
    if (["BIGINT", "DOUBLE", "HUGEINT"].includes(String(found.columnType(i))))
      numeric.push(found.columnName(i));
  }
  found.destroySync();
  if (numeric.length === 0) return `read_csv(${literal(file)}, ${options})`;
  const checks = numeric.map(
    (c) => `coalesce(bool_or(regexp_matches(${quote(c)}, '^(\\+|-?0[0-9])')), false)`,
  );
  const reader = await connection.runAndReadAll(
    `SELECT ${checks.join(", ")} FROM ${await relationOf(file, csv)}`,
  );
  const text = numeric.filter((_, i) => reader.getRows()[0]?.[i] === true);
  if (text.length === 0) return `read_csv(${literal(file)}, ${options})`;
  const types = text.map((column) => `${literal(column)}: 'VARCHAR'`).join(", ");
  return `read_csv(${literal(file)}, ${options}, types = {${types}})`;
}

function csvOptions(header: Header, csv: CsvSettings): string {
  return [
    "header = true",
    `delim = ${literal(header.delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    "skip = 0",
    "comment = ''",
    "nullstr = ''",
    `max_line_size = ${MAX_LINE}`,
    `buffer_size = ${BUFFER}`,
    ...(csv.encoding === undefined ? [] : [`encoding = ${literal(csv.encoding)}`]),
  ].join(", ");
}

interface Header {
  readonly delimiter: string;
  readonly names: readonly string[];
}

/** @throws QuaysideError `config_invalid` for a name that neither DuckDB nor the Encoding Standard knows. */
function decoderOf(encoding = "utf-8"): InstanceType<typeof TextDecoder> {
  try {
    // DuckDB writes a dash where the Encoding Standard has none.
    return new TextDecoder(encoding.replace(/^latin-/i, "latin"));
  } catch (cause) {
    throw new QuaysideError("config_invalid", `A duckdb source has no encoding "${encoding}".`, { cause });
  }
}

/**
 * The column names of a CSV file and its delimiter: the likeliest by the header line alone, for rows may hold any of them.
 * @throws QuaysideError `source_rejected` for a header that names no columns, or two alike.
 */
async function headerOf(file: string, csv: CsvSettings): Promise<Header> {
  const handle = await open(file, "r");
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    const text = decoderOf(csv.encoding).decode(buffer.subarray(0, bytesRead));
    const line = /^(?:"(?:[^"]|"")*"|[^"\r\n])*/.exec(text)?.[0] ?? "";
    const bare = line.replace(/"(?:[^"]|"")*"/g, "");
    const counts = [",", ";", "\t", "|"].map((c) => ({ c, n: bare.split(c).length }));
    const delimiter = csv.delimiter ?? counts.reduce((best, next) => (next.n > best.n ? next : best)).c;
    const names = fields(line, delimiter);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (names.includes("") || twice !== undefined) {
      const what = twice === undefined || twice === "" ? "a column without a name" : `two columns "${twice}"`;
      throw new QuaysideError("source_rejected", `The header line of ${basename(file)} has ${what}.`);
    }
    return { delimiter, names };
  } finally {
    await handle.close();
  }
}

/** The fields of one CSV line. */
function fields(line: string, delimiter: string): readonly string[] {
  const found: string[] = [];
  let field = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? "";
    if (c === '"' && quoted && line[i + 1] === '"') {
      field += c;
      i += 1;
    } else if (c === '"') quoted = !quoted;
    else if (c === delimiter && !quoted) {
      found.push(field);
      field = "";
    } else field += c;
  }
  return [...found, field];
}

/** An SQL string literal. DuckDB has no escapes but the doubled quote. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An SQL identifier, any characters. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
