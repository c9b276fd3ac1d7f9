import type { Caller } from "./api.ts";
import type { Opened } from "./evidence.ts";
import type { Context } from "./format.ts";
import type { Demo, Model } from "./wire.ts";

/** What the pages share: who speaks, in which language, and what the rest of the console can do for them. */
export interface App {
  readonly context: () => Context;
  /** Undefined outside demo mode, and until it is known. */
  readonly demo: () => Demo | undefined;
  /** The models that the current person may choose among; undefined when they could not be loaded. */
  readonly models: () => readonly Model[] | undefined;
  /** Name of the current person among `context().users`; undefined while nobody is known. */
  readonly user: () => string | undefined;
  /** @param user default: the current person. */
  readonly callerOf: (user?: string) => Caller;
  /** What the current person's credential stands for; empty while unknown. */
  readonly subject: () => string;
  /** Whether a person may do this, as far as is known: what is not known is tried. @param user default: the current person. */
  readonly may: (scope: string, user?: string) => boolean;
  /** One sentence for screen readers. */
  readonly announce: (text: string) => void;
  readonly openSource: (opened: Opened) => void;
  /** Asks for an API key; `then` gets the name of the new person. Without `then` the page goes on as that person. */
  readonly useKey: (then?: (user: string) => void) => void;
  /** A request was answered `unauthenticated`: asks for a key, unless somebody is known already. */
  readonly unknownCaller: () => void;
}

/** A page beside the conversation. Made when it is first shown. */
export interface Page {
  readonly element: HTMLElement;
  /** It is in view from now on, or another person looks at it. */
  show(): void;
  /** It is out of view: what runs by itself stops. */
  hide(): void;
  /** Shows everything again, after a change of language. */
  render(): void;
}

export const PAGES = ["people", "models", "tables", "runs", "feedback", "budgets"] as const;

export type PageName = (typeof PAGES)[number];

/** Where an address leads: a page (`#/runs`), the conversation (undefined), or a row over whatever is open (`#row=…`). */
export type Route = { readonly page: PageName | undefined } | { readonly row: string };

/** Undefined for a fragment that is no address of ours. */
export function routeOf(hash: string): Route | undefined {
  const row = /^#row=(.+)$/s.exec(hash)?.[1];
  if (row !== undefined) return { row: decoded(row) };
  if (hash === "" || hash === "#" || hash === "#/") return { page: undefined };
  const page = PAGES.find((name) => hash === `#/${name}`);
  return page && { page };
}

export const rowAddress = (id: string): string => `#row=${encodeURIComponent(id)}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
