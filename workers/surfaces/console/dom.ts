/** What `h` puts into an element; strings become text nodes, never markup. */
export type Child = Node | string | false | null | undefined;

/** Attributes by name; `undefined` and `false` leave the attribute out, `true` sets it empty. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element. The page builds everything through this: no markup is ever parsed. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== false && child !== null && child !== undefined));
  return element;
}

/** A button with its action. `type="button"` unless told otherwise. */
export function button(
  attributes: Attributes,
  onClick: (event: MouseEvent) => void,
  ...children: readonly Child[]
): HTMLButtonElement {
  const element = h("button", { type: "button", ...attributes }, ...children);
  element.addEventListener("click", onClick);
  return element;
}

/** One line of a description list. */
export function fact(term: string, ...value: readonly Child[]): HTMLElement {
  return h("div", {}, h("dt", {}, term), h("dd", {}, ...value));
}

const SVG = "http://www.w3.org/2000/svg";

/** A decorative icon: one of the symbols that index.html defines. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Shapes of the signal flags that stand for people, as `[class, path]` on a 12 × 9 field. */
const FLAGS: readonly (readonly (readonly [string, string])[])[] = [
  [
    ["f-blue", "M0 0h12v9H0z"],
    ["f-white", "M0 3h12v3H0z"],
  ],
  [
    ["f-yellow", "M0 0h6v9H0z"],
    ["f-blue", "M6 0h6v9H6z"],
  ],
  [
    ["f-white", "M0 0h12v9H0z"],
    ["f-red", "M4.5 0h3v3.2H12v2.6H7.5V9h-3V5.8H0V3.2h4.5z"],
  ],
  [
    ["f-white", "M0 0h12v9H0z"],
    ["f-blue", "M3.5 2.5h5v4h-5z"],
  ],
  [
    ["f-yellow", "M0 0h12L0 9z"],
    ["f-red", "M12 0v9H0z"],
  ],
  [
    ["f-red", "M0 0h12v9H0z"],
    ["f-white", "M6 1.2 10.4 4.5 6 7.8 1.6 4.5z"],
  ],
];

/** The signal flag of the n-th person: a mark to recognise, never the only carrier of a meaning. */
export function flag(n: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "flag");
  svg.setAttribute("viewBox", "0 0 12 9");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, path] of FLAGS[Math.max(0, n) % FLAGS.length] ?? []) {
    const shape = document.createElementNS(SVG, "path");
    shape.setAttribute("class", name);
    shape.setAttribute("d", path);
    svg.append(shape);
  }
  return svg;
}

/** The element with this id and type. @throws TypeError when index.html does not have it. */
export function byId<E extends HTMLElement>(id: string, type: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`index.html has no such #${id}`);
  return element;
}

/** A setting of this browser; undefined where storage is off. */
export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(`quayside.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a setting in this browser, where it can; never questions or answers. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`quayside.${name}`, value);
  } catch {
    // storage is off: the setting lasts as long as the page
  }
}
