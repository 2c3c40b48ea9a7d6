/** Elements, made without markup: names come from other machines, and are text whatever is in them. */

/** What an element is given: attributes by name; `false`, `null` and `undefined` leave one out. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

type Child = Node | string;

/** An HTML element. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  dress(element, attributes, children);
  return element;
}

/** An SVG element. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  dress(element, attributes, children);
  return element;
}

function dress(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
}

/** An element of the page, by its id. */
export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as Type;
}

/** Sets a text, if it is another. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Replaces what is in an element, if it would be something else, and leaves the focus on what has the same `data-key`.
 */
export function fill(element: Element, children: readonly Node[]): void {
  const next = el('div');
  next.append(...children.map((child) => child.cloneNode(true)));
  const now = el('div');
  now.append(...Array.from(element.childNodes, (child) => child.cloneNode(true)));
  if (next.isEqualNode(now)) return;
  const key = element.contains(document.activeElement)
    ? document.activeElement?.closest<HTMLElement>('[data-key]')?.dataset['key']
    : undefined;
  element.replaceChildren(...children);
  if (key === undefined) return;
  for (const each of element.querySelectorAll<HTMLElement>('[data-key]')) if (each.dataset['key'] === key) each.focus();
}
