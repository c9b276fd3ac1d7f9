import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/**
 * `fetch` over node:http, for calls that send text or bytes: the global one copies what is sent twice and hands on what comes in
 * copies of its own, which for an ingest (hundreds of megabytes of vectors each way) is a third of the CPU and of the memory.
 * Redirects are never followed (whoever calls says `redirect: "manual"`), and what else `fetch` can do is left to it.
 */
export const nodeFetch: typeof fetch = (input, init = {}) => {
  const { body } = init;
  const plain = typeof body === "string" || body instanceof Uint8Array || body === undefined || body === null;
  if (input instanceof Request || !plain || init.redirect !== "manual") return fetch(input, init);
  const url = new URL(input);
  const headers = new Headers(init.headers);
  if (!headers.has("accept-encoding")) headers.set("accept-encoding", "gzip, deflate, br");
  if (!headers.has("user-agent")) headers.set("user-agent", "node");
  if (typeof body === "string" && !headers.has("content-type")) {
    headers.set("content-type", "text/plain;charset=UTF-8");
  }
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes) headers.set("content-length", String(bytes.byteLength));
  const secure = url.protocol === "https:";
  const send = (again: boolean): Promise<Response> =>
    new Promise((resolve, reject) => {
      const call = (secure ? httpsRequest : httpRequest)(url, {
        method: init.method ?? "GET",
        headers: Object.fromEntries(headers),
        agent: secure ? https : http,
        ...(init.signal ? { signal: init.signal } : {}),
      });
      call.on("error", (error: NodeJS.ErrnoException) => {
        // The other side may close a kept connection in the moment in which it is used again: then nothing was read of this call.
        if (again && call.reusedSocket && error.code === "ECONNRESET") resolve(send(false));
        else reject(error);
      });
      call.once("response", (message) => resolve(responseOf(message)));
      call.end(bytes ?? undefined);
    });
  return send(true);
};

const http = new HttpAgent({ keepAlive: true, noDelay: true });
const https = new HttpsAgent({ keepAlive: true, noDelay: true });

/** Statuses whose answers have no body. */
const BODILESS = [204, 205, 304];

function responseOf(message: IncomingMessage): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    headers.append(message.rawHeaders[i] ?? "", message.rawHeaders[i + 1] ?? "");
  }
  const status = message.statusCode ?? 0;
  if (BODILESS.includes(status)) {
    message.resume();
    return new Response(null, { status, headers });
  }
  const decoded = decodedBy(message, headers.get("content-encoding")?.trim().toLowerCase());
  return new Response(streamOf(decoded, message), { status, headers });
}

function decodedBy(message: IncomingMessage, coding: string | undefined): Readable {
  const decoder =
    coding === "gzip" || coding === "x-gzip"
      ? createGunzip()
      : coding === "deflate"
        ? createInflate()
        : coding === "br"
          ? createBrotliDecompress()
          : undefined;
  if (!decoder) return message;
  message.on("error", (error) => decoder.destroy(error));
  return message.pipe(decoder);
}

/** As it comes, without copies; the connection is given up when the reader is. */
function streamOf(body: Readable, message: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  const end = (finish: () => void): void => {
    if (open) finish();
    open = false;
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.on("data", (chunk: Buffer) => {
          if (!open) return;
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) body.pause();
        });
        body.once("end", () => end(() => controller.close()));
        body.on("error", (error) => end(() => controller.error(error)));
        message.once("close", () => {
          // Closed before its end: what came is not the whole.
          if (!message.complete) end(() => controller.error(new Error("The connection broke off.")));
        });
      },
      pull: () => void body.resume(),
      cancel() {
        open = false;
        message.destroy();
      },
    },
    { highWaterMark: 16 },
  );
}
