import { type Caller, get } from "./api.ts";
import type { Strings } from "./strings-en.ts";
import type { DemoUser, Problem } from "./wire.ts";
import { readWho, type Who } from "./wire-pages.ts";

/** Everybody that the page can speak as: the demo's users, whoever a sign-on in front of it says we are, and holders of keys. */
export interface People {
  list(s: Strings): readonly DemoUser[];
  /** Nobody known: a request without a credential of ours, which a sign-on in front of the page may complete. */
  callerOf(name: string | undefined): Caller;
  /** Undefined while unknown. */
  who(name: string | undefined): Who | undefined;
  /** The demo's users; called once. */
  demo(users: readonly DemoUser[]): void;
  /** Learns what a person's credential stands for. Without a name: whether there is a sign-on, who becomes a person then. */
  learn(name: string | undefined): Promise<string | undefined>;
  /** Adds the holder of a key, if the server knows it. @returns the new person's name, or what went wrong. */
  add(key: string): Promise<string | Problem>;
}

const SESSION = "session:";

export function people(): People {
  let demo: readonly DemoUser[] = [];
  const keys = new Map<string, string>();
  const known = new Map<string, Who>();

  const callerOf = (name: string | undefined): Caller => ({
    demoUser: demo.some((user) => user.name === name) ? name : undefined,
    key: keys.get(name ?? ""),
  });

  return {
    callerOf,
    who: (name) => known.get(name ?? ""),
    list(s) {
      const subject = (name: string): string => known.get(name)?.subject ?? "";
      const added = [...keys.keys()].map((name) => ({
        name,
        label: s.pages.keyLabel(subject(name)),
        language: "",
      }));
      const session = known.has(SESSION)
        ? [{ name: SESSION, label: s.pages.session(subject(SESSION)), language: "" }]
        : [];
      return [...demo, ...session, ...added];
    },
    demo(users) {
      demo = users;
    },
    async learn(name) {
      if (known.has(name ?? SESSION)) return name ?? SESSION;
      const found = await get("/v1/status", callerOf(name));
      if (!found.ok) return name;
      known.set(name ?? SESSION, readWho(found.value));
      return name ?? SESSION;
    },
    async add(key) {
      const found = await get("/v1/status", { demoUser: undefined, key });
      // A key that may not ask, only ingest or administrate, is refused here and is a good key all the same.
      const barred = !found.ok && found.problem.code === "forbidden";
      if (!found.ok && !barred) return found.problem;
      const name = [...keys].find(([, held]) => held === key)?.[0] ?? `key:${keys.size + 1}`;
      keys.set(name, key);
      const shown = /^qk_[A-Za-z0-9]+(?=_)/.exec(key)?.[0] ?? "API";
      known.set(name, found.ok ? readWho(found.value) : { subject: shown, scopes: [] });
      return name;
    },
  };
}
