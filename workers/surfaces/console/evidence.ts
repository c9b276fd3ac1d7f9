import { button, type Child, fact, h, icon } from "./dom.ts";
import { cellText, type Context, moment, nameOf, quotesOf, usedCells } from "./format.ts";
import { languageOf, webLink } from "./prose.ts";
import type { Cell, Citation } from "./wire.ts";

/** The rows to leaf through, and what was made of them. */
export interface Opened {
  readonly citations: readonly Citation[];
  readonly marker: number;
  /** The answer's text: decides which cells are shown as used. */
  readonly text: string;
  /** Who reads; undefined: whoever the page speaks as. */
  readonly user: string | undefined;
}

export interface EvidencePanel {
  open(opened: Opened, context: Context): void;
  /** Opens on something that is no row: that one is being loaded, or why it could not be. */
  tell(content: () => Node[], context: Context): void;
  close(): void;
  /** Shows the same row in another language. */
  translate(context: Context): void;
}

export interface PanelDeps {
  /** What stands below a row: its source, what was answered from it, its end. */
  more(citation: Citation, user: string | undefined): HTMLElement;
  closed(): void;
}

/**
 * The row behind a citation: beside the page where there is room, over it (and modal) where there is not.
 * Focus goes to its heading, and back to where it came from when it closes.
 */
export function evidencePanel(dialog: HTMLDialogElement, deps: PanelDeps): EvidencePanel {
  const narrow = matchMedia("(width < 66rem)");
  let opened: Opened | (() => Node[]) | undefined;
  let context: Context | undefined;
  let back: HTMLElement | undefined;

  const show = (): void => {
    if (dialog.open) dialog.close();
    if (narrow.matches) dialog.showModal();
    else dialog.show();
    document.body.classList.toggle("beside", !narrow.matches);
  };
  const close = (): void => {
    if (!opened) return;
    opened = undefined;
    dialog.close();
    document.body.classList.remove("beside");
    unmark();
    back?.focus();
    deps.closed();
  };
  const turnTo = (marker: number): void => {
    if (opened && "marker" in opened) opened = { ...opened, marker };
    fill();
    dialog.querySelector<HTMLElement>("h2")?.focus();
  };
  const fill = (): void => {
    if (!opened || !context) return;
    const { s } = context;
    const closer = button({ class: "quiet", "aria-label": s.close, title: s.close }, close, icon("cross"));
    if (typeof opened === "function") {
      dialog.replaceChildren(h("div", { class: "panel-bar" }, h("p", { class: "panel-count" }), closer));
      dialog.append(...opened());
      return;
    }
    const { citations, marker, user } = opened;
    const at = citations.findIndex((c) => c.marker === marker);
    const citation = citations[at];
    if (!citation) return;
    const step = (by: number, label: string, symbol: string): HTMLButtonElement => {
      const target = citations[at + by];
      return button(
        { class: "quiet", "aria-label": label, title: label, disabled: target === undefined },
        () => target && turnTo(target.marker),
        icon(symbol),
      );
    };
    const place = marker === 0 ? s.pages.rowOf.title : s.evidenceOf(at + 1, citations.length);
    dialog.replaceChildren(
      h(
        "div",
        { class: "panel-bar" },
        h("p", { class: "panel-count" }, place),
        citations.length > 1 && step(-1, s.previous, "left"),
        citations.length > 1 && step(1, s.next, "right"),
        closer,
      ),
      ...rowView(citation, opened.text, context),
      deps.more(citation, user),
    );
    dialog.scrollTop = 0;
    unmark();
    back
      ?.closest(".turn")
      ?.querySelectorAll(`[data-marker="${marker}"]`)
      .forEach((mark) => mark.setAttribute("aria-current", "true"));
  };
  const openOn = (next: NonNullable<typeof opened>, speaking: Context): void => {
    const active = document.activeElement;
    if (active instanceof HTMLElement && !dialog.contains(active)) back = active;
    opened = next;
    context = speaking;
    show();
    fill();
    dialog.querySelector<HTMLElement>("h2")?.focus();
  };

  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("click", (event) => {
    // The backdrop of a modal dialog is the dialog itself.
    if (event.target === dialog && narrow.matches) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened && !event.defaultPrevented) close();
  });
  narrow.addEventListener("change", () => {
    if (opened) {
      show();
      fill();
    }
  });

  return {
    open: openOn,
    tell: openOn,
    close,
    translate(speaking) {
      context = speaking;
      fill();
    },
  };
}

