import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngestResult } from "../../ingest/commands/ingest.ts";
import { ingestOnce } from "../../ingest/commands/ingest.ts";
import { nodeHost } from "../../ingest/node-host.ts";
import { startWorker, type WorkerProcess } from "../../ingest/worker-process.ts";
import type { Config } from "../../shared/config.ts";

/** One citation as `/v1/ask` gives it. */
export interface WireCitation {
  readonly marker: number;
  readonly id: string;
  readonly table: string;
  readonly key: Readonly<Record<string, string>>;
  readonly excerpt: string;
  readonly cells: readonly { readonly column: string; readonly value: unknown }[];
  readonly as_of: string;
  readonly changed_at: string;
}

/** What `/v1/ask` answers, as far as tests look at it. */
export interface WireAnswer {
  readonly id: string;
  readonly outcome: "answered" | "no_evidence" | "refused";
  readonly reason: string | null;
  readonly text: string;
  readonly ai_generated: boolean;
  readonly citations: readonly WireCitation[];
  readonly model: string;
  readonly cache: string;
  readonly generation: number;
  readonly attempts: readonly { readonly model: string; readonly outcome: string }[];
  readonly verification: { readonly checked: number; readonly supported: number };
}

/** A served Worker in a scratch folder, driven as a user would: the CLI's ingest and HTTP. */
export interface Served {
  readonly url: string;
  readonly token: string;
  readonly directory: string;
  ingest(config?: Config): Promise<IngestResult>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  ask(question: string, user: string, more?: Record<string, unknown>): Promise<WireAnswer>;
  /** Ends the Worker and starts it again on the same storage. `crash` ends it without a goodbye. */
  restart(how?: "stop" | "crash"): Promise<void>;
  stop(): Promise<void>;
}

export async function serve(config: Config, env: Record<string, string> = {}): Promise<Served> {
  const directory = await mkdtemp(join(tmpdir(), "quayside-e2e-"));
  const token = randomBytes(24).toString("base64url");
  const environment = { ...process.env, ...env };
  const start = (): Promise<WorkerProcess> =>
    startWorker({
      port: 0,
      persistTo: join(directory, "state"),
      token,
      demo: true,
      env: environment,
      readyTimeoutMs: 180_000,
    });
  let worker = await start();
  const host = nodeHost(environment);
  const json = { "content-type": "application/json" };
  const served: Served = {
    get url() {
      return worker.url;
    },
    token,
    directory,
    ingest: (other = config) =>
      ingestOnce({ config: other, url: worker.url, token, host, signal: AbortSignal.timeout(120_000) }),
    post: (path, body, headers = {}) =>
      fetch(worker.url + path, {
        method: "POST",
        headers: { ...json, ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(90_000),
      }),
    get: (path, headers = {}) => fetch(worker.url + path, { headers, signal: AbortSignal.timeout(90_000) }),
    ask: async (question, user, more = {}) => {
      const response = await served.post("/v1/ask", { question, ...more }, { "x-quayside-demo-user": user });
      const body: unknown = await response.json();
      if (!response.ok) throw new Error(`ask answered ${response.status}: ${JSON.stringify(body)}`);
      return body as WireAnswer;
    },
    restart: async (how = "stop") => {
      await (how === "stop" ? worker.stop() : worker.kill());
      worker = await start();
    },
    stop: async () => {
      await worker.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return served;
}
