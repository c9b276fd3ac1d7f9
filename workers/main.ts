import { env, waitUntil } from "cloudflare:workers";
import { makeFront } from "./front.ts";
import { lateObject } from "./late.ts";

const front = makeFront(env, waitUntil);

export default {
  fetch: (request) => front.fetch(request),
  scheduled: () => front.scheduled(),
} satisfies ExportedHandler;

export const Ledger = lateObject(async () => (await import("./tenant/ledger.ts")).Ledger, {
  admit: true,
  appendAudit: true,
  audit: true,
  config: true,
  publishConfig: true,
  begin: true,
  renew: true,
  probe: true,
  retired: true,
  dropped: true,
  withheld: true,
  shapes: true,
  erasedRows: true,
  pending: true,
  prepare: true,
  publish: true,
  abandon: true,
  report: true,
  trigger: true,
  triggerDue: true,
  next: true,
  refuse: true,
  run: true,
  runs: true,
  cancel: true,
  status: true,
  suppress: true,
  forget: true,
  erased: true,
  erasure: true,
  addKey: true,
  key: true,
  keys: true,
  revokeKey: true,
  startCall: true,
  conclude: true,
  answer: true,
  answersFrom: true,
  answerTotals: true,
  rate: true,
  ratings: true,
  budgets: true,
});

export const Shard = lateObject(async () => (await import("./index/shard.ts")).Shard, {
  stage: true,
  stageEncoded: true,
  known: true,
  bases: true,
  publish: true,
  rollBack: true,
  query: true,
  recheck: true,
  holds: true,
  erase: true,
  clear: true,
  setEpoch: true,
  stats: true,
});

export const Runner = lateObject(async () => (await import("./runner/runner.ts")).Runner, {
  wake: true,
  forget: true,
  alarm: true,
});

export const Thread = lateObject(async () => (await import("./thread/thread.ts")).Thread, {
  deliver: true,
  alarm: true,
});
