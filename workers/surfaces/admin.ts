import * as z from "zod/mini";
import { pseudonymOf } from "../../shared/audit-wire.ts";
import { BATCH_MEDIA_TYPE, MAX_BATCH_BYTES, decodeHead } from "../../shared/batch.ts";
import { parseConfig, type Config } from "../../shared/config.ts";
import { decodePart, rowId } from "../../shared/ids.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Run } from "../../shared/ports/registry.ts";
import {
  abandonBody,
  beforeToWire,
  beginBody,
  configAnswer,
  erasedAnswer,
  eraseBody,
  knownAnswer,
  knownToWire,
  probeAnswer,
  probeBody,
  publishAnswer,
  progressBody,
  publishBody,
  receiptAnswer,
  rollbackBody,
  runBody,
  shapesAnswer,
  statusAnswer,
  tableFromWire,
  vectorsFromWire,
  vectorsToWire,
  type ReceiptAnswer,
  type StatusAnswer,
} from "../../shared/registry-wire.ts";
import { runToWire } from "../../shared/runs-wire.ts";
import type { ErasureReceipt, TenantStatus } from "../tenant/api.ts";
import { KNOWN_PAGE, type TenantRegistry } from "../tenant/registry.ts";
import { parseBody, readBytes, readJson } from "./body.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface AdminDeps {
  /** Verifies the caller. @throws `unauthenticated`. */
  principal(request: Request): Promise<Principal>;
  /** @param by as the audit trail names the caller. */
  registry(tenant: string, by: string): TenantRegistry;
}

/** A configuration is data about tables; the largest that the ledger stores is 1 MB. */
const MAX_CONFIG_BODY = 1_200_000;
const MAX_BODY = 1_000_000;
const MAX_SPACE = 500;

type Scope = "ingest" | "admin" | "erase";

/** The operator's routes: the registry for the CLI, and erasure. */
export function adminSurface(deps: AdminDeps): Surface {
  /** Every handler receives a registry of the caller's own tenant, after its scope was checked. */
  const scoped =
    (scope: Scope, handle: (call: Call, registry: TenantRegistry) => Promise<Response>): Route["handle"] =>
    async (call) => {
      const principal = await deps.principal(call.request);
      if (!principal.scopes.includes(scope)) {
        throw new QuaysideError("forbidden", `This needs the scope ${scope}.`);
      }
      return handle(call, deps.registry(principal.tenant, pseudonymOf(principal)));
    };
  return { name: "admin", routes: [...configRoutes(scoped), ...runRoutes(scoped), ...eraseRoutes(scoped)] };
}

type Scoped = (
  scope: Scope,
  handle: (call: Call, registry: TenantRegistry) => Promise<Response>,
) => Route["handle"];

function configRoutes(scoped: Scoped): Route[] {
  return [
    {
      method: "PUT",
      path: "/v1/admin/config",
      doc: {
        summary: "Publish a configuration; an equal one makes no new version",
        scope: "admin",
        body: z.looseObject({ name: z.string() }),
        answer: configAnswer,
      },
      handle: scoped("admin", async ({ request }, registry) => {
        const config = parseConfig(await readJson(request, MAX_CONFIG_BODY));
        return Response.json(await registry.publishConfig(config, request.signal));
      }),
    },
    {
      method: "GET",
      path: "/v1/admin/config",
      doc: { summary: "Read the published configuration", scope: "admin", answer: z.looseObject({}) },
      handle: scoped("admin", async ({ request }, registry) => {
        const config = await registry.config(request.signal);
        if (!config) throw new QuaysideError("not_configured", "No configuration is published yet.");
        return Response.json(config);
      }),
    },
    {
      method: "GET",
      path: "/v1/admin/status",
      doc: {
        summary: "Tell versions, served tables and the last runs",
        scope: "admin",
        answer: statusAnswer,
      },
      handle: scoped("admin", async ({ request }, registry) =>
        Response.json(statusToWire(await registry.status(request.signal))),
      ),
    },
  ];
}

