import { type Caller, send } from "./api.ts";
import type { Turn } from "./turn.ts";

/** An answer is written down a moment after its last word: a vote that comes before waits this long, in milliseconds. */
const MOMENT_MS = 1500;

/** Keeps votes as a caller. */
export function voter(caller: () => Caller): (turn: Turn, rating: 1 | -1) => Promise<boolean> {
  return async ({ answer }, rating) => {
    const body = { answer_id: answer?.id ?? "", rating };
    const sent = await send("POST", "/v1/feedback", caller(), body);
    if (sent.ok || sent.problem.code !== "not_found") return sent.ok;
    await new Promise((resolve) => setTimeout(resolve, MOMENT_MS));
    return (await send("POST", "/v1/feedback", caller(), body)).ok;
  };
}
