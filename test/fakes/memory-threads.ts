import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import type { Answerer, Delivery, ThreadMemory } from "../../workers/thread/api.ts";

/** Threads in memory that answer when they are told to, as the objects do in their alarms. */
export interface MemoryThreads {
  deliver(thread: string, delivery: Delivery): Promise<boolean>;
  /** Answers everything that waits; each message up to three times. */
  run(answer: Answerer): Promise<void>;
  /** Tries that failed, in order. */
  readonly failures: readonly unknown[];
  readonly waiting: number;
}

export function makeMemoryThreads(): MemoryThreads {
  const known = new Set<string>();
  const queue: { readonly thread: string; readonly work: string }[] = [];
  const turns: { thread: string; audience: string; messages: readonly ChatMessage[] }[] = [];
  const failures: unknown[] = [];
  const facts = new Map<string, string>();

  const memoryOf = (thread: string, steps: Map<string, string>, attempt: number): ThreadMemory => ({
    attempt,
    last: attempt === 3,
    step: (name) => steps.get(name),
    note: async (name, value) => void steps.set(name, value),
    recall: (name) => facts.get(`${thread} ${name}`),
    keep: (name, value) => void facts.set(`${thread} ${name}`, value),
    history: (audience) =>
      turns
        .filter((turn) => turn.thread === thread && turn.audience === audience)
        .flatMap((turn) => turn.messages),
    remember(audience, question, answer) {
      const messages = [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ] as const;
      turns.push({ thread, audience, messages });
    },
  });

  return {
    failures,
    get waiting() {
      return queue.length;
    },
    async deliver(thread, { ids, work }) {
      const seen = ids.some((id) => known.has(`${thread} ${id}`));
      for (const id of ids) known.add(`${thread} ${id}`);
      if (!seen) queue.push({ thread, work });
      return !seen;
    },
    async run(answer) {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const steps = new Map<string, string>();
        for (let attempt = 1; attempt <= 3; attempt++) {
          try {
            await answer(next.work, memoryOf(next.thread, steps, attempt), new AbortController().signal);
            break;
          } catch (error) {
            failures.push(error);
          }
        }
      }
    },
  };
}
