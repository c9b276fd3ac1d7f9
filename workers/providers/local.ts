import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { compose } from "./local-compose.ts";
import { quote } from "./local-quote.ts";

/**
 * The built-in answerers: no model, no network, no key. `local/compose` answers from the matching cells and sentences,
 * `local/quote` quotes them. Both say only what the rows say, and say so when they say nothing.
 */
const ANSWERERS = { compose, quote } as const;

/** Names of the built-in answerers, without their provider. */
export const LOCAL_MODELS: readonly string[] = Object.keys(ANSWERERS);

/** Takes no settings. `stream` rejects with `unknown_model` for a name that is not in `LOCAL_MODELS`, `cancelled` or `deadline_exceeded`. */
export const localProvider: Factory<ChatProvider> = () => ({
  async *stream(request, signal): AsyncIterable<ChatEvent> {
    const name = request.model.replace(/^local\//, "");
    if (!isAnswerer(name)) {
      throw new QuaysideError("unknown_model", `The built-in answerers are ${LOCAL_MODELS.join(" and ")}.`);
    }
    if (signal.aborted) throw aborted(signal);
    const { text, reason } = ANSWERERS[name](request);
    // Word by word, as a model would: what shows and checks a stream is then exercised without one.
    for (const piece of text.match(/\S+\s*/g) ?? []) {
      if (signal.aborted) throw aborted(signal);
      yield { type: "text-delta", text: piece };
    }
    yield { type: "finish", reason, usage: { inputTokens: 0, outputTokens: 0 } };
  },
});

function isAnswerer(name: string): name is keyof typeof ANSWERERS {
  return Object.hasOwn(ANSWERERS, name);
}
