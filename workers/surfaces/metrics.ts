import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { AnswersApi, AnswerTotal } from "../tenant/api-answers.ts";
import type { Surface } from "./surface.ts";

export interface MetricsDeps {
  readonly principal: (request: Request) => Promise<Principal>;
  readonly ledger: (tenant: string) => Pick<AnswersApi, "answerTotals">;
}

/** `GET /metrics` in the Prometheus text format, version 0.0.4. Labels are models, cache levels and outcomes; never people. */
export function metricsSurface(deps: MetricsDeps): Surface {
  return {
    name: "metrics",
    routes: [
      {
        method: "GET",
        path: "/metrics",
        doc: { summary: "Read counters of answers, cost and cache, as Prometheus text", scope: "metrics" },
        async handle({ request }) {
          const principal = await deps.principal(request);
          if (!principal.scopes.includes("metrics")) {
            throw new QuaysideError("forbidden", "This needs the scope metrics.");
          }
          const totals = await deps.ledger(principal.tenant).answerTotals();
          return new Response(COUNTERS.map((counter) => counterText(counter, totals)).join(""), {
            headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
          });
        },
      },
    ],
  };
}

type Counter = readonly [name: string, help: string, of: (total: AnswerTotal) => number];

const COUNTERS: readonly Counter[] = [
  ["quayside_answers_total", "Answers given.", (total) => total.answers],
  ["quayside_tokens_total", "Tokens that models were paid for.", (total) => total.tokens],
  ["quayside_cost_usd_total", "US dollars that models were paid.", (total) => total.usd],
  ["quayside_saved_tokens_total", "Tokens that the cache spared.", (total) => total.savedTokens],
  ["quayside_saved_usd_total", "US dollars that the cache spared.", (total) => total.savedUsd],
];

function counterText([name, help, of]: Counter, totals: readonly AnswerTotal[]): string {
  const samples = totals.map((total) => {
    const { model, cache, outcome } = total;
    const labels = Object.entries({ model, cache, outcome }).map(
      ([label, value]) => `${label}="${escaped(value)}"`,
    );
    return `${name}{${labels.join(",")}} ${of(total)}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${samples.join("")}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`));
}
