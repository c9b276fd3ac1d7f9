import { ask, type AskEvent, type AskRequest, type Caller } from "../console/api.ts";

/** How a page tells who its reader is. Called when a token is needed and none is held, or the last one has ended. */
export type GetToken = () => Promise<string>;

export interface Session {
  /** Streams an answer. A token that has ended is renewed once. Ends with one `done` or `error`, except when aborted. */
  ask(request: AskRequest, signal: AbortSignal): AsyncGenerator<AskEvent>;
  /** Keeps a vote. False when it could not be kept. */
  vote(answer: string, rating: 1 | -1): Promise<boolean>;
}

export interface SessionSettings {
  /** Origin of the Worker. */
  readonly base: string;
  /** Undefined where no token is needed: demo mode, or a sign-on in front of the Worker. */
  readonly getToken: () => GetToken | undefined;
  readonly demoUser: () => string | undefined;
}

/** Tokens stay in memory and go into one header of requests to one host. */
export function makeSession({ base, getToken, demoUser }: SessionSettings): Session {
  let token: string | undefined;

  const caller = async (): Promise<Caller> => {
    const get = getToken();
    if (get) token ??= await get();
    return { base, demoUser: demoUser(), key: token };
  };

  return {
    async *ask(request, signal) {
      for (let renewed = false; ; renewed = true) {
        let who: Caller;
        try {
          who = await caller();
        } catch {
          yield { type: "error", problem: ENDED };
          return;
        }
        let again = false;
        for await (const event of ask(request, who, signal)) {
          again =
            event.type === "error" && event.problem.status === 401 && getToken() !== undefined && !renewed;
          if (!again) yield event;
        }
        if (!again) return;
        token = undefined;
      }
    },
    async vote(answer, rating) {
      try {
        const { key, demoUser: user } = await caller();
        const response = await fetch(`${base}/v1/feedback`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            ...(user === undefined ? {} : { "x-quayside-demo-user": user }),
            ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          },
          body: JSON.stringify({ answer_id: answer, rating }),
        });
        return response.ok;
      } catch {
        return false;
      }
    },
  };
}

/** The page could not say who its reader is: for them, their session is over. */
const ENDED = { code: "unauthenticated", status: 401, requestId: "", retryable: false, retryAfterSeconds: 0 };
