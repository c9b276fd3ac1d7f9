import { field, list, makeWorkerClient, text } from "../worker-client.ts";
import { callerToken } from "./ask.ts";
import { string, type Command } from "./command.ts";
import { table } from "./text.ts";

export const command: Command = {
  name: "models",
  summary: "the model register: what each may receive, and why one is not available",
  usage: "[--as NAME]",
  options: { as: { type: "string", value: "NAME", help: "as this demo user would see it" } },
  async run(context) {
    const client = makeWorkerClient({
      url: context.url,
      token: await callerToken(context),
      as: string(context.values["as"]),
      host: context.host,
    });
    const result = await client.get("/v1/models", context.signal);
    const preset = text(result, "default");
    const rows = list(result, "models").map((model) => {
      const price = field(model, "price");
      const id = text(model, "id");
      return [
        id === preset ? `${id} (default)` : id,
        field(model, "available") === true ? "yes" : "no",
        list(model, "classes").map(String).join(", "),
        text(model, "region"),
        text(model, "retention"),
        `${text(price, "input")} / ${text(price, "output")}`,
        text(model, "why_not"),
      ];
    });
    const heading = ["model", "available", "may receive", "region", "retention", "$/M in/out", "why not"];
    context.terminal.print(`${table(heading, rows)}\n`);
    const aliases = Object.entries(field(result, "aliases") ?? {});
    if (aliases.length > 0) {
      const named = aliases.map(([name, target]) => `${name} → ${String(target)}`).join(", ");
      context.terminal.print(`\nAliases: ${named}\n`);
    }
    for (const route of list(result, "routes")) {
      const rules = list(route, "rules").map(
        (rule) => `${text(rule, "name")}: ${list(rule, "models").map(String).join(", ")}`,
      );
      context.terminal.print(`\nRoute ${text(route, "name")}\n  ${rules.join("\n  ")}\n`);
    }
    return { status: 0, result };
  },
};
