import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { openSession } from "../../ingest/sources/postgres-session.ts";
import { saslPrepared } from "../../ingest/sources/saslprep.ts";

describe("a password as SCRAM takes it", () => {
  // The first five are RFC 4013's own examples.
  it.each([
    ["I\u00ADX", "IX"],
    ["user", "user"],
    ["USER", "USER"],
    ["\u00AA", "a"],
    ["\u2168", "IX"],
    ["a\u00A0b\u3000c\u200Bd", "a b c d"],
    ["\u212B\uFB01", "Åfi"],
    ["pass:w@rd/%", "pass:w@rd/%"],
  ])("%j is %j", (password, prepared) => {
    expect(saslPrepared(password)).toBe(prepared);
  });
});

function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

function auth(code: number, text = ""): Buffer {
  const kind = Buffer.alloc(4);
  kind.writeInt32BE(code);
  return message("R", kind, text);
}

const REFUSED = message("E", "SFATAL\0VFATAL\0C28P01\0Mno\0\0");
const GONE = message("E", "SFATAL\0VFATAL\0C57P01\0Mgone\0\0");

/** A server's side of SCRAM-SHA-256 (RFC 5802), strict about the proof; whoever is let in is sent away at once. */
async function signIn(socket: Socket, kept: string, scram: boolean): Promise<boolean> {
  const next = async (): Promise<Buffer> => {
    const [data] = (await once(socket, "data")) as [Buffer];
    return data;
  };
  await next();
  if (!scram) {
    socket.write(auth(3));
    return (await next()).toString("utf8", 5) === `${kept}\0`;
  }
  socket.write(auth(10, "SCRAM-SHA-256\0\0"));
  const first = (await next()).toString();
  const clientFirst = first.slice(first.indexOf("n=*"));
  const [salt, nonce] = [randomBytes(16), /r=(.*)/.exec(clientFirst)?.[1] ?? ""];
  const serverFirst = `r=${nonce}server,s=${salt.toString("base64")},i=4096`;
  socket.write(auth(11, serverFirst));
  const final = (await next()).toString("utf8", 5);
  const [, unproven = "", proof = ""] = /^(.*),p=(.*)$/.exec(final) ?? [];
  const key = createHmac("sha256", pbkdf2Sync(kept, salt, 4096, 32, "sha256"))
    .update("Client Key")
    .digest();
  const stored = createHash("sha256").update(key).digest();
  const signed = createHmac("sha256", stored).update([clientFirst, serverFirst, unproven].join()).digest();
  return Buffer.from(key.map((byte, i) => byte ^ (signed[i] ?? 0))).toString("base64") === proof;
}

/** What becomes of each sign-in with a password, at a server that keeps another form of it. */
async function signIns(password: string, kept: string, scram = true): Promise<readonly boolean[]> {
  const letIn: boolean[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    const answer = async (): Promise<void> => {
      const right = await signIn(socket, kept, scram);
      letIn.push(right);
      socket.end(right ? GONE : REFUSED);
    };
    void answer();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const opening = openSession({
    endpoint: { host: "127.0.0.1", port, user: "u", password, database: "d", tls: { verify: "off" } },
    applicationName: "test",
    startup: {},
    begin: "BEGIN",
    statementMs: 5000,
    signal: AbortSignal.timeout(30_000),
  });
  await expect(opening).rejects.toThrow();
  server.close();
  return letIn;
}

describe("a Postgres sign-in", () => {
  it("gives SCRAM the prepared form, once", async () => {
    expect(await signIns("p\u2160\u00A0x", "pI x")).toEqual([true]);
  });

  it("gives it as it came where the server does not know the prepared form", async () => {
    expect(await signIns("p\u2160\u0007", "p\u2160\u0007")).toEqual([false, true]);
    expect(await signIns("p\u2160x", "p\u2160x", false)).toEqual([false, true]);
  });

  it("is tried once with a password that SCRAM takes as it is, right or wrong", async () => {
    expect(await signIns("pass", "pass")).toEqual([true]);
    expect(await signIns("pass", "other")).toEqual([false]);
  });
});
