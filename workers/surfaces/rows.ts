import { lazily } from "../../shared/lazily.ts";
import { parseBody, readJson, text } from "./body.ts";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { ReadRows } from "../answer/read-row.ts";
import type { Admission, LedgerApi } from "../tenant/api.ts";
import { enter, requireAsk, type EnterDeps } from "./enter.ts";
import { matchJson } from "./render.ts";
import type { Surface } from "./surface.ts";

export interface RowsDeps extends EnterDeps {
  readonly readRows: ReadRows;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "answersFrom">;
}

/** Most rows that are read at once. */
const MAX_ROWS = 50;

const rowsBody = z.strictObject({
  ids: z.array(text().check(z.minLength(1), z.maxLength(2000))).check(z.minLength(1), z.maxLength(MAX_ROWS)),
});

const schemas = lazily(() => {
  const row = z.object({
    id: z.string(),
    table: z.string(),
    key: z.record(z.string(), z.string()),
    title: z.string(),
    /** Every cell that the caller may see, in column order. */
    cells: z.array(z.object({ column: z.string(), value: z.unknown() })),
    classification: z.enum(["public", "internal", "confidential", "restricted"]),
    /** Name of the source in the configuration. */
    source: z.string(),
    as_of: z.string(),
    changed_at: z.string(),
    url: z.nullable(z.string()),
  });
  const ref = z.object({
    id: z.string(),
    at: z.string(),
    model: z.string(),
    cache: z.string(),
    outcome: z.string(),
  });
  return {
    row,
    /** Kept answers whose model read the row, newest first, at most 50: the caller's own; everybody's for an administrator. */
    told: z.extend(row, { answers: z.array(ref) }),
    /** Those of the ids that the caller sees a row under, in no order. */
    rows: z.object({ rows: z.array(row) }),
  };
});

type Schemas = ReturnType<typeof schemas>;

/** Rows as the caller may see them, and what was answered from one. */
export function rowsSurface(deps: RowsDeps): Surface {
  return {
    name: "rows",
    routes: [
      {
        method: "GET",
        path: "/v1/rows/:id",
        doc: {
          summary: "Read one row that you may see, and which answers were written from it",
          scope: "ask",
          answer: () => schemas().told,
        },
        async handle({ request, params }) {
          const { principal, admission, leave } = await enter(deps, request);
          try {
            requireAsk(principal);
            const [item] = await deps.readRows([params["id"] ?? ""], admission, request.signal);
            if (!item) {
              throw new QuaysideError("not_found", "There is no such row, or none that you may see.");
            }
            const everybody = principal.scopes.includes("admin");
            const answers = await deps
              .ledger(principal.tenant)
              .answersFrom(item.row, everybody ? undefined : principal.subject);
            const body: z.infer<Schemas["told"]> = {
              ...rowJson(item, admission),
              answers: answers.map(({ id, at, model, cache, outcome }) => ({
                id,
                at: new Date(at).toISOString(),
                model,
                cache,
                outcome,
              })),
            };
            return Response.json(body);
          } finally {
            leave();
          }
        },
      },
      {
        method: "POST",
        path: "/v1/rows",
        doc: {
          summary: "Read those of up to 50 rows that you may see",
          scope: "ask",
          body: rowsBody,
          answer: () => schemas().rows,
        },
        async handle({ request }) {
          const { principal, admission, limits, leave } = await enter(deps, request);
          try {
            requireAsk(principal);
            const { ids } = parseBody(rowsBody, await readJson(request, limits.bodyBytes));
            const found = await deps.readRows(ids, admission, request.signal);
            const body: z.infer<Schemas["rows"]> = { rows: found.map((item) => rowJson(item, admission)) };
            return Response.json(body);
          } finally {
            leave();
          }
        },
      },
    ],
  };
}

function rowJson(item: Evidence, { config }: Admission): z.infer<Schemas["row"]> {
  const { id, table, key, title, cells, as_of, changed_at, url } = matchJson(item);
  const source = config.tables[table]?.source ?? "";
  return {
    id,
    table,
    key,
    title,
    cells,
    classification: item.classification,
    source,
    as_of,
    changed_at,
    url,
  };
}
