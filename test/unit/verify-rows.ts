import { expect } from "vitest";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { verifyText, type VerifyEvent } from "../../workers/answer/verify.ts";

/** The row and the question of verification's tests. */

export function row(cells: Record<string, string | number>, extra: Partial<Evidence> = {}): Evidence {
  return {
    id: "lifts:7#0",
    row: "lifts:7",
    table: "lifts",
    key: { id: "7" },
    title: String(Object.values(cells)[0]),
    text: Object.entries(cells)
      .map(([column, value]) => `${column}: ${value}`)
      .join("\n"),
    cells: Object.entries(cells).map(([column, value]) => ({ column, value })),
    version: "v",
    classification: "internal",
    rollup: false,
    asOf: "2026-11-01T00:00:00Z",
    changedAt: "2026-11-01T00:00:00Z",
    score: 1,
    ...extra,
  };
}

export const LIFT = row({
  name: "Bergheim chairlift",
  built: "1987-06-03",
  cost: 1234567.5,
  share: 0.2,
  code: "BL-4711",
  inspector: "Odile Marchetti",
  phone: "(503) 555-0142",
});
export const QUESTION = "When was the lift at Bergheim built?";

export function text(answer: string, evidence: readonly Evidence[] = [LIFT]): string {
  return verifyText(answer, evidence, QUESTION).text;
}

/** What a client shows after applying every event. */
export function replay(events: readonly VerifyEvent[]): string {
  let shown = "";
  let settled = "";
  for (const event of events) {
    if (event.type === "settled") settled = shown;
    else shown = event.type === "delta" ? shown + event.text : shown.slice(0, event.from);
    expect(shown.startsWith(settled)).toBe(true);
  }
  return shown;
}

export function settled(events: readonly VerifyEvent[]): number {
  return events.filter(({ type }) => type === "settled").length;
}
