import type { Config } from "../../shared/config.ts";
import type { Host } from "../../shared/ports/host.ts";

/** 0 ok · 1 failed · 2 bad usage or configuration · 3 stopped by a guard · 75 interrupted, run again. */
export type ExitStatus = 0 | 1 | 2 | 3 | 75;

/** One flag, as `node:util` parseArgs takes it, and how the help shows it. */
export interface Option {
  readonly type: "string" | "boolean";
  /** May be given several times; its value is then a list. */
  readonly multiple?: boolean;
  readonly short?: string;
  /** Name of the value in the help, e.g. `USD`; none for a boolean. */
  readonly value?: string;
  readonly help: string;
}

/** What a command ends with. `result` is printed as one JSON line, last on stdout, under `--json`. */
export interface Outcome {
  readonly status: ExitStatus;
  readonly result: unknown;
}

/** Where a command may write. Nothing else reaches stdout or stderr. */
export interface Terminal {
  /** Text for people on stdout, verbatim; nothing under `--json`. */
  print(text: string): void;
  /** A line about progress on stderr; nothing under `--quiet`. */
  note(line: string): void;
  /** Replaces the last progress line on a terminal; elsewhere the same as `note`. */
  progress(line: string): void;
  /** A line on stderr that `--quiet` does not silence. */
  warn(line: string): void;
  /** Whether stdout is a terminal: colours and streamed text are for people. */
  readonly interactive: boolean;
  /** Whether stderr is a terminal on which a progress line may be rewritten. */
  readonly live: boolean;
}

/** Everything that a command is lent; it reads no `process` itself. */
export interface Context {
  /** Values of the command's own options, by long name, as parseArgs gives them. */
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  /** Arguments that are no options, the command's name left out. */
  readonly args: readonly string[];
  /** The validated configuration, loaded on first call (`--config`, or the sample's under `--sample`, which this generates). */
  config(): Promise<LoadedConfig>;
  /** The worker's base URL, without a trailing slash. */
  readonly url: string;
  /** `--token`, `QUAYSIDE_TOKEN`, or for a loopback URL the token that `npm start` wrote; undefined when there is none. */
  token(): Promise<string | undefined>;
  /** Whether the token was named (`--token` or `QUAYSIDE_TOKEN`), not merely found on this machine. */
  readonly tokenGiven: boolean;
  readonly host: Host;
  /** The program's environment, to hand on to a worker that a command starts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly json: boolean;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file, for people. */
  readonly path: string;
}

/** One command: one file in this folder, one line in `ingest/cli.ts`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name in its usage line, e.g. `"question" [--model M]`. */
  readonly usage: string;
  readonly options: Readonly<Record<string, Option>>;
  /** @throws QuaysideError; `ingest/cli.ts` maps its code to an exit status. */
  run(context: Context): Promise<Outcome>;
}

/** The string values of a repeatable option. */
export function strings(value: Context["values"][string]): readonly string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((v) => typeof v === "string") : [];
}

/** The string value of an option; undefined when it was not given. */
export function string(value: Context["values"][string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}
