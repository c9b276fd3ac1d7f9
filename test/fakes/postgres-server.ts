import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";

const DEBIAN = "/usr/lib/postgresql";

/** Debian's PostgreSQL on a scratch folder and 127.0.0.1, without its safety against power cuts. */
export interface PostgresServer extends AsyncDisposable {
  /** For the role `reader`, which may read what it was granted. */
  readonly url: string;
  /** A certificate that the server signed itself, for 127.0.0.1. */
  readonly certificate: string;
  /** The superuser's connections. */
  readonly admin: postgres.Sql;
  /** Runs statements as the superuser, one after another. */
  run(...statements: readonly string[]): Promise<void>;
  /** Ends every connection of `reader`. */
  killReaders(): Promise<number>;
}

/** The newest server's programs; undefined, said aloud, when none is installed. */
export function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).filter((v) => existsSync(join(DEBIAN, v, "bin/initdb")))
    : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest !== undefined) return join(DEBIAN, newest, "bin");
  // oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
  console.warn(`skipped: no PostgreSQL server under ${DEBIAN}; apt-get install postgresql`);
  return undefined;
}

/** @param bin as `findPostgres` gives it. */
export async function startPostgres(bin: string): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), "quayside-postgres-"));
  const data = join(directory, "data");
  mkdirSync(data);
  const passwordFile = join(directory, "password");
  writeFileSync(passwordFile, "super-secret\n");
  const [certificate, key] = [join(directory, "server.crt"), join(directory, "server.key")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const into = ["-keyout", key, "-out", certificate, "-days", "2"];
  execFileSync("/usr/bin/openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...into, ...subject], {
    stdio: "ignore",
  });
  // The server refuses to run as root.
  const user = process.getuid?.() === 0 ? unprivileged() : undefined;
  if (user)
    for (const path of [directory, data, passwordFile, key, certificate]) chownSync(path, user.uid, user.gid);
  const auth = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  execFileSync(join(bin, "initdb"), ["-D", data, "-E", "UTF8", "--locale=C.UTF-8", ...auth], {
    ...user,
    cwd: directory,
    stdio: "ignore",
  });
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: directory,
    fsync: "off",
    ssl: "on",
    ssl_cert_file: certificate,
    ssl_key_file: key,
    logging_collector: "off",
    timezone: "Asia/Kolkata",
    datestyle: "SQL, DMY",
    intervalstyle: "iso_8601",
  };
  // Dates and times as nobody would expect them: the adapter must not depend on the server's taste.
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn(join(bin, "postgres"), ["-D", data, ...options], {
    ...user,
    cwd: directory,
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const admin = postgres({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password: "super-secret",
    database: "postgres",
    max: 3,
    connect_timeout: 5,
    onnotice: () => undefined,
  });
  const stop = async (): Promise<void> => {
    await admin.end({ timeout: 1 });
    // Fast shutdown: open connections are ended.
    server.kill("SIGINT");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilUp(admin);
    await admin.unsafe("CREATE ROLE reader LOGIN PASSWORD 'pass:w@rd/%'");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `postgres://reader:pass%3Aw%40rd%2F%25@127.0.0.1:${port}/postgres`,
    certificate,
    admin,
    async run(...statements) {
      for (const statement of statements) await admin.unsafe(statement);
    },
    async killReaders() {
      const rows =
        await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'`;
      return rows.length;
    },
    [Symbol.asyncDispose]: stop,
  };
}

function idOf(flag: string, user: string): number {
  return Number(execFileSync("id", [flag, user], { stdio: "pipe" }).toString());
}

function unprivileged(): { readonly uid: number; readonly gid: number } {
  try {
    return { uid: idOf("-u", "postgres"), gid: idOf("-g", "postgres") };
  } catch {
    return { uid: idOf("-u", "nobody"), gid: idOf("-g", "nobody") };
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function untilUp(admin: postgres.Sql): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await admin`SELECT 1`;
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
