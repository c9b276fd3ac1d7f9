import { DurableObject } from "cloudflare:workers";
import { coded } from "../tenant/rpc.ts";
import { makeWorker, type Worker } from "../worker.ts";
import type { Answerer, Delivery, ThreadApi } from "./api.ts";
import {
  createThreadSchema,
  memoryOf,
  nextWaiting,
  settle,
  sweep,
  takeIn,
  MAX_ATTEMPTS,
} from "./messages.ts";

/** One answer may take this long; a platform's own limits are shorter. */
const ANSWER_MS = 150_000;
/** A message that was begun this often without an end takes its object down with it. */
const MAX_STARTS = 5;
/** Between two tries of one message, doubled each time. */
const RETRY_MS = 2000;

/**
 * One a thread of a chat platform: takes messages in, so that the platform has its acknowledgement at once, and answers them
 * one after the other in an alarm, which the platform below starts again after a crash. Each message is answered once,
 * however often it is delivered.
 */
export class Thread extends DurableObject implements ThreadApi {
  readonly #sql: SqlStorage;
  #worker: Worker | undefined;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
  }

  deliver(delivery: Delivery): Promise<boolean> {
    return coded(async () => {
      const now = Date.now();
      // Here and not at the start: an object that has nothing left to keep drops its storage and lives on.
      createThreadSchema(this.#sql);
      const taken = this.ctx.storage.transactionSync(() => takeIn(this.#sql, delivery, now));
      // An alarm that is answering goes on to this message by itself; any other may be far away.
      if (taken) await this.ctx.storage.setAlarm(now);
      return taken;
    });
  }

  override async alarm(): Promise<void> {
    for (let waiting = nextWaiting(this.#sql); waiting; waiting = nextWaiting(this.#sql)) {
      const memory = memoryOf(
        this.#sql,
        waiting,
        () => Date.now(),
        () => this.ctx.storage.sync(),
      );
      try {
        if (waiting.attempts > MAX_STARTS) throw new Error("The message ends its object.");
        await this.#answererOf(waiting.surface)(waiting.work, memory, AbortSignal.timeout(ANSWER_MS));
      } catch (error) {
        if (waiting.attempts < MAX_ATTEMPTS) {
          await this.ctx.storage.setAlarm(Date.now() + RETRY_MS * 2 ** (waiting.attempts - 1));
          return;
        }
        this.#made().host.log({
          level: "error",
          event: "message-not-answered",
          surface: waiting.surface,
          kind: error instanceof Error ? error.name : typeof error,
        });
      }
      settle(this.#sql, waiting.id);
    }
    const next = sweep(this.#sql, Date.now());
    if (next === undefined) await this.ctx.storage.deleteAll();
    else await this.ctx.storage.setAlarm(next);
  }

  #answererOf(surface: string): Answerer {
    const answerer = this.#made().answerers[surface];
    if (!answerer) throw new Error("No surface of that name is mounted.");
    return answerer;
  }

  /** The read path of this isolate, made by the first message. */
  #made(): Worker {
    this.#worker ??= makeWorker(this.env, (work) => this.ctx.waitUntil(work));
    return this.#worker;
  }
}
