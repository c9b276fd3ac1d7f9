import { DurableObject } from "cloudflare:workers";
import { withoutRow } from "../../ingest/pipeline/checkpoint.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Found, WaitingRun } from "../tenant/api.ts";
import { coded } from "../tenant/rpc.ts";
import { makeEdge, type Edge } from "../worker.ts";
import type { RunnerApi } from "./api.ts";
import { clearTask, createTaskSchema, readTask, setTenant, tenantOf, writeTask, type Task } from "./task.ts";

/** Triggers that come together are one run. */
const TOGETHER_MS = 1000;
/** A slice that takes this long hangs; a Durable Object's alarm may take 15 minutes (Cloudflare, "Alarms"). */
const SLICE_DEADLINE_MS = 10 * 60_000;
/** A run that was begun this often without getting anywhere takes its object down with it. */
const MAX_STARTS = 25;

/**
 * One a tenant: carries out the runs of sources that the Worker can read, a slice an alarm, so that neither a question nor a
 * trigger waits for it. What a slice needs to know is written down before the next: after a crash the platform fires the alarm
 * again, and the run goes on from there. The ledger alone decides who may write.
 */
export class Runner extends DurableObject implements RunnerApi {
  readonly #sql: SqlStorage;
  #edge: Edge | undefined;
  #busy = false;
  /** Rows erased while a slice is under way: it may still name them in what it writes down. */
  readonly #erased = new Set<string>();

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    createTaskSchema(this.#sql);
  }

  wake(tenant: string): Promise<void> {
    return coded(async () => {
      setTenant(this.#sql, tenant);
      const soon = Date.now() + TOGETHER_MS;
      const set = await this.ctx.storage.getAlarm();
      if (set === null || set > soon) await this.ctx.storage.setAlarm(soon);
    });
  }

  forget(row: string): Promise<Found> {
    return coded(() => {
      if (this.#busy) this.#erased.add(row);
      const task = readTask(this.#sql);
      const { task: without, pieces } = taskWithout(task, row);
      if (pieces > 0) this.#write(without);
      return { removed: pieces, left: taskWithout(readTask(this.#sql), row).pieces };
    });
  }

  override async alarm(): Promise<void> {
    const tenant = tenantOf(this.#sql);
    // The one that is at work sets the next alarm.
    if (this.#busy || tenant === undefined) return;
    this.#busy = true;
    try {
      const at = await this.#goOn(tenant);
      if (at !== undefined) await this.ctx.storage.setAlarm(at);
    } finally {
      this.#busy = false;
      // From here on a slice learns of them from the ledger.
      this.#erased.clear();
    }
  }

  /** @returns when to look again, in milliseconds since the epoch; undefined when somebody will say so. */
  async #goOn(tenant: string): Promise<number | undefined> {
    const edge = (this.#edge ??= makeEdge(this.env));
    const ledger = edge.ledger(tenant);
    let task = readTask(this.#sql);
    if (!task) {
      const { run, readyAt } = await ledger.next("edge");
      if (!run) return readyAt;
      task = newTask(run);
    }
    // Before anything is sent: the numbers of a slice's batches are used once.
    task = { ...task, slice: task.slice + 1, starts: task.starts + 1 };
    this.#keep(task);
    try {
      if (task.starts > MAX_STARTS) throw new QuaysideError("internal", "The run ends its object.");
      const { ingestSlice } = await import("./ingest-slice.ts");
      const signal = AbortSignal.timeout(SLICE_DEADLINE_MS);
      const checkpoint = await ingestSlice(tenant, task, edge, (next) => this.#keep(next), signal);
      this.#keep(checkpoint && { ...task, starts: 0, checkpoint });
    } catch (error) {
      const code = error instanceof QuaysideError ? error.code : "internal";
      edge.host.log({ level: "warn", event: "run-failed", run: task.run.id, slice: task.slice, code });
      // With its lease it has been given back; one without may have failed before it could ask for it.
      const kept = readTask(this.#sql);
      if (kept && !kept.checkpoint && code !== "run_conflict") await ledger.refuse(task.run.id, code);
      if (kept?.checkpoint && task.starts > MAX_STARTS) await ledger.abandon(kept.checkpoint.run, code);
      this.#keep(undefined);
      // Another holds the lease: the ledger says when it ends.
      if (code === "run_conflict" && error instanceof QuaysideError) {
        return Date.now() + Math.max(TOGETHER_MS, error.retryAfterMs ?? 0);
      }
    }
    return Date.now();
  }

  #keep(task: Task | undefined): void {
    let without = task;
    for (const row of this.#erased) without = taskWithout(without, row).task;
    this.#write(without);
  }

  #write(task: Task | undefined): void {
    this.ctx.storage.transactionSync(() => (task ? writeTask(this.#sql, task) : clearTask(this.#sql)));
  }
}

function taskWithout(
  task: Task | undefined,
  row: string,
): { readonly task: Task | undefined; readonly pieces: number } {
  if (!task?.checkpoint) return { task, pieces: 0 };
  const { checkpoint, pieces } = withoutRow(task.checkpoint, row);
  return { task: { ...task, checkpoint }, pieces };
}

function newTask(run: WaitingRun): Task {
  return { run, key: crypto.randomUUID(), slice: 0, starts: 0, checkpoint: undefined };
}
