import { en } from "zod/locales";
import * as z from "zod/mini";
import { answersSchema, budgetsSchema } from "./config-budgets.ts";
import { crossCheck } from "./config-check.ts";
import { DEFAULT_LIMITS, limitsSchema, type Limits } from "./config-limits.ts";
import { ofObject } from "./lazily.ts";
import { QuaysideError, type Violation } from "./ports/errors.ts";
import { isSchedule, parseDuration } from "./schedule.ts";
import { makeSurfaceSchema } from "./surface-settings.ts";

/**
 * The configuration: plain data, no code. `quayside.config.ts` exports it through `defineConfig`; the CLI validates it and
 * publishes it, versioned, to the ledger; both programs read it from there. Secrets are never part of it.
 */

/** Kinds of personal data and secrets that are found in text by their form. */
export const PERSONAL_KINDS = ["email", "phone", "card", "iban", "ssn", "ip", "secret"] as const;
export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** Made by the first configuration that is parsed: an answer needs none of them, and making them is a good part of a start. */
function makeSchemas() {
  const name = z
    .string()
    .check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, "1 to 63 of A-Z a-z 0-9 _ . -"));
  const column = z.string().check(z.minLength(1), z.maxLength(255));
  const classification = z.enum(["public", "internal", "confidential", "restricted"]);
  const grantValue = z.string().check(z.minLength(1), z.maxLength(500));
  const domain = z.string().check(z.regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "a domain in lower case"));
  const email = z.string().check(z.regex(/^[^\s@A-Z]+@[a-z0-9.-]+$/, "an address in lower case"));

  /**
   * One alternative: grants joined by `&`, all needed. A grant is `public`, `group:<name>`, `user:<subject>` or
   * `<attribute>:<value>`; `{column}` stands for the row's value, and an alternative whose column is null grants nothing.
   */
  const alternative = z.string().check(z.minLength(1), z.maxLength(500));

  const access = z.strictObject({
    /** Who may see the row: one alternative is enough. Empty means nobody. */
    allowAny: z.array(alternative),
    /** Grants that are needed besides. */
    allowAll: z.optional(z.array(alternative)),
    /** Holding one of these hides the row, whatever else is held. */
    deny: z.optional(z.array(alternative)),
  });

  /** Taken out of text wherever their form is found. The nearest list holds: the column's, the table's, the one for all. */
  const redact = z.array(z.enum(PERSONAL_KINDS));

  const columnOptions = z.strictObject({
    description: z.optional(z.string()),
    /** How people call the column; default: its name with spaces. */
    label: z.optional(z.string()),
    classification: z.optional(classification),
    /** Never read into a record: not rendered, not embedded, not stored. */
    exclude: z.optional(z.boolean()),
    /**
     * Replaced before it is rendered: `redact` by a constant, `hash` by a keyed hash that still joins, `tokenise` by a keyed
     * pseudonym that people can read.
     */
    mask: z.optional(z.enum(["redact", "hash", "tokenise"])),
    /** What a pseudonym begins with; equal values have the same one wherever the word is the same. */
    token: z.optional(z.string().check(z.regex(/^[a-z][a-z0-9]{0,31}$/, "a word of a-z 0-9, at most 32"))),
    redact: z.optional(redact),
  });

  const view = z.strictObject({
    name,
    /** Columns in this view; `*` is every column that is not excluded. */
    columns: z.union([z.literal("*"), z.array(column)]),
    access,
    classification: z.optional(classification),
  });

  const duration = z
    .string()
    .check(z.refine((text) => parseDuration(text) !== undefined, "a duration such as 90s, 15m, 6h or 1d"));

  const table = z.strictObject({
    source: name,
    /** The table's name in the warehouse, `schema.table` or parts; default: the name it has here. */
    from: z.optional(z.union([z.string(), z.array(z.string())])),
    /** A SELECT to be read as a table, instead of `from`. */
    query: z.optional(z.string()),
    key: z.array(column).check(z.minLength(1)),
    description: z.optional(z.string()),
    /** A column, or a template such as `{first_name} {last_name}`. */
    title: z.optional(z.string()),
    /** Columns of prose, rendered last and split on sentences when long. */
    text: z.optional(z.array(column)),
    columns: z.optional(z.record(column, columnOptions)),
    redact: z.optional(redact),
    /** Foreign keys to show by name: column -> `table.column` of a configured table with a one-column key. */
    lookups: z.optional(z.record(column, z.string().check(z.regex(/^[^.]+\.[^.]+$/, "table.column")))),
    /** Columns that a caller may narrow a search to. */
    filters: z.optional(z.array(column)),
    classification,
    access: z.optional(access),
    /** Column-level access: each view is indexed apart. Instead of `access`. A caller of several sees the widest. */
    views: z.optional(z.array(view).check(z.minLength(1))),
    /** The column that says when a row changed. */
    changedAt: z.optional(column),
    /** Reads only the rows that have changed, and of all others the key. Without it every run reads the table whole. */
    incremental: z.optional(
      z.strictObject({
        /** A column whose value rises whenever its row changes: a time, date, number or text. Often `changedAt`. */
        cursor: column,
        /**
         * How far below the highest value that was read the next run begins, for rows that are written late: seconds for times and
         * dates, the column's own units for numbers.
         */
        overlap: z.optional(z.number().check(z.int(), z.minimum(0))),
        /** How often the table is read whole all the same. */
        fullEvery: z.optional(duration),
      }),
    ),
    /** Link to the row in its own system, e.g. `https://crm.example.com/t/{id}`. */
    url: z.optional(z.string()),
    /** Holds totals that the warehouse computed: questions for totals may be answered from it. */
    rollup: z.optional(z.boolean()),
    /** Read only to look names up in; not indexed. */
    index: z.optional(z.boolean()),
    /** When it is read again by itself: an interval such as `15m`, or a cron expression of five fields in UTC. */
    schedule: z.optional(
      z.string().check(z.refine(isSchedule, "an interval such as 15m, or five cron fields in UTC")),
    ),
    /** How far it may lie behind the warehouse; beyond it `whenLate` says whether its rows are still answered from. Without a `schedule` it is read again at half of it. */
    targetLag: z.optional(duration),
    whenLate: z.optional(z.enum(["answer", "withhold"])),
  });

  const model = z.strictObject({
    /** Classifications of rows that this model may receive. */
    classes: z.array(classification),
    contextTokens: z.number().check(z.int(), z.minimum(1)),
    maxOutputTokens: z.optional(z.number().check(z.int(), z.minimum(1))),
    /** US dollars for a million tokens. */
    price: z.strictObject({ input: z.number().check(z.minimum(0)), output: z.number().check(z.minimum(0)) }),
    region: z.string(),
    retention: z.string(),
    trainsOnData: z.boolean(),
    /** What it can do besides, for people. */
    capabilities: z.optional(z.array(z.enum(["reasoning", "prompt-cache", "structured-output"]))),
    /** Usual time to its first word, in milliseconds, as you measured it; routes compare it with `maxFirstTokenMs`. */
    firstTokenMs: z.optional(z.number().check(z.int(), z.minimum(0))),
    /** How well it answers, 1 to 5, as you judge; for people. */
    quality: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(5))),
    /** Settings of its provider that differ for this model, such as `reasoningEffort`; the provider's adapter parses them. */
    options: z.optional(z.looseObject({})),
  });

  const tokens = z.number().check(z.int(), z.minimum(0));

  const rule = z.strictObject({
    /** What people are told of the choice. */
    name,
    /** Everything named must hold; a rule without it always holds. */
    when: z.optional(
      z.strictObject({
        kinds: z.optional(z.array(z.enum(["lookup", "comparison", "summary", "analysis"]))),
        languages: z.optional(z.array(z.enum(["en", "fr"]))),
        /** One of the rows found is of one of these. */
        classes: z.optional(z.array(classification)),
        minEvidenceTokens: z.optional(tokens),
        maxEvidenceTokens: z.optional(tokens),
      }),
    ),
    /** In order of preference; weights share out the first place. */
    models: z
      .array(
        z.union([z.string(), z.strictObject({ model: z.string(), weight: z.number().check(z.minimum(0)) })]),
      )
      .check(z.minLength(1)),
    /** Models are passed over whose answer may cost more, in US dollars, by estimate. */
    maxCostUsd: z.optional(z.number().check(z.minimum(0))),
    /** Models are passed over whose `firstTokenMs` is more. */
    maxFirstTokenMs: z.optional(z.number().check(z.int(), z.minimum(1))),
  });

  /** A system that tells when tables have changed: `kind` chooses how it signs, the rest is the same for all. */
  const webhook = z.strictObject({
    kind: z.string(),
    /** Tables that it has changed; default: all that are indexed. */
    tables: z.optional(z.array(name).check(z.minLength(1))),
    /** Name of the secret that its calls are verified with; each kind has a default. */
    secret: z.optional(z.string().check(z.regex(/^[A-Z][A-Z0-9_]*$/, "the name of an environment variable"))),
    /** Ids of the sender's jobs or connections that count; default: all. */
    only: z.optional(z.array(z.string().check(z.minLength(1))).check(z.minLength(1))),
  });

  const demoUser = z.strictObject({
    label: z.string(),
    groups: z.array(z.string()),
    attributes: z.optional(z.record(z.string(), z.array(z.string()))),
    language: z.optional(z.enum(["en", "fr"])),
  });

  const example = z.strictObject({
    question: z.string(),
    /** The demo user who asks it first. */
    as: z.string(),
    /** What it shows, in one line, for the page and `npm start`. */
    shows: z.strictObject({ en: z.string(), fr: z.string() }),
  });

  /** What somebody holds besides being known: values that access rules compare. */
  const grants = {
    groups: z.optional(z.array(grantValue)),
    attributes: z.optional(z.record(grantValue, z.array(grantValue))),
  };

  /** Who callers are, where their credential does not say it all. Without this part nobody holds more than it says. */
  const identity = z.strictObject({
    /** Names of the claims of access tokens. */
    claims: z.optional(
      z.strictObject({
        /** Default: the deployment's tenant. Once named, a token without it is refused. */
        tenant: z.optional(grantValue),
        /** Default `sub`. */
        subject: z.optional(grantValue),
        /** Default `groups`. */
        groups: z.optional(grantValue),
        /** Attribute -> claim. */
        attributes: z.optional(z.record(grantValue, grantValue)),
        /** Default: every token may `ask`, and nothing else. */
        scopes: z.optional(grantValue),
      }),
    ),
    /** Who asks without a credential, or is known to nobody here. Default: nobody may. */
    anonymous: z.optional(z.strictObject(grants)),
    /** Who the users of chat platforms are here. */
    directory: z.optional(
      z.strictObject({
        /** Platform -> its ids of the organisations whose users are ours; users of another are nobody. */
        organisations: z.record(z.string(), z.array(grantValue)),
        users: z.optional(
          z.array(
            z.strictObject({
              subject: grantValue,
              emails: z.optional(z.array(email)),
              /** `<platform>:<user's id there>` */
              ids: z.optional(z.array(z.string().check(z.regex(/^[a-z]+:.+$/, "platform:id")))),
              ...grants,
            }),
          ),
        ),
        /** E-mail domain -> what every verified address of it holds. */
        domains: z.optional(z.record(domain, z.strictObject(grants))),
        /** Group of the platform -> groups here. */
        groups: z.optional(z.record(grantValue, z.array(grantValue))),
      }),
    ),
  });

  /** An adapter's settings: `kind` chooses it in the registry, the adapter parses the rest. */
  const adapter = z.looseObject({ kind: z.string() });

  const schema = z.strictObject({
    name: z.string().check(z.minLength(1), z.maxLength(100)),
    description: z.optional(z.string()),
    sources: z.record(name, adapter),
    tables: z.record(name, table),
    redact: z.optional(redact),
    embedder: z.optional(adapter),
    index: z.optional(adapter),
    models: z.optional(
      z.strictObject({
        default: z.optional(z.string()),
        aliases: z.optional(z.record(name, z.string())),
        /** By name: rules that choose a model once the rows are found; the first that holds decides. */
        routes: z.optional(z.record(name, z.strictObject({ rules: z.array(rule).check(z.minLength(1)) }))),
        /** The default of a group's members instead of `default`; of several groups the first here decides. */
        groups: z.optional(z.record(z.string(), z.string())),
        register: z.optional(z.record(z.string(), model)),
        /** Providers that speak the OpenAI protocol: name -> base URL and the secret's name. */
        compatible: z.optional(
          z.record(
            name,
            z.strictObject({
              baseUrl: z.string(),
              secret: z.optional(z.string()),
              /** What the host calls the limit of output tokens; default `max_tokens`. */
              maxTokensField: z.optional(z.enum(["max_completion_tokens", "max_tokens"])),
              reasoningEffort: z.optional(z.string()),
            }),
          ),
        ),
        /** Settings of other providers, which each adapter parses. */
        providers: z.optional(z.record(name, z.looseObject({}))),
      }),
    ),
    /** Classes of rows whose answers are recorded before they are told, and not given where that fails. */
    audit: z.optional(z.strictObject({ first: z.optional(z.array(classification)) })),
    cache: z.optional(
      z.strictObject({ ttlSeconds: z.optional(z.number().check(z.int(), z.minimum(60), z.maximum(3600))) }),
    ),
    identity: z.optional(identity),
    surfaces: z.optional(makeSurfaceSchema()),
    limits: z.optional(limitsSchema()),
    webhooks: z.optional(z.record(name, webhook)),
    budgets: z.optional(budgetsSchema()),
    answers: z.optional(answersSchema()),
    demo: z.optional(z.strictObject({ users: z.record(name, demoUser), examples: z.array(example) })),
  });

  return { access, table, model, webhook, schema };
}

