import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, vi } from "vitest";
import type { Config } from "../../shared/config.ts";
import { spaceOf } from "../../shared/space.ts";
import type { LedgerApi, RunRecord } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { call, post, ownRegistry } from "./seed.ts";

/** The deployment's own tenant with a ServiceNow that is reached by fetch, and runs of it inside the Worker. */

export const CONFIG: Config = {
  name: "runner",
  limits: { sliceRows: 20, deleteShare: 1 },
  sources: {
    desk: { kind: "servicenow", pageSize: 10, tables: { incident: { fields: ["sys_id", "short"] } } },
  },
  tables: {
    incident: {
      source: "desk",
      key: ["sys_id"],
      title: "short",
      classification: "public",
      access: { allowAny: ["public"] },
      schedule: "1h",
    },
  },
  demo: { users: { guest: { label: "Guest", groups: [] } }, examples: [] },
};
export const SPACE = spaceOf("local/lexical-v1/384", "embedded");

const registry = ownRegistry();
const stub = () => env.LEDGER.getByName("default");
export const ledger = overRpc<LedgerApi>(stub, "registry_unavailable");
export const runner = () => env.RUNNER.getByName("default");
export const sql = (statement: string): Promise<void> =>
  runInDurableObject(stub(), (_, state) => void state.storage.sql.exec(statement));

export interface Incident {
  readonly sys_id: string;
  readonly short: string;
  readonly sys_updated_on?: string;
}

/** The warehouse that is stood in for, and what was asked of it. */
export const warehouse = {
  /** Records of the table `incident`, in the order of their ids. */
  incidents: [] as Incident[],
  calls: 0,
  /** Incidents sent whole. */
  whole: 0,
  /** Called before each answer, with the number of the call. */
  onCall: (_n: number): Promise<void> | void => undefined,
};

const field = (element: string, internal_type = "string") => ({
  sys_id: element,
  name: "incident",
  element,
  internal_type,
});

/** ServiceNow's Table API, as far as the source uses it: signed in, paged behind an id. */
async function serviceNow(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.origin !== "https://servicenow.example.com")
    throw new Error(`no call was expected to ${url.origin}`);
  warehouse.calls += 1;
  await warehouse.onCall(warehouse.calls);
  if (request.headers.get("authorization") !== "Bearer servicenow-token") {
    return Response.json({ error: { message: "User Not Authenticated" } }, { status: 401 });
  }
  const query = url.searchParams.get("sysparm_query") ?? "";
  const after = /sys_id>([^^]*)/.exec(query)?.[1] ?? "";
  const table = url.pathname.split("/").at(-1);
  const all: { sys_id: string }[] =
    table === "sys_db_object"
      ? [{ sys_id: "1", name: "incident", label: "Incident" } as { sys_id: string }]
      : table === "sys_dictionary"
        ? [field("short"), field("sys_id"), field("sys_updated_on", "glide_date_time")]
        : warehouse.incidents;
  const ids = /sys_idIN([^^]*)/.exec(query)?.[1]?.split(",");
  const found = all.filter(({ sys_id }) => sys_id > after && (ids?.includes(sys_id) ?? true));
  if (query.includes("ORDERBYDESCsys_updated_on")) {
    found.sort((a, b) => updatedOf(b).localeCompare(updatedOf(a)));
  }
  const fields = url.searchParams.get("sysparm_fields")?.split(",") ?? [];
  const from = Number(url.searchParams.get("sysparm_offset"));
  const page = found
    .slice(from, from + Number(url.searchParams.get("sysparm_limit")))
    .map((record) => Object.fromEntries(Object.entries(record).filter(([name]) => fields.includes(name))));
  if (table === "incident" && fields.includes("short")) warehouse.whole += page.length;
  const shown =
    url.searchParams.get("sysparm_display_value") === "all"
      ? page.map((record) =>
          Object.fromEntries(
            Object.entries(record).map(([name, value]) => [name, { value, display_value: value }]),
          ),
        )
      : page;
  return Response.json({ result: shown }, { headers: { "x-total-count": String(found.length) } });
}

function updatedOf(record: object): string {
  return "sys_updated_on" in record ? String(record.sys_updated_on) : "";
}

export function records(count: number): Incident[] {
  return Array.from({ length: count }, (_, i) => ({
    sys_id: `id${String(i).padStart(4, "0")}`,
    short: `pump ${i} leaks`,
  }));
}

/** Rows go, change and come. */
export function edit(): void {
  warehouse.incidents.splice(10, 15);
  warehouse.incidents[0] = { sys_id: "id0000", short: "hose burst on the quay" };
  warehouse.incidents.push({ sys_id: "id9999", short: "gangway light out" });
}

/** Fires alarms until the run has ended; one that dies fires again, as the platform has it. */
export async function untilEnded(id: string): Promise<RunRecord> {
  for (let i = 0; i < 200; i++) {
    await runDurableObjectAlarm(runner()).catch(() => false);
    const run = await ledger.run(id);
    if (run && !["queued", "running"].includes(run.state)) return run;
    await overRpc<{ wake(tenant: string): Promise<void> }>(runner, "registry_unavailable")
      .wake("default")
      .catch(() => undefined);
  }
  throw new Error("the run does not end");
}

export async function ask(): Promise<string> {
  const response = await call("/v1/ingest/runs", {
    method: "POST",
    headers: { authorization: "Bearer test-token", "content-type": "application/json" },
    body: "{}",
  });
  const { run_id: id }: { run_id: string } = await response.json();
  return id;
}

export async function indexed(): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  const { signal } = new AbortController();
  for await (const page of registry.known({ space: SPACE }, "incident", signal)) rows.push(...page);
  return rows;
}

export async function search(query: string): Promise<string[]> {
  const response = await post("/v1/search", { query, top_k: 1 }, "guest");
  const { matches }: { matches: { id: string }[] } = await response.json();
  return matches.map(({ id }) => id);
}

/** The configuration published, nothing asked for and nothing called before each test of the file. */
export function eachAnew(): void {
  beforeEach(async () => {
    vi.spyOn(globalThis, "fetch").mockImplementation(serviceNow);
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    await ledger.publishConfig(CONFIG);
    await sql("DELETE FROM requests; DELETE FROM runs; DELETE FROM seen");
    await sql(`INSERT OR REPLACE INTO asked VALUES ('incident', ${Date.now()})`);
    warehouse.calls = 0;
    warehouse.onCall = () => undefined;
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });
}
