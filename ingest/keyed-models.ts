import type { Config, ModelConfig } from "../shared/config.ts";
import type { Host } from "../shared/ports/host.ts";
import { MODELS } from "./sample/config-models.ts";

/**
 * Models of vendors whose key is set, offered without an entry in the register while `npm start` serves a demo: for public rows,
 * which may go to anybody; what else they may receive nobody has said. What a model reads and costs is the vendor's list, as the
 * sample has it. A vendor of which the register has any model, or a host that the configuration calls so, stays as it is.
 */
export function offerKeyedModels(
  config: Config,
  host: Pick<Host, "secret">,
  known: Readonly<Record<string, ModelConfig>> = MODELS.register ?? {},
): Config {
  const { register = {}, compatible = {}, ...rest } = config.models ?? {};
  const named = new Set([...Object.keys(register).map(providerOf), ...Object.keys(compatible)]);
  const offered = Object.entries(known).filter(([id]) => {
    const provider = providerOf(id);
    return !named.has(provider) && host.secret(`${provider.toUpperCase()}_API_KEY`) !== undefined;
  });
  if (offered.length === 0) return config;
  const news = offered.map(([id, model]): [string, ModelConfig] => [id, { ...model, classes: ["public"] }]);
  return {
    ...config,
    models: { ...rest, compatible, register: { ...register, ...Object.fromEntries(news) } },
  };
}

function providerOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}
