import type { Config } from "./config.ts";
import type { Violation } from "./ports/errors.ts";

/** What is wrong among the names of models, aliases, routes and groups. */
export function checkModels(models: NonNullable<Config["models"]>): Violation[] {
  const found: Violation[] = [];
  const add = (pointer: string, rule: string): void => void found.push({ pointer, rule });
  const { register = {}, aliases = {}, routes = {}, groups = {}, default: preset } = models;
  const isModel = (m: string): boolean => m.startsWith("local/") || m in register;
  const known = (m: string): boolean => m === "auto" || isModel(m) || m in aliases || m in routes;
  for (const id of Object.keys(register)) {
    if (!/^[^/\s]+\/\S+$/.test(id)) add(`models.register.${id}`, "name models provider/model");
  }
  for (const [alias, target] of Object.entries(aliases)) {
    if (!known(target)) add(`models.aliases.${alias}`, `"${target}" is not in models.register`);
  }
  for (const [route, { rules }] of Object.entries(routes)) {
    const at = `models.routes.${route}`;
    if (route in aliases) add(at, "an alias has this name as well");
    for (const [i, { models }] of rules.entries()) {
      for (const entry of models) {
        const id = typeof entry === "string" ? entry : entry.model;
        if (!isModel(id)) add(`${at}.rules.${i}.models`, `"${id}" is not in models.register`);
      }
    }
    if (rules.at(-1)?.when !== undefined) {
      add(`${at}.rules.${rules.length - 1}`, "the last rule is for all other questions: leave out when");
    }
  }
  for (const [group, target] of Object.entries(groups)) {
    if (!known(target)) add(`models.groups.${group}`, `"${target}" is not in models.register`);
  }
  if (preset !== undefined && !known(preset)) add("models.default", `"${preset}" is not in models.register`);
  return found;
}
