import { detectLanguage } from "../../shared/analysis.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { readRecords } from "./records.ts";
import type { SampleRow } from "./schema.ts";
import { INCIDENTS_FR } from "./texts-incidents-fr.ts";
import { INCIDENTS_UK } from "./texts-incidents-uk.ts";

const FIRST_DAY = Date.UTC(2026, 0, 1);
const LAST_DAY = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;
const PORT_NAMES: Readonly<Record<string, string>> = {
  NHV: "Newhaven",
  FKS: "Folkestone",
  DPE: "Dieppe",
  BLG: "Boulogne-sur-Mer",
  LEH: "Le Havre",
};
/** Site of each port: what regional access goes by. */
const PORT_SITES: Readonly<Record<string, "uk" | "fr">> = {
  NHV: "uk",
  FKS: "uk",
  DPE: "fr",
  BLG: "fr",
  LEH: "fr",
};

interface Slot {
  readonly route: string;
  readonly from: string;
  readonly to: string;
  readonly time: string;
  readonly vessel: string;
}

export interface Sailing extends Slot {
  readonly id: string;
  readonly date: string;
  readonly status: string;
  readonly delay: number;
  readonly reason: string | null;
}

const HEADER = [
  "id",
  "date",
  "port",
  "time",
  "vessel",
  "severity",
  "effect",
  "reason",
  "also",
  "status",
  "reporter",
  "updated",
] as const;

