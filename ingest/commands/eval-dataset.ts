import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** A folder to measure on: `schema.json`, `tables/*.csv`, `questions.jsonl`, perhaps `acl.json` and `qrels.txt`. */
export interface DataSet {
  readonly directory: string;
  readonly schema: DataSchema;
  readonly acl: Acl | undefined;
  /** Per table, longest and average length of each column over its first rows, in UTF-16 units. */
  readonly widths: Readonly<Record<string, Readonly<Record<string, ColumnWidth>>>>;
}

export interface ColumnWidth {
  readonly longest: number;
  readonly average: number;
}

const tableSchema = z.looseObject({
  primary_key: z.array(z.string()).check(z.minLength(1)),
  columns: z.optional(z.record(z.string(), z.string())),
  text_columns: z.optional(z.array(z.string())),
  display_columns: z.optional(z.array(z.string())),
  /** column -> `table.column`, `table.a+b`, or `table.column->table.column` */
  labels: z.optional(z.record(z.string(), z.string())),
  /** column -> `table` or `table.column` */
  foreign_keys: z.optional(z.record(z.string(), z.string())),
  index: z.optional(z.boolean()),
});
const dataSchema = z.looseObject({ tables: z.record(z.string(), tableSchema) });

const rules = z.looseObject({
  groups: z.optional(z.array(z.string())),
  row_filter: z.optional(z.record(z.string(), z.string())),
  columns_for: z.optional(z.record(z.string(), z.array(z.string()))),
});
const aclSchema = z.looseObject({
  principals: z.record(z.string(), z.record(z.string(), z.array(z.string()))),
  tables: z.record(z.string(), rules),
});

const cited = z.looseObject({ table: z.string(), row_key: z.string() });
const questionSchema = z.looseObject({
  id: z.string(),
  question: z.string(),
  as: z.optional(z.string()),
  scope: z.optional(z.record(z.string(), z.string())),
  kind: z.optional(z.string()),
  expect: z.optional(z.string()),
  answers: z.optional(z.array(z.string())),
  gold: z.optional(z.array(cited)),
  must_not_contain: z.optional(z.array(z.string())),
  hidden_gold: z.optional(z.array(cited)),
});

export type DataSchema = z.infer<typeof dataSchema>;
export type DataTable = z.infer<typeof tableSchema>;
export type Acl = z.infer<typeof aclSchema>;
export type EvalQuestion = z.infer<typeof questionSchema>;

/** Rows looked at to tell prose from names. */
const SAMPLE_BYTES = 256 * 1024;

/** @throws QuaysideError `config_invalid` for a folder that is not in the format. */
export async function readDataSet(directory: string): Promise<DataSet> {
  const schema = parse(dataSchema, JSON.parse(await text(join(directory, "schema.json"))), "schema.json");
  const aclText = await optional(join(directory, "acl.json"));
  const widths: Record<string, Record<string, ColumnWidth>> = {};
  for (const table of Object.keys(schema.tables)) {
    widths[table] = widthsOf(await head(join(directory, "tables", `${table}.csv`)));
  }
  return {
    directory,
    schema,
    acl: aclText === undefined ? undefined : parse(aclSchema, JSON.parse(aclText), "acl.json"),
    widths,
  };
}

/** Questions, one JSON object a line. @throws QuaysideError `config_invalid`. */
export async function readQuestions(path: string): Promise<readonly EvalQuestion[]> {
  const lines = (await text(path)).split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, i) => parse(questionSchema, json(line, path), `${path}, line ${i + 1}`));
}

/** Judgments: question id -> document id -> relevance; from `qrels.txt`, else from the questions' own gold. */
export async function readJudgments(
  directory: string,
  questions: readonly EvalQuestion[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> {
  const judged = new Map<string, Map<string, number>>();
  const add = (id: string, document: string, relevance: number): void => {
    const of = judged.get(id) ?? new Map<string, number>();
    judged.set(id, of.set(document, relevance));
  };
  const qrels = await optional(join(directory, "qrels.txt"));
  for (const line of qrels?.split("\n") ?? []) {
    const [id, , document, relevance] = line.trim().split(/\s+/);
    if (id !== undefined && document !== undefined && Number(relevance) > 0)
      add(id, document, Number(relevance));
  }
  if (qrels === undefined) {
    for (const q of questions) for (const g of q.gold ?? []) add(q.id, `${g.table}:${g.row_key}`, 1);
  }
  return judged;
}

function parse<T>(schema: z.ZodMiniType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((i) => `${i.path.join(".")}: ${i.message}`).join("; ");
  throw new QuaysideError("config_invalid", `${where} is not in the data set format: ${issues}`);
}

function json(line: string, path: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new QuaysideError("config_invalid", `${path} is not JSON lines.`, { cause });
  }
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new QuaysideError("config_invalid", `Can't read ${path}.`, { cause });
  }
}

async function optional(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? text(path) : undefined;
}

/** The first part of a file, cut at a line's end where it goes on. */
async function head(path: string): Promise<string> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new QuaysideError("config_invalid", `Can't read ${path}.`, { cause });
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    return buffer.subarray(0, bytesRead).toString("utf8");
  } finally {
    await file.close();
  }
}

function widthsOf(csv: string): Record<string, ColumnWidth> {
  const [header = [], ...rows] = csvRows(csv);
  return Object.fromEntries(
    header.map((column, i) => {
      const lengths = rows.map((row) => row[i]?.length ?? 0);
      const sum = lengths.reduce((a, b) => a + b, 0);
      return [
        column,
        { longest: Math.max(0, ...lengths), average: lengths.length === 0 ? 0 : sum / lengths.length },
      ];
    }),
  );
}

/** Records of a CSV text; a last one that is cut off is left out. */
function csvRows(csv: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const match of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === ",") continue;
    if (match[3] === "") break;
    rows.push(row);
    row = [];
  }
  return rows;
}
