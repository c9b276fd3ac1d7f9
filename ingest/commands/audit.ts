import { writeFile } from "node:fs/promises";
import { AUDIT_START, brokenAt } from "../../shared/audit-wire.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { field, list, makeWorkerClient, text } from "../worker-client.ts";
import { string, type Command } from "./command.ts";
import { requireToken, usage } from "./inputs.ts";

const PAGE = 1000;

export const command: Command = {
  name: "audit",
  summary: "export the audit trail as JSON lines, and prove that its chain is whole",
  usage: "export [--out FILE]",
  options: { out: { type: "string", value: "FILE", help: "where to write it; default: standard output" } },
  async run(context) {
    if (context.args[0] !== "export") throw usage("audit has one action: export.");
    const client = makeWorkerClient({
      url: context.url,
      token: await requireToken(context),
      as: undefined,
      host: context.host,
    });
    const out = string(context.values["out"]);
    let seq = 0;
    let hash = AUDIT_START;
    let lines = "";
    for (;;) {
      const page = await client.get(`/v1/admin/audit?after=${seq}&limit=${PAGE}`, context.signal);
      const records = list(page, "records").map((one) => ({
        seq: Number(field(one, "seq")),
        hash: text(one, "hash"),
        record: text(one, "record"),
      }));
      const broken = brokenAt(records, hash, seq + 1);
      if (broken !== undefined) {
        throw new QuaysideError(
          "internal",
          `The audit trail is broken at record ${broken}: it, or one before it, was changed or taken out.`,
        );
      }
      for (const one of records)
        lines += `${JSON.stringify({ seq: one.seq, hash: one.hash, ...JSON.parse(one.record) })}\n`;
      const last = records.at(-1);
      if (!last) break;
      ({ seq, hash } = last);
    }
    if (out === undefined) context.terminal.print(lines);
    else await writeFile(out, lines, { mode: 0o600 });
    context.terminal.note(`${seq} records, whole. Keep the last hash elsewhere: ${hash}`);
    return { status: 0, result: { records: seq, head: hash } };
  },
};
