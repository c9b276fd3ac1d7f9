import type { App } from "./app.ts";
import { button, h, icon } from "./dom.ts";
import { languageOf } from "./prose.ts";

export interface AskFormOptions {
  /** What the button says. */
  submit(): string;
  /** Whom or what to ask; made anew with every `render`. */
  settings(): readonly Node[];
  /** Why it can't be asked as things are set; undefined when it can. */
  refuse(): string | undefined;
  ask(question: string): void;
  stop(): void;
}

export interface AskForm {
  readonly element: HTMLElement;
  render(): void;
  /** Looks again at what is set. */
  check(): void;
  busy(busy: boolean): void;
}

/** Examples that a page offers before its first question. */
const EXAMPLES = 3;

/** A question for several at once. */
export function askForm(app: App, options: AskFormOptions): AskForm {
  const box = h("textarea", { id: "several-question", rows: 2, maxlength: 4000 });
  const label = h("label", { class: "sr", for: "several-question" });
  const settings = h("div", { class: "settings" });
  const said = h("p", { class: "said", id: "several-said", role: "status" });
  const send = h("button", { type: "submit", class: "primary" });
  const examples = h("div", { class: "tries" });
  const form = h("form", { class: "several" }, label, box, settings, h("div", { class: "send" }, said, send));
  const element = h("div", { class: "asking" }, form, examples);
  box.setAttribute("aria-describedby", "several-said");
  let busy = false;

  const check = (): void => {
    const { s } = app.context();
    const refusal = busy ? undefined : options.refuse();
    // Said once: a screen reader reads it again with every change.
    if (said.textContent !== (refusal ?? "")) said.textContent = refusal ?? "";
    send.replaceChildren(icon(busy ? "stop" : "ask"), h("span", {}, busy ? s.stop : options.submit()));
    const off = !busy && (refusal !== undefined || box.value.trim() === "");
    send.setAttribute("aria-disabled", String(off));
  };

  const submit = (): void => {
    const question = box.value.trim();
    if (busy) return options.stop();
    if (question === "" || options.refuse() !== undefined) return;
    examples.hidden = true;
    options.ask(question);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box.addEventListener("input", check);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });

  return {
    element,
    check,
    busy(now) {
      busy = now;
      check();
    },
    render() {
      const { s } = app.context();
      label.textContent = s.pages.question;
      box.placeholder = s.askPlaceholder;
      settings.replaceChildren(...options.settings());
      const offered = (app.demo()?.examples ?? []).slice(0, EXAMPLES);
      examples.replaceChildren(
        ...(offered.length === 0 ? [] : [h("span", { class: "soft" }, s.pages.tryOne)]),
        ...offered.map(({ question }) =>
          button(
            { class: "plain try", lang: languageOf(question) },
            () => {
              box.value = question;
              check();
              submit();
            },
            question,
          ),
        ),
      );
      check();
    },
  };
}
