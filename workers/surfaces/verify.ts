import * as z from "zod/mini";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import { checkText, type CheckedClaim } from "../answer/check-text.ts";
import type { Retrieve } from "../answer/retrieve.ts";
import type { Admission } from "../tenant/api.ts";
import { invalid, parseBody, readJson, text, visibleText } from "./body.ts";
import { enter, requireAsk, requireLength, type EnterDeps } from "./enter.ts";
import type { Call, Surface } from "./surface.ts";

export interface VerifyDeps extends EnterDeps {
  readonly retrieve: Retrieve;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
}

/** Passages that a text is held against when a question names them. */
const TOP_K = 20;
const MAX_IDS = 50;
const MAX_TEXT = 20_000;

const verifyBody = z.strictObject({
  text: visibleText().check(z.maxLength(MAX_TEXT)),
  /** Rows are found by it; or they are named by `ids`. */
  question: z.optional(visibleText()),
  ids: z.optional(
    z.array(text().check(z.minLength(1), z.maxLength(1000))).check(z.minLength(1), z.maxLength(MAX_IDS)),
  ),
});

const cell = z.object({ column: z.string(), value: z.unknown() });

const verifySchema = z.object({
  claims: z.array(
    z.object({
      text: z.string(),
      verdict: z.enum(["supported", "contradicted", "unknown"]),
      /** What no row holds: `number`, `date`, `identifier`, `name`; null when nothing is missing. */
      missing: z.nullable(z.string()),
      rows: z.array(z.object({ id: z.string(), as_of: z.string(), cells: z.array(cell) })),
    }),
  ),
  generation: z.number(),
});

/** Any text held against the rows that the caller may see. */
export function verifySurface(deps: VerifyDeps): Surface {
  return {
    name: "verify",
    routes: [
      {
        method: "POST",
        path: "/v1/verify",
        doc: {
          summary: "Hold a text against the rows that you see, sentence by sentence",
          scope: "ask",
          body: verifyBody,
          answer: verifySchema,
        },
        handle: (call) => handleVerify(deps, call),
      },
    ],
  };
}

async function handleVerify(deps: VerifyDeps, { request }: Call): Promise<Response> {
  const { principal, admission, limits, signal: left, leave } = await enter(deps, request);
  try {
    requireAsk(principal);
    const body = parseBody(verifyBody, await readJson(request, limits.bodyBytes));
    const signal = AbortSignal.any([left, AbortSignal.timeout(limits.totalTimeoutMs)]);
    let evidence: readonly Evidence[];
    if (body.question !== undefined && body.ids === undefined) {
      requireLength(body.question, limits.questionChars);
      const query = { text: body.question, topK: TOP_K, tables: undefined, rowsOnly: false };
      evidence = await deps.retrieve(query, admission, signal);
    } else if (body.ids !== undefined && body.question === undefined) {
      const hits = body.ids.map((id) => ({ id, score: 1 }));
      evidence = await (await deps.recheck(admission)).recheck(hits, admission.permitted, signal);
    } else throw invalid([{ pointer: "/question", rule: "either question or ids" }]);
    const { generation } = admission;
    return Response.json({ claims: checkText(body.text, evidence).map(claimJson), generation });
  } finally {
    leave();
  }
}

function claimJson(claim: CheckedClaim): z.infer<typeof verifySchema>["claims"][number] {
  return {
    text: claim.text,
    verdict: claim.verdict,
    missing: claim.missing ?? null,
    rows: claim.grounds.map(({ evidence, cells }) => ({
      id: evidence.row,
      as_of: evidence.asOf,
      cells: cells.map(({ column, value }) => ({ column, value })),
    })),
  };
}
