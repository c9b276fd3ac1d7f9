import { describe, expect, it } from "vitest";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { verifyText } from "../../workers/answer/verify.ts";
import { compose } from "../../workers/providers/local-compose.ts";
import { quote } from "../../workers/providers/local-quote.ts";
import { rowOf } from "./answer-rows.ts";

/** A small sailing school, made up for these tests. */
const BOATS = [
  rowOf("boats", "Curlew", {
    boat_id: 1,
    boat_name: "Curlew",
    builder_id: 9,
    builder: "Wright & Daughters",
    launch_date: "2011-04-02",
    hire_price: 42.5,
    seats: 4,
    berths_free: 2,
    retired: 0,
    mooring_city: "Annecy",
    mooring_country: "France",
  }),
  rowOf("boats", "Plover", {
    boat_id: 2,
    boat_name: "Plover",
    builder_id: 9,
    builder: "Wright & Daughters",
    launch_date: "2016-09-20",
    hire_price: 55,
    seats: 6,
    berths_free: 0,
    retired: 1,
    mooring_city: "Évian",
    mooring_country: "France",
  }),
];
const STAFF = [
  rowOf("instructors", "Maud Keller", {
    instructor_id: 11,
    first_name: "Maud",
    last_name: "Keller",
    role: "Head instructor",
    home_phone: "+41 22 555 01 44",
    hired_on: "2019-03-01",
    town: "Annecy",
    notes:
      "Maud trained in Kiel and speaks fluent Danish. She wrote the club's handbook on rescue drills in 2021.",
  }),
  rowOf("instructors", "Ines Roy", {
    instructor_id: 12,
    first_name: "Ines",
    last_name: "Roy",
    role: "Instructor",
    home_phone: "+41 22 555 01 45",
    hired_on: "2022-06-15",
    town: "Évian",
    notes:
      "Ines grew up on a farm and competed in the 470 class for six seasons before she turned to teaching children.",
  }),
];
const BOOKINGS = [
  rowOf("bookings", "8812", {
    booking_id: 8812,
    boat_id: 1,
    boat: "Curlew",
    customer_id: 5,
    customer: "Ferme du Lac",
    booked_on: "2026-05-03",
    paid_on: "2026-05-10",
  }),
  rowOf("bookings", "8813", {
    booking_id: 8813,
    boat_id: 2,
    boat: "Plover",
    customer_id: 6,
    customer: "Atelier Brun",
    booked_on: "2026-05-04",
    paid_on: "2026-05-05",
  }),
];
const ALL = [...BOATS, ...STAFF, ...BOOKINGS];

/** A rule that gives a number of minutes, valid from a day. */
function rule(id: number, minutes: number, day: string): Evidence {
  return rowOf(
    "rules",
    `Rule ${id}`,
    {
      id,
      text: `Boats must be back at the jetty ${minutes} minutes before sunset, and their crew must sign the log book.`,
    },
    { changedAt: `${day}T00:00:00Z` },
  );
}

function answer(question: string, evidence: readonly Evidence[] = ALL, language: "en" | "fr" = "en") {
  return compose({ question, evidence, language, today: "2026-11-23" });
}

function text(question: string, evidence: readonly Evidence[] = ALL, language: "en" | "fr" = "en"): string {
  return answer(question, evidence, language).text;
}

describe("compose: one cell", () => {
  it.each([
    ["How much does it cost to hire Curlew?", "Curlew — hire price: 42.5 [1]."],
    ["How many seats does Plover have?", "Plover — seats: 6 [2]."],
    ["When was Curlew launched?", "Curlew — launch date: 2 April 2011 [1]."],
    ["Who built Plover?", "Plover — builder: Wright & Daughters [2]."],
    ["What is the home phone number of Ines Roy?", "Ines Roy — home phone: +41 22 555 01 45 [4]."],
    ["Where is Curlew moored?", "Curlew — mooring city: Annecy, France [1]."],
    ["When was booking 8813 paid?", "Booking 8813 — paid on: 5 May 2026 [6]."],
    ["Which customer made booking 8812?", "Booking 8812 — customer: Ferme du Lac [5]."],
    ["What is Maud Keller's job?", "Maud Keller — role: Head instructor [3]."],
  ])("%s", (question, expected) => {
    expect(text(question)).toBe(expected);
  });

  it.each([
    ["Combien coûte la location du Curlew ?", "Curlew — hire price : 42,5 [1]."],
    ["Quel est le numéro de téléphone d'Ines Roy ?", "Ines Roy — home phone : +41 22 555 01 45 [4]."],
    ["Quand Maud Keller a-t-elle été embauchée ?", "Maud Keller — hired on : 1er mars 2019 [3]."],
  ])("in French: %s", (question, expected) => {
    expect(text(question, ALL, "fr")).toBe(expected);
  });
});

