import { DurableObject } from "cloudflare:workers";
import type { AuditEntry } from "../../shared/audit-wire.ts";
import type { Config } from "../../shared/config.ts";
import { hash128 } from "../../shared/ids.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  AccessClass,
  PublishedTable,
  Run,
  RunProgress,
  RunRequest,
} from "../../shared/ports/registry.ts";
import type {
  Admission,
  ErasureOutcome,
  LedgerApi,
  Publication,
  RunHost,
  RunTrigger,
  ShardPublished,
  StoredKey,
  TenantStatus,
} from "./api.ts";
import { appendAudit, auditAfter, auditHead } from "./ledger-audit.ts";
import type { AnswerRecord, CallRequest, CallStart, Left, Rating, Telling } from "./api-answers.ts";
import { makeCalls, type Calls } from "./calls.ts";
import {
  answerById,
  answersFrom,
  answerTotals,
  createAnswerSchema,
  hideRow,
  ratings,
  recordsNaming,
  storeAnswers,
  storeRating,
  withoutRows,
} from "./ledger-answers.ts";
import { budgetLines, createBudgetSchema, resetAt } from "./ledger-budgets.ts";
import {
  completeErasure,
  countErasures,
  erasedHashes,
  erasureById,
  lastErased,
  sealErasures,
  suppressRow,
  unsealedRows,
  withholdRows,
} from "./ledger-erasures.ts";
import { insertKey, keyById, keysOf, revokeKeyById } from "./ledger-keys.ts";
import {
  admitPrincipal,
  checkClasses,
  checkUsed,
  currentConfig,
  loadServed,
  storeClasses,
  storeConfig,
  tenantStatus,
  type PublishedConfig,
  type Served,
} from "./ledger-policy.ts";
import { forgetHeldBack, heldBackNaming } from "./ledger-held-back.ts";
import {
  nextRun,
  recentRuns,
  refuseRequest,
  reportProgress,
  runById,
  triggerDue,
  triggerRun,
} from "./ledger-requests.ts";
import {
  abandonRun,
  beginRun,
  cancelRun,
  pendingPublication,
  preparePublication,
  publishedBy,
  publishedShapes,
  publishRun,
  renewLease,
} from "./ledger-runs.ts";
import { createLedgerSchema, metaOf } from "./ledger-schema.ts";
import { dropRetired, forgetSpace, keepProbes, retireSpaces, spaceOfRun, useSpace } from "./ledger-spaces.ts";
import { coded } from "./rpc.ts";

