import { ask, type Caller, get } from "./api.ts";
import { byId, h, icon, recall, remember } from "./dom.ts";
import { evidencePanel } from "./evidence.ts";
import { type Context, type Language, labelOf, stringsOf } from "./format.ts";
import { examplesView, heroText, tablesView } from "./home.ts";
import { modelMenu, userMenu } from "./menus.ts";
import { applyEvent, newTurn, type Turn, type TurnView, turnView } from "./turn.ts";
import { type Demo, type Model, readDemo, readModels, readTables, type TableInfo } from "./wire.ts";

/** Longest question, in code points: the server's default limit. */
const MAX_QUESTION = 4000;
/** How many earlier turns a follow-up takes along. */
const MAX_HISTORY = 6;

function start(): void {
  let language = firstLanguage();
  let context: Context = { language, s: stringsOf(language), users: [] };
  let demo: Demo | undefined;
  let user = recall("user");
  let key: string | undefined;
  let models: readonly Model[] | undefined = [];
  let model = recall("model") ?? "";
  let tables: readonly TableInfo[] | undefined | "loading" = "loading";
  let turns: { readonly turn: Turn; readonly view: TurnView }[] = [];
  /** Index of the first turn that the next question may build on. */
  let boundary = 0;
  let running: AbortController | undefined;

  const log = byId("log");
  const box = byId("question") as HTMLTextAreaElement;
  const form = byId("ask") as HTMLFormElement;
  const live = byId("live");
  const panel = evidencePanel(byId("evidence") as HTMLDialogElement);
  const caller = (): Caller => ({ demoUser: demo || !key ? user : undefined, key });

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
  byId("controls").prepend(who.element, which.element);

  // ── language ──

  function firstLanguage(): Language {
    const chosen = recall("language");
    if (chosen === "en" || chosen === "fr") return chosen;
    return languageOfBrowser() ?? "en";
  }

  /** The reader's own, when the page speaks it. */
  function languageOfBrowser(): Language | undefined {
    const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
    return known.find((tag): tag is Language => tag === "en" || tag === "fr");
  }

  function speak(next: Language): void {
    language = next;
    context = { ...context, language, s: stringsOf(language) };
    document.documentElement.lang = language;
    render();
    for (const { view } of turns) view.render(context);
    for (const divider of log.querySelectorAll<HTMLElement>(".divider")) {
      divider.replaceChildren(...dividerText(divider.dataset["user"]));
    }
    panel.translate(context);
  }

  // ── everything around the conversation ──

  function render(): void {
    const { s } = context;
    document.title = s.title;
    const asked = turns.length > 0;
    document.body.classList.toggle("home", !asked);
    for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
      const value = s[element.dataset["text"] as keyof typeof s];
      if (typeof value === "string") element.textContent = value;
    }
    for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) {
      const value = s[element.dataset["label"] as keyof typeof s];
      if (typeof value === "string") element.setAttribute("aria-label", value);
    }
    for (const element of document.querySelectorAll<HTMLElement>("[data-language]")) {
      element.setAttribute("aria-pressed", String(element.dataset["language"] === language));
    }
    box.placeholder = asked ? s.followPlaceholder : s.askPlaceholder;
    byId("hero-text").replaceChildren(...heroText(demo?.name ?? "", context));
    byId("place").textContent = demo?.name ?? "";
    byId("examples").replaceChildren(
      ...examplesView(demo?.examples ?? [], context, (example) => {
        switchUser(example.as, false);
        void run(example.question, false);
      }),
    );
    renderTables();
    who.element.hidden = context.users.length === 0;
    who.render(context);
    which.render(context);
    renderAsk();
  }

  function renderTables(): void {
    byId("tables").replaceChildren(
      ...(tables === "loading"
        ? [h("p", { class: "soft" }, `${context.s.loading} …`)]
        : tablesView(tables, user, context)),
    );
  }

  function renderAsk(): void {
    const { s } = context;
    const length = [...box.value].length;
    const over = length - MAX_QUESTION;
    const submit = byId("submit") as HTMLButtonElement;
    submit.replaceChildren(icon(running ? "stop" : "ask"), h("span", {}, running ? s.stop : s.ask));
    submit.type = running ? "button" : "submit";
    submit.setAttribute("aria-disabled", String(!running && (length === 0 || over > 0)));
    const hint = byId("hint");
    hint.textContent = over > 0 ? s.tooLong(over) : s.keys;
    hint.classList.toggle("bad", over > 0);
    box.setAttribute("aria-invalid", String(over > 0));
  }

  // ── asking ──

  async function run(question: string, fresh: boolean): Promise<void> {
    running?.abort();
    panel.close();
    const abort = new AbortController();
    running = abort;
    const turn = newTurn(question, user, !turns.some((t) => t.turn.answer?.outcome === "answered"));
    const view = turnView(turn, { cite, again });
    const history = turns.slice(boundary).flatMap(({ turn: earlier }) => historyOf(earlier));
    turns.push({ turn, view });
    view.render(context);
    render();
    log.append(view.element);
    view.element.scrollIntoView({ block: "start", behavior: "auto" });
    let frame = 0;
    const paint = (): void => {
      frame = 0;
      view.update(context);
    };
    const request = { question, model: model || undefined, history: history.slice(-2 * MAX_HISTORY), fresh };
    for await (const event of ask(request, caller(), abort.signal)) {
      if (abort.signal.aborted) break;
      const phase = turn.phase;
      applyEvent(turn, event);
      if (turn.phase !== phase || event.type === "retract") view.render(context);
      else if (frame === 0) frame = requestAnimationFrame(paint);
    }
    cancelAnimationFrame(frame);
    if (abort.signal.aborted) turn.phase = "stopped";
    view.render(context);
    if (running === abort) {
      running = undefined;
      renderAsk();
      live.textContent = spoken(turn);
    }
    if (turn.problem?.code === "unauthenticated") byId("sign-in").hidden = false;
  }

  function spoken(turn: Turn): string {
    const { s } = context;
    if (turn.phase === "stopped") return s.stopped;
    if (turn.problem) return (s.problem[turn.problem.code] ?? s.problem["other"] ?? []).join(". ");
    const { answer } = turn;
    if (!answer) return "";
    if (answer.outcome === "answered") {
      return s.ready(answer.text.replace(/\s*\[[\d,\s]+\]|[*`#]/g, ""), answer.citations.length);
    }
    return (s.outcome[answer.reason] ?? s.outcome[answer.outcome] ?? [])[0] ?? "";
  }

  function historyOf(turn: Turn): { role: "user" | "assistant"; content: string }[] {
    if (turn.answer?.outcome !== "answered") return [];
    return [
      { role: "user", content: turn.question },
      // Markers point at the evidence of that turn: in the next one they would point elsewhere.
      { role: "assistant", content: turn.answer.text.replace(/\s*\[[\d,\s]+\]/g, "").slice(0, 4000) },
    ];
  }

  function cite(turn: Turn, marker: number): void {
    panel.open({ citations: turn.citations, marker, text: turn.text }, context);
  }

  function again(turn: Turn, options: { readonly user?: string; readonly fresh?: boolean }): void {
    if (options.user !== undefined) switchUser(options.user, false);
    else if (turn.user !== undefined && turn.user !== user) switchUser(turn.user, false);
    void run(turn.question, options.fresh === true);
    box.focus({ preventScroll: true });
  }

  // ── people ──

  /** Another person sees other rows: nothing of the earlier turns goes along, and the last question is asked again. */
  function switchUser(name: string, reask: boolean): void {
    if (name === user) return;
    running?.abort();
    panel.close();
    user = name;
    remember("user", name);
    const last = turns.at(-1)?.turn.question;
    boundary = turns.length;
    tables = "loading";
    render();
    if (turns.length > 0) {
      if (log.lastElementChild?.classList.contains("divider")) log.lastElementChild.remove();
      log.append(h("p", { class: "divider", "data-user": name }, ...dividerText(name)));
    }
    live.textContent = context.s.switched(labelOf(context, name));
    void loadFor();
    if (reask && last !== undefined) void run(last, false);
  }

  function dividerText(name: string | undefined): Node[] {
    const { s } = context;
    return [h("strong", {}, s.nowAs(labelOf(context, name))), h("span", { class: "soft" }, s.nowAsHint)];
  }

  // ── what the caller may use and see ──

  async function loadFor(): Promise<void> {
    const asked = user;
    const [foundTables, foundModels] = await Promise.all([
      get("/v1/tables", caller()),
      get("/v1/models", caller()),
    ]);
    if (asked !== user) return;
    tables = foundTables.ok ? readTables(foundTables.value) : undefined;
    models = foundModels.ok ? readModels(foundModels.value).models : undefined;
    if (models && !models.some((m) => m.id === model && m.available)) model = "";
    if (!foundTables.ok && foundTables.problem.code === "unauthenticated") byId("sign-in").hidden = false;
    renderTables();
    which.render(context);
  }

  async function load(): Promise<void> {
    const found = await get("/v1/demo", { demoUser: undefined, key: undefined });
    if (found.ok) {
      demo = readDemo(found.value);
      context = { ...context, users: demo.users };
      if (!demo.users.some((u) => u.name === user)) user = demo.users[0]?.name;
    } else {
      user = undefined;
    }
    document.body.classList.add("loaded");
    const theirs = context.users.find((u) => u.name === user)?.language;
    if (!recall("language") && !languageOfBrowser() && theirs === "fr") speak(theirs);
    else render();
    await loadFor();
  }

  // ── events ──

  const grow = (): void => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`;
    renderAsk();
  };
  const submit = (): void => {
    const question = box.value.trim();
    if (running || question === "" || [...question].length > MAX_QUESTION) return;
    box.value = "";
    grow();
    void run(question, false);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("submit").addEventListener("click", (event) => {
    if (!running) return;
    event.preventDefault();
    running.abort();
  });
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  const slash = byId("slash") as HTMLInputElement;
  slash.checked = recall("slash") !== "off";
  slash.addEventListener("change", () => remember("slash", slash.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (event.key !== "/" || !slash.checked || typing || event.ctrlKey || event.metaKey || event.altKey)
      return;
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
  byId("restart").addEventListener("click", () => {
    running?.abort();
    panel.close();
    turns = [];
    boundary = 0;
    log.replaceChildren();
    render();
    live.textContent = context.s.cleared;
    scrollTo(0, 0);
    box.focus();
  });
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId("key") as HTMLInputElement;
    key = input.value.trim() || undefined;
    input.value = "";
    byId("sign-in").hidden = true;
    void loadFor();
    box.focus();
  });
  const line = (): void => void (byId("offline").hidden = navigator.onLine);
  addEventListener("online", line);
  addEventListener("offline", line);

  document.documentElement.lang = language;
  line();
  render();
  void load();
}

start();
