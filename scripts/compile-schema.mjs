// JSON Schemas to JavaScript: expressions that are true for exactly the JSON values that a schema takes and that have no key
// more than it names. For the schemas of zod; a keyword that is not known here is an error, so that none is left out.

/** The text of an ES module that exports `(value) => boolean` under each name of `schemas`. */
export function compileSchemas(schemas) {
  const functions = Object.entries(schemas).map(([name, schema]) => `export const ${name}=(v)=>${check(schema, 'v')};`);
  return `const is=(v)=>typeof v==='object'&&v!==null&&!Array.isArray(v);\n${functions.join('\n')}\n`;
}

/** What says nothing about a value: `format` always comes with its `pattern`. */
const WITHOUT_MEANING = ['$schema', 'default', 'description', 'format'];

function check(schema, value) {
  const { type, ...rest } = schema;
  const given = Object.keys(rest).filter((key) => !WITHOUT_MEANING.includes(key));
  const only = (...known) => {
    const unknown = given.find((key) => !known.includes(key));
    if (unknown !== undefined) throw new Error(`A schema says ${unknown}, which cannot be compiled.`);
  };
  const all = (...conditions) => conditions.filter((each) => each !== '').join('&&');
  const any = (options) => `(${options.map((each) => check(each, value)).join('||')})`;
  const bound = (key, operator, what) => (key in schema ? `${what}${operator}${JSON.stringify(schema[key])}` : '');
  if (Array.isArray(type)) {
    const [first, ...others] = type;
    if (others.join() !== 'null') throw new Error(`A schema says type ${type.join()}, which cannot be compiled.`);
    return `(${value}===null||${check({ ...schema, type: first }, value)})`;
  }
  if ('const' in schema) {
    only('const');
    return `${value}===${JSON.stringify(schema.const)}`;
  }
  if ('enum' in schema) {
    only('enum');
    return `(${schema.enum.map((each) => `${value}===${JSON.stringify(each)}`).join('||')})`;
  }
  switch (type) {
    case undefined:
      only('anyOf', 'oneOf');
      if (given.length === 0) return 'true';
      return distinguished(schema.anyOf ?? schema.oneOf, value) ?? any(schema.anyOf ?? schema.oneOf);
    case 'null':
      only();
      return `${value}===null`;
    case 'boolean':
      only();
      return `typeof ${value}==='boolean'`;
    case 'integer':
    case 'number':
      only('minimum', 'maximum');
      return all(
        // JSON has numbers that are too large: they read as infinite.
        `Number.${type === 'integer' ? 'isSafeInteger' : 'isFinite'}(${value})`,
        bound('minimum', '>=', value),
        bound('maximum', '<=', value),
      );
    case 'string':
      only('minLength', 'maxLength', 'pattern');
      return all(
        `typeof ${value}==='string'`,
        bound('minLength', '>=', `${value}.length`),
        bound('maxLength', '<=', `${value}.length`),
        'pattern' in schema ? `${new RegExp(schema.pattern)}.test(${value})` : '',
      );
    case 'array':
      only('items');
      return `Array.isArray(${value})&&${value}.every(${each(schema.items, value)})`;
    case 'object':
      only('properties', 'required', 'additionalProperties', 'propertyNames');
      return schema.properties === undefined ? dictionary(schema, value) : object(schema, value);
    default:
      throw new Error(`A schema says type ${type}, which cannot be compiled.`);
  }
}

/** Of JSON no value is undefined: a key is there if its value is not. */
function object({ properties, required = [], additionalProperties }, value) {
  if (additionalProperties !== false) throw new Error('A schema with further keys cannot be compiled.');
  const names = Object.keys(properties);
  const optional = names.filter((name) => !required.includes(name));
  const count = [names.length - optional.length, ...optional.map((name) => `(${value}.${name}!==undefined)`)].join('+');
  const checks = names.map((name) => {
    const one = check(properties[name], `${value}.${name}`);
    return optional.includes(name) ? `(${value}.${name}===undefined||${one})` : one;
  });
  return [`is(${value})`, `Object.keys(${value}).length===${count}`, ...checks].join('&&');
}

function dictionary({ additionalProperties, propertyNames }, value) {
  if (propertyNames?.type !== 'string' || Object.keys(propertyNames).length > 1)
    throw new Error('A dictionary with other keys than any text cannot be compiled.');
  return `is(${value})&&Object.values(${value}).every(${each(additionalProperties, value)})`;
}

function each(schema, value) {
  const item = `${value.replaceAll('.', '_')}_`;
  return `(${item})=>${check(schema, item)}`;
}

/** One of several objects that their `type` tells apart: only the right one is asked. Null for other choices. */
function distinguished(options, value) {
  const words = options.map(({ properties }) => properties?.type?.const);
  if (words.includes(undefined)) return null;
  const cases = options.map((each, index) => `case ${JSON.stringify(words[index])}:return ${check(each, 'o')};`);
  return `is(${value})&&((o)=>{switch(o.type){${cases.join('\n')}default:return false}})(${value})`;
}
