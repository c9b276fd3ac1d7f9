import { get } from "./api.ts";
import { type App, PAGES, type Page, type PageName, routeOf } from "./app.ts";
import { askPage } from "./ask-page.ts";
import { budgetsPage } from "./budgets-page.ts";
import { byId, h, recall, remember } from "./dom.ts";
import { evidencePanel } from "./evidence.ts";
import { feedbackPage } from "./feedback-page.ts";
import { type Context, type Language, labelOf, stringsOf } from "./format.ts";
import { modelMenu, userMenu } from "./menus.ts";
import { modelsPage } from "./models-page.ts";
import { people } from "./people.ts";
import { peoplePage } from "./people-page.ts";
import { problemView } from "./problem-view.ts";
import { rowMore } from "./row-more.ts";
import { runsPage } from "./runs-page.ts";
import { signInCard } from "./sign-in.ts";
import { tablesPage } from "./tables-page.ts";
import { type Demo, type Model, readDemo, readModels, readTables } from "./wire.ts";
import { readRow } from "./wire-pages.ts";

const MAKERS: Readonly<Record<PageName, (app: App) => Page>> = {
  people: peoplePage,
  models: modelsPage,
  tables: tablesPage,
  runs: runsPage,
  feedback: feedbackPage,
  budgets: budgetsPage,
};

/** The reader's own language, when the page speaks it. */
function languageOfBrowser(): Language | undefined {
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag): tag is Language => tag === "en" || tag === "fr");
}

function rememberedLanguage(): Language | undefined {
  const chosen = recall("language");
  return chosen === "en" || chosen === "fr" ? chosen : undefined;
}

/** Puts the language's sentences into everything that index.html marks with `data-text` and `data-label`. */
function translatePage(context: Context, page: PageName | undefined): void {
  const { pages } = context.s;
  const sentences: Readonly<Record<string, unknown>> = { ...context.s, navigation: pages.navigation };
  const say = (attribute: "text" | "label", put: (element: HTMLElement, text: string) => void): void => {
    for (const element of document.querySelectorAll<HTMLElement>(`[data-${attribute}]`)) {
      const text = sentences[element.dataset[attribute] ?? ""];
      if (typeof text === "string") put(element, text);
    }
  };
  say("text", (element, text) => void (element.textContent = text));
  say("label", (element, text) => element.setAttribute("aria-label", text));
  document.documentElement.lang = context.language;
  document.title = page === undefined ? context.s.title : `${pages.title[page]} · Quayside`;
  for (const element of document.querySelectorAll<HTMLElement>("[data-language]")) {
    element.setAttribute("aria-pressed", String(element.dataset["language"] === context.language));
  }
  for (const name of ["ask", ...PAGES] as const) {
    const link = document.querySelector(`[data-page="${name}"]`);
    if (link) link.textContent = pages.nav[name];
    if (name === (page ?? "ask")) link?.setAttribute("aria-current", "page");
    else link?.removeAttribute("aria-current");
  }
}