function unmark(): void {
  for (const mark of document.querySelectorAll("[data-marker]")) mark.removeAttribute("aria-current");
}

function rowView(citation: Citation, answer: string, context: Context): HTMLElement[] {
  const { s, language } = context;
  const used = usedCells(citation, answer);
  const quotes = quotesOf(citation, answer);
  const link = webLink(citation.url);
  const key = citation.key.map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    h(
      "h2",
      { tabindex: -1, id: "evidence-title", lang: languageOf(citation.title) },
      citation.marker > 0 && h("span", { class: "cite", "aria-hidden": "true" }, String(citation.marker)),
      nameOf(citation),
    ),
    h(
      "dl",
      { class: "facts" },
      fact(s.table, h("code", {}, citation.table)),
      key !== "" && fact(s.key, h("code", {}, key)),
      citation.changedAt !== "" && fact(s.rowChanged, moment(citation.changedAt, language)),
      citation.asOf !== "" && fact(s.rowAsOf, moment(citation.asOf, language)),
    ),
    ...(citation.excerpt === ""
      ? []
      : [
          h("h3", {}, s.excerpt),
          h("blockquote", { lang: languageOf(citation.excerpt) }, ...marked(citation.excerpt, quotes)),
        ]),
    ...(citation.cells.length === 0
      ? []
      : [h("h3", {}, s.cells), cellTable(citation.cells, used, quotes, context)]),
    ...(link
      ? [
          h(
            "a",
            { class: "out", href: link.href, target: "_blank", rel: "noopener noreferrer" },
            s.openIn(link.host),
            icon("out"),
            h("span", { class: "sr" }, ` (${s.opensNew})`),
          ),
        ]
      : []),
  ];
}

/** A text whose quoted passages stand out. */
function marked(text: string, quotes: readonly string[]): Child[] {
  const quote = quotes.find((q) => text.includes(q));
  if (quote === undefined) return [text];
  const at = text.indexOf(quote);
  return [text.slice(0, at), h("mark", {}, quote), ...marked(text.slice(at + quote.length), quotes)];
}

/** Longest value that shares a line with its tag, in UTF-16 units. */
const SHORT = 60;

function cellTable(
  cells: readonly Cell[],
  used: ReadonlySet<Cell>,
  quotes: readonly string[],
  context: Context,
): HTMLTableElement {
  const { s } = context;
  return h(
    "table",
    { class: "cells" },
    h("colgroup", {}, h("col", { class: "column-name" }), h("col")),
    h(
      "thead",
      { class: "sr" },
      h("tr", {}, h("th", { scope: "col" }, s.cellColumn), h("th", { scope: "col" }, s.cellValue)),
    ),
    h(
      "tbody",
      {},
      ...cells.map((cell) => {
        const value = cellText(cell.value);
        const long = value.length > SHORT;
        const tag = used.has(cell) && h("span", { class: "tag" }, s.cellUsed);
        return h(
          "tr",
          { class: [used.has(cell) && "used", long && "long"].filter(Boolean).join(" ") || false },
          h("th", { scope: "row" }, cell.column),
          h(
            "td",
            { lang: value.length > 40 ? languageOf(value) : undefined },
            h(
              "div",
              {},
              long && tag,
              value === ""
                ? h("span", { class: "soft" }, s.cellEmpty)
                : h("span", { class: "value" }, ...marked(value, quotes)),
              !long && tag,
            ),
          ),
        );
      }),
    ),
  );
}
