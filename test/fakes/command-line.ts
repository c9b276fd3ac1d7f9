import { runCommandLine } from "../../ingest/command-line.ts";
import type { ExitStatus } from "../../ingest/commands/command.ts";
import { decodeBatch } from "../../shared/batch.ts";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import {
  abandonBody,
  beginBody,
  knownToWire,
  probeBody,
  progressBody,
  publishBody,
  runBody,
  beforeToWire,
  tableFromWire,
  vectorsFromWire,
  vectorsToWire,
} from "../../shared/registry-wire.ts";
import { problemResponse } from "../../workers/problem.ts";
import type { MemoryRegistry } from "./memory-registry.ts";
import { secretHost } from "./secret-host.ts";

/** The command line, whole, against a registry in memory that answers as the Worker's admin routes do. */

const silent = (): void => {};
const WORKER = "http://worker.test";

export interface CommandLine {
  readonly status: ExitStatus;
  /** What `--json` printed last. */
  readonly result: unknown;
}

/** @param now the clock that waits are measured by; they are not waited for. */
export async function commandLine(
  argv: readonly string[],
  world: {
    readonly config: Config;
    readonly registry: MemoryRegistry;
    readonly secrets: Readonly<Record<string, string>>;
    readonly now?: () => number;
  },
): Promise<CommandLine> {
  const lines: string[] = [];
  const real = secretHost(world.secrets);
  const { signal } = new AbortController();
  const status = await runCommandLine([...argv, "--json"], {
    version: "0",
    terminal: () => ({
      interactive: false,
      live: false,
      print: silent,
      note: silent,
      progress: silent,
      warn: silent,
    }),
    line: (text) => void lines.push(text),
    context: () => ({
      url: WORKER,
      signal,
      environment: {},
      tokenGiven: true,
      token: async () => "a-token",
      config: async () => ({ config: world.config, path: "quayside.config.ts" }),
      host: {
        ...real,
        now: world.now ?? (() => real.now()),
        fetch: async (input, init) => {
          const request = new Request(input, init);
          if (!request.url.startsWith(WORKER)) return real.fetch(input, init);
          return answer(request, world.registry, signal).catch((error: unknown) =>
            problemResponse(
              error instanceof QuaysideError ? error : new QuaysideError("internal", String(error)),
              "req_1",
            ),
          );
        },
      },
    }),
  });
  return { status, result: JSON.parse(lines.at(-1) ?? "null") };
}

async function answer(request: Request, registry: MemoryRegistry, signal: AbortSignal): Promise<Response> {
  const url = new URL(request.url);
  const route = `${request.method} ${url.pathname.replace(/^\/v1\/admin\//, "")}`;
  const done = new Response(null, { status: 204 });
  if (route === "PUT config") return Response.json({ version: 1 });
  if (route === "GET erased") return Response.json({ rows: [...(await registry.erased(signal))] });
  if (route === "GET shapes") {
    const shapes = [...(await registry.shapes(signal))].map(([name, before]) => [name, beforeToWire(before)]);
    return Response.json({ tables: Object.fromEntries(shapes) });
  }
  if (route.startsWith("GET known/")) {
    const run = { space: url.searchParams.get("space") ?? "" };
    const rows = [];
    for await (const page of registry.known(run, decodeURIComponent(route.slice(10)), signal)) {
      rows.push(...page.map(knownToWire));
    }
    return Response.json({ rows, more: false });
  }
  if (route.startsWith("PUT batches/")) {
    const { run, batch } = decodeBatch(new Uint8Array(await request.arrayBuffer()));
    await registry.commit(run, batch, signal);
    return done;
  }
  const body: unknown = await request.json();
  if (route === "POST runs") {
    const { tables, space, trigger } = beginBody.parse(body);
    return Response.json(
      runBody.parse(await registry.begin({ tenant: "t", tables, space, trigger }, signal)),
    );
  }
  if (route.endsWith("/probe")) {
    const { run, vectors } = probeBody.parse(body);
    return Response.json({
      vectors: vectorsToWire(await registry.probe(run, vectorsFromWire(vectors), signal)),
    });
  }
  if (route.endsWith("/progress")) {
    const { run, tables, held_back: heldBack = [] } = progressBody.parse(body);
    await registry.report(run, { tables, heldBack }, signal);
    return done;
  }
  if (route.endsWith("/publish")) {
    const { run, tables } = publishBody.parse(body);
    return Response.json(await registry.publish(run, tables.map(tableFromWire), signal));
  }
  if (route.endsWith("/abandon")) {
    const { run, reason } = abandonBody.parse(body);
    await registry.abandon(run, reason, signal);
    return done;
  }
  throw new QuaysideError("not_found", `The fake has no ${route}.`);
}
