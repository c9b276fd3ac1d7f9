import { writeFile } from "node:fs/promises";
import { slackManifest } from "../manifests/slack.ts";
import { teamsManifest, teamsPackage } from "../manifests/teams.ts";
import { string, type Command } from "./command.ts";
import { usage } from "./inputs.ts";

export const command: Command = {
  name: "manifest",
  summary: "what a chat platform's app is created from",
  usage: "slack | teams",
  options: {
    out: { type: "string", value: "FILE", help: "teams: the package; default quayside-teams.zip" },
  },
  async run(context) {
    const { args, url, terminal } = context;
    const [platform = "", ...more] = args;
    if (!["slack", "teams"].includes(platform) || more.length > 0) {
      throw usage("Say which: `manifest slack` or `manifest teams`.");
    }
    if (new URL(url).protocol !== "https:") {
      throw usage("Name the Worker as the platform reaches it: --url https://quayside.example.com");
    }
    const { config } = await context.config();
    if (platform === "slack") {
      const result = slackManifest(config, url);
      terminal.print(`${JSON.stringify(result, null, 2)}\n`);
      return { status: 0, result };
    }
    const appId = context.host.secret("TEAMS_APP_ID");
    if (appId === undefined) throw usage("TEAMS_APP_ID is not set: the id of the bot's registration.");
    const result = teamsManifest(config, url, appId);
    const out = string(context.values["out"]) ?? "quayside-teams.zip";
    await writeFile(out, await teamsPackage(result));
    terminal.print(`Wrote ${out}: upload it in the Teams admin centre, or in Teams under Apps.\n`);
    return { status: 0, result };
  },
};
