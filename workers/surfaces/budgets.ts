import * as z from "zod/mini";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { LedgerApi } from "../tenant/api.ts";
import type { BudgetLine } from "../tenant/api-answers.ts";
import type { Surface } from "./surface.ts";

export interface BudgetsDeps {
  readonly principal: (request: Request) => Promise<Principal>;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "budgets">;
}

const amount = z.object({ tokens: z.number(), usd: z.number() });

const budgetsSchema = z.object({
  /** When today's begin anew, ISO 8601. */
  resets_at: z.string(),
  budgets: z.array(
    z.object({
      /** `tenant`, `principal:<subject>`, `group:<name>` or `model:<id>`. */
      scope: z.string(),
      /** Null where there is no cap. */
      tokens_per_day: z.nullable(z.number()),
      usd_per_day: z.nullable(z.number()),
      spent: amount,
      /** For answers under way. */
      held: amount,
      answers: z.number(),
    }),
  ),
});

/** What answers have cost today, and what they may. */
export function budgetsSurface(deps: BudgetsDeps): Surface {
  return {
    name: "budgets",
    routes: [
      {
        method: "GET",
        path: "/v1/admin/budgets",
        doc: { summary: "Read today's budgets and what is spent", scope: "admin", answer: budgetsSchema },
        async handle({ request }) {
          const principal = await deps.principal(request);
          if (!principal.scopes.includes("admin")) {
            throw new QuaysideError("forbidden", "This needs the scope admin.");
          }
          const { resetsAt, lines } = await deps.ledger(principal.tenant).budgets();
          return Response.json({ resets_at: resetsAt, budgets: lines.map(lineJson) });
        },
      },
    ],
  };
}

function lineJson(line: BudgetLine): z.infer<typeof budgetsSchema>["budgets"][number] {
  return {
    scope: line.scope,
    tokens_per_day: line.tokensPerDay ?? null,
    usd_per_day: line.nanoUsdPerDay === undefined ? null : line.nanoUsdPerDay / 1e9,
    spent: { tokens: line.tokens, usd: line.nanoUsd / 1e9 },
    held: { tokens: line.heldTokens, usd: line.heldNanoUsd / 1e9 },
    answers: line.answers,
  };
}
