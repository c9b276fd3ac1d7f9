import { readFile } from "node:fs/promises";
import { connect as connectNet, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Endpoint } from "./postgres-url.ts";

const CONNECT_MS = 15_000;
/** The request for TLS and the one to cancel a statement: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;

/**
 * A socket to the server, encrypted as the endpoint asks.
 * @throws QuaysideError `source_unavailable`; `source_rejected` when the server has no TLS or its certificate is not to be
 * trusted; `config_invalid` when the authority's file can't be read; `cancelled`.
 */
export async function openSocket(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
  const { tls } = endpoint;
  const ca = tls.verify === "off" || tls.caFile === undefined ? undefined : await readAuthority(tls.caFile);
  if (signal.aborted) throw aborted(signal);
  let socket = endpoint.host.startsWith("/")
    ? connectNet({ path: `${endpoint.host}/.s.PGSQL.${endpoint.port}` })
    : connectNet({ host: endpoint.host, port: endpoint.port, noDelay: true, keepAlive: true });
  // An error that comes while nobody waits for anything shows in the next thing that is waited for.
  socket.on("error", () => undefined);
  let why: QuaysideError | undefined;
  const stop = (): void => {
    why = aborted(signal);
    socket.destroy();
  };
  const late = setTimeout(() => {
    why = unavailable("it did not answer in time");
    socket.destroy();
  }, CONNECT_MS);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await event(socket, "connect");
    if (tls.verify === "off") return socket;
    if (!(await offersTls(socket))) {
      throw new QuaysideError(
        "source_rejected",
        "The database server does not offer TLS: turn it on there, or, if the network is yours alone, set sslmode=disable.",
      );
    }
    const { host } = endpoint;
    socket = connectTls({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["postgresql"],
      rejectUnauthorized: tls.verify !== "encrypt",
      ...(ca === undefined ? {} : { ca }),
      // `host` goes in here, for Node takes an address for no name at all.
      checkServerIdentity: (_, certificate) =>
        tls.verify === "full" ? checkServerIdentity(host, certificate) : undefined,
    });
    socket.on("error", () => undefined);
    await event(socket, "secureConnect");
    return socket;
  } catch (error) {
    socket.destroy();
    if (why !== undefined) throw why;
    throw error instanceof QuaysideError ? error : failure(error);
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
  }
}

/** Asks the server to end what a connection is doing; says nothing of whether it did. Never rejects. */
export async function cancelStatement(
  endpoint: Endpoint,
  backend: { readonly pid: number; readonly secret: number },
): Promise<void> {
  try {
    const socket = await openSocket(endpoint, AbortSignal.timeout(CONNECT_MS));
    const message = Buffer.alloc(16);
    [16, CANCEL_REQUEST, backend.pid, backend.secret].forEach((word, i) =>
      message.writeUInt32BE(word >>> 0, i * 4),
    );
    socket.end(message);
    socket.resume();
  } catch {
    // The statement's own time limit ends it.
  }
}

async function readAuthority(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new QuaysideError("config_invalid", "The file that sslrootcert names can't be read.", { cause });
  }
}

async function offersTls(socket: Socket): Promise<boolean> {
  const message = Buffer.alloc(8);
  message.writeUInt32BE(8, 0);
  message.writeUInt32BE(SSL_REQUEST, 4);
  socket.write(message);
  const [answer] = await event(socket, "data");
  socket.pause();
  // More than the one byte would be text that somebody slipped in before the encryption began (CVE-2021-23222).
  if (!Buffer.isBuffer(answer) || answer.length !== 1) throw unavailable("it answered out of turn");
  return answer[0] === 0x53;
}

/** What an event brings. Rejects when the socket fails or closes first. */
async function event(socket: Socket, name: string): Promise<readonly unknown[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly unknown[]>();
  const come = (...values: readonly unknown[]): void => resolve(values);
  const fail = (error: unknown): void => reject(error instanceof Error ? error : new Error("closed"));
  socket.once(name, come).once("error", fail).once("close", fail);
  try {
    return await promise;
  } finally {
    socket.off(name, come).off("error", fail).off("close", fail);
  }
}

function failure(error: unknown): QuaysideError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/CERT|SIGNATURE|ALTNAME|ISSUER|CA_/.test(code)) {
    return new QuaysideError(
      "source_rejected",
      `The database server's certificate is not to be trusted (${code}): name the authority that signed it in sslrootcert, or correct the host.`,
      { cause: error },
    );
  }
  return unavailable(code === "" ? "the connection failed" : `the connection failed (${code})`, error);
}

function unavailable(why: string, cause?: unknown): QuaysideError {
  return new QuaysideError("source_unavailable", `The database server can't be reached: ${why}.`, { cause });
}
