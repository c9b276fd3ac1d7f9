/** What every response carries unless its route says otherwise: nothing is stored, framed, sniffed or executed. */
const DEFAULT_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** The response with its request's id and these headers. */
export function withHeaders(response: Response, requestId: string): Response {
  try {
    addHeaders(response.headers, requestId);
    return response;
  } catch {
    // One that was fetched (a static file, say) has headers that can't be changed.
    const headers = new Headers(response.headers);
    addHeaders(headers, requestId);
    return new Response(response.body, { status: response.status, headers });
  }
}

function addHeaders(headers: Headers, requestId: string): void {
  headers.set("x-request-id", requestId);
  for (const [name, value] of Object.entries(DEFAULT_HEADERS)) {
    if (!headers.has(name)) headers.set(name, value);
  }
}
