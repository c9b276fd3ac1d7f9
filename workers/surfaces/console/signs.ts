import { h } from "./dom.ts";
import type { Context } from "./format.ts";

/** A word about something, in a colour that says no more than the word. */
export function tag(tone: "" | "good" | "warn" | "bad" | "sea", text: string): HTMLElement {
  return h("span", { class: `sign ${tone}` }, text);
}

const TONES: Readonly<Record<string, "" | "good" | "warn" | "bad" | "sea">> = {
  queued: "",
  running: "sea",
  published: "good",
  unchanged: "good",
  failed: "bad",
  cancelled: "warn",
};

/** How a run stands. */
export function stateTag(state: string, context: Context): HTMLElement {
  return tag(TONES[state] ?? "", context.s.pages.runs.state[state] ?? state);
}

/** How much of what is allowed is used, 0 to 1 and beyond: a picture of what the text beside it says. */
export function gauge(share: number): HTMLElement {
  const level = share >= 1 ? "full" : share >= 0.8 ? "near" : "";
  const part = h("span", {});
  part.style.inlineSize = `${Math.min(100, Math.max(0, share * 100))}%`;
  return h("span", { class: `gauge ${level}`, "aria-hidden": "true" }, part);
}
