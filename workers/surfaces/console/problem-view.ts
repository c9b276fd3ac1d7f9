import { button, h, icon } from "./dom.ts";
import type { Context } from "./format.ts";
import type { Problem } from "./wire.ts";

/** Failures that pass by themselves, whatever the server says of them. */
const PASSING = new Set(["rate_limited", "too_many_concurrent"]);

/** A failed question in human words, with the request's id for whoever looks after the server, and a way on. */
export function problemView(problem: Problem, context: Context, retry: () => void): HTMLElement {
  const { s } = context;
  const [title, text] = s.problem[problem.code] ?? s.problem["other"] ?? ["", ""];
  const waits = PASSING.has(problem.code);
  return h(
    "div",
    { class: `card ${waits ? "wait" : "failed"}`, role: "group", "aria-label": title },
    icon(waits ? "wait" : problem.code === "offline" ? "offline" : "storm"),
    h(
      "div",
      {},
      h("h3", {}, title),
      h("p", {}, text),
      (problem.retryable || waits) && retryButton(problem, context, retry),
      problem.requestId !== "" &&
        h("p", { class: "soft" }, `${s.request} `, h("code", {}, problem.requestId)),
    ),
  );
}

/** Waits as long as the server asked for, counting down, before it can be pressed. */
function retryButton(problem: Problem, context: Context, retry: () => void): HTMLButtonElement {
  const { s } = context;
  const label = h("span", {}, s.retry);
  const element = button({ class: "plain" }, retry, icon("again"), label);
  let left = Math.min(problem.retryAfterSeconds, 300);
  if (left <= 0) return element;
  element.disabled = true;
  label.textContent = s.retryIn(left);
  const timer = setInterval(() => {
    left -= 1;
    element.disabled = left > 0;
    label.textContent = left > 0 ? s.retryIn(left) : s.retry;
    if (left <= 0 || !element.isConnected) clearInterval(timer);
  }, 1000);
  return element;
}
