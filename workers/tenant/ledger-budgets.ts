import type { Config } from "../../shared/config.ts";
import type { BudgetLine, CallCost, Settlement, SpendRequest, Spent } from "./api-answers.ts";

/**
 * Money and tokens of one day (UTC), by scope. What an answer may cost at most is held before its model is asked and becomes
 * what it did cost afterwards, so that the sum of both never passes a cap. What nobody settles is free again after a while.
 * Money is in whole billionths of a dollar: sums are exact.
 */

/** Longer than any answer may take. */
const HOLD_MS = 300_000;
/** Days of which the sums are kept. */
const KEEP_DAYS = 40;
const DAY_MS = 86_400_000;

export type Held =
  /** Models that may be asked: the order is the request's. */
  | { readonly type: "granted"; readonly models: readonly string[] }
  /** Enough may become free: what answers under way hold and don't use. */
  | { readonly type: "full"; readonly scope: string }
  | { readonly type: "spent"; readonly scope: string };

type Cap = Pick<BudgetLine, "tokensPerDay" | "nanoUsdPerDay">;

interface Sums {
  readonly tokens: number;
  readonly nano: number;
  readonly held_tokens: number;
  readonly held_nano: number;
}

interface Account extends Sums {
  readonly [column: string]: SqlStorageValue;
  readonly scope: string;
  readonly answers: number;
}

interface Amount {
  readonly tokens: number;
  readonly nanoUsd: number;
}

const NOTHING: Amount = { tokens: 0, nanoUsd: 0 };

