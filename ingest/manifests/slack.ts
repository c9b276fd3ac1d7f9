import type { AppsManifestCreateArguments } from "@slack/web-api";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** Longest texts that a manifest takes. docs.slack.dev, App manifest reference, read 2026-11. */
const MAX_NAME = 35;
const MAX_DESCRIPTION = 300;

/** Read and write what the surface uses, and nothing else. */
const SCOPES = [
  "app_mentions:read",
  "chat:write",
  "commands",
  "im:history",
  "users:read",
  "users:read.email",
] as const;

/**
 * The manifest that a Slack app is created from.
 * @param url where Slack reaches the Worker: https, no path.
 * @throws QuaysideError `config_invalid`.
 */
export function slackManifest(config: Config, url: string): AppsManifestCreateArguments["manifest"] {
  const slack = config.surfaces?.slack;
  if (!slack) {
    throw new QuaysideError(
      "config_invalid",
      "surfaces.slack is not set: `surfaces: { slack: {} }` is enough to begin.",
    );
  }
  const name = config.name.slice(0, MAX_NAME);
  const description = config.description ?? `Answers from the tables of ${config.name}, with their sources.`;
  const { prompts = [] } = slack;
  return {
    display_information: { name, description: description.slice(0, 140) },
    features: {
      bot_user: { display_name: name, always_online: true },
      agent_view: {
        agent_description: description.slice(0, MAX_DESCRIPTION),
        ...(prompts.length > 0 ? { suggested_prompts: [...prompts] } : {}),
      },
      slash_commands: [
        {
          command: "/ask",
          url: `${url}/slack/commands`,
          description: "Ask the company's tables",
          usage_hint: "[question]",
          should_escape: true,
        },
      ],
    },
    oauth_config: { scopes: { bot: [...SCOPES] } },
    settings: {
      event_subscriptions: {
        request_url: `${url}/slack/events`,
        bot_events: ["app_mention", "message.im", "app_home_opened", "tokens_revoked", "app_uninstalled"],
      },
      interactivity: { is_enabled: true, request_url: `${url}/slack/interactions` },
      org_deploy_enabled: false,
      socket_mode_enabled: false,
      token_rotation_enabled: false,
    },
  };
}
