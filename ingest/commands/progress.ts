import type { Progress } from "../pipeline/run.ts";
import type { Terminal } from "./command.ts";
import { duration, money, whole } from "./text.ts";

/** One line of progress a table: rewritten on a terminal, a plain line every few seconds elsewhere. */
export interface ProgressLine {
  readonly update: (progress: Progress) => void;
  /** Leaves the last line where it is. */
  end(): void;
}

const LIVE_MS = 100;
const PLAIN_MS = 5000;

/** @param now milliseconds since the epoch. */
export function makeProgressLine(terminal: Terminal, now: () => number): ProgressLine {
  let table = "";
  let since = 0;
  let shown = 0;
  let line = "";
  return {
    update(progress) {
      const { counts } = progress;
      if (counts.table !== table) {
        if (line !== "" && terminal.live) terminal.note(line);
        table = counts.table;
        since = now();
        shown = terminal.live ? 0 : since;
      }
      line = describe(progress, (now() - since) / 1000);
      if (now() - shown < (terminal.live ? LIVE_MS : PLAIN_MS)) return;
      shown = now();
      terminal.progress(line);
    },
    end() {
      if (line !== "" && terminal.live) terminal.note(line);
    },
  };
}

function describe({ counts, expected, tokens, costUsd }: Progress, seconds: number): string {
  if (counts.skipped) return `${counts.table}: ${whole(counts.unchanged)} rows unchanged, says its source`;
  // A rate over less than a second is noise.
  const rate = seconds >= 1 ? counts.read / seconds : 0;
  const of = expected === undefined ? "" : ` of ${whole(expected)}`;
  const left = expected === undefined || rate === 0 ? undefined : (expected - counts.read) / rate;
  return [
    `${counts.table}: ${whole(counts.read)}${of} rows`,
    ...(counts.keys === undefined ? [] : [`${whole(counts.keys)} by their key alone`]),
    ...(rate === 0 ? [] : [`${whole(Math.round(rate))} rows/s`]),
    `${whole(counts.added)} added, ${whole(counts.changed)} changed`,
    `${whole(tokens)} tokens`,
    money(costUsd),
    ...(left === undefined || left < 1 ? [] : [`${duration(left)} left`]),
  ].join(" · ");
}