export function createBudgetSchema(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS spending (
      day TEXT NOT NULL, scope TEXT NOT NULL,
      tokens INTEGER NOT NULL DEFAULT 0, nano INTEGER NOT NULL DEFAULT 0,
      held_tokens INTEGER NOT NULL DEFAULT 0, held_nano INTEGER NOT NULL DEFAULT 0,
      answers INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (day, scope)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS holds (
      id TEXT PRIMARY KEY, day TEXT NOT NULL, until INTEGER NOT NULL, state TEXT NOT NULL, parts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS holds_until ON holds (state, until);
  `);
}

/** One scope's part of a hold. */
type Part = readonly [scope: string, tokens: number, nanoUsd: number];

interface Stored {
  readonly models: readonly string[];
  readonly parts: readonly Part[];
  /** See `SpendRequest.again`; absent before the first. */
  readonly turn?: number;
}

/** Holds what the answer may cost. Repeating it with the same id holds nothing more. */
export function holdBudget(
  sql: SqlStorage,
  budgets: Config["budgets"],
  request: SpendRequest,
  now: number,
): Held {
  // Nothing to hold: what is spent is only counted, afterwards.
  if (!budgets) return { type: "granted", models: request.calls.map(({ model }) => model) };
  releaseExpired(sql, now);
  const { id, again } = request;
  const [before] = sql.exec<Hold>("SELECT day, state, parts FROM holds WHERE id = ?", id).toArray();
  const shared = scopesOf(budgets, request);
  const { models: held = [], turn = 0 }: Partial<Stored> = JSON.parse(before?.parts ?? "{}");
  if (again && turn < again.turn) {
    const { failed } = again;
    if (before) settleHold(sql, before, { spent: [], failed });
    else addAll(sql, dayOf(now), ["tenant"], [], failed);
    // A repetition finds it so, and counts nothing twice.
    const waiting = { id, day: dayOf(now), until: now + HOLD_MS, state: "waiting" } as const;
    storeHold(sql, waiting, { models: [], parts: [], turn: again.turn });
  } else if (before && before.state !== "waiting") return { type: "granted", models: held };
  const day = dayOf(now);
  const state = (call: CallCost): Held | undefined => {
    if (call.tokens === 0 && call.nanoUsd === 0) return undefined;
    for (const { scope, cap } of [...shared, modelScope(budgets, call.model)]) {
      const account = accountOf(sql, day, scope);
      if (!fits(cap, account.tokens, account.nano, call)) return { type: "spent", scope };
      const { tokens, nano, held_tokens, held_nano } = account;
      if (!fits(cap, tokens + held_tokens, nano + held_nano, call)) return { type: "full", scope };
    }
    return undefined;
  };
  const granted: CallCost[] = [];
  let refusal: Held | undefined;
  for (const call of request.calls) {
    const refused = state(call);
    if (refused === undefined) granted.push(call);
    // A model that is preferred is waited for; one that would only stand in is left out.
    else if (refused.type === "full" && granted.length === 0) return refused;
    else refusal ??= refused;
  }
  if (granted.length === 0 && refusal) return refusal;

  const most = granted.reduce((a: Amount, b) => larger(a, b), NOTHING);
  const parts: Part[] = shared.map(({ scope }): Part => [scope, most.tokens, most.nanoUsd]);
  for (const { model, tokens, nanoUsd } of granted) parts.push([`model:${model}`, tokens, nanoUsd]);
  for (const part of parts) addHeld(sql, day, part, 1);
  const models = granted.map(({ model }) => model);
  const stored = { models, parts, turn: again?.turn ?? 0 };
  storeHold(sql, { id, day, until: now + HOLD_MS, state: "held" }, stored);
  return { type: "granted", models };
}

/** What was held becomes what was spent, on the day on which it was held. Repeating it changes nothing, where there are budgets. */
export function settleBudget(
  sql: SqlStorage,
  budgets: Config["budgets"],
  { id, spent, failed = [] }: Pick<Settlement, "id" | "spent" | "failed">,
  now: number,
): void {
  const [hold] = sql.exec<Hold>("SELECT day, state, parts FROM holds WHERE id = ?", id).toArray();
  if (!hold) {
    // Nothing was held: there were no budgets when it began. There may be since, and a repetition must not count twice.
    if (spent.length + failed.length === 0) return;
    addAll(sql, dayOf(now), ["tenant"], spent, failed);
    if (budgets)
      storeHold(
        sql,
        { id, day: dayOf(now), until: now + DAY_MS, state: "settled" },
        { models: [], parts: [] },
      );
    return;
  }
  if (hold.state === "settled") return;
  settleHold(sql, hold, { spent, failed });
  sql.exec("UPDATE holds SET state = 'settled', until = ? WHERE id = ?", now + DAY_MS, id);
}

interface Hold {
  readonly [column: string]: SqlStorageValue;
  readonly day: string;
  /** `waiting`: nothing is held yet for another call. `released`: nobody settled it in time. */
  readonly state: "held" | "waiting" | "settled" | "released";
  readonly parts: string;
}

function settleHold(
  sql: SqlStorage,
  { day, state, parts: json }: Hold,
  { spent, failed }: Required<Pick<Settlement, "spent" | "failed">>,
): void {
  const { parts }: Stored = JSON.parse(json);
  if (state === "held") for (const part of parts) addHeld(sql, day, part, -1);
  const shared = parts.map(([scope]) => scope).filter((scope) => !scope.startsWith("model:"));
  addAll(sql, day, shared, spent, failed);
}

function storeHold(
  sql: SqlStorage,
  { id, day, until, state }: { id: string; day: string; until: number; state: Hold["state"] },
  stored: Stored,
): void {
  sql.exec(
    "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?)",
    id,
    day,
    until,
    state,
    JSON.stringify(stored),
  );
}

/** Every scope of a day with a cap or with spending, the tenant's first. */
export function budgetLines(sql: SqlStorage, budgets: Config["budgets"], now: number): readonly BudgetLine[] {
  releaseExpired(sql, now);
  const day = dayOf(now);
  const accounts = new Map(
    sql
      .exec<Account>("SELECT * FROM spending WHERE day = ? ORDER BY scope", day)
      .toArray()
      .map((account) => [account.scope, account]),
  );
  const named = [
    "tenant",
    ...Object.keys(budgets?.principals ?? {}).map((name) => `principal:${name}`),
    ...Object.keys(budgets?.groups ?? {}).map((name) => `group:${name}`),
    ...Object.keys(budgets?.models ?? {}).map((name) => `model:${name}`),
  ];
  return [...new Set([...named, ...accounts.keys()])].map((scope) => {
    const account = accounts.get(scope);
    return {
      scope,
      ...capOf(budgets, scope),
      tokens: account?.tokens ?? 0,
      nanoUsd: account?.nano ?? 0,
      heldTokens: account?.held_tokens ?? 0,
      heldNanoUsd: account?.held_nano ?? 0,
      answers: account?.answers ?? 0,
    };
  });
}

/** When the day's budgets begin anew, milliseconds since the epoch. */
export function resetAt(now: number): number {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS;
}

function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}

/** The scopes that an answer of this caller counts in, the model's apart. Callers and groups are counted where a cap names them. */
function scopesOf(
  budgets: Config["budgets"],
  { subject, groups }: SpendRequest,
): readonly { readonly scope: string; readonly cap: Cap }[] {
  const own = `principal:${subject}`;
  const scopes = ["tenant", ...groups.map((group) => `group:${group}`)]
    .map((scope) => ({ scope, cap: capOf(budgets, scope) }))
    .filter(({ scope, cap }) => scope === "tenant" || isCap(cap));
  const cap = capOf(budgets, own);
  return isCap(cap) ? [...scopes, { scope: own, cap }] : scopes;
}

function modelScope(
  budgets: Config["budgets"],
  model: string,
): { readonly scope: string; readonly cap: Cap } {
  const scope = `model:${model}`;
  return { scope, cap: capOf(budgets, scope) };
}

function capOf(budgets: Config["budgets"], scope: string): Cap {
  const at = scope.indexOf(":");
  const name = scope.slice(at + 1);
  const own = <T>(record: Readonly<Record<string, T>> | undefined): T | undefined =>
    record && Object.hasOwn(record, name) ? record[name] : undefined;
  const kinds = {
    tenant: () => budgets?.tenant,
    principal: () => own(budgets?.principals) ?? budgets?.principal,
    group: () => own(budgets?.groups),
    model: () => own(budgets?.models),
  };
  const kind = at < 0 ? "tenant" : scope.slice(0, at);
  const cap = kind === "principal" || kind === "group" || kind === "model" ? kinds[kind]() : kinds.tenant();
  return {
    tokensPerDay: cap?.tokensPerDay,
    nanoUsdPerDay: cap?.usdPerDay === undefined ? undefined : Math.floor(cap.usdPerDay * 1e9),
  };
}

function isCap({ tokensPerDay, nanoUsdPerDay }: Cap): boolean {
  return tokensPerDay !== undefined || nanoUsdPerDay !== undefined;
}

function fits(cap: Cap, tokens: number, nano: number, more: Amount): boolean {
  return (
    tokens + more.tokens <= (cap.tokensPerDay ?? Number.POSITIVE_INFINITY) &&
    nano + more.nanoUsd <= (cap.nanoUsdPerDay ?? Number.POSITIVE_INFINITY)
  );
}

function larger(a: Amount, b: Amount): Amount {
  return { tokens: Math.max(a.tokens, b.tokens), nanoUsd: Math.max(a.nanoUsd, b.nanoUsd) };
}

function accountOf(sql: SqlStorage, day: string, scope: string): Sums {
  const [account] = sql
    .exec<Account>("SELECT * FROM spending WHERE day = ? AND scope = ?", day, scope)
    .toArray();
  return account ?? { tokens: 0, nano: 0, held_tokens: 0, held_nano: 0 };
}

function addHeld(sql: SqlStorage, day: string, [scope, tokens, nanoUsd]: Part, sign: 1 | -1): void {
  sql.exec(
    `INSERT INTO spending (day, scope, held_tokens, held_nano) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET held_tokens = held_tokens + excluded.held_tokens, held_nano = held_nano + excluded.held_nano`,
    day,
    scope,
    sign * tokens,
    sign * nanoUsd,
  );
}

function addAll(
  sql: SqlStorage,
  day: string,
  shared: readonly string[],
  spent: readonly Spent[],
  failed: readonly Spent[],
): void {
  const all = [...spent, ...failed];
  if (all.length === 0) return;
  const total = all.reduce(
    (sum: Amount, one) => ({ tokens: sum.tokens + one.tokens, nanoUsd: sum.nanoUsd + one.nanoUsd }),
    NOTHING,
  );
  for (const scope of shared) addSpent(sql, day, scope, total, spent.length > 0 ? 1 : 0);
  for (const one of spent) addSpent(sql, day, `model:${one.model}`, one, 1);
  for (const one of failed) addSpent(sql, day, `model:${one.model}`, one, 0);
}

function addSpent(
  sql: SqlStorage,
  day: string,
  scope: string,
  { tokens, nanoUsd }: Amount,
  answers: 0 | 1,
): void {
  sql.exec(
    `INSERT INTO spending (day, scope, tokens, nano, answers) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET tokens = tokens + excluded.tokens, nano = nano + excluded.nano,
       answers = answers + excluded.answers`,
    day,
    scope,
    tokens,
    nanoUsd,
    answers,
  );
}

/** An answer whose isolate died never settles; if it comes late after all, what it spent still counts. */
function releaseExpired(sql: SqlStorage, now: number): void {
  const expired = sql
    .exec<{ id: string; day: string; parts: string }>(
      "SELECT id, day, parts FROM holds WHERE state = 'held' AND until <= ?",
      now,
    )
    .toArray();
  for (const { id, day, parts } of expired) {
    const stored: Stored = JSON.parse(parts);
    for (const part of stored.parts) addHeld(sql, day, part, -1);
    sql.exec("UPDATE holds SET state = 'released', until = ? WHERE id = ?", now + DAY_MS, id);
  }
  sql.exec("DELETE FROM holds WHERE state IN ('settled', 'released', 'waiting') AND until <= ?", now);
  if (expired.length > 0) {
    sql.exec("DELETE FROM spending WHERE day < ?", dayOf(now - KEEP_DAYS * DAY_MS));
  }
}
