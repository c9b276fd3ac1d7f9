import { field, list, makeWorkerClient, text } from "../worker-client.ts";
import { string, strings, type Command, type Context, type Terminal } from "./command.ts";
import { words } from "./inputs.ts";
import { harmless, money, oneLine } from "./text.ts";

export const command: Command = {
  name: "ask",
  summary: "ask the worker; prints a cited answer",
  usage: '"question" [--model M] [--as NAME]',
  options: {
    model: { type: "string", value: "M", help: "provider/model, an alias, or auto" },
    as: { type: "string", value: "NAME", help: "act as this demo user" },
    table: { type: "string", multiple: true, value: "T", help: "only from this table; may be repeated" },
    fresh: { type: "boolean", help: "pass the answer cache by" },
  },
  async run(context) {
    const { values, terminal, signal } = context;
    const question = words(context, "ask");
    const client = makeWorkerClient({
      url: context.url,
      token: await callerToken(context),
      as: string(values["as"]),
      host: context.host,
    });
    const tables = strings(values["table"]);
    const body = {
      question,
      stream: true,
      ...(string(values["model"]) === undefined ? {} : { model: string(values["model"]) }),
      ...(tables.length > 0 ? { tables } : {}),
      ...(values["fresh"] === true ? { cache: "bypass" } : {}),
    };
    let streamed = "";
    let answer: unknown;
    for await (const { name, data } of client.events("/v1/ask", body, signal)) {
      if (name === "delta") {
        const piece = text(data, "text");
        streamed += piece;
        if (terminal.interactive) terminal.print(harmless(piece));
      } else if (name === "retract") {
        const from = Number(field(data, "from"));
        streamed = streamed.slice(0, from);
        if (terminal.interactive)
          terminal.print(`\n(what did not hold was taken back)\n${harmless(streamed)}`);
      } else if (name === "done") answer = data;
    }
    show(answer, streamed, terminal);
    return { status: 0, result: answer };
  },
};

/** The operator sees public rows only, so on this machine's demo worker the token is sent only when it was named. */
export async function callerToken(context: Context): Promise<string | undefined> {
  return context.tokenGiven ? context.token() : undefined;
}

function show(answer: unknown, streamed: string, terminal: Terminal): void {
  const final = text(answer, "text");
  // The final text is authoritative; a stream that showed the same needs no repetition.
  if (!terminal.interactive || final !== streamed) {
    terminal.print(`${terminal.interactive ? "\n" : ""}${harmless(final)}`);
  }
  terminal.print("\n");
  const citations = list(answer, "citations");
  if (citations.length > 0) terminal.print("\n");
  for (const citation of citations) {
    const key = Object.values(field(citation, "key") ?? {}).join(" | ");
    const where = `${text(citation, "table")} ${key}`;
    terminal.print(
      `[${text(citation, "marker")}] ${harmless(where)} · as of ${text(citation, "as_of")}\n    ${harmless(oneLine(text(citation, "excerpt"), 160))}\n`,
    );
  }
  const usage = field(answer, "usage");
  const timings = field(answer, "timings");
  const reason = text(answer, "reason");
  const parts = [
    `${text(answer, "outcome").replaceAll("_", " ")}${reason === "" ? "" : ` (${reason.replaceAll("_", " ")})`}`,
    text(answer, "model"),
    `cache ${text(answer, "cache")}`,
    `${text(timings, "total_ms")} ms`,
    money(Number(field(usage, "cost_usd") ?? 0)),
  ];
  terminal.print(`\n${parts.join(" · ")}\n`);
}
