import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
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

const { request } = http;
Reflect.set(http, "request", (...args: Parameters<typeof request>) => {
  const sent = request(...args);
  const here = kindOf(sent.method, sent.path.split("?")[0] ?? "") === kind && ++seen === Number(nth);
  // Nothing is on its way yet: what is sent leaves when the caller is done.
  if (here && when === "before") kill(pid, "SIGKILL");
  if (here) sent.once("response", () => kill(pid, "SIGKILL"));
  return sent;
});
syncBuiltinESMExports();
