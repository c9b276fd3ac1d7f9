import * as z from "zod/mini";
import type { Config, ModelConfig } from "../shared/config.ts";

/**
 * Model servers on this machine that speak OpenAI's protocol and need no configuration: asked for at their usual ports when
 * `npm start` serves a demo. Whoever may listen on a port of this machine may be behind it, so their models get no more than
 * public and internal rows; an entry in the configuration says otherwise.
 */

/** Usual ports: Ollama, "API" (docs.ollama.com); LM Studio, "Local server"; vLLM, "OpenAI-compatible server". */
const SERVERS = [
  { name: "ollama", port: 11_434 },
  { name: "lmstudio", port: 1234 },
  { name: "vllm", port: 8000 },
] as const;

/** A server that listens answers at once; one that does not costs the start no more than this. */
const TIMEOUT_MS = 300;
const MAX_BYTES = 256 * 1024;
const MAX_MODELS = 20;

const listSchema = z.object({
  data: z.array(z.object({ id: z.string().check(z.regex(/^[\w.:/@-]{1,200}$/)) })),
});

const LOCAL: ModelConfig = {
  classes: ["public", "internal"],
  // What a server's model reads is not told: small enough for all of them.
  contextTokens: 8192,
  price: { input: 0, output: 0 },
  region: "this machine",
  retention: "none",
  trainsOnData: false,
};

export interface LocalServer {
  readonly name: string;
  /** With its version path. */
  readonly baseUrl: string;
  readonly models: readonly string[];
}

export interface LookDeps {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  /** Where to look; default the usual ports. */
  readonly servers?: readonly { readonly name: string; readonly port: number }[];
  /** How long each may take; default 300. */
  readonly timeoutMs?: number;
}

/** The servers that answer on loopback, with their models; a server that answers anything else is none. */
export async function findLocalServers({
  fetch,
  signal,
  servers = SERVERS,
  timeoutMs = TIMEOUT_MS,
}: LookDeps): Promise<LocalServer[]> {
  const found = await Promise.all(
    servers.map(async ({ name, port }): Promise<LocalServer | undefined> => {
      const baseUrl = `http://127.0.0.1:${port}/v1`;
      try {
        const response = await fetch(`${baseUrl}/models`, {
          redirect: "error",
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        });
        const length = Number(response.headers.get("content-length") ?? 0);
        if (!response.ok || length > MAX_BYTES) {
          await response.body?.cancel();
          return undefined;
        }
        const { data } = listSchema.parse(await response.json());
        const models = data.map(({ id }) => id).filter((id) => !/embed/i.test(id));
        return models.length === 0 ? undefined : { name, baseUrl, models: models.slice(0, MAX_MODELS) };
      } catch {
        // Nothing listens there, or something that is no model server.
        return undefined;
      }
    }),
  );
  return found.filter((server) => server !== undefined);
}

/** The configuration with these servers' models in its register; names that it has already stay as they are. */
export function offerLocalServers(config: Config, servers: readonly LocalServer[]): Config {
  const { compatible = {}, register = {}, ...rest } = config.models ?? {};
  const news = servers.filter(({ name }) => !(name in compatible));
  if (news.length === 0) return config;
  const models = news.flatMap(({ name, models }) => models.map((id) => [`${name}/${id}`, LOCAL] as const));
  return {
    ...config,
    models: {
      ...rest,
      compatible: {
        ...Object.fromEntries(news.map(({ name, baseUrl }) => [name, { baseUrl }])),
        ...compatible,
      },
      register: { ...Object.fromEntries(models), ...register },
    },
  };
}
