import { field, list, makeWorkerClient, text } from "../worker-client.ts";
import type { Command } from "./command.ts";
import { table } from "./text.ts";

export const command: Command = {
  name: "budgets",
  summary: "what answers have cost today, and what they may",
  usage: "",
  options: {},
  async run(context) {
    const client = makeWorkerClient({
      url: context.url,
      token: await context.token(),
      as: undefined,
      host: context.host,
    });
    const result = await client.get("/v1/admin/budgets", context.signal);
    const rows = list(result, "budgets").map((line) => {
      const [spent, held] = [field(line, "spent"), field(line, "held")];
      return [
        text(line, "scope"),
        amount(spent, "tokens"),
        amount(held, "tokens"),
        amount(line, "tokens_per_day"),
        amount(spent, "usd"),
        amount(held, "usd"),
        amount(line, "usd_per_day"),
        amount(line, "answers"),
      ];
    });
    const heading = ["scope", "tokens", "held", "of", "$", "held", "of", "answers"];
    context.terminal.print(`${table(heading, rows)}\n\nAnew at ${text(result, "resets_at")}.\n`);
    return { status: 0, result };
  },
};

/** Nothing where there is no cap. */
function amount(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found !== "number") return "";
  return Number.isInteger(found) ? String(found) : found.toFixed(4);
}
