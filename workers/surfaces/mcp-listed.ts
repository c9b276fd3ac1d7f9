import * as z from "zod/mini";
import { askInput, askOutput, fetchInput, fetchOutput, searchInput, searchOutput } from "./mcp-tools.ts";

/**
 * What `tools/list` says of each tool. `workers/build-docs.ts` runs this module and leaves what it exports in the Worker, as
 * JSON: what makes JSON Schemas is then not in it.
 */

/** All tools only read. */
const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

export const ASK = listed(
  "ask",
  "Ask",
  "Answers a question from the warehouse's rows, with citations. Says so when no row answers.",
  askInput,
  askOutput,
);

export const SEARCH = listed(
  "search",
  "Search",
  "Finds rows of the warehouse's tables by words and meaning, best first. Read one whole with fetch.",
  searchInput,
  searchOutput,
);

export const FETCH = listed(
  "fetch",
  "Fetch",
  "Reads one row whole, by an id from search or from a citation.",
  fetchInput,
  fetchOutput,
);

function listed(
  name: string,
  title: string,
  description: string,
  input: z.ZodMiniType,
  output: z.ZodMiniType,
) {
  const inputSchema = z.toJSONSchema(input, { io: "input" });
  const outputSchema = z.toJSONSchema(output);
  return { name, title, description, inputSchema, outputSchema, annotations: READS };
}
