import { QuaysideError } from "../../shared/ports/errors.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import type { Command } from "./command.ts";
import { requireToken, usage } from "./inputs.ts";

export const command: Command = {
  name: "rollback",
  summary: "serve the generation before the served one once more",
  usage: "GENERATION",
  options: {},
  async run(context) {
    const { args, host, terminal, url, signal } = context;
    const [wanted = "", ...more] = args;
    if (!/^[1-9]\d{0,8}$/.test(wanted) || more.length > 0) {
      throw usage("Say to which generation: quayside rollback 12. `quayside status` tells the served one.");
    }
    const client = makeRegistryClient({
      url,
      token: await requireToken(context),
      fetch: host.fetch,
      retries: 0,
    });
    const { generation } = await client.rollBack(Number(wanted), signal).catch((error: unknown) => {
      if (!(error instanceof QuaysideError) || error.code !== "invalid_request") throw error;
      throw new QuaysideError(
        "invalid_request",
        `Generation ${wanted} is not kept. One is kept beside the served one, until the next publication; over an outside index none.`,
        { cause: error },
      );
    });
    terminal.print(`Generation ${generation} serves what generation ${wanted} had.\n`);
    return { status: 0, result: { generation, rolled_back_to: Number(wanted) } };
  },
};
