import { describe, expect, it } from "vitest";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { compose } from "../../workers/providers/local-compose.ts";
import { rowOf } from "./answer-rows.ts";

function answer(question: string, evidence: readonly Evidence[], language: "en" | "fr" = "en") {
  return compose({ question, evidence, language, today: "2026-11-23" });
}

function text(question: string, evidence: readonly Evidence[], language?: "en" | "fr"): string {
  return answer(question, evidence, language).text;
}

describe("compose: durations and places", () => {
  const TOUR = rowOf("tours", "Annecy – Talloires", {
    tour_id: 3,
    tour_minutes: 75,
    distance_kilometres: 12,
    payment_terms_days: 30,
    starts_at: "09:15",
    time_zone: "Europe/Paris",
    meeting_town: "Annecy",
    notes: "The oldest tour of the club, sailed twice a day from May to September whatever the weather does.",
  });

  it.each([
    ["How long does the Annecy to Talloires tour take?", "Annecy – Talloires — tour minutes: 75 [1]."],
    ["How far is it from Annecy to Talloires?", "Annecy – Talloires — distance kilometres: 12 [1]."],
  ])("%s", (question, expected) => {
    expect(text(question, [TOUR])).toBe(expected);
  });

  it("does not take days of something else for how long", () => {
    expect(text("How long has Talloires been our partner?", [TOUR])).not.toContain("30");
  });

  it("takes the only time that the row of two names has, and no length", () => {
    expect(text("How long from Annecy to Talloires?", [TOUR])).toContain("75");
    const boat = rowOf("boats", "Annecy", { boat_id: 1, length_metres: 8.2, route: "Talloires" });
    expect(text("How long does it take from Annecy to Talloires?", [boat])).not.toContain("8.2");
    expect(text("How long is the Annecy?", [boat])).toContain("8.2");
  });

  it("does not take a time zone for a person", () => {
    expect(text("Who works in the department of Talloires?", [TOUR])).not.toContain("Europe/Paris");
  });

  it("does not take a time zone for a time", () => {
    expect(text("What time do tours end at Talloires?", [TOUR])).not.toContain("Europe/Paris");
  });

  it("finds columns of the other language", () => {
    const boat = rowOf("boats", "Curlew", { boat_id: 1, home_port: "Annecy", flag: "Switzerland" });
    expect(text("Quel est le port d'attache du Curlew ?", [boat], "fr")).toBe(
      "Curlew — home port : Annecy [1].",
    );
    expect(text("Sous quel pavillon navigue le Curlew ?", [boat], "fr")).toBe(
      "Curlew — flag : Switzerland [1].",
    );
  });

  it("tells no row for a place that it does not know, unless the question says which row", () => {
    const season = rowOf("results", "Curlew", {
      result_id: 4,
      season: 2024,
      rank: 3,
      crew: "Keller and Roy",
    });
    expect(answer("Where was Curlew repaired?", [season]).reason).toBe("no-evidence");
    expect(text("Where did Curlew race in 2024?", [season])).toContain("rank: 3");
  });

  it("quotes no sentence for an address or a number that is not in it", () => {
    const office = rowOf("offices", "Annecy", {
      office_id: 2,
      facilities:
        "The Annecy office has lockers, a drying room and a small kitchen for members who stay late on the lake.",
    });
    expect(answer("What is the e-mail of the Annecy office?", [office]).reason).toBe("no-evidence");
    expect(answer("What is the telephone number of the Annecy office?", [office]).reason).toBe("no-evidence");
    const mail = rowOf("offices", "Annecy", {
      office_id: 2,
      facilities:
        "Write to the Annecy office at annecy@club.example, by e-mail only, and a volunteer answers in a week.",
    });
    expect(text("What is the e-mail of the Annecy office?", [mail])).toContain("annecy@club.example");
  });
});

describe("compose: a word of two meanings", () => {
  it("asks for no web address where a place may be meant", () => {
    const regatta = rowOf("events", "Regatta of Annecy", {
      event_id: 6,
      notes:
        "The site of the regatta is the meadow below the castle, which the town lends to the club every June.",
    });
    expect(text("What is the site of the regatta?", [regatta])).toContain("meadow below the castle");
  });
});

describe("compose: what something is", () => {
  const NOTICE = rowOf("notices", "Winter work on Curlew", {
    notice_id: 5,
    body: "Curlew stays in the shed from November to March, and her mast is varnished by the older members.",
  });
  const BOAT = rowOf("boats", "Curlew", {
    boat_id: 1,
    kind: "sloop",
    description: "A steady sloop with a stove.",
  });

  it("is told by the row that is called so, not by those that mention it", () => {
    expect(text("What is the Curlew?", [NOTICE, BOAT])).toBe(
      "Curlew — description: A steady sloop with a stove [2].",
    );
    expect(text("What is the Curlew?", [NOTICE])).toContain("Winter work");
  });

  it("is not all that is asked of it", () => {
    expect(text("What is varnished on Curlew?", [NOTICE, BOAT])).toContain("mast");
  });
});

describe("compose: a word that names a column", () => {
  const MAUD = rowOf("instructors", "Maud Keller", {
    instructor_id: 11,
    department: "Rescue",
    town: "Annecy",
  });
  const INES = rowOf("instructors", "Ines Roy", { instructor_id: 12, department: "Racing", town: "Évian" });

  it("is met where another word of the question stands in that column", () => {
    expect(text("Who works in the Rescue department?", [INES, MAUD])).toBe("Maud Keller [2].");
  });

  it("is not met by the column of a row that says something else", () => {
    expect(answer("Who works in the Catering department?", [INES, MAUD]).reason).toBe("no-evidence");
  });
});
