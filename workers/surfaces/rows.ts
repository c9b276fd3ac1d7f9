import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { ReadRow } from "../answer/read-row.ts";
import type { LedgerApi } from "../tenant/api.ts";
import { enter, requireAsk, type EnterDeps } from "./enter.ts";
import { matchJson } from "./render.ts";
import type { Surface } from "./surface.ts";

export interface RowsDeps extends EnterDeps {
  readonly readRow: ReadRow;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "answersFrom">;
}

const rowSchema = lazily(() =>
  z.object({
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
    /** Kept answers whose model read the row, newest first, at most 50: the caller's own; everybody's for an administrator. */
    answers: z.array(
      z.object({ id: z.string(), at: z.string(), model: z.string(), cache: z.string(), outcome: z.string() }),
    ),
  }),
);

/** One row as the caller may see it, and what was answered from it. */
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
          answer: rowSchema,
        },
        async handle({ request, params }) {
          const { principal, admission, leave } = await enter(deps, request);
          try {
            requireAsk(principal);
            const item = await deps.readRow(params["id"] ?? "", admission, request.signal);
            if (!item) {
              throw new QuaysideError("not_found", "There is no such row, or none that you may see.");
            }
            const everybody = principal.scopes.includes("admin");
            const answers = await deps
              .ledger(principal.tenant)
              .answersFrom(item.row, everybody ? undefined : principal.subject);
            const { id, table, key, title, cells, as_of, changed_at, url } = matchJson(item);
            const body: z.infer<ReturnType<typeof rowSchema>> = {
              id,
              table,
              key,
              title,
              cells,
              classification: item.classification,
              source: admission.config.tables[table]?.source ?? "",
              as_of,
              changed_at,
              url,
              answers: answers.map((answer) => ({
                id: answer.id,
                at: new Date(answer.at).toISOString(),
                model: answer.model,
                cache: answer.cache,
                outcome: answer.outcome,
              })),
            };
            return Response.json(body);
          } finally {
            leave();
          }
        },
      },
    ],
  };
}