/** One a tenant: configuration, access classes, runs, generation, erasures. It decides; shards hold rows. */
export class Ledger extends DurableObject implements LedgerApi {
  readonly #sql: SqlStorage;
  /** Read from storage on first use; forgotten by whatever changes it. */
  #config: PublishedConfig | undefined;
  #served: Served | undefined;
  /** Hashes of rows that were erased lately, by row; read on first use. */
  #erased: Map<string, string> | undefined;
  readonly #calls: Calls;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    createLedgerSchema(this.#sql);
    createBudgetSchema(this.#sql);
    createAnswerSchema(this.#sql);
    this.#calls = makeCalls({
      sql: this.#sql,
      change: (change) => ctx.storage.transactionSync(change),
      budgets: () => this.#configured().config.budgets,
      now: () => Date.now(),
    });
  }

  admit(principal: Principal): Promise<Admission> {
    return coded(() => {
      const config = this.#configured();
      this.#served ??= loadServed(this.#sql);
      return admitPrincipal(this.#sql, config, this.#served, principal);
    });
  }

  appendAudit(entries: readonly AuditEntry[]): ReturnType<LedgerApi["appendAudit"]> {
    return this.#change(() => appendAudit(this.#sql, entries));
  }

  audit(after: number, limit: number): ReturnType<LedgerApi["audit"]> {
    return coded(() => ({ records: auditAfter(this.#sql, after, limit), head: auditHead(this.#sql) }));
  }

  config(): ReturnType<LedgerApi["config"]> {
    return coded(() => {
      this.#config ??= currentConfig(this.#sql);
      return this.#config && { ...this.#config, epoch: metaOf(this.#sql).epoch };
    });
  }

  publishConfig(config: Config, by?: string): ReturnType<LedgerApi["publishConfig"]> {
    this.#config = undefined;
    return this.#change(() => ({
      ...storeConfig(this.#sql, config, by, Date.now()),
      space: metaOf(this.#sql).space,
    }));
  }

  begin(request: RunRequest, key: string, by?: string): Promise<Run> {
    return this.#change(() => {
      const { config } = this.#configured();
      const run = beginRun(this.#sql, config, request, key, by, Date.now());
      useSpace(this.#sql, { space: run.space, index: config.index });
      return run;
    });
  }

  renew(
    run: Run,
    classes: readonly AccessClass[],
    used: readonly string[],
  ): Promise<{ readonly erasures: number }> {
    return coded(async () => {
      const checked = await checkClasses(classes);
      return this.#change(() => {
        renewLease(this.#sql, run, Date.now());
        storeClasses(this.#sql, checked);
        checkUsed(this.#sql, used);
        return { erasures: countErasures(this.#sql) };
      });
    });
  }

  probe(run: Run, vectors: readonly Float32Array[]): ReturnType<LedgerApi["probe"]> {
    return this.#change(() => {
      renewLease(this.#sql, run, Date.now());
      return keepProbes(this.#sql, run.space, vectors);
    });
  }

  retired(): ReturnType<LedgerApi["retired"]> {
    return this.#change(() => dropRetired(this.#sql, Date.now()));
  }

  dropped(space: string): Promise<void> {
    return this.#change(() => forgetSpace(this.#sql, space));
  }

  withheld(run: Run, table: string, hashes: readonly string[]): Promise<readonly string[]> {
    return this.#change(() => withholdRows(this.#sql, run, table, hashes));
  }

  shapes(): ReturnType<LedgerApi["shapes"]> {
    return coded(() => ({ space: metaOf(this.#sql).space, tables: publishedShapes(this.#sql) }));
  }

  erasedRows(): Promise<readonly string[]> {
    return coded(() => erasedHashes(this.#sql));
  }

  pending(): ReturnType<LedgerApi["pending"]> {
    return this.#change(() => {
      const started = pendingPublication(this.#sql);
      return started && this.#publication(started.run, started.tables);
    });
  }

  prepare(run: Run, tables: readonly PublishedTable[]): ReturnType<LedgerApi["prepare"]> {
    return this.#change(
      () =>
        publishedBy(this.#sql, run) ??
        this.#publication(run, preparePublication(this.#sql, run, tables, Date.now())),
    );
  }

  publish(
    run: Run,
    tables: readonly PublishedTable[],
    served: ShardPublished,
  ): Promise<{ readonly generation: number }> {
    this.#served = undefined;
    return this.#change(() => {
      const done = publishedBy(this.#sql, run);
      if (done !== undefined) return { generation: done };
      const result = publishRun(this.#sql, run, tables, served, Date.now());
      sealErasures(this.#sql, run);
      retireSpaces(this.#sql, Date.now());
      return result;
    });
  }

  abandon(run: Run, reason: string): Promise<void> {
    return this.#change(() => abandonRun(this.#sql, run, reason, Date.now()));
  }

  report(run: Run, progress: RunProgress): Promise<void> {
    return this.#change(() => {
      renewLease(this.#sql, run, Date.now());
      reportProgress(this.#sql, run.fence, progress, this.#lastErased());
    });
  }

  trigger(asked: RunTrigger): ReturnType<LedgerApi["trigger"]> {
    return this.#change(() => triggerRun(this.#sql, this.#configured().config, asked, Date.now()));
  }

  triggerDue(edge: readonly string[]): ReturnType<LedgerApi["triggerDue"]> {
    return this.#change(() => triggerDue(this.#sql, this.#configured().config, edge, Date.now()));
  }

  next(host: RunHost): ReturnType<LedgerApi["next"]> {
    return coded(() => nextRun(this.#sql, host, Date.now()));
  }

  refuse(id: string, reason: string): Promise<void> {
    return this.#change(() => refuseRequest(this.#sql, id, reason, Date.now()));
  }

  run(id: string): ReturnType<LedgerApi["run"]> {
    return coded(() => runById(this.#sql, id));
  }

  runs(limit: number): ReturnType<LedgerApi["runs"]> {
    return coded(() => recentRuns(this.#sql, limit));
  }

  cancel(id: string, by?: string): ReturnType<LedgerApi["cancel"]> {
    return this.#change(() => cancelRun(this.#sql, id, by, Date.now()));
  }

  status(): Promise<TenantStatus> {
    return coded(() => {
      this.#config ??= currentConfig(this.#sql);
      this.#served ??= loadServed(this.#sql);
      return tenantStatus(this.#sql, this.#config, this.#served);
    });
  }

  suppress(table: string, row: string, by?: string): ReturnType<LedgerApi["suppress"]> {
    return coded(async () => {
      const hash = await hash128(row);
      this.#lastErased().set(row, hash);
      return this.#change(() => suppressRow(this.#sql, { table, row, hash }, by, Date.now()));
    });
  }

  forget(row: string): ReturnType<LedgerApi["forget"]> {
    return coded(async () => {
      const hash = await hash128(row);
      return this.#change(() => ({
        records: { removed: hideRow(this.#sql, row, hash), left: recordsNaming(this.#sql, row).length },
        runs: { removed: forgetHeldBack(this.#sql, row), left: heldBackNaming(this.#sql, row).length },
      }));
    });
  }

  erased(id: string, outcome: ErasureOutcome): ReturnType<LedgerApi["erased"]> {
    return this.#change(() => completeErasure(this.#sql, id, outcome, Date.now()));
  }

  erasure(id: string): ReturnType<LedgerApi["erasure"]> {
    return coded(() => erasureById(this.#sql, id));
  }

  addKey(key: StoredKey, by?: string): Promise<void> {
    return this.#change(() => insertKey(this.#sql, key, by, Date.now()));
  }

  key(id: string): Promise<StoredKey | undefined> {
    return coded(() => keyById(this.#sql, id));
  }

  keys(tenant: string): Promise<readonly StoredKey[]> {
    return coded(() => keysOf(this.#sql, tenant));
  }

  revokeKey(tenant: string, id: string, by?: string): Promise<boolean> {
    return this.#change(() => revokeKeyById(this.#sql, tenant, id, by, Date.now()));
  }

  startCall(request: CallRequest, telling: Telling | undefined): Promise<CallStart> {
    return coded(() => this.#calls.start(request, telling));
  }

  conclude({ settled, answers, audit }: Left): ReturnType<LedgerApi["conclude"]> {
    return this.#change(() => {
      if (settled.length > 0) this.#calls.settle(settled);
      if (answers.length > 0) {
        const told = withoutRows(answers, this.#lastErased());
        storeAnswers(this.#sql, told, this.#configured().config.answers, Date.now());
      }
      if (audit.length > 0) appendAudit(this.#sql, audit);
      return this.#calls.circuits();
    });
  }

  answer(id: string): Promise<AnswerRecord | undefined> {
    return coded(() => answerById(this.#sql, id));
  }

  answersFrom(row: string, subject: string | undefined): ReturnType<LedgerApi["answersFrom"]> {
    return coded(() => answersFrom(this.#sql, row, subject));
  }

  answerTotals(): ReturnType<LedgerApi["answerTotals"]> {
    return coded(() => answerTotals(this.#sql));
  }

  rate(rating: Rating): Promise<boolean> {
    return this.#change(() => storeRating(this.#sql, rating, Date.now()));
  }

  ratings(): ReturnType<LedgerApi["ratings"]> {
    return coded(() => ratings(this.#sql));
  }

  budgets(): ReturnType<LedgerApi["budgets"]> {
    return this.#change(() => ({
      resetsAt: new Date(resetAt(Date.now())).toISOString(),
      lines: budgetLines(this.#sql, this.#configured().config.budgets, Date.now()),
    }));
  }

  #publication(run: Run, tables: readonly PublishedTable[]): Publication {
    return {
      run,
      tables,
      epoch: metaOf(this.#sql).epoch,
      erase: unsealedRows(this.#sql, run),
      space: spaceOfRun(this.#sql, run.space),
    };
  }

  #lastErased(): Map<string, string> {
    return (this.#erased ??= new Map(lastErased(this.#sql)));
  }

  #configured(): PublishedConfig {
    this.#config ??= currentConfig(this.#sql);
    if (this.#config) return this.#config;
    throw new QuaysideError("not_configured", "No configuration is published yet: run `quayside ingest`.");
  }

  /** All or nothing. */
  #change<T>(change: () => T): Promise<T> {
    return coded(() => this.ctx.storage.transactionSync(change));
  }
}
