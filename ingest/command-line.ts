import { parseArgs } from "node:util";
import { QuaysideError, type ErrorCode } from "../shared/ports/errors.ts";
import type { Command, Context, ExitStatus, Option, Terminal } from "./commands/command.ts";
import { usage } from "./commands/inputs.ts";

/** The command line: which command, which options, what they mean. Reads no `process`; `cli.ts` does. */

const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  init: () => import("./commands/init.ts"),
  ingest: () => import("./commands/ingest.ts"),
  plan: () => import("./commands/plan.ts"),
  status: () => import("./commands/status.ts"),
  run: () => import("./commands/run.ts"),
  runs: () => import("./commands/runs.ts"),
  rollback: () => import("./commands/rollback.ts"),
  ask: () => import("./commands/ask.ts"),
  search: () => import("./commands/search.ts"),
  eval: () => import("./commands/eval.ts"),
  erase: () => import("./commands/erase.ts"),
  keys: () => import("./commands/keys.ts"),
  audit: () => import("./commands/audit.ts"),
  models: () => import("./commands/models.ts"),
  budgets: () => import("./commands/budgets.ts"),
  doctor: () => import("./commands/doctor.ts"),
  manifest: () => import("./commands/manifest.ts"),
};

const GLOBAL: Readonly<Record<string, Option>> = {
  config: { type: "string", value: "FILE", help: "configuration; default quayside.config.ts" },
  sample: { type: "boolean", help: "use the sample warehouse instead" },
  url: { type: "string", value: "URL", help: "the worker; default QUAYSIDE_URL, else http://127.0.0.1:8787" },
  token: { type: "string", value: "TOKEN", help: "operator's token; default QUAYSIDE_TOKEN" },
  json: { type: "boolean", help: "print the result as one JSON line, last on stdout" },
  quiet: { type: "boolean", help: "no progress on stderr" },
  help: { type: "boolean", short: "h", help: "this help, or a command's" },
  version: { type: "boolean", help: "print the version" },
};

/** What a program lends the command line. */
export interface Program {
  readonly version: string;
  readonly terminal: (options: { readonly json: boolean; readonly quiet: boolean }) => Terminal;
  /** A line on stdout whatever the options say: the JSON result, help, version. */
  readonly line: (text: string) => void;
  /** Everything of a context that is not told by the arguments. */
  readonly context: (
    globals: Globals,
  ) => Pick<Context, "config" | "environment" | "token" | "tokenGiven" | "url" | "host" | "signal">;
}

export interface Globals {
  readonly config: string | undefined;
  readonly sample: boolean;
  readonly url: string | undefined;
  readonly token: string | undefined;
}

/** Runs one command line, the program's name left out. Never throws: every failure is told and becomes an exit status. */
export async function runCommandLine(argv: readonly string[], program: Program): Promise<ExitStatus> {
  let json = argv.includes("--json");
  let terminal = program.terminal({ json, quiet: false });
  try {
    const name = commandName(argv);
    if (name === undefined) return await withoutCommand(argv, program);
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!load)
      throw usage(
        `There is no command "${name}".${suggestion(name, Object.keys(COMMANDS))} See quayside --help.`,
      );
    const { command } = await load();
    const { values, args } = parse(argv, name, { ...GLOBAL, ...command.options });
    json = values["json"] === true;
    terminal = program.terminal({ json, quiet: values["quiet"] === true });
    if (values["help"] === true) {
      program.line(helpOf(command));
      return 0;
    }
    const given = (option: string): string | undefined => {
      const value = values[option];
      return typeof value === "string" ? value : undefined;
    };
    const globals: Globals = {
      config: given("config"),
      sample: values["sample"] === true,
      url: given("url"),
      token: given("token"),
    };
    const { status, result } = await command.run({
      ...program.context(globals),
      values,
      args,
      terminal,
      json,
    });
    if (json) program.line(JSON.stringify(result));
    return status;
  } catch (error) {
    const failure =
      error instanceof QuaysideError
        ? error
        : new QuaysideError(
            "internal",
            "Something unexpected went wrong; nothing was published by this command.",
            {
              cause: error,
            },
          );
    terminal.warn(failure.message);
    if (failure.code === "internal" && error instanceof Error) terminal.warn(error.stack ?? error.message);
    if (json) {
      const { code, message, violations, retryAfterMs } = failure;
      const errors = violations.length > 0 ? { errors: violations } : {};
      const retry = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
      program.line(JSON.stringify({ error: { code, message, ...errors, ...retry } }));
    }
    return EXIT[failure.code];
  }
}

