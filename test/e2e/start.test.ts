import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** `npm start` as a newcomer runs it: the lines that it prints, the curl that it prints, Ctrl-C. */

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Processes whose command line names the port. */
function processesOf(port: number): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(`--port=${port}`));
}

test("npm start serves the sample, prints a question that is answered, and leaves no process behind", async () => {
  const port = await freePort();
  const child = spawn("npm", ["start"], {
    cwd: root,
    detached: true,
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = child.pid ?? 0;
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let printed = "";
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString("utf8");
      if (printed.includes("Ctrl-C")) resolve();
    });
    void ended.then(() => reject(new Error(`npm start ended early:\n${printed}`)));
  });
  try {
    await ready;
    const phases = printed.split("\n").flatMap((line) => /^(\w+) {2,}\S/.exec(line)?.[1] ?? []);
    expect(phases).toEqual(["warehouse", "worker", "ingest", "canary", "ready"]);
    expect(printed).toMatch(/canary .* 0 seen/);
    const body = /-d '(.*)'$/m.exec(printed)?.[1] ?? "";
    const user = /x-quayside-demo-user: ([\w-]+)/.exec(printed)?.[1] ?? "";
    const response = await fetch(`http://127.0.0.1:${port}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-quayside-demo-user": user },
      body,
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ outcome: "answered", ai_generated: true });
  } finally {
    // What a terminal does on Ctrl-C: the signal goes to the whole foreground group.
    process.kill(-pid, "SIGINT");
    await ended;
  }
  await expect.poll(() => processesOf(port)).toEqual([]);
}, 240_000);
