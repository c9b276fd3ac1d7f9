import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { connect, createServer, type Server, type Socket } from "node:net";

/** PostgreSQL itself, as WebAssembly in this process, behind its wire protocol. One session, whoever connects. */
export interface PostgresInProcess extends AsyncDisposable {
  readonly url: string;
  /** Runs statements beside the connections, once none is in a transaction. */
  run(...statements: readonly string[]): Promise<void>;
  /** Connections taken so far. */
  readonly connections: number;
  /** A setting that connections may not begin with: they are answered as a pooler does, and ended. */
  refused: string | undefined;
  /** Sees what goes from the server to the client; `drop` breaks the connection before it. */
  onData: ((chunk: Buffer, drop: () => void) => void) | undefined;
}

/** @param setup statements to run first. */
export async function startPglite(setup: readonly string[]): Promise<PostgresInProcess> {
  const db = await PGlite.create();
  for (const statement of setup) await db.exec(statement);
  const inner = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0, maxConnections: 20 });
  await inner.start();
  const target = Number(/:(\d+)$/.exec(inner.getServerConn())?.[1]);
  let taken = 0;
  const sockets = new Set<Socket>();
  // In front of it: to count connections, and to break them.
  const proxy: Server = createServer((client) => {
    taken += 1;
    const server = connect({ host: "127.0.0.1", port: target, noDelay: true });
    const drop = (): void => {
      client.resetAndDestroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.once("data", (startup: Buffer) => {
      if (running.refused !== undefined && startup.includes(running.refused)) {
        client.end(errorResponse("08P01", `unsupported startup parameter: ${running.refused}`));
        return;
      }
      server.write(startup);
      client.pipe(server);
    });
    server.on("data", (chunk: Buffer) => {
      running.onData?.(chunk, drop);
      if (!client.destroyed && !client.write(chunk)) {
        server.pause();
        client.once("drain", () => server.resume());
      }
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const running: PostgresInProcess = {
    url: `postgres://postgres:se%40cret@127.0.0.1:${address.port}/postgres`,
    async run(...statements) {
      // The session is one for all: a connection that ended leaves its transaction for a moment.
      while (db.isInTransaction()) await new Promise((resolve) => setImmediate(resolve));
      for (const statement of statements) await db.exec(statement);
    },
    get connections() {
      return taken;
    },
    refused: undefined,
    onData: undefined,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
      await inner.stop();
      await db.close();
    },
  };
  return running;
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ERRORRESPONSE */
function errorResponse(state: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${state}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
