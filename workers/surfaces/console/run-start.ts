import { get, send } from "./api.ts";
import type { App } from "./app.ts";
import { h } from "./dom.ts";
import { object, text } from "./read.ts";
import { readShapes } from "./wire-pages.ts";

/** The form that asks for a run: all tables or some, whether each is read whatever its source says, or every row made anew. */
export function runStart(
  app: App,
  started: () => void,
): { readonly element: HTMLElement; show(): void; render(): void } {
  let tables: readonly string[] = [];
  const chosen = new Set<string>();
  let some = false;
  const how = { read_all: false, full: false };
  const said = h("p", { class: "said", role: "status" });
  const form = h("form", { class: "start" });
  const element = h("details", { class: "starter" }, h("summary"), form, said);

  const render = (): void => {
    const texts = app.context().s.pages.runs;
    element.firstElementChild?.replaceChildren(texts.start);
    const which = h("div", { class: "checks", hidden: !some }, ...tables.map((name) => check(name)));
    const radio = (value: boolean, label: string): HTMLElement => {
      const input = h("input", { type: "radio", name: "which", checked: some === value });
      input.addEventListener("change", () => {
        some = value;
        which.hidden = !some;
      });
      return h("label", {}, input, label);
    };
    form.replaceChildren(
      h(
        "fieldset",
        {},
        h("legend", { class: "sr" }, texts.start),
        radio(false, texts.startAll),
        tables.length > 0 && radio(true, texts.startSome),
        which,
      ),
      choice("read_all", texts.startReadAll, texts.startReadAllHint),
      choice("full", texts.startFull, texts.startFullHint),
      h("button", { type: "submit", class: "primary" }, texts.startNow),
    );
  };

  const choice = (name: keyof typeof how, label: string, hint: string): HTMLElement => {
    const input = h("input", { type: "checkbox", checked: how[name] });
    input.addEventListener("change", () => (how[name] = input.checked));
    return h("label", {}, input, h("span", {}, label, h("span", { class: "soft hint-line" }, hint)));
  };

  const check = (name: string): HTMLElement => {
    const input = h("input", { type: "checkbox", checked: chosen.has(name) });
    input.addEventListener("change", () => void (input.checked ? chosen.add(name) : chosen.delete(name)));
    return h("label", {}, input, h("code", {}, name));
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });

  const submit = async (): Promise<void> => {
    const { s } = app.context();
    if (some && chosen.size === 0) {
      said.textContent = s.pages.runs.chooseTable;
      return;
    }
    const wanted = Object.fromEntries(Object.entries(how).filter(([, on]) => on));
    const body = { ...(some ? { tables: [...chosen] } : {}), ...wanted };
    const sent = await send("POST", "/v1/ingest/runs", app.callerOf(), body);
    if (sent.ok) said.textContent = s.pages.runs.started[text(object(sent.value)["outcome"])] ?? "";
    else said.textContent = (s.problem[sent.problem.code] ?? s.problem["other"] ?? []).join(". ");
    started();
  };

  const learn = async (): Promise<void> => {
    const found = await get("/v1/admin/shapes", app.callerOf());
    tables = found.ok ? readShapes(found.value) : [];
    render();
  };

  return {
    element,
    render,
    show() {
      said.textContent = "";
      void learn();
    },
  };
}
