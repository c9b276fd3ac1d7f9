import type { Config } from "../shared/config.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { LedgerApi, RunDetail, RunRecord, RunTrigger, Triggered, WaitingRun } from "./tenant/api.ts";

/** Runs as surfaces and the clock ask for them. The ledger decides and remembers; a runner carries out what the Worker can read. */
export interface Runs {
  /** @throws QuaysideError `not_configured`, `idempotency_conflict`, `invalid_request`. */
  trigger(tenant: string, asked: Omit<RunTrigger, "host">): Promise<Triggered>;
  /** Asks for runs of what is due, and sees to it that none lies where nobody looks. Harmless when repeated. */
  tick(tenant: string): Promise<void>;
  /** The run that a program on Node should lease next; what is due counts. */
  next(tenant: string): Promise<WaitingRun | undefined>;
  run(tenant: string, id: string): Promise<RunDetail | undefined>;
  list(tenant: string, limit: number): Promise<readonly RunRecord[]>;
  cancel(tenant: string, id: string, by: string): Promise<RunRecord | undefined>;
  /** A waiting run failed before it could be leased. */
  refuse(tenant: string, id: string, reason: string): Promise<void>;
}

export interface RunsDeps {
  readonly ledger: (tenant: string) => LedgerApi;
  /** Whether the Worker itself can read sources of this kind. */
  readonly readable: (kind: string) => boolean;
  /** Has the tenant's runner look for work. */
  readonly wake: (tenant: string) => Promise<void>;
}

export function makeRuns(deps: RunsDeps): Runs {
  const configOf = async (tenant: string): Promise<Config> => {
    const published = await deps.ledger(tenant).config();
    if (published) return published.config;
    throw new QuaysideError("not_configured", "No configuration is published yet: run `quayside ingest`.");
  };
  const tick = async (tenant: string): Promise<void> => {
    const config = (await deps.ledger(tenant).config())?.config;
    if (!config) return;
    await deps.ledger(tenant).triggerDue(edgeTables(config, deps.readable));
    const { run, readyAt } = await deps.ledger(tenant).next("edge");
    if (run !== undefined || readyAt !== undefined) await deps.wake(tenant);
  };
  return {
    async trigger(tenant, asked) {
      const config = await configOf(tenant);
      const edge = edgeTables(config, deps.readable);
      const indexed = Object.keys(config.tables).filter((name) => config.tables[name]?.index !== false);
      // A run that needs a single table that only Node can read is Node's as a whole: it can read the others too.
      const host = (asked.tables ?? indexed).every((name) => edge.includes(name)) ? "edge" : "node";
      const triggered = await deps.ledger(tenant).trigger({ ...asked, host });
      if (host === "edge") await deps.wake(tenant);
      return triggered;
    },
    tick,
    async next(tenant) {
      await tick(tenant);
      return (await deps.ledger(tenant).next("node")).run;
    },
    run: (tenant, id) => deps.ledger(tenant).run(id),
    list: (tenant, limit) => deps.ledger(tenant).runs(limit),
    cancel: (tenant, id, by) => deps.ledger(tenant).cancel(id, by),
    refuse: (tenant, id, reason) => deps.ledger(tenant).refuse(id, reason),
  };
}

/** The indexed tables that the Worker can read by itself, with every table that they look names up in. */
export function edgeTables(config: Config, readable: (kind: string) => boolean): readonly string[] {
  const reads = (name: string): boolean =>
    readable(config.sources[config.tables[name]?.source ?? ""]?.kind ?? "");
  return Object.entries(config.tables)
    .filter(([, table]) => table.index !== false)
    .filter(([name, { lookups }]) => [name, ...lookedUp(lookups)].every(reads))
    .map(([name]) => name);
}

function lookedUp(lookups: Readonly<Record<string, string>> | undefined): string[] {
  return Object.values(lookups ?? {}).map((target) => target.split(".")[0] ?? "");
}
