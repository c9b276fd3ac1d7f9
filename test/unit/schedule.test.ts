import { describe, expect, it } from "vitest";
import { isDue, isSchedule, parseDuration } from "../../shared/schedule.ts";

const at = (time: string): number => Date.parse(time);

describe("durations", () => {
  it.each([
    ["90s", 90_000],
    ["15m", 900_000],
    ["6h", 21_600_000],
    ["1d", 86_400_000],
    ["0m", undefined],
    ["15", undefined],
    ["-1h", undefined],
    ["1.5h", undefined],
    ["1w", undefined],
    ["", undefined],
  ])("%s is %s ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});

describe("schedules", () => {
  it.each(["15m", "0 6 * * 1-5", "*/5 * * * *", "0 0 29 2 *", "0,30 8-18/2 1 1,7 *", "0 0 * * 7"])(
    "takes %s",
    (text) => {
      expect(isSchedule(text)).toBe(true);
    },
  );

  it.each([
    "",
    "hourly",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "5-1 * * * *",
    "*/0 * * * *",
    "0 0 31 2 *",
    "0 0 * * mon",
  ])("refuses %s", (text) => {
    expect(isSchedule(text)).toBe(false);
  });

  it.each([
    // schedule, since, now, due
    ["15m", "2026-11-02T10:00:00Z", "2026-11-02T10:14:59Z", false],
    ["15m", "2026-11-02T10:00:00Z", "2026-11-02T10:15:00Z", true],
    ["0 6 * * 1-5", "2026-11-02T05:00:00Z", "2026-11-02T05:59:59Z", false],
    ["0 6 * * 1-5", "2026-11-02T05:00:00Z", "2026-11-02T06:00:00Z", true],
    ["0 6 * * 1-5", "2026-11-02T06:00:00Z", "2026-11-02T23:00:00Z", false],
    // Friday to Sunday: nothing; Monday again.
    ["0 6 * * 1-5", "2026-11-06T06:00:00Z", "2026-11-08T23:00:00Z", false],
    ["0 6 * * 1-5", "2026-11-06T06:00:00Z", "2026-11-09T06:00:00Z", true],
    ["*/20 8-9 * * *", "2026-11-02T09:40:00Z", "2026-11-03T07:59:00Z", false],
    ["*/20 8-9 * * *", "2026-11-02T09:20:00Z", "2026-11-02T09:40:00Z", true],
    // Either day field matches when both are given: the 1st, and every Sunday.
    ["0 0 1 * 0", "2026-11-01T00:00:00Z", "2026-11-07T23:00:00Z", false],
    ["0 0 1 * 0", "2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z", true],
    ["0 0 1 * 7", "2026-11-29T00:00:00Z", "2026-12-01T00:00:00Z", true],
    // Fired many times since: due once, whatever the distance.
    ["0 * * * *", "2020-01-01T00:00:00Z", "2026-11-02T10:30:00Z", true],
    ["0 0 29 2 *", "2024-02-29T00:00:00Z", "2026-11-02T00:00:00Z", false],
  ])("%s since %s at %s: %s", (schedule, since, now, due) => {
    expect(isDue(schedule, at(since), at(now))).toBe(due);
  });
});
