import { button, type Child, flag, h, icon } from "./dom.ts";
import { type Context, dollars, labelOf, positionOf } from "./format.ts";
import type { Model } from "./wire.ts";

export interface Menu {
  readonly element: HTMLElement;
  render(context: Context): void;
  close(): void;
}

/** A button that opens a small panel: Escape, a press elsewhere or leaving it by keyboard closes it again. */
function menu(
  name: string,
  face: (context: Context) => Child[],
  panelOf: (context: Context, close: () => void) => Node[],
): Menu {
  const id = `menu-${name}`;
  const panel = h("div", { class: "menu-panel", id, hidden: true });
  const opener = button({ class: "opener", "aria-expanded": "false", "aria-controls": id }, () =>
    toggle(panel.hidden !== false),
  );
  const element = h("div", { class: `menu ${name}` }, opener, panel);
  const toggle = (open: boolean): void => {
    panel.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) panel.querySelector<HTMLElement>("[aria-current], :checked, button, input:enabled")?.focus();
  };
  const close = (): void => {
    if (panel.hidden !== false) return;
    const inside = panel.contains(document.activeElement);
    toggle(false);
    if (inside) opener.focus();
  };
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden !== false) return;
    event.preventDefault();
    close();
  });
  element.addEventListener("focusout", (event) => {
    const next = event.relatedTarget;
    if (next instanceof Node && !element.contains(next)) toggle(false);
  });
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !element.contains(event.target)) toggle(false);
  });
  return {
    element,
    close,
    render(context) {
      opener.replaceChildren(
        ...face(context).filter((part) => typeof part === "string" || part instanceof Node),
      );
      opener.append(icon("down"));
      // Who has it open goes on where they were.
      const choices = (): HTMLElement[] => [...panel.querySelectorAll<HTMLElement>("button, input")];
      const at = choices().findIndex((choice) => choice === document.activeElement);
      panel.replaceChildren(...panelOf(context, close));
      if (at >= 0) choices()[at]?.focus();
    },
  };
}

/** Who is asking. */
export function userMenu(
  current: () => string | undefined,
  choose: (user: string) => void,
  useKey: () => void,
): Menu {
  return menu(
    "who",
    (context) => [
      h("span", { class: "soft" }, context.s.askingAs),
      " ",
      flag(positionOf(context, current())),
      h("strong", {}, labelOf(context, current())),
    ],
    (context, close) => [
      h("p", { class: "soft" }, context.s.userHint),
      ...context.users.map((user) =>
        button(
          { class: "option", "aria-current": user.name === current() && "true", "data-user": user.name },
          () => {
            close();
            choose(user.name);
          },
          flag(positionOf(context, user.name)),
          h("span", {}, user.label),
          user.name === current() && icon("check"),
        ),
      ),
      button(
        { class: "option" },
        () => {
          close();
          useKey();
        },
        icon("key"),
        h("span", {}, context.s.pages.useKey),
      ),
    ],
  );
}

export interface ModelChoice {
  /** Undefined while loading, and when loading failed. */
  readonly models: readonly Model[] | undefined;
  /** The model chosen; empty for automatic. */
  readonly chosen: string;
}

/** Which model answers; the ones that can't be used say why. */
export function modelMenu(choice: () => ModelChoice, choose: (model: string) => void): Menu {
  return menu(
    "model",
    (context) => [
      icon("model"),
      h("span", { class: "sr" }, `${context.s.model}: `),
      h("span", { class: "opener-text" }, choice().chosen || context.s.modelAuto),
    ],
    (context) => {
      const { models, chosen } = choice();
      const { s } = context;
      const radio = (model: Model | undefined): HTMLElement => {
        const id = model?.id ?? "";
        const input = h("input", {
          type: "radio",
          name: "model",
          value: id,
          checked: id === chosen,
          disabled: model?.available === false,
        });
        input.addEventListener("change", () => choose(id));
        return h(
          "label",
          { class: "option" },
          input,
          h(
            "span",
            {},
            h("span", { class: "option-name" }, id || s.modelAuto),
            h("span", { class: "soft" }, model ? describeModel(model, context) : s.modelAutoHint),
          ),
        );
      };
      return [
        h(
          "fieldset",
          {},
          h("legend", { class: "sr" }, s.model),
          radio(undefined),
          ...(models ?? []).map((model) => radio(model)),
          models === undefined && h("p", { class: "soft" }, s.modelsNone),
        ),
      ];
    },
  );
}

export function describeModel(model: Model, context: Context): string {
  const { s } = context;
  if (!model.available) return s.modelWhyNot(model.why || s.modelNoReason);
  const price =
    model.price &&
    (model.price[0] === 0 && model.price[1] === 0
      ? s.modelFree
      : s.modelPrice(dollars(model.price[0], context), dollars(model.price[1], context)));
  return [model.classes.length > 0 && s.modelMay(model.classes.join(", ")), model.region, price]
    .filter((part) => typeof part === "string" && part !== "")
    .join(" · ");
}
