import { type Caller, get } from "./api.ts";
import { conversation } from "./conversation.ts";
import { byId, h, icon, recall, remember } from "./dom.ts";
import { evidencePanel } from "./evidence.ts";
import { type Context, type Language, labelOf, stringsOf } from "./format.ts";
import { examplesView, heroText, tablesView } from "./home.ts";
import { modelMenu, userMenu } from "./menus.ts";
import { type Demo, type Model, readDemo, readModels, readTables, type TableInfo } from "./wire.ts";

/** Longest question, in code points: the server's default limit. */
const MAX_QUESTION = 4000;

/** The reader's own language, when the page speaks it. */
function languageOfBrowser(): Language | undefined {
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag): tag is Language => tag === "en" || tag === "fr");
}

function rememberedLanguage(): Language | undefined {
  const chosen = recall("language");
  return chosen === "en" || chosen === "fr" ? chosen : undefined;
}

function codePoints(text: string): number {
  return Array.from(text).length;
}

/** Puts the language's sentences into everything that index.html marks with `data-text` and `data-label`. */
function translatePage(context: Context): void {
  const sentences: Readonly<Record<string, unknown>> = context.s;
  const say = (attribute: "text" | "label", put: (element: HTMLElement, text: string) => void): void => {
    for (const element of document.querySelectorAll<HTMLElement>(`[data-${attribute}]`)) {
      const text = sentences[element.dataset[attribute] ?? ""];
      if (typeof text === "string") put(element, text);
    }
  };
  say("text", (element, text) => void (element.textContent = text));
  say("label", (element, text) => element.setAttribute("aria-label", text));
  document.documentElement.lang = context.language;
  document.title = context.s.title;
  for (const element of document.querySelectorAll<HTMLElement>("[data-language]")) {
    element.setAttribute("aria-pressed", String(element.dataset["language"] === context.language));
  }
}

