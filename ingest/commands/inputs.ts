import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Context } from "./command.ts";

/** @throws QuaysideError `config_invalid`: a mistake on the command line (exit status 2). */
export function usage(message: string): QuaysideError {
  return new QuaysideError("config_invalid", message);
}

/** A number of 0 or more; undefined when the option was not given. */
export function amount(value: string | undefined, flag: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number) || number < 0) {
    throw usage(`${flag} takes a number of 0 or more, not "${value}".`);
  }
  return number;
}

/** A whole number within a range; the preset when the option was not given. */
export function count(value: string | undefined, flag: string, preset: number, most: number): number {
  if (value === undefined) return preset;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > most) {
    throw usage(`${flag} takes a whole number from 1 to ${most}, not "${value}".`);
  }
  return number;
}

/** The operator's token. @throws QuaysideError `unauthenticated` that says where it comes from. */
export async function requireToken(context: Context): Promise<string> {
  const token = await context.token();
  if (token !== undefined) return token;
  throw new QuaysideError(
    "unauthenticated",
    "There is no operator token: set QUAYSIDE_TOKEN, or pass --token. For a worker on this machine, `npm start` writes one to .quayside/token.",
  );
}

/** Text after the options, as one; a question need not be quoted. @throws `config_invalid` when there is none. */
export function words(context: Context, what: string): string {
  const text = context.args.join(" ").trim();
  if (text === "") throw usage(`Say what to ${what}: quayside ${what} "…"`);
  return text;
}