function runRoutes(scoped: Scoped): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/admin/runs",
      doc: {
        summary: "Begin a run: take the ingest lease",
        scope: "ingest",
        body: beginBody,
        answer: runBody,
      },
      handle: scoped("ingest", async ({ request }, registry) => {
        const body = parseBody(beginBody, await readJson(request, MAX_BODY));
        const { idempotency_key, requested, take_over, ...rest } = body;
        const run = await registry.beginOnce(
          {
            ...rest,
            ...(requested === undefined ? {} : { requested }),
            ...(take_over === undefined ? {} : { takeOver: take_over }),
          },
          idempotency_key,
          request.signal,
        );
        return Response.json(run);
      }),
    },
    {
      method: "GET",
      path: "/v1/admin/known/:table",
      doc: { summary: "Read a page of what is known of a table", scope: "ingest", answer: knownAnswer },
      handle: scoped("ingest", handleKnown),
    },
    {
      method: "GET",
      path: "/v1/admin/erased",
      doc: {
        summary: "List hashes of the rows that ingest leaves out because they were erased",
        scope: "ingest",
        answer: erasedAnswer,
      },
      handle: scoped("ingest", async ({ request }, registry) =>
        Response.json({ rows: [...(await registry.erased(request.signal))] }),
      ),
    },
    {
      method: "POST",
      path: "/v1/admin/runs/:run/probe",
      doc: {
        summary: "Compare the embedder's vectors of the probe texts with those that the space was begun with",
        scope: "ingest",
        body: probeBody,
        answer: probeAnswer,
      },
      handle: scoped("ingest", async ({ request, params }, registry) => {
        const { run, vectors } = parseBody(probeBody, await readJson(request, MAX_BODY));
        checkPath(run, params["run"]);
        const kept = await registry.probe(run, vectorsFromWire(vectors), request.signal);
        return Response.json({ vectors: vectorsToWire(kept) });
      }),
    },
    {
      method: "GET",
      path: "/v1/admin/shapes",
      doc: {
        summary: "Tell what tables were like when they were last published: source, columns, types",
        scope: "ingest",
        answer: shapesAnswer,
      },
      handle: scoped("ingest", async ({ request }, registry) => {
        const shapes = await registry.shapes(request.signal);
        const tables = [...shapes].map(([name, before]) => [name, beforeToWire(before)] as const);
        return Response.json({ tables: Object.fromEntries(tables) });
      }),
    },
    {
      method: "PUT",
      path: "/v1/admin/batches/:run/:seq",
      doc: {
        summary: "Stage one batch of a run; repeating it changes nothing",
        scope: "ingest",
        bodyType: BATCH_MEDIA_TYPE,
        status: 204,
      },
      handle: scoped("ingest", async ({ request, params }, registry) => {
        const bytes = await readBytes(request, BATCH_MEDIA_TYPE, MAX_BATCH_BYTES);
        const head = decodeHead(bytes);
        checkPath(head.run, params["run"]);
        if (String(head.seq) !== params["seq"]) throw mismatch("/seq");
        await registry.commitEncoded(head, bytes, request.signal);
        return new Response(null, { status: 204 });
      }),
    },
    {
      method: "POST",
      path: "/v1/admin/runs/:run/publish",
      doc: {
        summary: "Make everything staged visible as the next generation",
        scope: "ingest",
        body: publishBody,
        answer: publishAnswer,
      },
      handle: scoped("ingest", async ({ request, params }, registry) => {
        const { run, tables } = parseBody(publishBody, await readJson(request, MAX_BODY));
        checkPath(run, params["run"]);
        return Response.json(await registry.publish(run, tables.map(tableFromWire), request.signal));
      }),
    },
    {
      method: "POST",
      path: "/v1/admin/rollback",
      doc: {
        summary: "Serve the generation before the served one once more, as the next",
        scope: "admin",
        body: rollbackBody,
        answer: publishAnswer,
      },
      handle: scoped("admin", async ({ request }, registry) => {
        const { generation } = parseBody(rollbackBody, await readJson(request, MAX_BODY));
        return Response.json(await registry.rollBack(generation, request.signal));
      }),
    },
    {
      method: "PUT",
      path: "/v1/admin/runs/:run/progress",
      doc: {
        summary: "Tell where a run is, and renew its lease",
        scope: "ingest",
        body: progressBody,
        status: 204,
      },
      handle: scoped("ingest", async ({ request, params }, registry) => {
        const body = parseBody(progressBody, await readJson(request, MAX_BODY));
        const { run, tables, held_back: heldBack = [] } = body;
        checkPath(run, params["run"]);
        await registry.report(run, { tables, heldBack }, request.signal);
        return new Response(null, { status: 204 });
      }),
    },
    {
      method: "POST",
      path: "/v1/admin/runs/:run/abandon",
      doc: {
        summary: "Give the lease back without publishing",
        scope: "ingest",
        body: abandonBody,
        status: 204,
      },
      handle: scoped("ingest", async ({ request, params }, registry) => {
        const { run, reason } = parseBody(abandonBody, await readJson(request, MAX_BODY));
        checkPath(run, params["run"]);
        await registry.abandon(run, reason, request.signal);
        return new Response(null, { status: 204 });
      }),
    },
  ];
}

