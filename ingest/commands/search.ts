import { field, list, makeWorkerClient, text } from "../worker-client.ts";
import { callerToken } from "./ask.ts";
import { string, strings, type Command } from "./command.ts";
import { count, words } from "./inputs.ts";
import { harmless, oneLine } from "./text.ts";

export const command: Command = {
  name: "search",
  summary: "retrieval only: the rows that a question finds",
  usage: '"query" [--top-k N] [--as NAME]',
  options: {
    "top-k": { type: "string", value: "N", help: "how many rows, 1 to 200; default 10" },
    as: { type: "string", value: "NAME", help: "act as this demo user" },
    table: { type: "string", multiple: true, value: "T", help: "only in this table; may be repeated" },
  },
  async run(context) {
    const { values, terminal } = context;
    const query = words(context, "search");
    const topK = count(string(values["top-k"]), "--top-k", 10, 200);
    const client = makeWorkerClient({
      url: context.url,
      token: await callerToken(context),
      as: string(values["as"]),
      host: context.host,
    });
    const tables = strings(values["table"]);
    const body = { query, top_k: topK, ...(tables.length > 0 ? { tables } : {}) };
    const result = await client.post("/v1/search", body, context.signal);
    const matches = list(result, "matches");
    for (const match of matches) {
      const score = Number(field(match, "score") ?? 0).toFixed(3);
      terminal.print(
        `${score}  ${harmless(text(match, "id"))}\n       ${harmless(oneLine(text(match, "text"), 160))}\n`,
      );
    }
    if (matches.length === 0) terminal.print("Nothing found that you may see.\n");
    return { status: 0, result };
  },
};