type Schemas = ReturnType<typeof makeSchemas>;

let made: Schemas | undefined;

export type Config = z.infer<Schemas["schema"]>;
export type TableConfig = z.infer<Schemas["table"]>;
export type AccessConfig = z.infer<Schemas["access"]>;
/** What somebody holds: part of `identity`. */
export interface GrantsConfig {
  readonly groups?: readonly string[] | undefined;
  readonly attributes?: Readonly<Record<string, readonly string[]>> | undefined;
}
export type ModelConfig = z.infer<Schemas["model"]>;
export type WebhookConfig = z.infer<Schemas["webhook"]>;

export const limitsOf = ofObject(({ limits }: Config): Limits => {
  const given = Object.entries(limits ?? {}).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
});

/** Types the configuration in an editor; checks nothing until `parseConfig`. */
export function defineConfig(config: Config): Config {
  return config;
}

/**
 * Validates a configuration and everything it refers to.
 * @throws QuaysideError `config_invalid`, whose `violations` list all that is wrong, each with path and remedy.
 */
export function parseConfig(input: unknown): Config {
  z.config(en());
  made ??= makeSchemas();
  const result = made.schema.safeParse(input);
  if (result.success) {
    const violations = crossCheck(result.data);
    if (violations.length > 0) throw invalid(violations);
    return result.data;
  }
  const shape = result.error.issues.map((issue) => ({ pointer: issue.path.join("."), rule: issue.message }));
  throw invalid([...shape, ...referencesOf(input)]);
}

/** What is wrong among the references of a configuration of which something else is wrong too. */
function referencesOf(input: unknown): Violation[] {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing but violations comes of it
    return crossCheck(input as Config);
  } catch {
    // Too far from a configuration to follow its references: what is wrong with its shape has been said.
    return [];
  }
}

function invalid(violations: readonly Violation[]): QuaysideError {
  const lines = violations.map((v) => `  ${v.pointer || "(root)"}: ${v.rule}`).join("\n");
  const count = violations.length === 1 ? "1 mistake" : `${violations.length} mistakes`;
  return new QuaysideError("config_invalid", `The configuration has ${count}:\n${lines}`, { violations });
}
