import { runCommandLine, type Globals, type Program } from "../../ingest/command-line.ts";
import type { ExitStatus, Terminal } from "../../ingest/commands/command.ts";
import { parseConfig, type Config } from "../../shared/config.ts";

/** What a command line came to. */
export interface Ran {
  readonly status: ExitStatus;
  /** Lines on stdout whatever the options say: results, help. */
  readonly lines: readonly string[];
  readonly printed: string;
  readonly warned: readonly string[];
  readonly globals: Globals | undefined;
  readonly requests: readonly Request[];
}

/** What surrounds a command line. */
export interface World {
  readonly config?: () => Promise<Config>;
  readonly token?: string;
  readonly respond?: (request: Request) => Response | Promise<Response>;
}

/** Runs a command line against a fake worker. */
export async function quayside(argv: readonly string[], world: World = {}): Promise<Ran> {
  const lines: string[] = [];
  const warned: string[] = [];
  const requests: Request[] = [];
  let printed = "";
  let globals: Globals | undefined;
  const terminal = ({ json }: { readonly json: boolean }): Terminal => ({
    interactive: false,
    live: false,
    print: (text) => {
      if (!json) printed += text;
    },
    note: () => {},
    progress: () => {},
    warn: (line) => void warned.push(line),
  });
  const program: Program = {
    version: "1.2.3",
    terminal,
    line: (text) => void lines.push(text),
    context: (given) => {
      globals = given;
      return {
        url: given.url ?? "http://127.0.0.1:8787",
        signal: new AbortController().signal,
        environment: {},
        tokenGiven: world.token !== undefined,
        token: async () => world.token,
        config: async () => ({
          config: await (world.config ?? (async () => simple()))(),
          path: "quayside.config.ts",
        }),
        host: {
          fetch: async (input, init) => {
            const request = new Request(input, init);
            requests.push(request);
            return (await world.respond?.(request)) ?? Response.json({});
          },
          secret: () => undefined,
          now: () => 1_700_000_000_000,
          log: () => {},
        },
      };
    },
  };
  const status = await runCommandLine(argv, program);
  return { status, lines, printed, warned, globals, requests };
}

/** A configuration of one public table, whose source is not there. */
export function simple(): Config {
  return parseConfig({
    name: "test",
    sources: { w: { kind: "duckdb", path: "/nowhere/at/all" } },
    tables: {
      t: { source: "w", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    },
  });
}

/** A refusal of the worker. */
export function problem(status: number, code: string, detail = "No."): Response {
  return Response.json(
    { type: `urn:quayside:problem:${code}`, title: code, status, detail, code, retryable: false },
    { status, headers: { "content-type": "application/problem+json" } },
  );
}

/** The last line that was printed, read as JSON. */
export function last(ran: Ran): unknown {
  return JSON.parse(ran.lines.at(-1) ?? "null");
}
