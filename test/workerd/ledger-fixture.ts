import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import type { Config } from "../../shared/config.ts";
import { classOf } from "../../shared/policy.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { AccessClass, PublishedTable, Run, RunRequest } from "../../shared/ports/registry.ts";
import type { LedgerApi, ServedTable } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";

/** A ledger of its own for each test, and runs through it. */

export const CONFIG: Config = {
  name: "test",
  sources: { local: { kind: "none" } },
  tables: {
    pay: { source: "local", key: ["id"], classification: "restricted", access: { allowAny: ["group:hr"] } },
    news: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    names: { source: "local", key: ["id"], classification: "public", index: false },
  },
};

export const SPACE = "space-1";
export const REQUEST: RunRequest = { tenant: "t", tables: ["pay", "news"], space: SPACE, trigger: "cli" };
export const GUEST: Principal = { tenant: "t", subject: "g", groups: [], attributes: {}, scopes: ["ask"] };
export const HR: Principal = { ...GUEST, subject: "h", groups: ["hr"] };

export interface Opened {
  readonly ledger: LedgerApi;
  readonly sql: (statement: string) => Promise<void>;
  readonly rows: (query: string) => Promise<readonly unknown[]>;
}

export function open(): Opened {
  const stub = env.LEDGER.getByName(crypto.randomUUID());
  return {
    ledger: overRpc<LedgerApi>(() => stub, "registry_unavailable"),
    sql: (statement) =>
      runInDurableObject(stub, (_, state) => {
        state.storage.sql.exec(statement);
      }),
    rows: (query) => runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray()),
  };
}

export async function configured(config = CONFIG): Promise<Opened> {
  const opened = open();
  await opened.ledger.publishConfig(config);
  return opened;
}

export const classes = {
  hr: await classOf({ allowAny: [["group:hr"]], allowAll: [], deny: [] }, "restricted"),
  everyone: await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public"),
};

export function counted(table: string, added = 1, asOf = "2026-11-01T00:00:00Z"): PublishedTable {
  return {
    counts: { table, read: added, added, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
    asOf,
    key: ["id"],
    rollup: false,
  };
}

export const SERVED: readonly ServedTable[] = [
  { table: "pay", rows: 2, classes: [classes.hr.id] },
  { table: "news", rows: 3, classes: [classes.everyone.id] },
];

/** A run from begin to publish, with a shard that reports `rows`. */
export async function publish(
  ledger: LedgerApi,
  options: {
    readonly rows?: readonly ServedTable[];
    readonly generation?: number;
    readonly request?: RunRequest;
    readonly tables?: readonly PublishedTable[];
    readonly classes?: readonly AccessClass[];
  } = {},
): Promise<{ readonly run: Run; readonly generation: number }> {
  const { rows = SERVED, request = REQUEST, tables = [counted("pay"), counted("news")] } = options;
  const run = await ledger.begin(request, crypto.randomUUID());
  await ledger.renew(run, options.classes ?? Object.values(classes), []);
  await ledger.prepare(run, tables);
  const served = { generation: options.generation ?? run.generation, changed: true, rows };
  return { run, ...(await ledger.publish(run, tables, served)) };
}

export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
  return "none";
}
