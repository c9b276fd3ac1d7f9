import { describe, expect, it } from "vitest";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { verifyText } from "../../workers/answer/verify.ts";
import { compose } from "../../workers/providers/local-compose.ts";
import { rowOf } from "./answer-rows.ts";

/** A small observatory, made up for these tests. */
const TELESCOPES = [
  rowOf("telescopes", "Great Owl", {
    telescope_id: "T1",
    name: "Great Owl",
    year_built: 1998,
    note: "The tea room below the Great Owl is run by volunteers, who also sweep the stairs every morning before the first visitors come.",
  }),
  rowOf("telescopes", "Little Owl", {
    telescope_id: "T2",
    name: "Little Owl",
    year_built: 2004,
  }),
];
const STAFF = [
  rowOf("employees", "Nour Haddad", {
    employee_id: "S1",
    name: "Nour Haddad",
    job_title: "Astronomer",
    work_phone: "+33 1 99 00 00 11",
    date_of_birth: "1980-02-03",
    supervisor: "Ada Lindqvist",
  }),
  rowOf("employees", "Ada Lindqvist", {
    employee_id: "S2",
    name: "Ada Lindqvist",
    job_title: "Director",
    work_phone: "+33 1 99 00 00 12",
    date_of_birth: "1969-11-30",
  }),
];
const CONTACTS = [
  rowOf("contacts", "Wim Bakker", {
    contact_id: "C1",
    name: "Wim Bakker",
    role: "Buyer",
    customer: "Zonneveld Optics",
  }),
];
const AGREEMENTS = [
  rowOf("agreements", "Loan to Zonneveld Optics", {
    agreement_id: "A1",
    customer: "Zonneveld Optics",
    nights_per_year: 12,
    terms:
      "Mirrors travel in their own crate and are insured by the borrower, who also pays the driver. News of a cancelled night goes out a week ahead by letter.",
  }),
];
const FAULTS = [
  rowOf("faults", "Dome stuck", {
    fault_id: "F-101",
    telescope: "Great Owl",
    cause:
      "Frost in the rail of the dome. The heating of the rail had been switched off for the summer and nobody had thought to switch it on.",
    repair: "Heating on.",
  }),
  rowOf("faults", "Mirror dull", {
    fault_id: "F-102",
    telescope: "Little Owl",
    cause: "Pollen.",
    repair: "Washed.",
  }),
];

function text(question: string, evidence: readonly Evidence[], language: "en" | "fr" = "en"): string {
  return compose({ question, evidence, language, today: "2026-11-23" }).text;
}

describe("compose: the cell of another thing is no answer", () => {
  it("leaves a date whose event is only alike when the thing asked about stands in prose alone", () => {
    expect(text("When does the tea room below Great Owl open?", TELESCOPES)).not.toContain("1998");
  });

  it("counts no rows, and takes no telephone number for a count", () => {
    const { reason } = compose({
      question: "How many employees do we have?",
      evidence: STAFF,
      language: "en",
      today: "2026-11-23",
    });
    expect(reason).toBe("needs-total");
  });

  it("answers for the row that is called so, not for one that mentions it", () => {
    expect(text("When was Ada Lindqvist born?", STAFF)).toBe(
      "Ada Lindqvist — date of birth: 30 November 1969 [2].",
    );
  });

  it("takes no harbour for a telephone", () => {
    const rows = [rowOf("trips", "Trip to Skye", { trip_id: "R1", from_port: "Mallaig", to: "Skye" })];
    expect(text("What is the phone number of the port of Skye?", rows)).toBe("");
  });

  it("takes a role for no person", () => {
    expect(text("Who is our contact at Zonneveld Optics?", CONTACTS)).toBe("Wim Bakker [1].");
  });

  it("names nobody for a post that no row knows", () => {
    const twin = rowOf("telescopes", "Grey Heron", { telescope_id: "T3", twin: "Little Owl" });
    expect(text("Who is the gardener of Little Owl?", [...TELESCOPES, twin])).not.toBe("Grey Heron [3].");
  });

  it("tells no row whole to a question for a person that the row does not know", () => {
    expect(text("Who is the caretaker of the Great Owl?", TELESCOPES)).toBe("");
  });

  it("leaves a number whose name shares one word with an open question to the prose", () => {
    const said = text("What did we promise Zonneveld Optics about cancelled nights?", AGREEMENTS);
    expect(said).toContain("a week ahead by letter");
  });
});