async function handleKnown({ request, url, params }: Call, registry: TenantRegistry): Promise<Response> {
  const query = url.searchParams;
  const space = query.get("space") ?? "";
  if (space === "" || space.length > MAX_SPACE) throw mismatch("/space");
  const row = query.get("after_row");
  const after = row === null ? undefined : { row, view: query.get("after_view") ?? "" };
  const rows = await registry.page({ space }, params["table"] ?? "", after, KNOWN_PAGE, request.signal);
  return Response.json({ rows: rows.map(knownToWire), more: rows.length === KNOWN_PAGE });
}

function eraseRoutes(scoped: Scoped): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/erase",
      doc: {
        summary: "Erase a row everywhere, for good; unknown rows alike",
        scope: "erase",
        body: eraseBody,
        answer: receiptAnswer,
        status: 202,
      },
      handle: scoped("erase", async ({ request }, registry) => {
        const { table, key } = parseBody(eraseBody, await readJson(request, MAX_BODY));
        const config = await registry.config(request.signal);
        if (!config) throw new QuaysideError("not_configured", "No configuration is published yet.");
        const row = rowOf(config, table, key);
        const receipt = receiptToWire(await registry.erase(table, row, request.signal));
        return Response.json(receipt, { status: 202, headers: { location: `/v1/erase/${receipt.id}` } });
      }),
    },
    {
      method: "GET",
      path: "/v1/erase/:id",
      doc: { summary: "Read the receipt of an erasure", scope: "erase", answer: receiptAnswer },
      handle: scoped("erase", async ({ request, params }, registry) => {
        const receipt = await registry.erasure(params["id"] ?? "", request.signal);
        if (!receipt) throw new QuaysideError("not_found", "No such erasure.");
        return Response.json(receiptToWire(receipt));
      }),
    },
  ];
}

/** The row that a key names. One row at a time: nothing in it is a pattern. */
function rowOf(config: Config, table: string, key: z.infer<typeof eraseBody>["key"]): string {
  const settings = Object.hasOwn(config.tables, table) ? config.tables[table] : undefined;
  if (!settings || settings.index === false) throw mismatch("/table");
  if (typeof key === "string") {
    const parts = key.split("|");
    // A value that really holds an asterisk is named by column.
    const proper = parts.length === settings.key.length && parts.every((part) => /^[^:#*]+$/.test(part));
    if (!proper) throw mismatch("/key");
    return rowId(table, parts.map(decodePart));
  }
  const columns = Object.keys(key);
  if (columns.length !== settings.key.length || !settings.key.every((c) => Object.hasOwn(key, c))) {
    throw mismatch("/key");
  }
  return rowId(
    table,
    settings.key.map((column) => String(key[column])),
  );
}

function checkPath(run: Run, id: string | undefined): void {
  if (run.id !== id) throw mismatch("/run/id");
}

function mismatch(pointer: string): QuaysideError {
  return new QuaysideError("invalid_request", "The request breaks a rule.", {
    violations: [{ pointer, rule: "invalid_value" }],
  });
}

function statusToWire(status: TenantStatus): StatusAnswer {
  return {
    config_version: status.configVersion,
    epoch: status.epoch,
    generation: status.generation,
    space: status.space,
    tables: status.tables.map(({ table, rows, asOf, targetLagMs }) => ({
      table,
      rows,
      as_of: asOf,
      target_lag_seconds: targetLagMs === undefined ? null : targetLagMs / 1000,
    })),
    runs: status.runs.map(runToWire),
  };
}

function receiptToWire(receipt: ErasureReceipt): ReceiptAnswer {
  return {
    id: receipt.id,
    table: receipt.table,
    requested_at: receipt.requestedAt,
    erased_at: receipt.erasedAt ?? null,
    removed: { ...receipt.removed },
    residue: receipt.residue,
    proof: { ...receipt.proof },
  };
}
