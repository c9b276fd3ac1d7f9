import type { Config } from "../../shared/config.ts";
import { classOf, grantsOf, permits } from "../../shared/policy.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { AccessClass, Label } from "../../shared/ports/registry.ts";
import { parseDuration } from "../../shared/schedule.ts";
import type { Admission, AdmittedTable, TenantStatus } from "./api.ts";
import { recordOperation } from "./ledger-operations.ts";
import { recentRuns } from "./ledger-requests.ts";
import { metaOf, raiseEpoch } from "./ledger-schema.ts";

/** SQLite's row limit on the platform is 2 MB (Cloudflare, "SQLite in Durable Objects: limits"); a config leaves room. */
export const MAX_CONFIG_BYTES = 1_000_000;

export interface PublishedConfig {
  readonly version: number;
  readonly config: Config;
}

export function currentConfig(sql: SqlStorage): PublishedConfig | undefined {
  const [row] = sql
    .exec<{ version: number; json: string }>(
      "SELECT version, json FROM configs ORDER BY version DESC LIMIT 1",
    )
    .toArray();
  if (!row) return undefined;
  // Written by storeConfig from a parsed configuration.
  const config: Config = JSON.parse(row.json);
  return { version: row.version, config };
}

/** `budgeted`: answers asked for until now were held to no budget, and are from now on. @throws `config_invalid` when it is too large. */
export function storeConfig(
  sql: SqlStorage,
  config: Config,
  by: string | undefined,
  now: number,
): { readonly version: number; readonly epoch: number; readonly budgeted: boolean } {
  const json = JSON.stringify(config);
  if (new TextEncoder().encode(json).byteLength > MAX_CONFIG_BYTES) {
    throw new QuaysideError("config_invalid", `The configuration is larger than ${MAX_CONFIG_BYTES} bytes.`);
  }
  const current = currentConfig(sql);
  if (current && JSON.stringify(current.config) === json) {
    return { version: current.version, epoch: metaOf(sql).epoch, budgeted: false };
  }
  const version = (current?.version ?? 0) + 1;
  sql.exec("INSERT INTO configs VALUES (?, ?, ?)", version, json, new Date(now).toISOString());
  const epoch = raiseEpoch(sql);
  const changed = changedFields(current?.config, config);
  recordOperation(sql, { by, now }, "config-published", String(version), { version, epoch, changed });
  const budgeted = current !== undefined && !current.config.budgets && config.budgets !== undefined;
  return { version, epoch, budgeted };
}

/** The fields in which two configurations differ: `limits.outputTokens`, `tables.pay.access`. */
function changedFields(before: Config | undefined, after: Config): string[] {
  const names: string[] = [];
  const compare = (a: unknown, b: unknown, path: readonly string[]): void => {
    if (JSON.stringify(a) === JSON.stringify(b)) return;
    const deepest = path[0] === "tables" ? 3 : 2;
    if (path.length === deepest || !isObject(a) || !isObject(b)) return void names.push(path.join("."));
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      compare(a[key], b[key], [...path, key]);
  };
  compare(before ?? {}, after, []);
  return names;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const RUNS_SHOWN = 20;

export function tenantStatus(
  sql: SqlStorage,
  published: PublishedConfig | undefined,
  served: Served,
): TenantStatus {
  const { epoch, generation, space } = metaOf(sql);
  const settings = published?.config.tables ?? {};
  const tables = [...served.tables].map(([table, { rows, asOf }]) => {
    const targetLag = Object.hasOwn(settings, table) ? settings[table]?.targetLag : undefined;
    return {
      table,
      rows,
      asOf,
      targetLagMs: targetLag === undefined ? undefined : parseDuration(targetLag),
    };
  });
  const runs = recentRuns(sql, RUNS_SHOWN);
  return { configVersion: published?.version ?? 0, epoch, generation, space, tables, runs };
}

/** The classes in canonical form. @throws `invalid_request` when an id is not its label's: a class registered under another's id would open rows. */
export async function checkClasses(classes: readonly AccessClass[]): Promise<readonly AccessClass[]> {
  const checked: AccessClass[] = [];
  for (const { id, label, classification } of classes) {
    const made = await classOf(label, classification);
    if (made.id !== id) {
      throw new QuaysideError("invalid_request", "An access class does not match its label.", {
        violations: [{ pointer: "/classes", rule: "id is not the hash of label and classification" }],
      });
    }
    checked.push(made);
  }
  return checked;
}

export function storeClasses(sql: SqlStorage, classes: readonly AccessClass[]): void {
  for (const { id, label, classification } of classes) {
    sql.exec("INSERT OR IGNORE INTO classes VALUES (?, ?, ?)", id, JSON.stringify(label), classification);
  }
}

/** @throws `invalid_request` when a class is not registered: nobody could ever see its rows. */
export function checkUsed(sql: SqlStorage, used: readonly string[]): void {
  const [missing] = sql
    .exec<{ value: string }>(
      "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM classes) LIMIT 1",
      JSON.stringify(used),
    )
    .toArray();
  if (missing) {
    throw new QuaysideError("invalid_request", "A row names an access class that was never sent.", {
      violations: [{ pointer: "/rows", rule: "accessClass is unknown" }],
    });
  }
}

/** What is served, held in memory between requests: tables with their classes, and each class's label. */
export interface Served {
  readonly tables: ReadonlyMap<string, ServedEntry>;
  readonly labels: ReadonlyMap<string, Label>;
}

interface ServedEntry {
  readonly rows: number;
  readonly asOf: string;
  readonly classes: readonly string[];
}

export function loadServed(sql: SqlStorage): Served {
  const tables = new Map<string, ServedEntry & { readonly classes: string[] }>();
  for (const row of sql.exec<{ name: string; rows: number; as_of: string }>("SELECT * FROM served")) {
    tables.set(row.name, { rows: row.rows, asOf: row.as_of, classes: [] });
  }
  for (const row of sql.exec<{ name: string; class: string }>("SELECT * FROM served_classes")) {
    tables.get(row.name)?.classes.push(row.class);
  }
  const labels = new Map<string, Label>();
  const used = "SELECT id, label FROM classes WHERE id IN (SELECT class FROM served_classes)";
  for (const row of sql.exec<{ id: string; label: string }>(used)) {
    const label: Label = JSON.parse(row.label);
    labels.set(row.id, label);
  }
  return { tables, labels };
}

/** Evaluates every served class for the caller. A table that the configuration no longer has is served to no one. */
export function admitPrincipal(
  sql: SqlStorage,
  published: PublishedConfig,
  served: Served,
  principal: Principal,
): Admission {
  const grants = grantsOf(principal);
  const allowed = new Set<string>();
  for (const [id, label] of served.labels) if (permits(label, grants)) allowed.add(id);

  const permitted = new Set<string>();
  const tables: AdmittedTable[] = [];
  for (const [table, settings] of Object.entries(published.config.tables)) {
    const entry = settings.index === false ? undefined : served.tables.get(table);
    const classes = entry?.classes.filter((id) => allowed.has(id)) ?? [];
    if (!entry || classes.length === 0) continue;
    for (const id of classes) permitted.add(id);
    const targetLagMs = settings.targetLag === undefined ? undefined : parseDuration(settings.targetLag);
    tables.push({ table, asOf: entry.asOf, targetLagMs, rows: entry.rows });
  }
  const { epoch, generation, space } = metaOf(sql);
  return {
    tenant: principal.tenant,
    epoch,
    generation,
    configVersion: published.version,
    space,
    permitted: [...permitted].sort(),
    tables,
    config: published.config,
  };
}
