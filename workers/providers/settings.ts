import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { FailureCodes } from "../../shared/http.ts";
import type { Host } from "../../shared/ports/host.ts";

/** What every provider does with its settings and secrets, and how it calls its failures. */

/** The reaction to each is in `workers/answer/generate.ts`. */
export const PROVIDER_CODES = {
  unreachable: "provider_unreachable",
  unavailable: "no_provider_available",
  misconfigured: "provider_misconfigured",
  rejected: "provider_rejected",
  tooLarge: "prompt_too_large",
} as const satisfies FailureCodes;

/** How much a model thinks before it answers, as OpenAI's protocol names it; thoughts count as output and against its limit. */
export const reasoningEffort = z.optional(
  z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
);

/**
 * Sent as they are beside what is ours, for what one vendor or model alone takes: temperature, service tier, a structured
 * format. What is ours goes before them.
 */
export const modelFields = z.optional(z.looseObject({}));

/** @throws QuaysideError `config_invalid` for the first thing that is wrong. */
export function parseSettings<T>(schema: z.ZodMiniType<T>, settings: Readonly<Record<string, unknown>>): T {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalidSetting(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
}

/** Question and rows are longer than the model reads. */
export function contextTooLong(peer: string): QuaysideError {
  return new QuaysideError(
    "context_too_long",
    `${peer} says that the prompt is longer than the model reads.`,
  );
}

/** The secret of this name. @throws QuaysideError `config_invalid` when it is not set. */
export function secretOf(host: Host, name: string): string {
  const value = host.secret(name);
  if (value === undefined) throw invalidSetting("secret", `${name} is not set`);
  return value;
}

/**
 * A base URL from the environment or the settings, without trailing slashes.
 * @throws QuaysideError `config_invalid` unless it is http or https.
 */
export function baseUrl(url: string, setting: string): string {
  if (!/^https?:\/\/[^/?#\s]+[^?#\s]*$/.test(url)) {
    throw invalidSetting(setting, "an http or https URL without query");
  }
  return url.replace(/\/+$/, "");
}

export function invalidSetting(pointer: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `Provider setting ${pointer}: ${rule}.`, {
    violations: [{ pointer, rule }],
  });
}
