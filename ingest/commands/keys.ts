import { createdKeyAnswer, keysAnswer, MAX_KEY_DAYS, type KeyAnswer } from "../../shared/keys-wire.ts";
import { makeWorkerClient, type WorkerClient } from "../worker-client.ts";
import { string, strings, type Command, type Context, type Outcome } from "./command.ts";
import { count, requireToken, usage } from "./inputs.ts";
import { table } from "./text.ts";

const DEFAULT_DAYS = 90;

export const command: Command = {
  name: "keys",
  summary: "makes, lists and revokes API keys",
  usage: "create --name N [--scope S]… | list | revoke ID",
  options: {
    name: { type: "string", value: "N", help: "create: what the key is for; two live keys may share a name" },
    scope: { type: "string", multiple: true, value: "S", help: "create: what it may do; default ask" },
    subject: { type: "string", value: "ID", help: "create: whom it acts as; default key:N" },
    group: { type: "string", multiple: true, value: "G", help: "create: a group that it holds" },
    attribute: { type: "string", multiple: true, value: "A=V", help: "create: an attribute that it holds" },
    days: { type: "string", value: "N", help: `create: until it expires, 1 to ${MAX_KEY_DAYS}; default 90` },
  },
  async run(context) {
    const [action = "", ...rest] = context.args;
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (!run) throw usage("Say what to do: quayside keys create, list or revoke.");
    const token = await requireToken(context);
    const client = makeWorkerClient({ url: context.url, token, as: undefined, host: context.host });
    return run(context, client, rest);
  },
};

type Action = (context: Context, client: WorkerClient, args: readonly string[]) => Promise<Outcome>;

const ACTIONS: Readonly<Record<string, Action>> = {
  async create({ values, terminal, signal }, client) {
    const name = string(values["name"]);
    if (name === undefined) throw usage("keys create needs --name.");
    const scopes = strings(values["scope"]);
    const subject = string(values["subject"]);
    const body = {
      name,
      scopes: scopes.length > 0 ? scopes : ["ask"],
      ...(subject === undefined ? {} : { subject }),
      groups: strings(values["group"]),
      attributes: attributesOf(strings(values["attribute"])),
      days: count(string(values["days"]), "--days", DEFAULT_DAYS, MAX_KEY_DAYS),
    };
    const made = createdKeyAnswer().parse(await client.post("/v1/admin/keys", body, signal));
    terminal.print(`${made.key}\n`);
    terminal.note(`It is shown this once. It acts as ${made.subject} and expires at ${made.expires_at}.`);
    return { status: 0, result: made };
  },

  async list({ terminal, host, signal }, client) {
    const result = keysAnswer().parse(await client.get("/v1/admin/keys", signal));
    const rows = result.keys.map((key) => [
      key.id,
      key.name,
      stateOf(key, host.now()),
      key.scopes.join(" "),
      key.subject,
      key.expires_at,
    ]);
    terminal.print(
      rows.length === 0
        ? "There are no API keys.\n"
        : `${table(["id", "name", "state", "scopes", "acts as", "expires"], rows)}\n`,
    );
    return { status: 0, result };
  },

  async revoke({ terminal, signal }, client, [id]) {
    if (id === undefined) throw usage("keys revoke needs the key's id: see quayside keys list.");
    await client.remove(`/v1/admin/keys/${encodeURIComponent(id)}`, signal);
    terminal.print(`Revoked ${id}: it is refused everywhere within 10 s.\n`);
    return { status: 0, result: { id } };
  },
};

/** `site=fr`, several times for several values. */
function attributesOf(given: readonly string[]): Record<string, string[]> {
  const attributes: Record<string, string[]> = {};
  for (const one of given) {
    const at = one.indexOf("=");
    if (at < 1) throw usage(`--attribute takes name=value, not "${one}".`);
    (attributes[one.slice(0, at)] ??= []).push(one.slice(at + 1));
  }
  return attributes;
}

function stateOf(key: KeyAnswer, now: number): "live" | "expired" | "revoked" {
  if (key.revoked_at !== null) return "revoked";
  return Date.parse(key.expires_at) > now ? "live" : "expired";
}
