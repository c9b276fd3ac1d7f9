import type { ChatMessage } from "../../shared/ports/chat-provider.ts";

/** A message from a chat platform, verified by its surface and not answered yet. */
export interface Delivery {
  /**
   * Everything that the platform may know the message by, such as an event's id and channel with time stamp. A delivery that
   * shares one with an earlier one is that one again.
   */
  readonly ids: readonly string[];
  /** Name of the surface whose answerer takes it. */
  readonly surface: string;
  /** What that answerer needs, in its own form. Forgotten once the message is answered. */
  readonly work: string;
}

export interface ThreadApi {
  /** Takes a message in, durably. False when it was taken in before: then nothing is left to do. */
  deliver(delivery: Delivery): Promise<boolean>;
}

/** What a thread keeps for the answerer of one message. */
export interface ThreadMemory {
  /** 1 for the first try; `last` when there is no further one: then the answerer itself says that it failed. */
  readonly attempt: number;
  readonly last: boolean;
  /** A step of this message that was taken, in this try or an earlier one; undefined when it was not. */
  step(name: string): string | undefined;
  /** Writes a step down, durably before it resolves, so that no later try takes it again. */
  note(name: string, value: string): Promise<void>;
  /** Something that the whole thread keeps for a day, such as which answer a message of ours held. */
  recall(name: string): string | undefined;
  keep(name: string, value: string): void;
  /** Earlier turns that were written for exactly this audience, oldest first. */
  history(audience: string): readonly ChatMessage[];
  /** @param audience who may read the answer, as one string: a turn is never shown to another. */
  remember(audience: string, question: string, answer: string): void;
}

/** Answers one message of a thread. Throws for what another try may mend, and never on the last. */
export type Answerer = (work: string, memory: ThreadMemory, signal: AbortSignal) => Promise<void>;
