import { makeRegistryClient } from "../../shared/registry-client.ts";
import { sleep } from "../../shared/http.ts";
import { string, type Command } from "./command.ts";
import { requireToken, usage } from "./inputs.ts";

const PAUSE_MS = 1000;
const TRIES = 30;

export const command: Command = {
  name: "erase",
  summary: "erase one row everywhere, for good; prints the receipt",
  usage: "--table T --key K",
  options: {
    table: { type: "string", value: "T", help: "the row's table" },
    key: { type: "string", value: "K", help: "its key; values of a composite key joined by |" },
  },
  async run(context) {
    const table = string(context.values["table"]);
    const key = string(context.values["key"]);
    if (table === undefined || key === undefined) throw usage("erase needs --table and --key.");
    const client = makeRegistryClient({
      url: context.url,
      token: await requireToken(context),
      fetch: context.host.fetch,
    });
    let receipt = await client.erase(table, key, context.signal);
    // Asking for it again is the same erasure: it takes away, and looks for, what a slow store still showed.
    for (let i = 0; receipt.erased_at === null && i < TRIES; i++) {
      await sleep(PAUSE_MS, context.signal);
      receipt = await client.erase(table, key, context.signal);
    }
    const { removed, residue } = receipt;
    const done = receipt.erased_at !== null && residue === 0;
    context.terminal.print(
      done && Object.values(removed).every((n) => n === 0)
        ? `Nothing of it was stored. It stays out of later ingests, whatever the warehouse says. Receipt ${receipt.id}.\n`
        : done
          ? `Erased at ${receipt.erased_at}: records removed: ${removed.rows}, passages: ${removed.chunks}, vectors outside: ${removed.vectors}, cached answers: ${removed.answers}, keys in runs: ${removed.runs}, records of answers: ${removed.records}; nothing is left. It stays out of later ingests, whatever the warehouse says. Receipt ${receipt.id}.\n`
          : `Not finished: ${residue} parts are left. Run the command again; the receipt stays ${receipt.id}.\n`,
    );
    return { status: done ? 0 : 75, result: receipt };
  },
};
