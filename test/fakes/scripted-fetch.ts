import type { Host } from "../../shared/ports/host.ts";

/** What a scripted service was asked. */
export interface Asked {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A host whose network is one function; every request is kept. */
export function scriptedHost(
  secrets: Readonly<Record<string, string>>,
  answer: (asked: Asked) => Response,
  now: () => number = () => Date.now(),
): Host & { readonly asked: readonly Asked[] } {
  const asked: Asked[] = [];
  return {
    async fetch(input, init) {
      const request = new Request(input, init);
      const one = { url: request.url, headers: request.headers, body: await request.text() };
      asked.push(one);
      return answer(one);
    },
    secret: (name) => secrets[name],
    now,
    log: () => undefined,
    asked,
  };
}

/** A recorded stream, as it came. @param encoding `latin1` for a binary one. */
export function recorded(
  stream: string,
  contentType = "text/event-stream",
  encoding: "utf8" | "latin1" = "utf8",
): Response {
  return new Response(Buffer.from(stream, encoding), { headers: { "content-type": contentType } });
}

/** A stream in these pieces, which then stays open until its reader leaves. */
export function held(
  pieces: readonly string[],
  contentType = "text/event-stream",
  encoding: "utf8" | "latin1" = "utf8",
): Response {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[sent++];
      if (piece !== undefined) controller.enqueue(Buffer.from(piece, encoding));
    },
  });
  return new Response(body, { headers: { "content-type": contentType } });
}
