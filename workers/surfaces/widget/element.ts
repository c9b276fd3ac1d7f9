import { button, h } from "../console/dom.ts";
import type { Citation } from "../console/wire.ts";
import { makeSession, type GetToken, type Session } from "./session.ts";
import { en, fr, type WidgetStrings } from "./strings.ts";
import css from "./style.css";
import { sourceView, widgetTurn, type WidgetTurn } from "./turn.ts";

/** Where this script came from is where questions go, unless the element says otherwise. */
const script = document.currentScript;
const home = script instanceof HTMLScriptElement && script.src !== "" ? new URL(script.src).origin : "";

const MAX_HISTORY = 12;

/**
 * `<quayside-chat>`: questions and cited answers on any page, behind a button or (attribute `inline`) in its place. It runs in
 * a shadow root with a constructed style sheet, and builds everything from elements, so a page may forbid inline script,
 * inline style and turning strings into markup.
 */
class QuaysideChat extends HTMLElement {
  static readonly observedAttributes = ["open", "lang", "heading"];
  /** Set by the page, or made of the attribute `token-endpoint`. */
  getToken: GetToken | undefined;

  readonly #root = this.attachShadow({ mode: "open" });
  readonly #session: Session = makeSession({
    base: this.getAttribute("endpoint") ?? home,
    getToken: () => this.getToken ?? this.#endpointToken(),
    demoUser: () => this.getAttribute("demo-user") ?? undefined,
  });
  #turns: WidgetTurn[] = [];
  #running: AbortController | undefined;
  #drawn = false;

  connectedCallback(): void {
    if (this.#root.adoptedStyleSheets.length === 0) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      this.#root.adoptedStyleSheets = [sheet];
    }
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#running?.abort();
  }

  attributeChangedCallback(name: string): void {
    if (!this.#drawn || !this.isConnected) return;
    if (name === "open") this.#reveal();
    else this.#draw();
  }

  get #s(): WidgetStrings {
    const language = this.lang || document.documentElement.lang || navigator.language;
    return language.toLowerCase().startsWith("fr") ? fr : en;
  }

  get #inline(): boolean {
    return this.hasAttribute("inline");
  }

  #endpointToken(): GetToken | undefined {
    const path = this.getAttribute("token-endpoint");
    if (path === null) return undefined;
    return async () => {
      const response = await fetch(path, {
        credentials: "same-origin",
        headers: { accept: "application/json" },
      });
      const body: unknown = response.ok ? await response.json() : undefined;
      const token: unknown =
        typeof body === "object" && body !== null ? Reflect.get(body, "token") : undefined;
      if (typeof token !== "string") throw new Error("no token");
      return token;
    };
  }

  #draw(): void {
    const s = this.#s;
    const heading = this.getAttribute("heading") ?? s.title;
    const launcher = button(
      { class: "launcher", part: "launcher", "aria-expanded": "false", "aria-haspopup": "dialog" },
      () => this.setAttribute("open", ""),
      s.open,
    );
    const log = h("div", { class: "body", role: "log", "aria-label": heading, tabindex: 0 });
    const question = h("textarea", {
      rows: 1,
      placeholder: s.placeholder,
      "aria-label": s.placeholder,
      maxlength: 4000,
    });
    const send = h("button", { class: "send", type: "submit" }, s.send);
    const form = h("form", {}, question, send);
    const panel = h(
      "div",
      {
        class: "panel",
        part: "panel",
        "aria-label": heading,
        role: this.#inline ? "region" : "dialog",
      },
      h(
        "div",
        { class: "head" },
        h("h2", {}, heading),
        button({ class: "tool fresh" }, () => this.#fresh(), s.fresh),
        !this.#inline &&
          button({ class: "tool close", "aria-label": s.close }, () => this.removeAttribute("open"), "✕"),
      ),
      log,
      form,
      h("p", { class: "quiet said", role: "status" }),
    );
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.#inline) this.removeAttribute("open");
    });
    question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#running) return this.#running.abort();
      const text = question.value.trim();
      if (text === "") return;
      question.value = "";
      void this.#ask(text);
    });
    this.#root.replaceChildren(...(this.#inline ? [panel] : [launcher, panel]));
    this.#drawn = true;
    this.#showTurns();
    this.#reveal(false);
  }

  /** Shows panel or launcher. @param focus moves the focus with it: only when the reader did it. */
  #reveal(focus = true): void {
    if (this.#inline) return;
    const open = this.hasAttribute("open");
    const launcher = this.#find(".launcher");
    this.#find(".panel").hidden = !open;
    launcher.hidden = open;
    launcher.setAttribute("aria-expanded", String(open));
    if (focus) (open ? this.#find("textarea") : launcher).focus();
  }

  #fresh(): void {
    this.#running?.abort();
    this.#turns = [];
    this.#showTurns();
    this.#find("textarea").focus();
  }

  #showTurns(): void {
    const log = this.#find(".body");
    if (this.#turns.length > 0) log.replaceChildren(...this.#turns.map((turn) => turn.element));
    else log.replaceChildren(this.#intro());
  }

  #intro(): HTMLElement {
    const s = this.#s;
    const prompts = [...this.querySelectorAll("[data-question]")].map((one) => one.textContent.trim());
    return h(
      "div",
      { class: "intro" },
      h("p", {}, s.intro),
      h("p", { class: "muted" }, s.ai),
      prompts.length > 0 &&
        h(
          "div",
          { class: "prompts" },
          ...prompts.map((text) => button({}, () => void this.#ask(text), text)),
        ),
    );
  }

  async #ask(text: string): Promise<void> {
    if (this.#running) return;
    const s = this.#s;
    const running = new AbortController();
    this.#running = running;
    const history = this.#turns.flatMap(({ question, answer }) =>
      answer
        ? [{ role: "user", content: question } as const, { role: "assistant", content: answer.text } as const]
        : [],
    );
    const turn = widgetTurn(text, s, {
      cite: (citation, back) => this.#cite(citation, back),
      again: () => {
        this.#turns = this.#turns.filter((one) => one !== turn);
        this.#showTurns();
        void this.#ask(text);
      },
      vote: (answer, rating) => this.#session.vote(answer, rating),
    });
    this.#turns.push(turn);
    this.#showTurns();
    this.#find(".send").textContent = s.stop;
    this.#say(s.searching);
    const log = this.#find(".body");
    const request = {
      question: text,
      model: this.getAttribute("model") ?? undefined,
      history: history.slice(-MAX_HISTORY),
      fresh: false,
    };
    for await (const event of this.#session.ask(request, running.signal)) {
      // Followed only while the reader is at the end: whoever scrolled up is reading.
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      turn.take(event);
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
    if (running.signal.aborted) turn.stop();
    if (this.#running === running) this.#running = undefined;
    this.#find(".send").textContent = s.send;
    this.#say(turn.answer ? s.ready(turn.answer.citations.length) : "");
  }

  /** A source takes the conversation's place until the reader goes back, to where they were. */
  #cite(citation: Citation, from: HTMLElement): void {
    const log = this.#find(".body");
    const at = log.scrollTop;
    const view = sourceView(citation, this.#s, () => {
      this.#showTurns();
      log.scrollTop = at;
      from.focus();
    });
    log.replaceChildren(view);
    log.scrollTop = 0;
    view.querySelector<HTMLElement>("h3")?.focus();
  }

  /** Read out once, when something is settled: never word by word. */
  #say(text: string): void {
    this.#find(".said").textContent = text;
  }

  #find(selector: string): HTMLElement {
    const found = this.#root.querySelector<HTMLElement>(selector);
    if (!found) throw new TypeError(`the widget has no ${selector}`);
    return found;
  }
}

if (!customElements.get("quayside-chat")) customElements.define("quayside-chat", QuaysideChat);
