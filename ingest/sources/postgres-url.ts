import { QuaysideError } from "../../shared/ports/errors.ts";

/** Where a Postgres server is, and how it is spoken to. */
export interface Endpoint {
  /** A host name or address; a folder, beginning with `/`, for a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: Tls;
}

/**
 * `off`: plain text. `encrypt`: against listeners only, any certificate will do. `chain`: the certificate is signed by one of
 * `caFile`. `full`: and it is the host's; without `caFile` by an authority that Node trusts.
 */
export type Tls =
  | { readonly verify: "off" }
  | { readonly verify: "encrypt" | "chain" | "full"; readonly caFile: string | undefined };

const KNOWN = ["sslmode", "sslrootcert", "channel_binding"];

/**
 * A connection URL, as libpq reads it, but stricter: what it says about security is done or refused, never passed over.
 * Without `sslmode`, a server on this machine is spoken to in plain text, any other by `verify-full`.
 * @param text `postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem`; for a Unix socket the
 * host is its folder, percent-encoded.
 * @param setting the secret that holds it, for messages; they never repeat any of its text.
 * @throws QuaysideError `config_invalid`.
 */
export function parseEndpoint(text: string, setting: string, defaultPort: number): Endpoint {
  const wrong = (what: string): QuaysideError => new QuaysideError("config_invalid", `${setting} ${what}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["postgres:", "postgresql:", "redshift:"].includes(url.protocol)) {
    throw wrong(
      "must be a URL like postgres://user:password@host:5432/database; percent-encode special characters.",
    );
  }
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch (cause) {
      throw new QuaysideError("config_invalid", `${setting} has a % that encodes nothing: write it as %25.`, {
        cause,
      });
    }
  };
  const host = decode(url.hostname).replace(/^\[(.*)\]$/, "$1");
  const user = decode(url.username);
  if (host === "" || host.includes(",")) throw wrong("must name one host.");
  if (user === "") throw wrong("must name a user.");
  const unknown = [...url.searchParams.keys()].filter((name) => !KNOWN.includes(name));
  if (unknown.length > 0) throw wrong(`may have the parameters ${KNOWN.join(", ")} and no others.`);
  return {
    host,
    port: url.port === "" ? defaultPort : Number(url.port),
    user,
    password: decode(url.password),
    database: decode(url.pathname.slice(1)) || user,
    tls: tlsOf(url.searchParams, isLocal(host), wrong),
  };
}

function tlsOf(parameters: URLSearchParams, local: boolean, wrong: (what: string) => QuaysideError): Tls {
  const mode = parameters.get("sslmode") ?? (local ? "disable" : "verify-full");
  const root = parameters.get("sslrootcert") ?? undefined;
  const caFile = root === "system" ? undefined : root;
  if (parameters.get("channel_binding") === "require" && mode !== "verify-full") {
    throw wrong(
      "asks for channel_binding=require, which is not spoken here: sslmode=verify-full protects as well.",
    );
  }
  switch (mode) {
    case "disable":
      return { verify: "off" };
    // With an authority named, libpq checks it too.
    case "require":
      return { verify: caFile === undefined ? "encrypt" : "chain", caFile };
    case "verify-ca":
      if (caFile === undefined)
        throw wrong("has sslmode=verify-ca: name the authority's file in sslrootcert.");
      return { verify: "chain", caFile };
    case "verify-full":
      return { verify: "full", caFile };
    case "allow":
    case "prefer":
      throw wrong(
        `has sslmode=${mode}, which falls back to plain text: use verify-full, require or disable.`,
      );
    default:
      throw wrong("has an sslmode that does not exist: use verify-full, verify-ca, require or disable.");
  }
}

function isLocal(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
