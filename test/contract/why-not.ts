import { parseConfig } from "../../shared/config.ts";
import { makeProviders } from "../../workers/registry.ts";
import { secretHost } from "../fakes/secret-host.ts";

/** Why a model is not offered with these secrets, as `GET /v1/models` says it; undefined when it is. */
export function whyNot(model: string, secrets: Readonly<Record<string, string>>): string | undefined {
  const config = parseConfig({ name: "Test", sources: {}, tables: {} });
  return makeProviders(secretHost(secrets)).whyNot(model, config);
}