async function withoutCommand(argv: readonly string[], program: Program): Promise<ExitStatus> {
  const { values } = parse(argv, undefined, GLOBAL);
  if (values["version"] === true) {
    program.line(program.version);
    return 0;
  }
  const commands = await Promise.all(Object.values(COMMANDS).map(async (load) => (await load()).command));
  program.line(
    [
      "quayside <command> [options]",
      "",
      ...commands.map((command) => `  ${command.name.padEnd(10)}${command.summary}`),
      "",
      "Options of every command:",
      ...optionLines(GLOBAL),
      "",
      "Exit status: 0 ok, 1 failed, 2 bad usage or configuration, 3 stopped by a guard, 75 interrupted, run again.",
    ].join("\n"),
  );
  return values["help"] === true ? 0 : 2;
}

/** The first argument that is neither an option nor an option's value. */
function commandName(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? "";
    if (!arg.startsWith("-")) return arg;
    const option = GLOBAL[arg.replace(/^--/, "")];
    if (option?.type === "string") i += 1;
  }
  return undefined;
}

/** @throws QuaysideError `config_invalid` that lists every unknown option and every missing or unwanted value. */
function parse(
  argv: readonly string[],
  name: string | undefined,
  options: Readonly<Record<string, Option>>,
): { readonly values: Context["values"]; readonly args: readonly string[] } {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([option, { type, multiple, short }]) => [
        option,
        { type, ...(multiple === true ? { multiple } : {}), ...(short === undefined ? {} : { short }) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const wrong: string[] = [];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) {
      const names = Object.keys(options).map((o) => `--${o}`);
      wrong.push(`There is no option ${token.rawName}.${suggestion(token.rawName, names)}`);
    } else if (option.type === "string" && isMissing(token)) {
      wrong.push(`${token.rawName} needs a value: ${token.rawName} ${option.value ?? "VALUE"}.`);
    } else if (option.type === "boolean" && token.value !== undefined) {
      wrong.push(`${token.rawName} takes no value.`);
    }
  }
  if (wrong.length > 0) throw usage(wrong.join("\n"));
  return { values, args: name === undefined ? positionals : positionals.slice(1) };
}

/** `--table --full` is a forgotten value; `--table=--full` is not. */
function isMissing(token: {
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}): boolean {
  const { value, inlineValue } = token;
  return value === undefined || value === "" || (inlineValue !== true && value.startsWith("-"));
}

function helpOf(command: Command): string {
  return [
    `quayside ${command.name} ${command.usage}`.trim(),
    "",
    `${command.summary[0]?.toUpperCase() ?? ""}${command.summary.slice(1)}.`,
    ...(Object.keys(command.options).length > 0 ? ["", ...optionLines(command.options)] : []),
    "",
    "Options of every command:",
    ...optionLines(GLOBAL),
  ].join("\n");
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, option]) => {
    const flag = `--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    return `  ${flag.padEnd(20)}${option.help}`;
  });
}

/** ` Did you mean …?` for a name at most a third away from a known one. */
function suggestion(name: string, known: readonly string[]): string {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(1, Math.ceil(name.length / 3))
    ? ` Did you mean ${best.candidate}?`
    : "";
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Exhaustive: a new code does not compile until it is mapped. */
const EXIT: Readonly<Record<ErrorCode, ExitStatus>> = {
  unauthenticated: 1,
  forbidden: 1,
  not_found: 1,
  cache_miss: 1,
  method_not_allowed: 1,
  unsupported_media_type: 1,
  not_acceptable: 1,
  malformed_json: 2,
  invalid_request: 2,
  question_too_long: 2,
  body_too_large: 1,
  unknown_model: 2,
  unknown_provider: 2,
  provider_not_permitted: 1,
  idempotency_conflict: 1,
  origin_not_allowed: 1,
  rate_limited: 75,
  too_many_concurrent: 1,
  budget_exhausted: 3,
  provider_bad_response: 1,
  provider_unreachable: 1,
  provider_reported_error: 1,
  provider_misconfigured: 1,
  provider_rejected: 1,
  context_too_long: 1,
  prompt_too_large: 1,
  provider_stream_interrupted: 1,
  no_provider_available: 1,
  embedder_unavailable: 1,
  embedder_rejected: 1,
  index_unavailable: 1,
  index_embedder_mismatch: 1,
  identity_unavailable: 1,
  registry_unavailable: 1,
  source_unavailable: 1,
  source_rejected: 1,
  platform_unavailable: 1,
  platform_rejected: 1,
  deadline_exceeded: 1,
  cancelled: 75,
  config_invalid: 2,
  not_configured: 2,
  too_many_labels: 3,
  run_conflict: 75,
  run_fenced: 75,
  guard_stopped: 3,
  schema_drift: 3,
  input_too_long: 1,
  input_rejected: 1,
  internal: 1,
};
