import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { promptRecords } from '../../../src/agents/prompts.ts';
import { checkTemplate, render, TemplateError } from '../../../src/agents/template.ts';

const text = (template: string, values: Record<string, string>) => render(template, values)[0]?.content;

describe('a prompt template', () => {
  it('puts values in, each as it is', () => {
    assert.equal(text('{{a}} and {{a}}, {{b}}', { a: '$& {{b}} $1', b: '2' }), '$& {{b}} $1 and $& {{b}} $1, 2');
  });

  it('keeps a section where its value is not empty', () => {
    const template = 'x{{#a}}[{{a}}]{{/a}}y';
    assert.equal(text(template, { a: '1' }), 'x[1]y');
    assert.equal(text(template, { a: '' }), 'xy');
  });

  it('takes sections in sections', () => {
    const template = '{{#a}}A{{#b}}B{{#c}}C{{/c}}{{/b}}{{/a}}.';
    assert.equal(text(template, { a: '1', b: '1', c: '1' }), 'ABC.');
    assert.equal(text(template, { a: '1', b: '', c: '1' }), 'A.');
    assert.equal(text(template, { a: '', b: '1', c: '1' }), '.');
  });

  it('does not take markers in values for its own', () => {
    assert.equal(text('{{#a}}{{a}}{{/a}}', { a: '{{#b}}x{{/b}}', b: '' }), '{{#b}}x{{/b}}');
    assert.deepEqual(
      render('s\n--- user ---\n{{a}}', { a: 'one\n--- user ---\ntwo' }).map(({ content }) => content),
      ['s', 'one\n--- user ---\ntwo'],
    );
  });

  it('is a system message, and a user message behind the divider', () => {
    assert.deepEqual(render('S\n--- user ---\nU {{a}}', { a: '1' }), [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U 1' },
    ]);
    assert.deepEqual(render('S only', {}), [{ role: 'system', content: 'S only' }]);
  });

  it('is refused where it names what its agent does not have', () => {
    for (const bad of ['{{b}}', '{{#b}}x{{/b}}', '{{#a}}{{b}}{{/a}}']) {
      assert.throws(
        () => checkTemplate(bad, ['a']),
        (error) => error instanceof TemplateError && error.reason === 'unknown_variable',
        bad,
      );
    }
  });

  it('is refused where a section is not closed', () => {
    for (const bad of ['{{#a}}x', 'x{{/a}}', '{{#a}}{{#b}}{{/a}}{{/b}}']) {
      assert.throws(
        () => checkTemplate(bad, ['a', 'b']),
        (error) => error instanceof TemplateError && error.reason === 'unclosed_section',
        bad,
      );
    }
    checkTemplate('{{#a}}{{#b}}{{#c}}{{c}}{{/c}}{{/b}}{{/a}}', ['a', 'b', 'c']);
  });
});

describe('the prompts of a run', () => {
  it('are all usable, and carry their hash', () => {
    for (const strategy of ['guarded', 'classic'] as const) {
      for (const record of Object.values(promptRecords(strategy, new Map()))) {
        assert.match(record.sha256, /^[0-9a-f]{64}$/);
        assert.equal(record.source, 'built-in');
      }
    }
  });

  it('can be overridden by name, but not with values that the agent does not have', () => {
    const override = (body: string) =>
      promptRecords('guarded', new Map([['execution', { text: body, file: 'execution.md' }]]));
    assert.equal(override('Do {{task}}.')['execution']?.source, 'execution.md');
    assert.throws(() => override('Do {{everything}}.'), TemplateError);
  });

  it('names the file that no agent would read, or that cannot be used', () => {
    const refusal = (name: string, text: string) => {
      try {
        promptRecords('guarded', new Map([[name, { text, file: `${name}.md` }]]));
      } catch (error) {
        if (error instanceof TemplateError) return error.message;
        throw error;
      }
      return null;
    };
    const names = 'it has execution.md, planning.md, repair.md, judge.md, synthesis.md.';
    for (const name of ['nonsense', 'README', 'creation', 'Execution', 'toString'])
      assert.equal(refusal(name, 'x'), `"${name}.md" is for no agent of the strategy guarded: ${names}`);
    assert.match(refusal('judge', '{{task}}') ?? '', /^"judge\.md": There is no value \{\{task\}\}/);
    assert.equal(refusal('judge', 'Judge.'), null);
  });
});
