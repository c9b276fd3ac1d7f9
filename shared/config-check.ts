import { checkModels } from "./config-models.ts";
import type { Config } from "./config.ts";
import type { Violation } from "./ports/errors.ts";

/** What refers to nothing, or to what it may not, in a configuration whose shape is right. */
export function crossCheck(config: Config): Violation[] {
  const found: Violation[] = [];
  const add = (pointer: string, rule: string): void => void found.push({ pointer, rule });
  for (const [id, t] of Object.entries(config.tables)) {
    const at = `tables.${id}`;
    if (!config.sources[t.source]) add(`${at}.source`, `no source "${t.source}"; define it under sources`);
    if (t.from !== undefined && t.query !== undefined) add(at, "set either from or query, not both");
    if (t.access && t.views) add(at, "set either access or views, not both");
    if (!t.access && !t.views && t.index !== false) {
      add(at, "no access rule: nobody could see a row; set access (or views), or index: false");
    }
    for (const [col, target] of Object.entries(t.lookups ?? {})) {
      const other = config.tables[target.split(".")[0] ?? ""];
      if (!other) add(`${at}.lookups.${col}`, `no table "${target.split(".")[0]}"`);
      else if (other.key.length !== 1)
        add(`${at}.lookups.${col}`, "the table looked up needs a key of one column");
    }
    for (const [column, options] of Object.entries(t.columns ?? {})) {
      const { mask, token, redact } = options;
      if (token !== undefined && mask !== "tokenise")
        add(`${at}.columns.${column}.token`, 'needs mask: "tokenise"');
      if (redact === undefined) continue;
      const key = t.key.includes(column);
      if (mask !== undefined) add(`${at}.columns.${column}`, "set either mask or redact, not both");
      else if (key) add(`${at}.columns.${column}.redact`, "a key stays whole; mask it by hash or tokenise");
    }
    if (t.incremental && t.index === false) add(`${at}.incremental`, "the table is not indexed");
    if (t.whenLate !== undefined && t.targetLag === undefined) add(`${at}.whenLate`, "needs targetLag");
    const names = new Set<string>();
    for (const v of t.views ?? []) {
      if (names.has(v.name)) add(`${at}.views`, `two views named "${v.name}"`);
      names.add(v.name);
    }
  }
  found.push(...checkModels(config.models ?? {}));
  const directory = config.identity?.directory;
  const names = (directory?.users ?? []).flatMap((user) => [...(user.emails ?? []), ...(user.ids ?? [])]);
  for (const name of new Set(names.filter((one, i) => names.indexOf(one) !== i))) {
    add("identity.directory.users", `"${name}" is two users`);
  }
  for (const [id, webhook] of Object.entries(config.webhooks ?? {})) {
    for (const table of webhook.tables ?? []) {
      const known = Object.hasOwn(config.tables, table) && config.tables[table]?.index !== false;
      if (!known) add(`webhooks.${id}.tables`, `no indexed table "${table}"`);
    }
  }
  for (const id of Object.keys(config.budgets?.models ?? {})) {
    if (!Object.hasOwn(config.models?.register ?? {}, id))
      add(`budgets.models.${id}`, `"${id}" is not in models.register`);
  }
  for (const [i, e] of (config.demo?.examples ?? []).entries()) {
    if (!config.demo?.users[e.as]) add(`demo.examples.${i}.as`, `no demo user "${e.as}"`);
  }
  return found;
}