function start(): void {
  const first = rememberedLanguage() ?? languageOfBrowser() ?? "en";
  const crowd = people();
  let context: Context = { language: first, s: stringsOf(first), users: [] };
  let demo: Demo | undefined;
  let user = recall("user");
  let models: readonly Model[] | undefined = [];
  let model = recall("model") ?? "";
  let page: PageName | undefined;
  const made = new Map<PageName, Page>();
  const outlet = byId("page", HTMLElement);
  const live = byId("live", HTMLElement);

  const signIn = signInCard({
    add: (key) => crowd.add(key),
    context: () => context,
    added(name, then) {
      refreshPeople();
      conversation.translate();
      app.announce(context.s.pages.keyAdded(labelOf(context, name)));
      if (then) {
        then(name);
        return;
      }
      const { hash } = location;
      switchUser(name, false);
      // A row that nobody could be shown is shown to whoever this is.
      if (hash.startsWith("#row=")) location.hash = hash;
    },
  });

  const app: App = {
    context: () => context,
    demo: () => demo,
    models: () => models,
    user: () => user,
    callerOf: (name) => crowd.callerOf(name ?? user),
    subject: () => crowd.who(user)?.subject ?? "",
    may(scope, name) {
      const scopes = crowd.who(name ?? user)?.scopes ?? [];
      return scopes.length === 0 || scopes.includes(scope);
    },
    announce: (text) => void (live.textContent = text),
    openSource: (opened) => panel.open(opened, context),
    useKey: (then) => signIn.open("more", then),
    unknownCaller() {
      if (context.users.length === 0) signIn.open("nobody");
    },
  };

  const more = rowMore(app);
  const panel = evidencePanel(byId("evidence", HTMLDialogElement), {
    more: more.more,
    closed() {
      more.forget();
      const route = routeOf(location.hash);
      if (route && "row" in route)
        history.replaceState(undefined, "", page === undefined ? "#/" : `#/${page}`);
    },
  });

  const who = userMenu(
    () => user,
    (name) => switchUser(name, true),
    () => app.useKey(),
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
  const conversation = askPage({
    app,
    who,
    which,
    model: () => model || undefined,
    switchUser: (name, askAgain) => switchUser(name, askAgain),
    closePanel: () => panel.close(),
  });

  /** Another person sees other rows: nothing of the earlier turns goes along, and the last question is asked again. */
  function switchUser(name: string, askAgain: boolean): void {
    if (name === user) return;
    panel.close();
    user = name;
    if (demo?.users.some((one) => one.name === name)) remember("user", name);
    const last = conversation.divide(name);
    conversation.setTables("loading");
    // Nothing of what one person sees stays under another's name.
    if (page !== undefined) made.get(page)?.hide();
    if (page !== undefined) made.get(page)?.element.remove();
    render();
    live.textContent = context.s.switched(labelOf(context, name));
    void loadFor();
    if (page === undefined && askAgain && last !== undefined) void conversation.ask(last, false);
  }

  function speak(language: Language): void {
    context = { ...context, language, s: stringsOf(language) };
    refreshPeople();
    render();
    conversation.translate();
    if (page !== undefined) made.get(page)?.render();
    panel.translate(context);
    signIn.render();
  }

  function refreshPeople(): void {
    context = { ...context, users: crowd.list(context.s) };
  }

  // ── showing ──

  function render(): void {
    translatePage(context, page);
    who.element.hidden = context.users.length === 0;
    who.render(context);
    conversation.render();
  }

  /** Follows an address. */
  function open(hash: string): void {
    const route = routeOf(hash);
    if (!route) return;
    if ("row" in route) {
      void openRow(route.row);
      return;
    }
    const before = page;
    panel.close();
    if (page !== undefined) made.get(page)?.hide();
    page = route.page;
    outlet.replaceChildren();
    outlet.hidden = page === undefined;
    if (page === undefined) {
      conversation.show();
    } else {
      conversation.hide();
      // Side by side has people of its own.
      if (page !== "people") outlet.append(who.element);
      showPage(page);
    }
    render();
    if (before === page) return;
    scrollTo(0, 0);
    focusTitle();
  }

  function showPage(name: PageName): void {
    const shown = made.get(name) ?? MAKERS[name](app);
    made.set(name, shown);
    outlet.append(shown.element);
    shown.show();
  }

  function focusTitle(): void {
    outlet.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }

  /** A row by its address: what a link from elsewhere leads to. */
  async function openRow(id: string): Promise<void> {
    const asked = user;
    panel.tell(() => [h("h2", { tabindex: -1, id: "evidence-title" }, `${context.s.loading} …`)], context);
    const found = await get(`/v1/rows/${encodeURIComponent(id)}`, app.callerOf());
    const route = routeOf(location.hash);
    if (asked !== user || !route || !("row" in route) || route.row !== id) return;
    if (found.ok) {
      const row = readRow(found.value);
      more.learned(row, user);
      panel.open({ citations: [row.citation], marker: 0, text: "", user }, context);
      return;
    }
    const { problem } = found;
    if (problem.code === "unauthenticated") app.unknownCaller();
    panel.tell(() => {
      const [title, text] = context.s.pages.rowOf.gone;
      return problem.code === "not_found"
        ? [h("h2", { tabindex: -1, id: "evidence-title" }, title), h("p", {}, text), h("code", {}, id)]
        : [
            h("h2", { tabindex: -1, id: "evidence-title" }, context.s.pages.rowOf.title),
            problemView(problem, context, () => void openRow(id)),
          ];
    }, context);
  }

  // ── loading ──

  async function loadFor(): Promise<void> {
    const asked = user;
    const [foundTables, foundModels, name] = await Promise.all([
      get("/v1/tables", app.callerOf()),
      get("/v1/models", app.callerOf()),
      crowd.learn(asked),
    ]);
    if (asked !== user) return;
    user = name;
    refreshPeople();
    models = foundModels.ok ? readModels(foundModels.value) : undefined;
    if (models && !models.some((m) => m.id === model && m.available)) model = "";
    if (!foundTables.ok && foundTables.problem.code === "unauthenticated") app.unknownCaller();
    conversation.setTables(foundTables.ok ? readTables(foundTables.value) : undefined);
    render();
    if (page === undefined || !made.has(page)) return;
    showPage(page);
    // Where the focus was is gone with what the one before saw.
    if (document.activeElement === document.body) focusTitle();
  }

  async function load(): Promise<void> {
    const found = await get("/v1/demo", { demoUser: undefined, key: undefined });
    if (found.ok) {
      const read = readDemo(found.value);
      demo = read;
      crowd.demo(read.users);
      if (!read.users.some((u) => u.name === user)) user = read.users[0]?.name;
    } else {
      user = undefined;
    }
    refreshPeople();
    document.body.classList.add("loaded");
    const theirs = context.users.find((u) => u.name === user)?.language;
    if (!rememberedLanguage() && !languageOfBrowser() && theirs === "fr") speak(theirs);
    else render();
    await loadFor();
    open(location.hash);
  }

  // ── events ──

  for (const element of document.querySelectorAll<HTMLElement>("[data-language]")) {
    element.addEventListener("click", () => {
      const next = element.dataset["language"] === "fr" ? "fr" : "en";
      remember("language", next);
      speak(next);
    });
  }
  byId("skip", HTMLElement).addEventListener("click", (event) => {
    event.preventDefault();
    if (page === undefined) conversation.focus();
    else focusTitle();
  });
  const banner = byId("offline", HTMLElement);
  const line = (): void => void (banner.hidden = navigator.onLine);
  addEventListener("online", line);
  addEventListener("offline", line);
  addEventListener("hashchange", () => open(location.hash));

  line();
  const route = routeOf(location.hash);
  if (route && "page" in route && route.page !== undefined) {
    // Its place is kept until it is known who looks at it.
    page = route.page;
    conversation.hide();
    outlet.hidden = false;
  } else {
    conversation.show();
  }
  render();
  document.body.classList.add("started");
  void load();
}

start();
