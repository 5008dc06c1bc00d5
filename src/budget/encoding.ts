/** The token encodings this program can count in. */
export type EncodingName = 'o200k_base' | 'cl100k_base';

/** The first rule that matches wins. `text-embedding-` alone would also match models of other vendors. */
const RULES: readonly (readonly [RegExp, EncodingName])[] = [
  [/^(gpt-4o|gpt-4\.1|gpt-4\.5|gpt-[5-9]|o\d|chatgpt|gpt-oss)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-35|text-embedding-(ada-002|3-))/, 'cl100k_base'],
];

/**
 * The encoding of a model, by its name; vendor prefixes (`openai/gpt-4o`) and fine-tune forms (`ft:gpt-4o:org::id`) are seen through.
 * `exact` is false for models whose tokenizer is not known here: then counts are estimates and want a safety factor.
 */
export function encodingFor(model: string): { name: EncodingName; exact: boolean } {
  const base = model.trim().toLowerCase().replace(/^.*\//, '').replace(/^ft:/, '');
  const rule = RULES.find(([pattern]) => pattern.test(base));
  return rule === undefined ? { name: 'o200k_base', exact: false } : { name: rule[1], exact: true };
}
