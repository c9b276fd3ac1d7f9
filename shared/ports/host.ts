import type { VectorText } from "../vector-text.ts";

/** One log line. Allow-listed fields only: ids, counts, codes and milliseconds; never question text, rows, vectors or secrets. */
export interface LogEvent {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Noun-verb, e.g. `"batch-staged"`. */
  readonly event: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** What a program (the Worker or the CLI) lends to an adapter: the adapter's only way to the outside. */
export interface Host {
  readonly fetch: typeof fetch;
  /** The secret or setting named in the environment, e.g. `OPENAI_API_KEY`; undefined when unset or empty. */
  secret(name: string): string | undefined;
  /** What the platform binds to the program under this name, e.g. `AI`; undefined where there is nothing, or no platform. */
  binding?(name: string): unknown;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  log(event: LogEvent): void;
  /** A faster way to print and read vectors than the one that runs everywhere, where the program has one. */
  readonly vectorText?: VectorText;
}

/**
 * How every adapter is made, and what every registry holds. The adapter parses its own settings, so adding one
 * changes no other file, and opens nothing until first use.
 * @throws QuaysideError `config_invalid` for a setting or secret that is missing or malformed.
 */
export type Factory<Port> = (settings: Readonly<Record<string, unknown>>, host: Host) => Port;