describe("compose: several rows and sentences", () => {
  it("lists the rows that match", () => {
    expect(text("Which boats come from Wright & Daughters?")).toBe("Curlew [1] and Plover [2].");
  });

  it("names the person that a sentence speaks of, and quotes it", () => {
    expect(text("Which of our instructors speaks Danish?")).toBe(
      'Maud Keller [3]. "Maud trained in Kiel and speaks fluent Danish." [3]',
    );
  });

  it("compares two rows and says which", () => {
    expect(text("Which is cheaper to hire, Curlew or Plover?")).toBe(
      "Curlew has the lower hire price. Curlew — hire price: 42.5 [1]; Plover — hire price: 55 [2].",
    );
  });

  it("compares two that are named by the extreme of both", () => {
    expect(text("Which boat is the newest, Curlew or Plover?")).toBe(
      text("Which boat is newer, Curlew or Plover?"),
    );
  });

  it("compares two dates", () => {
    expect(text("Who was hired first, Ines Roy or Maud Keller?")).toContain(
      "Maud Keller comes earlier (hired on).",
    );
  });

  it("says so when both are the same", () => {
    const same = [BOATS[0], rowOf("boats", "Gannet", { boat_id: 3, boat_name: "Gannet", hire_price: 42.5 })];
    expect(
      text(
        "Which is dearer, Curlew or Gannet?",
        same.filter((r) => r !== undefined),
      ),
    ).toContain("Both have the same hire price.");
  });

  it("answers yes or no from a flag", () => {
    expect(text("Is Plover retired?")).toBe("Plover — retired: yes [2].");
  });

  it("quotes the sentence that gives the cause", () => {
    const rows = [
      rowOf("incidents", "Regatta postponed", {
        id: 7,
        report:
          "The spring regatta of 12 May was postponed because a storm had torn two buoys loose. It took place a week later in fair weather.",
      }),
    ];
    expect(text("Why was the spring regatta postponed?", rows)).toContain(
      'because a storm had torn two buoys loose." [1]',
    );
  });

  it("shows both of two rows that disagree, the newest first, with dates", () => {
    const said = text("How long before sunset must boats be back at the jetty?", [
      rule(1, 30, "2024-01-05"),
      rule(2, 45, "2026-02-09"),
    ]);
    expect(said.startsWith("The rows disagree; the newest comes first:")).toBe(true);
    expect(said.indexOf("45 minutes")).toBeLessThan(said.indexOf("30 minutes"));
    expect(said).toContain("(9 February 2026)");
  });

  it("tells the main things in a summary", () => {
    expect(text("Tell me about Maud Keller.")).toContain("role: Head instructor");
  });
});

describe("compose: several questions in one", () => {
  it.each([
    [
      "Who built Plover and how many seats has Curlew?",
      "Plover — builder: Wright & Daughters [2]. Curlew — seats: 4 [1].",
    ],
    [
      "Who built Plover? Which town does Maud Keller live in?",
      "Plover — builder: Wright & Daughters [2]. Maud Keller — town: Annecy [3].",
    ],
    [
      "When was booking 8812 and which boat was it?",
      "Booking 8812 — booked on: 3 May 2026 [5]. Booking 8812 — boat: Curlew [5].",
    ],
    [
      "Which boat was booking 8812 and when was it paid?",
      "Booking 8812 — boat: Curlew [5]. Booking 8812 — paid on: 10 May 2026 [5].",
    ],
    [
      "What is the role of Maud Keller and when was she hired?",
      "Maud Keller — role: Head instructor [3]. Maud Keller — hired on: 1 March 2019 [3].",
    ],
    [
      "How many seats does Plover have and who built it?",
      "Plover — seats: 6 [2]. Plover — builder: Wright & Daughters [2].",
    ],
  ])("%s", (question, expected) => {
    expect(text(question)).toBe(expected);
  });

  it.each([
    "Who built Plover and who built Curlew and how many seats has Curlew and where is Plover moored?",
    "Who built Plover and which town does Nils Berg live in?",
    "When was booking 9999 and which boat was it?",
  ])("is not answered by half: %s", (question) => {
    expect(answer(question)).toEqual({ text: "", reason: "no-evidence" });
  });
});

