/** Fixtures in the API's own words: rows, answers, people, runs, budgets. */

/** One thing that the stub does while answering, in order. */
export type Step =
  | { readonly event: "evidence" | "delta" | "retract" | "done" | "error"; readonly data: unknown }
  /** Bytes as they are. */
  | { readonly raw: string }
  /** Holds the stream until the promise settles. */
  | { readonly until: Promise<unknown> }
  /** Ends the connection in the middle. */
  | { readonly cut: true }
  /** Instead of a stream: a problem document. */
  | {
      readonly problem: string;
      readonly status: number;
      readonly retryable?: boolean;
      readonly retryAfter?: number;
    };

export const AS_OF = "2026-11-23T09:41:00Z";

export function citation(
  marker: number,
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    marker,
    id: `incidents:INC-${1000 + marker}`,
    table: "incidents",
    key: { incident_id: `INC-${1000 + marker}` },
    title: `Bow door sensor fault on Alba, no. ${marker}`,
    excerpt: `Incident INC-${1000 + marker}. Vessel: Alba. Cause: a corroded connector on the bow door sensor. Delay: 95 minutes.`,
    cells: [
      { column: "incident_id", value: `INC-${1000 + marker}` },
      { column: "vessel", value: "Alba" },
      { column: "cause", value: "corroded connector" },
      { column: "delay_minutes", value: 95 },
      { column: "reported_on", value: "2026-10-14" },
      { column: "note", value: null },
    ],
    as_of: AS_OF,
    changed_at: "2026-10-15T07:12:00Z",
    url: `https://erp.example.com/incidents/INC-${1000 + marker}`,
    ...extra,
  };
}

export function answer(text: string, extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: "ans_01TEST",
    outcome: "answered",
    reason: null,
    text,
    ai_generated: true,
    citations: [citation(1), citation(2)],
    verification: { checked: 4, supported: 4, removed: [] },
    model: "local/compose",
    route: { requested: "auto", why: "default model; rows are internal" },
    attempts: [{ model: "local/compose", outcome: "ok" }],
    cache: "miss",
    generation: 12,
    as_of: AS_OF,
    usage: { input_tokens: 812, output_tokens: 64, cost_usd: 0, estimated: false },
    timings: { total_ms: 41.7, retrieve_ms: 12.3, first_token_ms: 18 },
    ...extra,
  };
}

export const TEXT =
  "Alba left 95 minutes late because of a corroded connector on the bow door sensor [1]. The same fault was reported on 14 October 2026 [2].";

/** A whole answer in order: evidence, the text in two pieces, done. */
export function steps(text = TEXT, extra: Readonly<Record<string, unknown>> = {}): readonly Step[] {
  const done = answer(text, extra);
  const half = Math.floor(text.length / 2);
  return [
    { event: "evidence", data: { citations: [citation(1, { marker: 0 }), citation(2, { marker: 0 })] } },
    { event: "delta", data: { text: text.slice(0, half) } },
    { raw: ": keep-alive\n\n" },
    { event: "delta", data: { text: text.slice(half) } },
    { event: "done", data: done },
  ];
}

export const NO_EVIDENCE = answer("", {
  outcome: "no_evidence",
  reason: "none_found",
  citations: [],
  verification: { checked: 0, supported: 0, removed: [] },
});

export const DEMO = {
  name: "Stub Line",
  users: [
    { name: "ops-fr", label: "Solène, port operations, Calais", language: "fr" },
    { name: "sales-uk", label: "Edith, freight sales, Dover", language: "en" },
    { name: "hr", label: "Noor, human resources", language: "en" },
    { name: "guest", label: "A passenger, not signed in", language: "en" },
  ],
  examples: [
    ["Why did Alba leave late on 14 October?", "ops-fr", "A cause, cited to the cell"],
    [
      "What discount does Norland Freight get?",
      "sales-uk",
      "A term that one person may see and another finds absent",
    ],
    ["What is the pay grade of Marie Duval?", "hr", "Pay, for human resources only"],
    [
      "May a driver stay in the cab during the crossing?",
      "guest",
      "Two rows in conflict, both shown with their dates",
    ],
    [
      "Quel est le préavis pour annuler une réservation de fret ?",
      "ops-fr",
      "A French question, from French and English rows",
    ],
    ["What was freight revenue in Dover in the third quarter?", "sales-uk", "A total from a table of totals"],
  ].map(([question, as, shows]) => ({ question, as, shows: { en: shows, fr: `${shows} (fr)` } })),
};

export const TABLES: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  guest: [
    ["vessels", 9],
    ["sailings", 1840],
    ["articles", 46],
  ],
};

export const DEFAULT_TABLES: readonly (readonly [string, number])[] = [
  ["vessels", 9],
  ["sailings", 1840],
  ["incidents", 212],
  ["bookings", 2210],
  ["contracts", 64],
  ["support_tickets", 480],
  ["parts", 350],
  ["suppliers", 28],
  ["articles", 46],
  ["revenue_by_port_and_quarter", 24],
];