describe("compose: the cell that is meant", () => {
  it("counts what the row is of, in the column of the town that is named", () => {
    const filter = rowOf("filters", "Blue filter, 50 mm", {
      filter_id: "B50",
      stock_alma: 3,
      stock_pune: 7,
      minimum_stock: 2,
    });
    expect(text("How many blue filters are in stock at Pune?", [filter])).toBe(
      "Blue filter, 50 mm — stock pune: 7 [1].",
    );
  });

  it.each([
    ["Why did fault F-101 happen?", "Frost in the rail of the dome."],
    ["What is the cause of fault F-101?", "Frost in the rail of the dome."],
    ["Why did fault F-102 happen?", "Pollen [2]."],
    ["What caused fault F-101?", "Frost in the rail of the dome."],
  ])("a column of causes answers without a causal word: %s", (question, expected) => {
    expect(text(question, FAULTS)).toContain(expected);
  });
});

describe("compose: a count of rows", () => {
  const rows = [
    ...STAFF,
    rowOf("rules", "Leave", {
      id: 1,
      text: "The employees of the observatory have 25 days of leave a year, and those who work at night have five more days than the others.",
    }),
  ];
  it.each(["How many employees do we have?", "Combien d'employés avons-nous ?"])(
    "is not read out of a sentence: %s",
    (question) => {
      const language = question.startsWith("H") ? "en" : "fr";
      const said = compose({ question, evidence: rows, language, today: "2026-11-23" });
      expect(said).toEqual({ text: "", reason: "needs-total" });
    },
  );

  it("leaves a count of something else to the sentence that has it", () => {
    expect(text("How many days of leave do employees have?", rows)).toContain("25 days of leave");
  });
});

describe("compose: several codes", () => {
  it("tells of each row that a joined code names", () => {
    const said = text("What are the causes of faults F-101 and F-102?", FAULTS);
    expect(said).toContain("Frost in the rail of the dome.");
    expect(said).toContain("Pollen.");
  });

  it("keeps apart numbers that nothing joins", () => {
    expect(text("What caused fault F-101 on telescope 102?", FAULTS)).toBe("");
  });
});

describe("compose: wording", () => {
  it.each([
    ["What is the total cost of Great Owl?", "en", "total cost: 154,408.80 [1]."],
    ["Quel est le coût total de Great Owl ?", "fr", "total cost : 154\u202f408,80 [1]."],
    ["What is the asset number of Great Owl?", "en", "asset number: 154408 [1]."],
  ] as const)("writes amounts as the language does: %s", (question, language, expected) => {
    const rows = [
      rowOf("telescopes", "Great Owl", { id: "T1", total_cost: "154408.80", asset_number: 154_408 }),
    ];
    const said = text(question, rows, language);
    expect(said).toContain(expected);
    expect(verifyText(said, rows, question)).toMatchObject({ text: said, removed: [] });
  });

  it("calls a column by the label that the passage gives it, and finds it by that", () => {
    const row = rowOf("telescopes", "Great Owl", { id: "T1", ap_mm: 900, fl_mm: 4500 });
    const labelled = {
      ...row,
      text: "Great Owl\naperture in millimetres: 900\nfocal length in millimetres: 4500",
    };
    expect(text("What is the aperture of Great Owl?", [labelled])).toBe(
      "Great Owl — aperture in millimetres: 900 [1].",
    );
  });

  it("keeps a column's own name where two lines have its value", () => {
    const row = rowOf("telescopes", "Great Owl", { id: "T1", doors: 2, stairs: 2 });
    const labelled = { ...row, text: "Great Owl\nways in: 2\nways up: 2" };
    expect(text("How many stairs does Great Owl have?", [labelled])).toBe("Great Owl — stairs: 2 [1].");
  });

  it("leaves out a title that the sentence says again", () => {
    const rows = [
      rowOf("rules", "Dogs in the dome", {
        id: 1,
        text: "Dogs may come into the dome on a lead, except on nights when the public has been invited to look through the telescope.",
      }),
    ];
    expect(text("May dogs come into the dome?", rows).startsWith('"Dogs may come into the dome')).toBe(true);
  });
});
