/**
 * Prompt templates: `{{name}}` is replaced by a value, `{{#name}}…{{/name}}` is kept where the value is not empty. No
 * code, no nesting of the same section. A line `--- user ---` divides the system message from the user message; without
 * it the whole is one system message.
 */
import type { ChatMessage } from '../run/ports.ts';
import { TranslatableError } from '../run/translate.ts';

export type Values = Readonly<Record<string, string>>;

export class TemplateError extends TranslatableError {
  readonly reason: 'unknown_variable' | 'unclosed_section' | 'unknown_agent';
  constructor(reason: TemplateError['reason'], words: TemplateError['words']) {
    super(words);
    this.name = 'TemplateError';
    this.reason = reason;
  }
}

const SECTION = /\{\{#(\w+)\}\}([\s\S]*?)\{\{\/\1\}\}/g;
const VARIABLE = /\{\{(\w+)\}\}/g;
const DIVIDER = /^--- user ---\n/m;

/** Throws TemplateError where the template names a value that its agent does not have. */
export function render(template: string, values: Values): ChatMessage[] {
  const [system = '', user] = template.split(DIVIDER);
  const messages: ChatMessage[] = [{ role: 'system', content: fill(system, values).trim() }];
  if (user !== undefined) messages.push({ role: 'user', content: fill(user, values).trim() });
  return messages;
}

/** Throws TemplateError unless every name in the template is one of `names`. */
export function checkTemplate(template: string, names: readonly string[]): void {
  const messages = render(template, Object.fromEntries(names.map((name) => [name, 'x'])));
  if (messages.some(({ content }) => /\{\{[#/]/.test(content))) {
    throw new TemplateError('unclosed_section', (translated) => translated('A {{#section}} is not closed.'));
  }
}

function fill(template: string, values: Values): string {
  const value = (name: string): string => {
    const found = values[name];
    if (found === undefined) {
      const known = Object.keys(values).join(', ');
      throw new TemplateError('unknown_variable', (translated) =>
        translated('There is no value {0}; known are: {1}.', `{{${name}}}`, known),
      );
    }
    return found;
  };
  const sections = (text: string): string =>
    text.replace(SECTION, (_, name: string, inner: string) => (value(name) === '' ? '' : sections(inner)));
  return sections(template).replace(VARIABLE, (_, name: string) => value(name));
}