export const MODELS = {
  default: "local/compose",
  models: [
    {
      id: "local/compose",
      available: true,
      region: "this machine",
      retention: "none",
      classes: ["public", "internal", "confidential", "restricted"],
      price: { input: 0, output: 0 },
    },
    {
      id: "local/quote",
      available: true,
      region: "this machine",
      retention: "none",
      classes: ["public", "internal", "confidential", "restricted"],
      price: { input: 0, output: 0 },
    },
    {
      id: "anthropic/claude-sonnet-5",
      available: false,
      why_not: "ANTHROPIC_API_KEY is not set",
      region: "us",
      retention: "30 days",
      classes: ["public", "internal"],
      price: { input: 3, output: 15 },
    },
  ],
};

interface Known {
  readonly subject: string;
  readonly scopes: readonly string[];
}

/** Keys that the stub knows, and what they carry. */
export const KEYS: Readonly<Record<string, Known>> = {
  qs_test: { subject: "key:test", scopes: ["ask"] },
  qk_op_secret: { subject: "operator", scopes: ["ask", "ingest", "erase", "admin"] },
  qk_ingest_secret: { subject: "key:ingest", scopes: ["ingest"] },
};

/** Rows that a search finds, in order, and who of the demo's users may see them; undefined: everybody. */
const FOUND: readonly (readonly [number, readonly string[] | undefined, Record<string, unknown>?])[] = [
  [1, undefined],
  [2, ["ops-fr", "hr"]],
  [3, undefined],
];

/** The rows that somebody may see, as search finds them. */
export function matches(user: string | undefined): readonly Record<string, unknown>[] {
  return FOUND.flatMap(([n, may]) =>
    may === undefined || (user !== undefined && may.includes(user))
      ? [citation(n, { marker: undefined })]
      : [],
  );
}

export const RECEIPT = {
  id: "ers_01TEST",
  table: "incidents",
  requested_at: AS_OF,
  erased_at: AS_OF,
  removed: { rows: 2, chunks: 3, vectors: 0, answers: 1, runs: 0, records: 2 },
  residue: 0,
  proof: { spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 },
};

export function run(id: string, extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id,
    state: "published",
    trigger: "cron",
    host: "node",
    requested_at: "2026-11-23T09:40:00Z",
    started_at: "2026-11-23T09:40:01Z",
    finished_at: "2026-11-23T09:40:13Z",
    generation: 12,
    asked: ["incidents", "vessels"],
    full: false,
    tables: [
      { table: "incidents", read: 212, added: 3, changed: 2, deleted: 1, unchanged: 206, failed: 1 },
      { table: "vessels", read: 9, added: 0, changed: 0, deleted: 0, unchanged: 9, failed: 0 },
    ],
    reason: null,
    ...extra,
  };
}

/** Of one run: more than are listed. */
export const HELD_BACK = {
  total: 3,
  rows: [
    { table: "incidents", key: "INC-204|2026-11", reason: "duplicate_key" },
    { table: "incidents", key: "<b>", reason: "of a later kind" },
  ],
};

export const BUDGETS = {
  resets_at: "2026-11-24T00:00:00.000Z",
  budgets: [
    line("tenant", 2_000_000, 20, 1_240_000, 8.4),
    line("principal:ops-fr", undefined, 1, 91_000, 0.86),
    line("model:anthropic/claude-sonnet-5", 500_000, undefined, 500_000, 4.2),
    line("group:staff", undefined, undefined, 12_000, 0.002),
  ],
};

function line(
  scope: string,
  tokens: number | undefined,
  usd: number | undefined,
  spentTokens: number,
  spentUsd: number,
): Record<string, unknown> {
  return {
    scope,
    tokens_per_day: tokens ?? null,
    usd_per_day: usd ?? null,
    spent: { tokens: spentTokens, usd: spentUsd },
    held: { tokens: 0, usd: scope === "principal:ops-fr" ? 0.02 : 0 },
    answers: 41,
  };
}

const total = (model: string, cache: string, answers: number, usd: number, saved: number): unknown => ({
  model,
  cache,
  outcome: "answered",
  answers,
  spent: { tokens: Math.round(usd * 90_000), usd },
  saved: { tokens: Math.round(saved * 90_000), usd: saved },
});

export const REPORT = {
  answers: [
    total("anthropic/claude-sonnet-5", "miss", 31, 0.42, 0),
    total("anthropic/claude-sonnet-5", "exact", 12, 0, 0.16),
    total("local/compose", "miss", 9, 0, 0),
  ],
  hit_rate: 12 / 52,
  saved: { tokens: 14_400, usd: 0.16 },
  feedback: [
    { model: "anthropic/claude-sonnet-5", question_kind: "lookup", up: 14, down: 2 },
    { model: "local/compose", question_kind: "comparison", up: 1, down: 4 },
  ],
  comments: [
    { answer_id: "ans_1", rating: 1, comment: "Right to the day.", at: "2026-11-23T09:30:00Z" },
    {
      answer_id: "ans_2",
      rating: -1,
      comment: "It left out the second sailing.",
      at: "2026-11-22T16:00:00Z",
    },
  ],
};
