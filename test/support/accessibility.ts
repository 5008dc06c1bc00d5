import axe from 'axe-core';
import type { FrameLocator } from 'playwright-core';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/**
 * What breaks a rule of WCAG 2.1 A or AA in this page, a line for each element; the page's own policy stays in force.
 * A theme changes colours and nothing else: a page that was looked at in one needs only their rules in another.
 */
export async function accessibilityViolations(
  panel: FrameLocator,
  rules: 'all' | 'of colours' = 'all',
): Promise<string[]> {
  const body = await panel.locator('body').elementHandle();
  const frame = await body?.ownerFrame();
  if (!frame) throw new Error('The panel is not there any more.');
  if (!(await frame.evaluate('typeof axe === "object"'))) await frame.evaluate(`${axe.source}; undefined`);
  const runOnly =
    rules === 'all'
      ? RULES
      : await frame.evaluate<string[]>(
          `axe.getRules(${JSON.stringify(RULES)}).filter(({ tags }) => tags.includes('cat.color')).map(({ ruleId }) => ruleId)`,
        );
  const options = { runOnly, resultTypes: ['violations'], iframes: false };
  const violations = await frame.evaluate<Violation[]>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${help}\n  ${html.slice(0, 300)}\n  ${failureSummary}`),
  );
}
