import { readFile } from "node:fs/promises";
import { strToU8, zipSync } from "fflate";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** Longest texts that a manifest takes. Microsoft, "App manifest schema" 1.19, read 2026-11. */
const MAX_NAME = 30;
const MAX_SHORT = 80;
const MAX_COMMANDS = 10;

/**
 * The manifest of a Teams app.
 * @param url where Teams reaches the Worker: https, no path.
 * @param appId the bot's registration, a UUID.
 * @throws QuaysideError `config_invalid`.
 */
export function teamsManifest(config: Config, url: string, appId: string): Readonly<Record<string, unknown>> {
  const teams = config.surfaces?.teams;
  if (!teams) {
    throw new QuaysideError(
      "config_invalid",
      "surfaces.teams is not set: `surfaces: { teams: {} }` is enough to begin.",
    );
  }
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(appId)) {
    throw new QuaysideError(
      "config_invalid",
      "TEAMS_APP_ID is not the id of a registration, which is a UUID.",
    );
  }
  const description = config.description ?? `Answers from the tables of ${config.name}, with their sources.`;
  const { prompts = [] } = teams;
  return {
    $schema: "https://developer.microsoft.com/json-schemas/teams/v1.19/MicrosoftTeams.schema.json",
    manifestVersion: "1.19",
    version: "1.0.0",
    id: appId,
    developer: { name: config.name.slice(0, 32), websiteUrl: url, privacyUrl: url, termsOfUseUrl: url },
    name: { short: config.name.slice(0, MAX_NAME), full: config.name.slice(0, 100) },
    description: { short: description.slice(0, MAX_SHORT), full: description.slice(0, 4000) },
    icons: { color: "color.png", outline: "outline.png" },
    accentColor: "#0D4A63",
    bots: [
      {
        botId: appId,
        scopes: ["personal", "team", "groupChat"],
        supportsFiles: false,
        isNotificationOnly: false,
        ...(prompts.length > 0
          ? {
              commandLists: [
                {
                  scopes: ["personal"],
                  commands: prompts.slice(0, MAX_COMMANDS).map(({ title, message }) => ({
                    type: "prompt",
                    title: title.slice(0, 32),
                    description: message.slice(0, 128),
                    prompt: message,
                  })),
                },
              ],
            }
          : {}),
      },
    ],
    permissions: ["identity", "messageTeamMembers"],
    validDomains: [new URL(url).host],
  };
}

const icon = (name: string): Promise<Buffer> => readFile(new URL(`./teams-${name}.png`, import.meta.url));

/** The package that Teams takes: manifest and icons in a zip. */
export async function teamsPackage(manifest: Readonly<Record<string, unknown>>): Promise<Uint8Array> {
  const [color, outline] = await Promise.all([icon("color"), icon("outline")]);
  return zipSync({
    "manifest.json": strToU8(JSON.stringify(manifest, null, 2)),
    "color.png": color,
    "outline.png": outline,
  });
}
