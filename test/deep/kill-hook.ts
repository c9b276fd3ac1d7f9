import { kill, pid } from "node:process";

/**
 * Loaded before the CLI (`node --import`): kills the process before or after the n-th call of a kind that it sends out.
 * `KILL_AT`: `<before|after> <kind> <n>`.
 */

const [when, kind, nth] = (process.env["KILL_AT"] ?? "").split(" ");
let seen = 0;

/** What a call does, by its address. */
function kindOf(method: string, path: string): string {
  if (path === "/v1/admin/config") return "config";
  if (path === "/v1/admin/runs") return "begin";
  if (path.startsWith("/v1/admin/known/")) return "known";
  if (path.startsWith("/v1/admin/batches/")) return "batch";
  return path.split("/").at(-1) ?? method;
}

const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const here = kindOf(request.method, new URL(request.url).pathname) === kind && ++seen === Number(nth);
  if (here && when === "before") kill(pid, "SIGKILL");
  const response = await fetch(input, init);
  if (here) kill(pid, "SIGKILL");
  return response;
};
