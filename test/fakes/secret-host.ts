import type { Host, LogEvent } from "../../shared/ports/host.ts";

/** A host with the real network and clock, these secrets only (undefined: not there), and its log kept. */
export function secretHost(
  secrets: Readonly<Record<string, string | undefined>>,
): Host & { readonly logged: readonly LogEvent[] } {
  const logged: LogEvent[] = [];
  return {
    fetch: (input, init) => fetch(input, init),
    secret: (name) => secrets[name],
    now: () => Date.now(),
    log: (event) => void logged.push(event),
    logged,
  };
}