describe("compose: declining", () => {
  it.each([
    ["an attribute that no column has", "What is Maud Keller's salary?"],
    ["a modifier that no column has", "What is the e-mail address of Maud Keller?"],
    ["a row that is not there", "When was booking 9999 paid?"],
    ["a person who is not there", "What is the home phone number of Nils Berg?"],
    ["a cause that nobody gives", "Why was Plover retired?"],
    ["something else altogether", "Which customers complained about seasickness?"],
    ["a count of a thing unknown", "How many oars of Curlew were broken?"],
  ])("%s", (_, question) => {
    expect(answer(question)).toEqual({ text: "", reason: "no-evidence" });
  });

  it("does not take a word for a name that it shares a short stem with", () => {
    const tide = rowOf("notices", "Sorties du matin", {
      notice_id: 7,
      body: "Une marée basse par vent d'est laisse trop peu d'eau, et les sorties du matin sont retardées d'une heure.",
    });
    expect(answer("What is the weather on Mars?", [tide]).reason).toBe("no-evidence");
  });

  it("says nothing to a question of function words", () => {
    expect(answer("What is it?").reason).toBe("no-evidence");
  });
});

describe("compose: totals", () => {
  it.each([
    "How many bookings do we have?",
    "What is the exact number of bookings?",
    "What is the total hire price of all boats?",
    "Which boat has the most seats?",
  ])("are not made from passages: %s", (question) => {
    expect(answer(question)).toEqual({ text: "", reason: "needs-total" });
  });

  it("are read from a row that holds them", () => {
    const rows = [
      rowOf(
        "income_by_month",
        "Income, May 2026",
        { month: "2026-05", total_income: "8120.40" },
        { rollup: true },
      ),
      rowOf(
        "income_by_month",
        "Income, June 2026",
        { month: "2026-06", total_income: "9310.00" },
        { rollup: true },
      ),
    ];
    expect(text("What was the total income in May 2026?", rows)).toBe(
      "Income, May 2026 — total income: 8,120.40 [1].",
    );
  });
});

describe("what is composed", () => {
  it("stands up to verification, in both languages", () => {
    const questions = [
      "When was Curlew launched?",
      "Which boats come from Wright & Daughters?",
      "Tell me about Maud Keller.",
      "Who was hired first, Ines Roy or Maud Keller?",
    ];
    for (const question of questions) {
      for (const language of ["en", "fr"] as const) {
        const said = text(question, ALL, language);
        expect(verifyText(said, ALL, question)).toMatchObject({ text: said, removed: [] });
      }
    }
  });

  it("never takes a bracketed number of the source for a citation", () => {
    const rows = [
      rowOf("faq", "Sails", {
        id: 1,
        answer:
          "Reef the main sail when the wind passes five on the scale [12], and the jib soon after that.",
      }),
    ];
    expect(text("When should the main sail be reefed in wind?", rows)).not.toContain("[12]");
  });
});

describe("quote", () => {
  it("gives the cell and nothing of its own", () => {
    expect(
      quote({
        question: "How many seats does Plover have?",
        evidence: ALL,
        language: "en",
        today: "2026-11-23",
      }),
    ).toEqual({
      text: "Plover — seats: 6 [2]",
      reason: "stop",
    });
  });

  it("gives the sentence word for word", () => {
    const said = quote({
      question: "Who wrote the handbook on rescue drills?",
      evidence: ALL,
      language: "en",
      today: "2026-11-23",
    });
    expect(said.text).toContain("Maud Keller");
  });

  it("declines like compose", () => {
    expect(
      quote({
        question: "What is the salary of Ines Roy?",
        evidence: ALL,
        language: "en",
        today: "2026-11-23",
      }).reason,
    ).toBe("no-evidence");
  });
});
