import { send } from "./api.ts";
import type { App } from "./app.ts";
import { button, fact, h, icon } from "./dom.ts";
import { moment, nameOf } from "./format.ts";
import { problemView } from "./problem-view.ts";
import type { Citation } from "./wire.ts";
import { type Receipt, readReceipt } from "./wire-pages.ts";

/**
 * Erases a row for good, after a second word, and shows the receipt with what each place answered when it was asked again.
 * @param receipts by row: what was erased already shows its receipt.
 */
export function eraseView(
  app: App,
  citation: Citation,
  user: string | undefined,
  receipts: Map<string, Receipt>,
): HTMLElement {
  const element = h("section", { class: "erase" });
  const show = (focus: string, ...content: readonly Node[]): void => {
    element.replaceChildren(...content);
    element.querySelector<HTMLElement>(focus)?.focus();
  };

  const offer = (): Node => {
    const { erase } = app.context().s.pages;
    return button({ class: "plain danger" }, confirm, icon("erase"), erase.button);
  };

  const confirm = (): void => {
    const { s } = app.context();
    const { erase } = s.pages;
    show(
      "h3",
      h(
        "div",
        { class: "card failed", role: "group", "aria-labelledby": "erase-title" },
        h(
          "div",
          {},
          h("h3", { id: "erase-title", tabindex: -1 }, erase.title),
          h("p", {}, erase.text(nameOf(citation))),
          h(
            "div",
            { class: "row" },
            button({ class: "plain" }, () => show("button", offer()), s.pages.cancel),
            button({ class: "plain danger" }, () => void work(), erase.confirm),
          ),
        ),
      ),
    );
  };

  const work = async (): Promise<void> => {
    show("p", h("p", { class: "waiting", tabindex: -1 }, app.context().s.pages.erase.working));
    const body = { table: citation.table, key: Object.fromEntries(citation.key) };
    const sent = await send("POST", "/v1/erase", app.callerOf(user), body);
    if (!sent.ok) {
      show(
        "button, .card",
        problemView(sent.problem, app.context(), () => void work()),
      );
      return;
    }
    const receipt = readReceipt(sent.value);
    receipts.set(citation.id, receipt);
    const { erase } = app.context().s.pages;
    app.announce(receipt.erasedAt === "" ? erase.pending : erase.done);
    show("h3", receiptView(receipt));
  };

  const receiptView = (receipt: Receipt): Node => {
    const { s, language } = app.context();
    const { erase } = s.pages;
    const { removed, proof } = receipt;
    const whole = receipt.erasedAt !== "" && receipt.residue === 0;
    return h(
      "div",
      { class: `card ${whole ? "proved" : "wait"}` },
      h(
        "div",
        {},
        h("h3", { tabindex: -1 }, whole ? erase.done : erase.pending),
        h("p", {}, whole ? erase.doneText : erase.pendingText),
        h(
          "dl",
          { class: "facts receipt" },
          fact(erase.receipt, h("code", {}, receipt.id)),
          whole && fact(erase.at, moment(receipt.erasedAt, language)),
          fact(erase.removed, erase.removedText(removed)),
          fact(erase.residue, String(receipt.residue)),
          fact(erase.proof, erase.proofText(proof)),
        ),
        !whole && button({ class: "plain" }, () => void work(), icon("again"), erase.again),
      ),
    );
  };

  const receipt = receipts.get(citation.id);
  element.append(receipt ? receiptView(receipt) : offer());
  return element;
}
