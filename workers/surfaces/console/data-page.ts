import { type Caller, get, type Sent } from "./api.ts";
import type { App, Page, PageName } from "./app.ts";
import { button, type Child, h, icon } from "./dom.ts";
import { ago, around } from "./format.ts";
import { problemView } from "./problem-view.ts";
import type { Problem } from "./wire.ts";

export type Loaded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

export interface DataPageOptions<T> {
  readonly name: PageName;
  /** The scope without which there is nothing to see. */
  readonly scope: string;
  load(caller: Caller): Promise<Loaded<T>>;
  view(data: T): readonly Child[];
  /** Stands above what is loaded and is not rebuilt with it; hidden from who may not use it. */
  readonly above?: { readonly element: HTMLElement; show(): void; render(): void };
  /** Milliseconds until it is loaded anew by itself; undefined: never. */
  again?(data: T): number | undefined;
}

export interface DataPage extends Page {
  reload(): Promise<void>;
}

/** A page that shows what one caller may see of something, and says plainly when that is nothing, or not for them, or not there. */
export function dataPage<T>(app: App, options: DataPageOptions<T>): DataPage {
  const { element: head, render: renderHead } = pageHead(app, options.name);
  const when = h("span", {});
  const refresh = h("span", {});
  const refresher = button({ class: "quiet", id: "refresh" }, () => void reload(), icon("again"), refresh);
  head.append(h("p", { class: "page-when soft" }, when, refresher));
  const body = h("div", { class: "page-body" });
  const above = options.above?.element;
  const element = h("section", { class: "page" }, head, above, body);
  let loaded: Loaded<T> | undefined;
  let at = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the newest request: what an older one brings is late. */
  let turn = 0;

  const render = (): void => {
    const { s, language } = app.context();
    const texts = s.pages;
    renderHead();
    when.replaceChildren(...(loaded?.ok === true ? around(texts.updated, ago(at, language)) : []));
    refresh.textContent = texts.refresh;
    if (above) above.hidden = loaded?.ok !== true;
    options.above?.render();
    keepingPlace(body, () => body.replaceChildren(...shown().filter((part) => part instanceof Node)));
  };

  const shown = (): readonly Child[] => {
    const { s } = app.context();
    if (!loaded) return [h("p", { class: "waiting" }, h("span", { class: "wave" }), `${s.loading} …`)];
    if (loaded.ok) return options.view(loaded.value);
    if (loaded.problem.code === "forbidden") return [deniedView(app, options.scope)];
    return [problemView(loaded.problem, app.context(), () => void reload())];
  };

  const reload = async (): Promise<void> => {
    clearTimeout(timer);
    const mine = (turn += 1);
    const found = await options.load(app.callerOf());
    if (mine !== turn) return;
    if (!found.ok && found.problem.code === "unauthenticated") app.unknownCaller();
    loaded = found;
    at = new Date().toISOString();
    render();
    const wait = found.ok ? options.again?.(found.value) : undefined;
    if (wait !== undefined) timer = setTimeout(() => again(wait), wait);
  };

  /** Nobody looks at a tab in the background: it waits on. */
  const again = (wait: number): void => {
    if (document.hidden) timer = setTimeout(() => again(wait), wait);
    else void reload();
  };

  return {
    element,
    render,
    reload,
    show() {
      loaded = undefined;
      render();
      options.above?.show();
      void reload();
    },
    hide() {
      clearTimeout(timer);
      turn += 1;
    },
  };
}

/** GETs one thing and reads it. */
export async function load<T>(path: string, caller: Caller, read: (value: unknown) => T): Promise<Loaded<T>> {
  const found: Sent = await get(path, caller);
  return found.ok ? { ok: true, value: read(found.value) } : found;
}

/** Title and first sentence of a page. Made once: the title has the focus when a page is opened. */
export function pageHead(
  app: App,
  name: PageName,
): { readonly element: HTMLElement; readonly render: () => void } {
  const title = h("h1", { tabindex: -1 });
  const lead = h("p", { class: "soft lead-in" });
  return {
    element: h("div", { class: "page-head" }, title, lead),
    render() {
      const texts = app.context().s.pages;
      title.textContent = texts.title[name];
      lead.textContent = texts.lead[name];
    },
  };
}

/** What somebody sees whom a page is not for, with a way on. */
export function deniedView(app: App, scope: string): HTMLElement {
  const texts = app.context().s.pages;
  return h(
    "div",
    { class: "card refused" },
    icon("barred"),
    h(
      "div",
      {},
      h("h2", {}, texts.deniedTitle),
      h("p", {}, texts.denied(app.subject(), scope)),
      app.demo() !== undefined && h("p", { class: "soft" }, texts.deniedDemo),
      button({ class: "plain" }, () => app.useKey(), icon("key"), texts.useKey),
    ),
  );
}

export function emptyView([title, text]: readonly [string, string]): HTMLElement {
  return h("div", { class: "card empty" }, icon("fog"), h("div", {}, h("h2", {}, title), h("p", {}, text)));
}

/** Rebuilds a part of the page: what was opened in it stays open, and the focus stays where it was. Both go by `id`. */
function keepingPlace(element: HTMLElement, rebuild: () => void): void {
  const focused = element.contains(document.activeElement) ? document.activeElement?.id : undefined;
  const open = [...element.querySelectorAll<HTMLDetailsElement>("details[open]")].map(({ id }) => id);
  rebuild();
  for (const details of element.querySelectorAll("details")) {
    if (open.includes(details.id)) details.open = true;
  }
  if (focused) document.getElementById(focused)?.focus();
}
