import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";

/** What the connectors' pages tell to grant, so that tests can show that it is enough, and that none of it is too much. */

/** A connector's page. */
export function connectorPage(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../docs/connectors/${name}.md`, import.meta.url)), "utf8");
}

/** The statements of the page's SQL block that begins so, without their comments. */
export function documentedSql(page: string, beginning: string): readonly string[] {
  const blocks = [...connectorPage(page).matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(
    (match) => match[1] ?? "",
  );
  const block = blocks.find((text) => text.startsWith(beginning));
  if (block === undefined)
    throw new Error(`docs/connectors/${page}.md has no SQL that begins with ${beginning}`);
  return block
    .replaceAll(/--.*$/gm, "")
    .split(";")
    .map((statement) => statement.replaceAll(/\s+/g, " ").trim())
    .filter((statement) => statement !== "");
}

/** All that a run asks of a source for one table. */
export async function takeIn(source: Source, ref: TableRef, key: readonly string[]): Promise<Row[]> {
  const { signal } = new AbortController();
  const table = await source.describe(ref, signal);
  await source.estimate(table, signal);
  const rows: Row[] = [];
  for await (const batch of source.read(table, { key, batchSize: 100, signal })) rows.push(...batch);
  return rows;
}
