/** What the page objects read of a DOM element, inside the page; the project is compiled without the DOM types. */
export interface PageElement {
  readonly textContent: string | null;
  /** `null` when the element is not shown. */
  readonly offsetParent: unknown;
  getAttribute(name: string): string | null;
  matches(selector: string): boolean;
  querySelector(selector: string): PageElement | null;
}

/** A locator filter that takes one of these texts whole, not a part of it. */
export function exactly(...texts: readonly string[]): RegExp {
  const quoted = texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^\\s*(?:${quoted.join('|')})\\s*$`);
}

export function matches(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text === wanted : wanted.test(text);
}

/** VS Code writes non-breaking blanks where HTML would fold them. */
export function plainText(text: string): string {
  return text.replaceAll('\u00a0', ' ').trim();
}

/** A CSS selector for an action with this label; VS Code adds the shortcut in parentheses where there is one. */
export function labelled(name: string): string {
  const quoted = name.replaceAll('"', '\\"');
  return `:is([aria-label="${quoted}"], [aria-label^="${quoted} ("])`;
}
