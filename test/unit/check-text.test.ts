import { describe, expect, it } from "vitest";
import { checkText } from "../../workers/answer/check-text.ts";
import { evidence } from "../fakes/ask-world.ts";

const ROWS = [
  evidence("T-4711", "Pump failure on Salicorne", {
    title: "Pump failure",
    cells: [
      { column: "id", value: "T-4711" },
      { column: "hours_lost", value: 14 },
      { column: "opened_on", value: "2026-03-14" },
      { column: "vessel", value: "Salicorne" },
    ],
  }),
];

function verdicts(text: string): readonly (readonly [string, string | undefined])[] {
  return checkText(text, ROWS).map(({ verdict, missing }) => [verdict, missing] as const);
}

describe("a text held against rows", () => {
  it.each([
    ["Ticket T-4711 was opened on 14 March 2026.", "supported", undefined],
    ["T-4711 lost 14 hours on Salicorne.", "supported", undefined],
    ["T-4711 cost 15 hours lost.", "contradicted", "number"],
    ["T-4711 was opened on 15 March 2026.", "contradicted", "date"],
    ["T-4711 had 15 passengers.", "unknown", "number"],
    ["T-9999 lost 14 hours.", "unknown", "identifier"],
    ["It all went well.", "unknown", undefined],
  ])("%s", (text, verdict, missing) => {
    expect(verdicts(text)).toEqual([[verdict, missing]]);
  });

  it("shows the cells for and against, sentence by sentence, markers aside", () => {
    const claims = checkText("T-4711 was opened on 14 March 2026 [1]. T-4711 cost 15 hours lost [1].", ROWS);
    expect(claims.map(({ grounds }) => grounds[0]?.cells.map(({ column }) => column))).toEqual([
      ["id", "hours_lost", "opened_on"],
      ["hours_lost"],
    ]);
  });

  it("finds nothing in no rows", () => {
    expect(checkText("T-4711 lost 14 hours.", []).map(({ verdict }) => verdict)).toEqual(["unknown"]);
  });
});
