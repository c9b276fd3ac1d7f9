/**
 * When a table is due. A schedule is an interval (`15m`) or a cron expression of five fields in UTC (`0 6 * * 1-5`); a target
 * lag is an interval. Months and days of the week are numbers, Sunday 0 or 7; as in cron, a time matches either day field when
 * both are given.
 */

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const MINUTE_MS = UNITS.m;
const DAY_MS = UNITS.d;
/** A schedule that did not fire for longer than this is due: `0 0 29 2 *` fires once in four years, or eight. */
const LOOK_BACK_DAYS = 366 * 8;

/** Milliseconds of `90s`, `15m`, `6h` or `1d`; undefined for anything else, nothing among it. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (digits === undefined || (unit !== "s" && unit !== "m" && unit !== "h" && unit !== "d"))
    return undefined;
  return Number(digits) * UNITS[unit];
}

/** Values of the five fields of a cron expression, and whether each day field was given. */
interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly anyDay: boolean;
  readonly anyWeekday: boolean;
}

const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;

/** Whether a text is an interval or a cron expression that can fire. */
export function isSchedule(text: string): boolean {
  if (parseDuration(text) !== undefined) return true;
  const cron = parseCron(text);
  // The last eight years hold every day that a year can have.
  return cron !== undefined && lastFired(cron, 0, LOOK_BACK_DAYS * DAY_MS) !== undefined;
}

/**
 * Whether a schedule has fired since a moment; both in milliseconds since the epoch. However often it did meanwhile, it is due
 * once.
 */
export function isDue(schedule: string, since: number, now: number): boolean {
  const every = parseDuration(schedule);
  if (every !== undefined) return now - since >= every;
  const cron = parseCron(schedule);
  return cron !== undefined && lastFired(cron, since, now) !== undefined;
}

function parseCron(text: string): Cron | undefined {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) return undefined;
  const sets = fields.map((field, i) => parseField(field, RANGES[i] ?? RANGES[0]));
  const [minutes, hours, days, months, weekdays] = sets;
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  return {
    minutes,
    hours,
    days,
    months,
    weekdays: new Set([...weekdays].map((day) => day % 7)),
    anyDay: fields[2]?.startsWith("*") === true,
    anyWeekday: fields[4]?.startsWith("*") === true,
  };
}

/** `*`, `5`, `1-5`, each with `/step`, joined by commas. */
function parseField(field: string, [low, high]: readonly [number, number]): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const [, star, from, to, step] = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (star === undefined && from === undefined) return undefined;
    const first = star === undefined ? Number(from) : low;
    // `5/10` means from 5 on, as in every cron that takes it.
    const open = star !== undefined || (to === undefined && step !== undefined);
    const last = open ? high : Number(to ?? from);
    const by = Number(step ?? 1);
    if (first < low || last > high || first > last || by < 1) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

/** The last whole minute after `since`, up to `now`, that the expression matches. */
function lastFired(cron: Cron, since: number, now: number): number | undefined {
  const oldest = Math.max(since, now - LOOK_BACK_DAYS * DAY_MS);
  for (let day = Math.floor(now / DAY_MS) * DAY_MS; day + DAY_MS > oldest; day -= DAY_MS) {
    if (!matchesDay(cron, new Date(day))) continue;
    const last = Math.min(day + DAY_MS - MINUTE_MS, Math.floor(now / MINUTE_MS) * MINUTE_MS);
    for (let at = last; at >= day && at > oldest; at -= MINUTE_MS) {
      const minute = (at - day) / MINUTE_MS;
      if (cron.hours.has(Math.floor(minute / 60)) && cron.minutes.has(minute % 60)) return at;
    }
  }
  return undefined;
}

function matchesDay(cron: Cron, day: Date): boolean {
  if (!cron.months.has(day.getUTCMonth() + 1)) return false;
  const byDay = cron.days.has(day.getUTCDate());
  const byWeekday = cron.weekdays.has(day.getUTCDay());
  if (cron.anyDay || cron.anyWeekday) return byDay && byWeekday;
  return byDay || byWeekday;
}
