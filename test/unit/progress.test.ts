import { expect, it } from "vitest";
import type { Terminal } from "../../ingest/commands/command.ts";
import { makeProgressLine } from "../../ingest/commands/progress.ts";

const counts = { table: "t", read: 500, added: 0, changed: 500, deleted: 0, unchanged: 0, failed: 0 };

/** The last line on a terminal that shows it. */
function lineAfter(ms: number, expected: number | undefined, costUsd: number | undefined): string {
  const lines: string[] = [];
  let now = 0;
  const terminal: Terminal = {
    interactive: true,
    live: true,
    print: () => {},
    note: () => {},
    warn: () => {},
    progress: (line) => void lines.push(line),
  };
  const progress = makeProgressLine(terminal, () => now);
  progress.update({ counts, expected, tokens: 0, costUsd: 0 });
  now = ms;
  progress.update({ counts, expected, tokens: 61_700, costUsd });
  return lines.at(-1) ?? "";
}

it("tells rate, tokens, cost and time left once a second has passed", () => {
  expect(lineAfter(2000, 2500, 1.234)).toBe(
    "t: 500 of 2,500 rows · 250 rows/s · 0 added, 500 changed · 61,700 tokens · $1.23 · 8 s left",
  );
});

it("tells no rate of the first moment, where it would be nonsense", () => {
  expect(lineAfter(300, undefined, undefined)).toBe(
    "t: 500 rows · 0 added, 500 changed · 61,700 tokens · price not known",
  );
});

it("says of a table that is not read that its source knows of no change", () => {
  const lines: string[] = [];
  const terminal: Terminal = {
    interactive: true,
    live: true,
    print: () => {},
    note: (line) => void lines.push(line),
    warn: () => {},
    progress: () => {},
  };
  const progress = makeProgressLine(terminal, () => 0);
  const skipped = { ...counts, read: 0, changed: 0, unchanged: 1500, skipped: true } as const;
  progress.update({ counts: skipped, expected: 1500, tokens: 0, costUsd: 0 });
  progress.end();
  expect(lines).toEqual(["t: 1,500 rows unchanged, says its source"]);
});
