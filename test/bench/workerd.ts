import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";

/** Workers served by workerd itself, without wrangler's processes around it: what a benchmark counts is the Worker's own. */

// Not a dependency of ours: the workerd that wrangler brings.
const { default: workerd }: { readonly default: string } = createRequire(import.meta.url)("workerd");

export interface Served {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly pid: number;
  /** Ends it at once and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts workerd in a folder and waits until the path answers.
 * @param config the text of a workerd configuration that listens on the port; paths in it are relative to the folder.
 * @param given the port to listen on; default a free one.
 */
export async function serveWorkerd(
  directory: string,
  config: (port: number) => string,
  readyPath: string,
  given?: number,
): Promise<Served> {
  const port = given ?? (await freePort());
  const file = join(directory, `workerd-${port}.capnp`);
  writeFileSync(file, config(port));
  const child = spawn(workerd, ["serve", file], { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
  const stop = async (): Promise<void> => {
    // Once killed it has no exit status, only a signal, and ends no second time.
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
    const response = await fetch(`${url}${readyPath}`).catch(() => undefined);
    if (response) {
      await response.arrayBuffer();
      if (!response.ok) break;
      return { url, pid: child.pid ?? 0, stop };
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await stop();
  throw new Error(`workerd did not answer ${readyPath}`);
}

/** Modules of a Worker in workerd's configuration, the main one first. @param folder of the names, ending in `/` or empty. */
export function modulesOf(names: readonly string[], main: string, folder = ""): string {
  return [main, ...names.filter((name) => name !== main)]
    .map((name) => {
      const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
      return `(name = "${name}", ${kind} = embed "${folder}${name}")`;
    })
    .join(", ");
}

/** Milliseconds of CPU that a process's threads have used: unlike a clock, fair on a busy machine. Linux only. */
export function cpuMs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const line = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8");
    return sum + Number(line.split(" ")[0]) / 1e6;
  }, 0);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
