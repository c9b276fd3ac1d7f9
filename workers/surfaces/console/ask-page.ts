import type { App } from "./app.ts";
import { conversation } from "./conversation.ts";
import { byId, h, icon, recall, remember } from "./dom.ts";
import { examplesView, heroText, tablesView } from "./home.ts";
import type { Menu } from "./menus.ts";
import type { TableInfo } from "./wire.ts";
import { voter } from "./vote.ts";

/** Longest question, in code points: the server's default limit. */
const MAX_QUESTION = 4000;

function codePoints(text: string): number {
  return Array.from(text).length;
}

export interface AskPageDeps {
  readonly app: App;
  /** The menus of the composer. */
  readonly who: Menu;
  readonly which: Menu;
  /** The model chosen; undefined leaves the choice to the server. */
  readonly model: () => string | undefined;
  readonly switchUser: (name: string, askAgain: boolean) => void;
  readonly closePanel: () => void;
}

export interface AskPage {
  show(): void;
  hide(): void;
  render(): void;
  /** Shows the turns again: the language has changed, or who else could ask. */
  translate(): void;
  /** The tables that the current person sees; undefined when they could not be loaded. */
  setTables(tables: readonly TableInfo[] | undefined | "loading"): void;
  /** Another person asks from here on. @returns the last question, if there was one. */
  divide(user: string): string | undefined;
  ask(question: string, fresh: boolean): Promise<void>;
  focus(): void;
}

/** The conversation, with what invites to one while it is empty. Its parts stand in index.html. */
export function askPage(deps: AskPageDeps): AskPage {
  const { app, who, which } = deps;
  const context = app.context;
  let tables: readonly TableInfo[] | undefined | "loading" = "loading";
  let shown = false;

  const box = byId("question", HTMLTextAreaElement);
  const send = byId("submit", HTMLButtonElement);
  const restart = byId("restart", HTMLButtonElement);
  const parts = document.querySelectorAll<HTMLElement>("[data-part='ask']");

  const talk = conversation({
    log: byId("log", HTMLElement),
    context,
    caller: () => app.callerOf(),
    user: app.user,
    model: deps.model,
    actions: {
      cite: (turn, marker) =>
        app.openSource({ citations: turn.citations, marker, text: turn.text, user: turn.user }),
      again: (turn) => again(turn, {}),
      vote: (turn, rating) => voter(() => app.callerOf(turn.user))(turn, rating),
    },
    again: (turn, options) => again(turn, options),
    changed: () => renderState(),
    announce: app.announce,
  });

  function again(
    turn: { readonly question: string; readonly user: string | undefined },
    options: { readonly user?: string; readonly fresh?: boolean },
  ): void {
    const next = options.user ?? turn.user;
    if (next !== undefined) deps.switchUser(next, false);
    void ask(turn.question, options.fresh === true);
  }

  async function ask(question: string, fresh: boolean): Promise<void> {
    deps.closePanel();
    const turn = await talk.ask(question, fresh);
    if (turn.problem?.code === "unauthenticated") app.unknownCaller();
  }

  function render(): void {
    const demo = app.demo();
    byId("place", HTMLElement).textContent = demo?.name ?? "";
    byId("hero-text", HTMLElement).replaceChildren(...heroText(demo?.name ?? "", context()));
    byId("examples", HTMLElement).replaceChildren(
      ...examplesView(demo?.examples ?? [], context(), (example) => {
        deps.switchUser(example.as, false);
        void ask(example.question, false);
      }),
    );
    which.render(context());
    renderTables();
    renderState();
  }

  function renderState(): void {
    const { s } = context();
    document.body.classList.toggle("home", shown && talk.empty);
    restart.hidden = !shown || talk.empty;
    box.placeholder = talk.following ? s.followPlaceholder : s.askPlaceholder;
    renderBox();
  }

  function renderTables(): void {
    byId("tables", HTMLElement).replaceChildren(
      ...(tables === "loading"
        ? [h("p", { class: "soft" }, `${context().s.loading} …`)]
        : tablesView(tables, app.user(), context())),
    );
  }

  function renderBox(): void {
    const { s } = context();
    const over = codePoints(box.value) - MAX_QUESTION;
    const empty = box.value.trim() === "";
    send.replaceChildren(icon(talk.running ? "stop" : "ask"), h("span", {}, talk.running ? s.stop : s.ask));
    send.setAttribute("aria-disabled", String(!talk.running && (empty || over > 0)));
    const hint = byId("hint", HTMLElement);
    hint.textContent = over > 0 ? s.tooLong(over) : s.keys;
    hint.classList.toggle("bad", over > 0);
    box.setAttribute("aria-invalid", String(over > 0));
  }

  function grow(): void {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
    renderBox();
  }

  function submit(): void {
    const question = box.value.trim();
    if (talk.running || question === "" || codePoints(question) > MAX_QUESTION) return;
    box.value = "";
    grow();
    void ask(question, false);
  }

  byId("ask", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    if (talk.running) talk.stop();
    else submit();
  });
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });

  // WCAG 2.1.4: a shortcut of one character can be switched off.
  const slash = byId("slash", HTMLInputElement);
  slash.checked = recall("slash") !== "off";
  slash.addEventListener("change", () => remember("slash", slash.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (event.key !== "/" || !shown || !slash.checked || typing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    deps.closePanel();
    box.focus();
  });

  restart.addEventListener("click", () => {
    deps.closePanel();
    talk.clear();
    app.announce(context().s.cleared);
    scrollTo(0, 0);
    box.focus();
  });

  const view = (now: boolean): void => {
    shown = now;
    for (const part of parts) part.hidden = !now;
    renderState();
  };

  return {
    show() {
      byId("controls", HTMLElement).prepend(who.element, which.element);
      view(true);
      render();
    },
    hide: () => view(false),
    render,
    translate: () => talk.render(),
    setTables(next) {
      tables = next;
      renderTables();
    },
    divide(user) {
      const { last } = talk;
      talk.divide(user);
      return last;
    },
    ask,
    focus: () => box.focus(),
  };
}