function readIncidents() {
  return readRecords(
    HEADER,
    ["title", "cause", "summary", "action_taken"],
    `${INCIDENTS_FR}\n${INCIDENTS_UK}`,
  ).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The timetable of one day. Two ships take turns by the week on each all-year route, the freight ships by the night. */
function slotsOf(at: number): Slot[] {
  const day = Math.round((at - FIRST_DAY) / DAY_MS);
  const weekday = new Date(at).getUTCDay();
  const even = Math.floor((day + 4) / 7) % 2 === 0;
  const nd = even ? "V-01" : "V-02";
  const fb = even ? "V-04" : "V-05";
  const slots: Slot[] = [
    { route: "R-ND", from: "DPE", to: "NHV", time: "06:30", vessel: nd },
    { route: "R-ND", from: "NHV", to: "DPE", time: "12:15", vessel: nd },
    { route: "R-FB", from: "FKS", to: "BLG", time: "08:15", vessel: fb },
    { route: "R-FB", from: "BLG", to: "FKS", time: "11:00", vessel: fb },
  ];
  const month = new Date(at).getUTCMonth();
  if (month >= 3 && month <= 8) {
    slots.push(
      { route: "R-ND", from: "NHV", to: "DPE", time: "09:00", vessel: "V-03" },
      { route: "R-ND", from: "DPE", to: "NHV", time: "18:00", vessel: "V-03" },
    );
  }
  const freight = day % 4 < 2 ? "V-06" : "V-07";
  if ([1, 3, 5].includes(weekday)) {
    slots.push({ route: "R-NL", from: "NHV", to: "LEH", time: "21:00", vessel: freight });
  } else if (weekday !== 6) {
    slots.push({ route: "R-NL", from: "LEH", to: "NHV", time: "21:30", vessel: freight });
  }
  return slots;
}

function sailingId(port: string, date: string, time: string): string {
  return `${port}-${date.replaceAll("-", "")}-${time.replace(":", "")}`;
}

/** What the incident reports say about single departures: the sailings must tell the same story. */
function reportedEffects(): Map<string, { vessel: string | undefined; effect: string; reason: string }> {
  const effects = new Map<string, { vessel: string | undefined; effect: string; reason: string }>();
  for (const i of readIncidents()) {
    if (i.time !== "-") {
      effects.set(sailingId(i.port, i.date, i.time), {
        vessel: i.vessel,
        effect: i.effect,
        reason: i.reason,
      });
    }
    for (const also of i.also.split(";").filter((a) => a.trim() !== "")) {
      const [port = "", time = "", ...effect] = also.trim().split(" ");
      const id = sailingId(port, i.date, time);
      effects.set(id, { vessel: undefined, effect: effect.join(" "), reason: i.reason });
    }
  }
  return effects;
}

/**
 * All sailings from 1 January to 20 November 2026.
 * @throws QuaysideError `source_rejected` when an incident names a departure that the timetable lacks.
 */
export function buildSailings(random: () => number): Sailing[] {
  const effects = reportedEffects();
  const ships = reportedShips();
  const sailings: Sailing[] = [];
  for (let at = FIRST_DAY; at <= LAST_DAY; at += DAY_MS) {
    const date = new Date(at).toISOString().slice(0, 10);
    const slots = slotsOf(at);
    for (const slot of slots) {
      const id = sailingId(slot.from, date, slot.time);
      const reported = effects.get(id);
      effects.delete(id);
      // The ship of the report also makes the day's other crossings of its pair.
      const partner = ships.get(sailingId(slot.to, date, PAIR_OF[slot.time] ?? ""));
      const vessel = reported?.vessel ?? partner ?? slot.vessel;
      const fate = reported ? fateOf(reported.effect, reported.reason) : chance(random);
      sailings.push({ ...slot, vessel, id, date, ...fate });
    }
  }
  const missing = [...effects.keys()];
  if (missing.length > 0) {
    throw new QuaysideError("source_rejected", `Incidents name unknown sailings: ${missing.join(", ")}`);
  }
  return sailings;
}

const PAIR_OF: Readonly<Record<string, string>> = {
  "06:30": "12:15",
  "12:15": "06:30",
  "08:15": "11:00",
  "11:00": "08:15",
};

/** The ship that an incident report names for a departure, by port, date and time. */
function reportedShips(): ReadonlyMap<string, string> {
  return new Map(readIncidents().map((i) => [sailingId(i.port, i.date, i.time), i.vessel]));
}

function fateOf(effect: string, reason: string): Pick<Sailing, "status" | "delay" | "reason"> {
  if (effect === "cancelled") return { status: "cancelled", delay: 0, reason };
  const minutes = Number(effect.replace("delayed ", ""));
  return Number.isNaN(minutes)
    ? { status: "on time", delay: 0, reason: null }
    : { status: "delayed", delay: minutes, reason };
}

/** Small delays that nobody writes a report about. */
function chance(random: () => number): Pick<Sailing, "status" | "delay" | "reason"> {
  const draw = random();
  if (draw > 0.09) return { status: "on time", delay: 0, reason: null };
  const reasons = ["port", "weather", "border", "tide", "loading"];
  return {
    status: "delayed",
    delay: 10 + 5 * Math.floor(random() * 6),
    reason: reasons[Math.floor(random() * reasons.length)] ?? "port",
  };
}

const MONTHS = {
  en: "January February March April May June July August September October November December".split(" "),
  fr: "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(" "),
} as const;

/** `3 November 2026`, `3 novembre 2026`, `1er mai 2026` */
function longDate(date: string, language: "en" | "fr"): string {
  const [year, month, day] = date.split("-").map(Number);
  const first = language === "fr" && day === 1 ? "1er" : day;
  return `${first} ${MONTHS[language][(month ?? 1) - 1]} ${year}`;
}

export function sailingRows(sailings: readonly Sailing[]): SampleRow[] {
  return sailings.map((s) => ({
    sailing_id: s.id,
    name: `${s.time} ${PORT_NAMES[s.from]} to ${PORT_NAMES[s.to]}, ${longDate(s.date, "en")}`,
    sailing_date: s.date,
    departure_time: s.time,
    route_id: s.route,
    from_port_id: s.from,
    to_port_id: s.to,
    vessel_id: s.vessel,
    status: s.status,
    delay_minutes: s.delay,
    disruption: s.reason,
  }));
}

export function incidentRows(): SampleRow[] {
  return readIncidents().map((i) => ({
    incident_id: i.id,
    title: `${i.title}, ${longDate(i.date, detectLanguage(i.summary))}`,
    language: detectLanguage(i.summary),
    occurred_on: i.date,
    port_id: i.port,
    site: PORT_SITES[i.port] ?? null,
    vessel_id: i.vessel,
    sailing_id: i.time === "-" ? null : sailingId(i.port, i.date, i.time),
    severity: i.severity,
    cause: i.cause,
    summary: i.summary,
    action_taken: i.action_taken,
    status: i.status,
    reported_by_id: i.reporter,
    updated_on: i.updated,
  }));
}
