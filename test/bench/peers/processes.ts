import { readFileSync, writeFileSync } from "node:fs";

/** Memory of a process, as Linux tells it in /proc. */

/** Highest resident memory since `forgetPeak`, in MB; 0 when the process is gone. */
export function peakMB(pid: number): number {
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(statusOf(pid))?.[1] ?? 0) / 1024);
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
