/** What work costs the processor, in milliseconds: the least of three, so that what else the machine does is not counted. */
export function costOf(work: () => void): number {
  const costs = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    work();
    return process.cpuUsage(before).user / 1000;
  });
  return Math.min(...costs);
}
