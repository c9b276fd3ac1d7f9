/**
 * AWS Signature Version 4 for one request with a body in memory, by WebCrypto. Facts: AWS, "Create a signed AWS API request"
 * (IAM User Guide), read 2026-11-23.
 */

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
}

export interface AwsRequest {
  readonly method: string;
  /** Without query. */
  readonly url: URL;
  /** Besides those that signing adds; all are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * The headers to send: those given, the date, the body's hash, the session token and the authorization.
 * @param now milliseconds since the Unix epoch; the service allows five minutes of difference.
 */
export async function signedHeaders(
  request: AwsRequest,
  credentials: AwsCredentials,
  scope: { readonly region: string; readonly service: string },
  now: number,
): Promise<Record<string, string>> {
  const date = `${new Date(now).toISOString().replaceAll(/[-:]/g, "").slice(0, 15)}Z`;
  const bodyHash = hex(await sha256(request.body));
  const sent: Record<string, string> = {
    ...request.headers,
    "x-amz-content-sha256": bodyHash,
    "x-amz-date": date,
    ...(credentials.sessionToken === undefined ? {} : { "x-amz-security-token": credentials.sessionToken }),
  };
  // The host is signed, and sent by whoever sends.
  const lines = Object.entries({ ...sent, host: request.url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/\s+/g, " ")] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = lines.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname),
    "",
    ...lines.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    bodyHash,
  ].join("\n");
  const day = date.slice(0, 8);
  const credentialScope = `${day}/${scope.region}/${scope.service}/aws4_request`;
  const toSign = [ALGORITHM, date, credentialScope, hex(await sha256(canonical))].join("\n");
  let key = utf8(`AWS4${credentials.secretAccessKey}`);
  for (const part of [day, scope.region, scope.service, "aws4_request"]) key = await hmac(key, part);
  const signature = hex(await hmac(key, toSign));
  return {
    ...sent,
    authorization: `${ALGORITHM} Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** Every service but S3 has the path, encoded as it is sent, encoded once more. */
function canonicalPath(path: string): string {
  return path.split("/").map(encodeSegment).join("/");
}

/** Everything but `A-Z a-z 0-9 - _ . ~` as `%XX`. */
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text)));
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const hash = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, hash, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, utf8(text)));
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
