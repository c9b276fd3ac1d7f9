import * as z from "zod/mini";
import { pseudonymOf } from "../../shared/audit-wire.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import {
  nextRunAnswer,
  runDetail,
  runDetailToWire,
  runsAnswer,
  runToWire,
  runWire,
} from "../../shared/runs-wire.ts";
import type { Runs } from "../runs.ts";
import { parseBody, readBytes, readJson, text } from "./body.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface RunsSurfaceDeps {
  /** Verifies the caller. @throws `unauthenticated`. */
  readonly principal: (request: Request) => Promise<Principal>;
  readonly runs: Runs;
}

const MAX_BODY = 65_536;
const LISTED = 50;

const triggerBody = z.strictObject({
  tables: z.optional(
    z.array(text().check(z.minLength(1), z.maxLength(63))).check(z.minLength(1), z.maxLength(10_000)),
  ),
  /** Every row anew, changed or not. */
  full: z.optional(z.boolean()),
  /** Every table read whole, those too whose sources say that nothing has changed. */
  read_all: z.optional(z.boolean()),
  /** The same key and body within a day: the same run. */
  idempotency_key: z.optional(text().check(z.minLength(1), z.maxLength(200))),
});

const refuseBody = z.strictObject({ reason: text().check(z.minLength(1), z.maxLength(500)) });

const triggeredAnswer = z.object({
  run_id: z.string(),
  outcome: z.enum(["queued", "coalesced", "duplicate"]),
});

/** Runs: asked for, looked at, cancelled, leased. */
export function runsSurface({ principal, runs }: RunsSurfaceDeps): Surface {
  const scoped =
    (handle: (call: Call, tenant: string, by: string) => Promise<Response>): Route["handle"] =>
    async (call) => {
      const caller = await principal(call.request);
      const { tenant, scopes } = caller;
      if (!scopes.includes("ingest")) throw new QuaysideError("forbidden", "This needs the scope ingest.");
      return handle(call, tenant, pseudonymOf(caller));
    };
  const path = "/v1/ingest/runs";
  return {
    name: "runs",
    routes: [
      {
        method: "POST",
        path,
        doc: {
          summary: "Ask for an ingest run; an equal one that waits or runs is returned instead",
          scope: "ingest",
          body: triggerBody,
          answer: triggeredAnswer,
          status: 202,
        },
        handle: scoped(async ({ request }, tenant, by) => {
          const body = parseBody(triggerBody, await readJson(request, MAX_BODY));
          const { tables, full = false, read_all: readAll = false, idempotency_key: key } = body;
          const asked = [tables?.toSorted() ?? null, full, readAll];
          const once = key === undefined ? {} : { once: { key: `key:${key}`, body: JSON.stringify(asked) } };
          const how = { tables, full, readAll };
          const { id, outcome } = await runs.trigger(tenant, { ...how, trigger: "api", by, ...once });
          return Response.json(
            { run_id: id, outcome },
            { status: 202, headers: { location: `${path}/${id}` } },
          );
        }),
      },
      {
        method: "GET",
        path,
        doc: { summary: "List the last 50 runs, newest first", scope: "ingest", answer: runsAnswer },
        handle: scoped(async (_, tenant) =>
          Response.json({ runs: (await runs.list(tenant, LISTED)).map(runToWire) }),
        ),
      },
      {
        method: "GET",
        path: `${path}/:id`,
        doc: {
          summary: "Tell where a run is, and which rows it holds back",
          scope: "ingest",
          answer: runDetail,
        },
        handle: scoped(async ({ params }, tenant) => {
          const run = await runs.run(tenant, params["id"] ?? "");
          if (!run) throw new QuaysideError("not_found", "No such run.");
          return Response.json(runDetailToWire(run));
        }),
      },
      {
        method: "DELETE",
        path: `${path}/:id`,
        doc: {
          summary: "Cancel a run, waiting or running; nothing of it is published",
          scope: "ingest",
          answer: runWire,
        },
        handle: scoped(async ({ params }, tenant, by) => {
          const run = await runs.cancel(tenant, params["id"] ?? "", by);
          if (!run) throw new QuaysideError("not_found", "No such run.");
          return Response.json(runToWire(run));
        }),
      },
      {
        method: "POST",
        path: "/v1/admin/runs/next",
        doc: {
          summary: "Tell which run a program on Node should lease next; what is due counts",
          scope: "ingest",
          answer: nextRunAnswer,
        },
        handle: scoped(async ({ request }, tenant) => {
          await readBytes(request, "application/json", MAX_BODY);
          const run = await runs.next(tenant);
          if (run === undefined) return Response.json({ run: null });
          const { readAll, ...waiting } = run;
          return Response.json({ run: { ...waiting, read_all: readAll } });
        }),
      },
      {
        method: "POST",
        path: "/v1/admin/runs/:run/refuse",
        doc: {
          summary: "Tell that a waiting run failed before it could be leased",
          scope: "ingest",
          body: refuseBody,
          status: 204,
        },
        handle: scoped(async ({ request, params }, tenant) => {
          const { reason } = parseBody(refuseBody, await readJson(request, MAX_BODY));
          await runs.refuse(tenant, params["run"] ?? "", reason);
          return new Response(null, { status: 204 });
        }),
      },
    ],
  };
}
