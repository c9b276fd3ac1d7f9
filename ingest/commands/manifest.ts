import { slackManifest } from "../manifests/slack.ts";
import type { Command } from "./command.ts";
import { usage } from "./inputs.ts";

export const command: Command = {
  name: "manifest",
  summary: "what a chat platform's app is created from",
  usage: "slack",
  options: {},
  async run(context) {
    const { args, url, terminal } = context;
    const [platform, ...more] = args;
    if (platform !== "slack" || more.length > 0) throw usage("Say which: `manifest slack`.");
    if (new URL(url).protocol !== "https:") {
      throw usage("Name the Worker as Slack reaches it: --url https://quayside.example.com");
    }
    const result = slackManifest((await context.config()).config, url);
    terminal.print(`${JSON.stringify(result, null, 2)}\n`);
    return { status: 0, result };
  },
};
