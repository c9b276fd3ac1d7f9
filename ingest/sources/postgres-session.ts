import type { Socket } from "node:net";
import postgres from "postgres";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { cancelStatement, openSocket } from "./postgres-socket.ts";
import type { Endpoint } from "./postgres-url.ts";
import { saslPrepared } from "./saslprep.ts";

/** A row as the server sent it: the text of each cell. */
export type RawRow = readonly (Buffer | null)[];

export interface Answer {
  /** Type ids are those below any domain. */
  readonly columns: readonly { readonly name: string; readonly type: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** One connection in one transaction that can't write. Disposing of it ends both. */
export interface Session extends AsyncDisposable {
  /** The server's own encoding, e.g. `UTF8`, `SQL_ASCII`. */
  readonly encoding: string;
  /** Exactly one statement; the server refuses a second one. Parameters are text, `$1` and up. */
  query(sql: string, parameters?: readonly string[]): Promise<Answer>;
  /** Rows as they come in. Resolves with their number. */
  each(sql: string, onRow: (row: RawRow) => void): Promise<number>;
  /** Stops taking in rows, so that the server waits; a few that are here already still come. */
  pause(): void;
  resume(): void;
}

export interface SessionOptions {
  readonly endpoint: Endpoint;
  readonly applicationName: string;
  /** What the server is told at the start. */
  readonly startup: Readonly<Record<string, string>>;
  /** Statements that begin the transaction. */
  readonly begin: string;
  /** Limit of one statement, in milliseconds; the server's own comes first. */
  readonly statementMs: number;
  readonly signal: AbortSignal;
}

/** How much later than the server's limit ours comes, in milliseconds: for a server that no longer answers. */
const GRACE_MS = 30_000;
const EXTENDED = { prepare: false, simple: false };

/**
 * Connects and begins. A password of more than ASCII is given in the form that SCRAM takes, and as it came to a server that does
 * not know it so: one that forbids the form, or does not speak SCRAM.
 * @throws QuaysideError `source_unavailable`, `source_rejected`, `cancelled`.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { endpoint } = options;
  const password = saslPrepared(endpoint.password);
  try {
    return await settled({ ...options, endpoint: { ...endpoint, password } });
  } catch (error) {
    if (password === endpoint.password || stateOf(error) !== "28P01") throw error;
    return settled(options);
  }
}

/** A pooler that takes no settings at the start gets none: the transaction is read-only either way. */
async function settled(options: SessionOptions): Promise<Session> {
  try {
    return await begin(options, options.startup);
  } catch (error) {
    if (stateOf(error) !== "08P01" || Object.keys(options.startup).length === 0) throw error;
    return begin(options, {});
  }
}

function stateOf(error: unknown): string | undefined {
  return sqlStateOf(error instanceof QuaysideError ? error.cause : undefined);
}

async function begin(options: SessionOptions, startup: Readonly<Record<string, string>>): Promise<Session> {
  const { endpoint, signal } = options;
  const socket = await openSocket(endpoint, signal);
  let given = false;
  const settings = {
    // One socket and no other: a reconnection would go on outside of the transaction, unnoticed.
    socket: (): Socket => {
      if (given) throw new QuaysideError("source_unavailable", "The connection to the database was lost.");
      given = true;
      return socket;
    },
    host: endpoint.host,
    port: endpoint.port,
    user: endpoint.user,
    password: () => endpoint.password,
    database: endpoint.database,
    connection: { application_name: options.applicationName, ...startup },
    max: 1,
    ssl: false,
    prepare: false,
    fetch_types: false,
    connect_timeout: 15,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
  };
  // Its types don't know `socket`, which is therefore not written in the call.
  const sql = postgres(settings);
  let backend: { readonly pid: number; readonly secret: number } | undefined;
  let busy = false;
  let why: QuaysideError | undefined;
  const end = (reason: QuaysideError): void => {
    why ??= reason;
    if (busy && backend) void cancelStatement(endpoint, backend);
    socket.destroy();
  };
  const stop = (): void => end(aborted(signal));
  signal.addEventListener("abort", stop, { once: true });

  const guarded = async <T extends { readonly state?: unknown }>(
    statement: () => PromiseLike<T>,
  ): Promise<T> => {
    if (signal.aborted) throw aborted(signal);
    const late = setTimeout(
      () => end(new QuaysideError("deadline_exceeded", "The database did not answer in time.")),
      options.statementMs + GRACE_MS,
    );
    busy = true;
    try {
      const result = await statement();
      backend ??= backendOf(result.state);
      return result;
    } catch (error) {
      throw why ?? failure(error);
    } finally {
      busy = false;
      clearTimeout(late);
    }
  };

  const session: Session = {
    get encoding() {
      return String(sql.parameters["server_encoding"] ?? "UTF8");
    },
    async query(text, parameters = []) {
      const result = await guarded(() => sql.unsafe(text, [...parameters], EXTENDED).raw());
      return {
        columns: result.columns.map(({ name, type }) => ({ name, type })),
        rows: result.map((row) => row.map((cell) => cell?.toString() ?? null)),
      };
    },
    async each(text, onRow) {
      const result = await guarded(() => sql.unsafe(text).raw().forEach(onRow));
      return result.count;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", stop);
      // The transaction has nothing to keep, and a reader that leaves early wants no more of its rows.
      socket.resume();
      if (busy) end(new QuaysideError("cancelled", "The reader has left."));
      // A pooler hands the server's side of it to the next client.
      else if (!socket.destroyed) sql.unsafe("ROLLBACK").catch(() => undefined);
      await sql.end({ timeout: socket.destroyed ? 0 : 1 });
      socket.destroy();
    },
  };
  try {
    await guarded(() => sql.unsafe(options.begin));
    if (session.encoding === "SQL_ASCII") {
      // It holds any bytes, and would break off at the first that are no UTF-8. So they come as they are.
      await guarded(() => sql.unsafe("SET LOCAL client_encoding = 'SQL_ASCII'"));
    }
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

function backendOf(state: unknown): { readonly pid: number; readonly secret: number } | undefined {
  if (typeof state !== "object" || state === null || !("pid" in state) || !("secret" in state))
    return undefined;
  const { pid, secret } = state;
  return typeof pid === "number" && typeof secret === "number" ? { pid, secret } : undefined;
}

/** The SQLSTATE of what the driver threw; undefined when it is no answer of the server. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined;
}

/**
 * What the server's or the network's failure means. Messages of class 42 speak of names and syntax alone and are passed on;
 * others may quote a row. Classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function failure(error: unknown): QuaysideError {
  if (error instanceof QuaysideError) return error;
  const state = sqlStateOf(error);
  const rejected = (message: string): QuaysideError =>
    new QuaysideError("source_rejected", message, { cause: error });
  if (state === undefined) {
    return new QuaysideError("source_unavailable", "The connection to the database was lost.", {
      cause: error,
    });
  }
  if (state === "57014") {
    const message =
      "The database ended the statement: it took longer than timeoutSeconds, or somebody cancelled it.";
    return new QuaysideError("deadline_exceeded", message, { cause: error });
  }
  if (state === "42501") {
    return rejected(
      `The database refuses: ${messageOf(error)}. Grant the role SELECT, and USAGE on the schema.`,
    );
  }
  if (state === "25006") return rejected("The query tries to write: only reading is allowed.");
  if (state.startsWith("42")) return rejected(`The database refuses: ${messageOf(error)}.`);
  if (state.startsWith("28")) return rejected("The database refused our sign-in: check user and password.");
  if (state === "3D000") return rejected("There is no database of that name on the server.");
  const transient = ["08", "25", "40", "53", "55", "57", "58", "XX"].includes(state.slice(0, 2));
  return transient
    ? new QuaysideError("source_unavailable", `The database broke off (SQLSTATE ${state}).`, { cause: error })
    : rejected(`The database refuses to read it: a value or an expression fails (SQLSTATE ${state}).`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
