import * as z from "zod/mini";

/** What the tools take and give. What a tool gives is only described, never parsed. */

const name = z.string().check(z.maxLength(200));
const words = z.string().check(z.minLength(1));

export const askInput = z.object({
  question: words,
  model: z.optional(name.check(z.describe("A model or alias; default: the configured one"))),
  tables: z.optional(z.array(name).check(z.minLength(1), z.maxLength(100), z.describe("Only these tables"))),
});

export const askOutput = z.object({
  answer: z.string(),
  outcome: z.enum(["answered", "no_evidence", "refused"]),
  reason: z.nullable(z.string()),
  citations: z.array(
    z.object({
      n: z.number().check(z.describe("The marker [n] in the answer")),
      id: z.string().check(z.describe("The row, for fetch")),
      table: z.string(),
      title: z.string(),
      excerpt: z.string(),
      as_of: z.string().check(z.describe("Up to when the row is known to match the warehouse")),
      url: z.nullable(z.string()),
    }),
  ),
  model: z.string(),
  as_of: z.nullable(z.string()),
  ai_generated: z.literal(true),
});

export type AskResult = z.infer<typeof askOutput>;

/** As clients that do research take it: a list of results, of which one is fetched by its id. */
export const searchInput = z.object({ query: words });

export const searchOutput = z.object({
  results: z.array(z.object({ id: z.string(), title: z.string(), url: z.string(), snippet: z.string() })),
});

export type SearchResult = z.infer<typeof searchOutput>;

export const fetchInput = z.object({ id: words.check(z.maxLength(2000)) });

export const fetchOutput = z.object({
  id: z.string(),
  title: z.string(),
  text: z.string(),
  url: z.string(),
  metadata: z.record(z.string(), z.string()),
});

export type FetchResult = z.infer<typeof fetchOutput>;
