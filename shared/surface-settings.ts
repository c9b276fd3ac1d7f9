import * as z from "zod/mini";

/**
 * Settings of the surfaces, as the configuration holds them under `surfaces`. They are made on first use, like the rest of the
 * configuration's schemas.
 */
export function makeSurfaceSchema() {
  /** What everyone in a channel may see, as groups and attributes that row policy compares. */
  const audience = z.strictObject({
    groups: z.optional(z.array(z.string())),
    attributes: z.optional(z.record(z.string(), z.array(z.string()))),
  });
  const prompt = z.strictObject({
    title: z.string().check(z.minLength(1), z.maxLength(75)),
    message: z.string().check(z.minLength(1), z.maxLength(2000)),
  });
  /** What bots have in common. */
  const chat = {
    /** Channels by id; `*` for every other. A channel without an audience gets no answer that all of it can read. */
    channels: z.optional(z.record(z.string(), audience)),
    /** Models that people may choose from; they need to be in the register. */
    models: z.optional(z.array(z.string()).check(z.maxLength(25))),
    /** Questions to begin with. */
    prompts: z.optional(z.array(prompt).check(z.maxLength(4))),
  };
  return z.strictObject({
    /** Origins of pages that may call the API from a browser. */
    allowedOrigins: z.optional(z.array(z.string())),
    slack: z.optional(
      z.strictObject({
        /** Answers in channels that another organisation is in; default no. */
        sharedChannels: z.optional(z.boolean()),
        ...chat,
      }),
    ),
    teams: z.optional(
      z.strictObject({
        /** Asks Microsoft Graph for a person's address and groups; without it, people are known by their Entra ids. */
        graph: z.optional(z.boolean()),
        ...chat,
      }),
    ),
  });
}