function start(): void {
  const first = rememberedLanguage() ?? languageOfBrowser() ?? "en";
  let context: Context = { language: first, s: stringsOf(first), users: [] };
  let demo: Demo | undefined;
  let user = recall("user");
  let key: string | undefined;
  let models: readonly Model[] | undefined = [];
  let model = recall("model") ?? "";
  let tables: readonly TableInfo[] | undefined | "loading" = "loading";

  const box = byId("question", HTMLTextAreaElement);
  const send = byId("submit", HTMLButtonElement);
  const signIn = byId("sign-in", HTMLElement);
  const live = byId("live", HTMLElement);
  const panel = evidencePanel(byId("evidence", HTMLDialogElement));
  const caller = (): Caller => ({ demoUser: user, key });

  const talk = conversation({
    log: byId("log", HTMLElement),
    context: () => context,
    caller,
    user: () => user,
    model: () => model || undefined,
    actions: {
      cite(turn, marker) {
        panel.open({ citations: turn.citations, marker, text: turn.text }, context);
      },
      again(turn, options) {
        const next = options.user ?? turn.user;
        if (next !== undefined) switchUser(next, false);
        void ask(turn.question, options.fresh === true);
      },
    },
    changed: () => renderState(),
    announce: (text) => void (live.textContent = text),
  });

  const who = userMenu(
    () => user,
    (name) => switchUser(name, true),
  );
  const which = modelMenu(
    () => ({ models, chosen: model }),
    (id) => {
      model = id;
      remember("model", id);
      which.render(context);
      which.element.querySelector<HTMLElement>(":checked")?.focus();
    },
  );
  byId("controls", HTMLElement).prepend(who.element, which.element);

  async function ask(question: string, fresh: boolean): Promise<void> {
    panel.close();
    const turn = await talk.ask(question, fresh);
    if (turn.problem?.code === "unauthenticated") signIn.hidden = false;
  }

  /** Another person sees other rows: nothing of the earlier turns goes along, and the last question is asked again. */
  function switchUser(name: string, askAgain: boolean): void {
    if (name === user) return;
    panel.close();
    user = name;
    remember("user", name);
    const { last } = talk;
    talk.divide(name);
    tables = "loading";
    render();
    live.textContent = context.s.switched(labelOf(context, name));
    void loadFor();
    if (askAgain && last !== undefined) void ask(last, false);
  }

  function speak(language: Language): void {
    context = { ...context, language, s: stringsOf(language) };
    render();
    talk.render();
    panel.translate(context);
  }

  // ── showing ──

  function render(): void {
    translatePage(context);
    byId("place", HTMLElement).textContent = demo?.name ?? "";
    byId("hero-text", HTMLElement).replaceChildren(...heroText(demo?.name ?? "", context));
    byId("examples", HTMLElement).replaceChildren(
      ...examplesView(demo?.examples ?? [], context, (example) => {
        switchUser(example.as, false);
        void ask(example.question, false);
      }),
    );
    who.element.hidden = context.users.length === 0;
    who.render(context);
    which.render(context);
    renderTables();
    renderState();
  }

  function renderState(): void {
    const { s } = context;
    document.body.classList.toggle("home", talk.empty);
    box.placeholder = talk.following ? s.followPlaceholder : s.askPlaceholder;
    renderBox();
  }

  function renderTables(): void {
    byId("tables", HTMLElement).replaceChildren(
      ...(tables === "loading"
        ? [h("p", { class: "soft" }, `${context.s.loading} …`)]
        : tablesView(tables, user, context)),
    );
  }

  function renderBox(): void {
    const { s } = context;
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

  // ── loading ──

  async function loadFor(): Promise<void> {
    const asked = user;
    const [foundTables, foundModels] = await Promise.all([
      get("/v1/tables", caller()),
      get("/v1/models", caller()),
    ]);
    if (asked !== user) return;
    tables = foundTables.ok ? readTables(foundTables.value) : undefined;
    models = foundModels.ok ? readModels(foundModels.value) : undefined;
    if (models && !models.some((m) => m.id === model && m.available)) model = "";
    if (!foundTables.ok && foundTables.problem.code === "unauthenticated") signIn.hidden = false;
    renderTables();
    which.render(context);
  }

  async function load(): Promise<void> {
    const found = await get("/v1/demo", { demoUser: undefined, key: undefined });
    if (found.ok) {
      const read = readDemo(found.value);
      demo = read;
      context = { ...context, users: read.users };
      if (!read.users.some((u) => u.name === user)) user = read.users[0]?.name;
    } else {
      user = undefined;
    }
    document.body.classList.add("loaded");
    const theirs = context.users.find((u) => u.name === user)?.language;
    if (!rememberedLanguage() && !languageOfBrowser() && theirs === "fr") speak(theirs);
    else render();
    await loadFor();
  }

  // ── events ──

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
    const typing = event.target instanceof Element && event.target.closest("input, textarea");
    if (event.key !== "/" || !slash.checked || typing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    panel.close();
    box.focus();
  });

  for (const element of document.querySelectorAll<HTMLElement>("[data-language]")) {
    element.addEventListener("click", () => {
      const next = element.dataset["language"] === "fr" ? "fr" : "en";
      remember("language", next);
      speak(next);
    });
  }
  byId("restart", HTMLButtonElement).addEventListener("click", () => {
    panel.close();
    talk.clear();
    live.textContent = context.s.cleared;
    scrollTo(0, 0);
    box.focus();
  });
  byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId("key", HTMLInputElement);
    key = input.value.trim() || undefined;
    input.value = "";
    signIn.hidden = true;
    void loadFor();
    box.focus();
  });
  const banner = byId("offline", HTMLElement);
  const line = (): void => void (banner.hidden = navigator.onLine);
  addEventListener("online", line);
  addEventListener("offline", line);

  line();
  render();
  void load();
}

start();
