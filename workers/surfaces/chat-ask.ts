import type { Language } from "../../shared/analysis.ts";
import { limitsOf, type Config } from "../../shared/config.ts";
import type { Answer, Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Directory } from "../auth/directory.ts";
import type { ThreadMemory } from "../thread/api.ts";
import { chatTexts } from "./chat-texts.ts";
import { inertMarkdown } from "./inert.ts";
import { makeSentences } from "./sentences.ts";

/** What the chat surfaces have in common: who reads an answer, how it is asked for, what is said when there is none. */

export interface ChatDeps {
  readonly directory: Directory;
  readonly ask: Ask;
  /** The rows of these ids that the caller may see. */
  readonly rows: (
    ids: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ) => Promise<readonly Evidence[]>;
  /** Models of these that the caller may ask. */
  readonly models: (
    among: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  /**
   * Keeps a vote; left out where none is kept.
   * @param audience subject of the channel in which the vote was cast, which may have been asked for instead of the voter.
   * @throws QuaysideError `not_found` for an answer that neither was given.
   */
  readonly feedback?: (
    answer: string,
    rating: 1 | -1,
    voter: Principal,
    audience: string,
    signal: AbortSignal,
  ) => Promise<void>;
  /** The published configuration. */
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
  readonly tenant: string;
  readonly host: Pick<Host, "now" | "log">;
}

/** One message with everything that every way of answering it needs. */
export interface ChatJob {
  readonly deps: ChatDeps;
  readonly config: Config;
  readonly memory: ThreadMemory;
  readonly signal: AbortSignal;
  readonly language: Language;
}

/** What everyone in a channel may see, by its id; `*` for every other. */
type Audiences = Readonly<
  Record<
    string,
    {
      readonly groups?: readonly string[] | undefined;
      readonly attributes?: Readonly<Record<string, readonly string[]>> | undefined;
    }
  >
>;

const TOP_K = 8;

/** Does the work; what fails is tried again by throwing, and told where there is no further try. */
export async function attempt(
  job: ChatJob,
  say: (text: string) => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof QuaysideError ? error.code : "internal";
    if (code === "platform_rejected") throw error;
    const passing = code === "internal" || code.endsWith("_unavailable");
    if (passing && !job.memory.last) throw error;
    job.deps.host.log({ level: "warn", event: "chat-answer-failed", code, attempt: job.memory.attempt });
    await say(chatTexts(job.language).failed(code));
  }
}

/** Everyone in the channel, as one: what the configuration says that all of them may see. Undefined: nothing. */
export function audienceOf(
  { deps }: ChatJob,
  channels: Audiences | undefined,
  channel: string,
  subject: string,
): Principal | undefined {
  const audience = channels && (Object.hasOwn(channels, channel) ? channels[channel] : channels["*"]);
  if (!audience) return undefined;
  return {
    tenant: deps.tenant,
    subject,
    groups: audience.groups ?? [],
    attributes: audience.attributes ?? {},
    scopes: ["ask"],
  };
}

/**
 * Asks as somebody, with what was said before to exactly this audience.
 * @param model undefined for the preset; another one asks the last question again.
 * @param onText is given the text sentence by sentence, safe to show.
 */
export async function askAs(
  job: ChatJob,
  text: string,
  principal: Principal,
  audience: string,
  model: string | undefined,
  onText?: (part: string) => Promise<void>,
): Promise<Answer> {
  const limits = limitsOf(job.config);
  if (Array.from(text).length > limits.questionChars) {
    throw new QuaysideError("question_too_long", "The question is too long.");
  }
  const question: Question = {
    text,
    // The same question again is asked without its own answer.
    history: job.memory
      .history(audience)
      .slice(-limits.historyMessages, model === undefined ? undefined : -2),
    model,
    fallbacks: [],
    tables: undefined,
    topK: TOP_K,
    cache: "default",
    maxOutputTokens: limits.outputTokens,
  };
  const sentences = makeSentences();
  for await (const event of job.deps.ask(question, principal, job.signal)) {
    if (event.type === "done") return event.answer;
    const ready = sentences.push(event);
    if (ready !== "") await onText?.(inertMarkdown(ready, []));
  }
  throw new QuaysideError("internal", "An answer without an end.");
}

export function safeText(answer: Answer): string {
  return inertMarkdown(answer.text, []);
}

export function lastQuestion(memory: ThreadMemory, audience: string): string | undefined {
  return memory.history(audience).findLast(({ role }) => role === "user")?.content;
}
