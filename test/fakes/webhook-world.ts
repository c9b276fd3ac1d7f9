import type { Config } from "../../shared/config.ts";
import { coded } from "../../workers/problem.ts";
import { webhookOf } from "../../workers/registry.ts";
import type { Runs } from "../../workers/runs.ts";
import { webhooksSurface } from "../../workers/surfaces/webhooks.ts";

/** What a call came to: the problem's code, or the answer. */
export interface Called {
  readonly status: number;
  readonly code?: string;
  readonly run?: string | null;
  readonly outcome?: string;
}

/** The webhooks surface over runs that only remember. */
export function webhookWorld(
  webhooks: NonNullable<Config["webhooks"]>,
  secrets: Readonly<Record<string, string>>,
  now: () => number,
): {
  readonly asked: { readonly tables: readonly string[] | undefined; readonly once: string | undefined }[];
  readonly post: (
    path: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ) => Promise<Called>;
} {
  const asked: { tables: readonly string[] | undefined; once: string | undefined }[] = [];
  const seen = new Map<string, string>();
  const runs: Pick<Runs, "trigger"> = {
    async trigger(_, { tables, once }) {
      const before = once && seen.get(once.key);
      if (before !== undefined) return { id: before, outcome: "duplicate" };
      asked.push({ tables, once: once?.key });
      const id = `run_${asked.length}`;
      if (once) seen.set(once.key, id);
      return { id, outcome: "queued" };
    },
  };
  const { routes } = webhooksSurface({
    tenant: "default",
    config: async () => ({ name: "w", sources: {}, tables: {}, webhooks }),
    webhook: webhookOf,
    runs: runs as Runs,
    host: { secret: (name) => secrets[name], now },
  });
  return {
    asked,
    async post(path, body, headers) {
      const source = path.split("/")[4];
      const route = routes.find((one) => one.path.endsWith(":source") === (source !== undefined));
      const url = `http://127.0.0.1${path}`;
      const request = new Request(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: body as BodyInit,
      });
      const params = source === undefined ? {} : { source };
      try {
        const response = await route?.handle({ request, url: new URL(url), params, requestId: "r" });
        const answer = (await response?.json()) as { run_id: string | null; outcome: string };
        return { status: response?.status ?? 0, run: answer.run_id, outcome: answer.outcome };
      } catch (error) {
        const { code } = coded(error);
        return { status: STATUS[code] ?? 500, code };
      }
    },
  };
}

const STATUS: Readonly<Record<string, number>> = {
  unauthenticated: 401,
  not_found: 404,
  malformed_json: 400,
  unsupported_media_type: 415,
  body_too_large: 413,
  invalid_request: 422,
};
