/** Elements are made from scratch for every update and then merged into the page, so that focus, selection and scroll stay. */

type Value = string | number | boolean | null;
export type Child = Node | string | number | null | false | undefined;
export type Attributes = Readonly<Record<string, Value>>;

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element. `null` and `false` attributes are left out, `true` ones are empty; text is always text. */
export function h(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElement {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill<Made extends HTMLElement | SVGElement>(
  made: Made,
  attributes: Attributes,
  children: readonly Child[],
): Made {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    // The content security policy forbids style attributes, not the style object.
    if (name === 'width%') made.style.width = `${value}%`;
    else made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    made.append(typeof child === 'number' ? String(child) : child);
  }
  return made;
}

/**
 * Makes `current` look like `next` with as few changes as it can. Children are matched by `data-key`, else by place and
 * tag. What has a `data-fixed` is taken as it is while that stays the same.
 */
export function merge(current: Element, next: Element): void {
  const fixed = next.getAttribute('data-fixed');
  if (fixed !== null && current.getAttribute('data-fixed') === fixed) return;
  mergeAttributes(current, next);
  if (fixed !== null) return current.replaceChildren(...next.childNodes);
  mergeChildren(current, next);
}

function mergeAttributes(current: Element, next: Element): void {
  for (const { name } of [...current.attributes]) {
    // `open` of a details element belongs to the person who opened it.
    if (!next.hasAttribute(name) && name !== 'style' && name !== 'open') current.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== 'style' && current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  if (isStyled(current) && isStyled(next) && current.style.width !== next.style.width) {
    current.style.width = next.style.width;
  }
}

function isStyled(element: Element): element is HTMLElement | SVGElement {
  return 'style' in element;
}

function mergeChildren(current: Element, next: Element): void {
  const wantedKeys = new Set([...next.children].map((child) => child.getAttribute('data-key')));
  const keyed = new Map<string, Element>();
  for (const child of [...current.children]) {
    const key = child.getAttribute('data-key');
    if (key === null) continue;
    // What goes, goes first: else all behind it would be moved, and what is moved loses the focus.
    if (wantedKeys.has(key)) keyed.set(key, child);
    else child.remove();
  }
  let place = current.firstChild;
  for (const wanted of [...next.childNodes]) {
    const found = wanted instanceof Element ? matchFor(wanted, place, keyed) : textFor(place);
    if (found === null) {
      current.insertBefore(wanted, place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else current.insertBefore(found, place);
    if (found instanceof Element && wanted instanceof Element) merge(found, wanted);
    else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
  }
  while (place !== null) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function matchFor(wanted: Element, place: ChildNode | null, keyed: ReadonlyMap<string, Element>): Element | null {
  const key = wanted.getAttribute('data-key');
  const found = key === null ? place : (keyed.get(key) ?? null);
  if (!(found instanceof Element) || found.tagName !== wanted.tagName) return null;
  return found.getAttribute('data-key') === key ? found : null;
}

function textFor(place: ChildNode | null): ChildNode | null {
  return place instanceof Text ? place : null;
}
