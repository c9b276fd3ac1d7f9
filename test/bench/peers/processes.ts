import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** CPU and memory of processes, as Linux tells them in /proc. */

/** Seconds of CPU, user and system, by program, of the processes of a group. */
export function cpuOfGroup(group: number): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>();
  for (const { pid, name } of processesOf(group)) {
    const ns = readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
      const line = read(`/proc/${pid}/task/${task}/schedstat`);
      return sum + Number(line.split(" ")[0]);
    }, 0);
    seconds.set(name, (seconds.get(name) ?? 0) + ns / 1e9);
  }
  return seconds;
}

/** Highest resident memory since `forgetPeaks`, in MB, by program: the largest process of each. */
export function peaksOfGroup(group: number): ReadonlyMap<string, number> {
  const peaks = new Map<string, number>();
  for (const { pid, name } of processesOf(group)) {
    const kb = Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    peaks.set(name, Math.max(peaks.get(name) ?? 0, Math.round(kb / 1024)));
  }
  return peaks;
}

export function forgetPeaks(group: number): void {
  for (const { pid } of processesOf(group)) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function processesOf(group: number): readonly { readonly pid: number; readonly name: string }[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    // `pid (name) state ppid pgrp …`
    const match = /^(\d+) \((.*)\) \S+ \d+ (\d+)/.exec(read(`/proc/${entry}/stat`));
    return match && Number(match[3]) === group ? [{ pid: Number(match[1]), name: match[2] ?? "" }] : [];
  });
}

/** Empty when the process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
