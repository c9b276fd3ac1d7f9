import * as z from "zod/mini";
import { limitsOf, type Config } from "../shared/config.ts";
import { rowId } from "../shared/ids.ts";
import { grantsOf, labelOf, permits } from "../shared/policy.ts";
import type { Principal } from "../shared/ports/answer.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Host } from "../shared/ports/host.ts";
import type { Row } from "../shared/ports/source.ts";
import { cellText } from "./pipeline/cells.ts";
import { withSources } from "./registry.ts";

/**
 * Asks the served worker for rows as every demo user, rows that its policy forbids and rows that it permits, and counts what
 * comes back. The expectation is computed from the warehouse's rows, not from anything that the worker says.
 */

export interface CanaryResult {
  /** Searches for a forbidden row, and how many of them returned it. */
  readonly denied: number;
  readonly leaked: number;
  /** Searches for a permitted row, and how many of them returned it. */
  readonly permitted: number;
  readonly found: number;
}

/** Rows looked at in each table. */
const SAMPLE_ROWS = 40;
/** The share of a user's requests in a minute that the canary may take. */
const SHARE = 0.5;

const matchesAnswer = z.object({ matches: z.array(z.object({ id: z.string() })) });

interface Probe {
  readonly user: string;
  readonly table: string;
  readonly row: string;
  readonly query: string;
  readonly visible: boolean;
}

/** @throws QuaysideError when the source or the worker can't be asked. */
export async function runCanary(options: {
  readonly config: Config;
  readonly url: string;
  readonly host: Host;
  readonly signal: AbortSignal;
}): Promise<CanaryResult> {
  const { config, url, host, signal } = options;
  const probes = await makeProbes(config, host, signal);
  const seen = new Set<Probe>();
  // One search at a time for each user: the request limits hold for the canary as for anyone.
  await Promise.all(
    Object.values(Object.groupBy(probes, (probe) => probe.user)).map(async (own) => {
      for (const probe of own ?? []) if (await ask(url, probe, host, signal)) seen.add(probe);
    }),
  );
  const count = (visible: boolean, hit: boolean): number =>
    probes.filter((probe) => probe.visible === visible && (!hit || seen.has(probe))).length;
  return {
    denied: count(false, false),
    leaked: count(false, true),
    permitted: count(true, false),
    found: count(true, true),
  };
}

async function makeProbes(config: Config, host: Host, signal: AbortSignal): Promise<Probe[]> {
  const users = Object.entries(config.demo?.users ?? {}).map(([name, user]) => {
    const principal: Principal = {
      tenant: "",
      subject: name,
      groups: user.groups,
      attributes: user.attributes ?? {},
      scopes: [],
    };
    return { name, grants: grantsOf(principal) };
  });
  return withSources(config, host, async (sourceOf) => {
    const probes: Probe[] = [];
    for (const [table, settings] of Object.entries(config.tables)) {
      if (settings.index === false) continue;
      const rules = settings.views?.map((view) => view.access) ?? (settings.access ? [settings.access] : []);
      const from = settings.from ?? table;
      const ref = settings.query
        ? { query: settings.query }
        : { name: typeof from === "string" ? from.split(".") : from };
      const source = sourceOf(settings.source);
      const shape = await source.describe(ref, signal);
      const rows: Row[] = [];
      for await (const batch of source.read(shape, { key: settings.key, batchSize: SAMPLE_ROWS, signal })) {
        rows.push(...batch);
        break;
      }
      for (const { name, grants } of users) {
        const visible = (row: Row): boolean =>
          rules.some((rule) => {
            const label = labelOf(rule, row);
            return label !== undefined && permits(label, grants);
          });
        for (const expected of [true, false]) {
          const row = rows.find((r) => visible(r) === expected);
          if (row) {
            const key = settings.key.map((column) => cellText(row[column] ?? null));
            probes.push({
              user: name,
              table,
              row: rowId(table, key),
              query: [...key, ...Object.values(row).filter((cell) => typeof cell === "string")]
                .join(" ")
                .slice(0, 120),
              visible: expected,
            });
          }
        }
      }
    }
    const most = Math.max(2, Math.floor(limitsOf(config).requestsPerMinute * SHARE));
    return users.flatMap(({ name }) => probes.filter((probe) => probe.user === name).slice(0, most));
  });
}

async function ask(url: string, probe: Probe, host: Host, signal: AbortSignal): Promise<boolean> {
  const response = await host.fetch(`${url}/v1/search`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-quayside-demo-user": probe.user },
    // Not narrowed to the table: a caller who sees none of its rows may not even name it.
    body: JSON.stringify({ query: probe.query, top_k: 30 }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
  });
  if (!response.ok) {
    throw new QuaysideError("internal", `The canary's search was answered with status ${response.status}.`);
  }
  const body = matchesAnswer.parse(await response.json());
  return body.matches.some((match) => match.id === probe.row || match.id.startsWith(`${probe.row}#`));
}
