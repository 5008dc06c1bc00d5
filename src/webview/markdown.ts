import DOMPurify from 'dompurify';
import { Marked } from 'marked';

/** What a model's Markdown may become; nothing in it can load, link, style or submit anything. */
const ALLOWED = {
  ALLOWED_TAGS: [
    ...['p', 'br', 'hr', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote', 'pre', 'code', 'em', 'strong', 'del'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  ALLOWED_ATTR: ['start', 'align'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  FORBID_TAGS: ['img', 'style', 'form', 'input', 'iframe'],
  RETURN_DOM_FRAGMENT: true as const,
};

const marked = new Marked({
  gfm: true,
  renderer: {
    // HTML is shown as it was written.
    html: ({ text }) => escaped(text),
    // The panel has headings of its own above these.
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + 2);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    link({ href, text, tokens }) {
      const address = `<code>${escaped(href)}</code>`;
      return text === href ? address : `${this.parser.parseInline(tokens)} (${address})`;
    },
    image: ({ href, text }) => `${escaped(text === '' ? 'Image' : text)} (<code>${escaped(href)}</code>)`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

/** Nodes for a Markdown text that a model wrote: links and images as text with their address, no HTML. */
export function renderMarkdown(text: string): DocumentFragment {
  return DOMPurify.sanitize(marked.parse(text, { async: false }), ALLOWED);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
