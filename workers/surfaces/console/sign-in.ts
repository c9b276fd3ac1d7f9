import { byId } from "./dom.ts";
import type { Context } from "./format.ts";
import type { Problem } from "./wire.ts";

export interface SignInDeps {
  context(): Context;
  /** @returns the new person's name, or what went wrong. */
  add(key: string): Promise<string | Problem>;
  added(name: string, then: ((name: string) => void) | undefined): void;
}

export interface SignInCard {
  /** `nobody`: without a key there is nothing to see here. `more`: a key beside the people that are here. */
  open(why: "nobody" | "more", then?: (name: string) => void): void;
  render(): void;
}

/** The card that takes an API key: in the page where there is nobody else, over it else. A key is kept in memory only, and checked before it is used. */
export function signInCard(deps: SignInDeps): SignInCard {
  const card = byId("sign-in", HTMLDialogElement);
  const input = byId("key", HTMLInputElement);
  const said = byId("key-said", HTMLElement);
  const cancel = byId("key-cancel", HTMLButtonElement);
  let why: "nobody" | "more" = "nobody";
  let after: ((name: string) => void) | undefined;
  let back: Element | null = null;

  const render = (): void => {
    const { s } = deps.context();
    byId("key-title", HTMLElement).textContent = why === "more" ? s.pages.useKey : s.signInTitle;
    byId("key-text", HTMLElement).textContent = why === "more" ? s.pages.useKeyText : s.signInText;
    cancel.textContent = s.pages.cancel;
    cancel.hidden = why === "nobody";
  };
  const close = (): void => {
    card.close();
    said.textContent = "";
    input.value = "";
    if (back instanceof HTMLElement && back.isConnected) back.focus();
  };

  byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  cancel.addEventListener("click", close);
  card.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });

  const submit = async (): Promise<void> => {
    const { s } = deps.context();
    const key = input.value.trim();
    if (key === "") return;
    said.textContent = `${s.loading} …`;
    const added = await deps.add(key);
    if (typeof added === "string") {
      close();
      deps.added(added, after);
      return;
    }
    said.textContent =
      added.code === "unauthenticated"
        ? s.pages.badKey
        : (s.problem[added.code] ?? s.problem["other"] ?? []).join(". ");
    input.focus();
  };

  return {
    render,
    open(reason, then) {
      back = document.activeElement;
      why = reason;
      after = then;
      render();
      if (card.open) card.close();
      if (reason === "nobody") {
        card.show();
      } else {
        card.showModal();
        input.focus();
      }
    },
  };
}
