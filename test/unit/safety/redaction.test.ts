import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RedactionError, Redactor, redactChunks } from '../../../src/safety/redaction.ts';

const PLACEHOLDER = /\[REDACTED:([a-z0-9_]+):([0-9a-f]{8}):(\d+)\]/;
const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BASE36 = '0123456789abcdefghijklmnopqrstuvwxyz';
const HEX = '0123456789abcdef';

/** Looks random, is the same in every run, and stands nowhere in this file. */
function fake(alphabet: string, length: number, seed = 1): string {
  const bytes = createHash('shake256', { outputLength: length }).update(`${alphabet}${length}${seed}`).digest();
  return Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join('');
}

const html = (text: string, quote: string) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;').replace(/'/g, quote);
const inside = (text: string) => JSON.stringify(text).slice(1, -1);
const pad = (code: number, digits: number) => code.toString(16).padStart(digits, '0');
const base64 = (text: string) => Buffer.from(text).toString('base64');

const CANARIES: Record<string, string> = {
  'OpenAI key': `sk-proj-${fake(`${BASE62}_-`, 120)}`,
  'plain password': 'correct horse battery staple',
  'password with every special': `p"a'ss\\w/o<r>d&=+%? #é漢😀`,
  'shortest secret': 'q7/&z"',
  'bare PagerDuty key': fake(HEX, 32),
  'webhook URL': `https://hooks.example.com/in/${fake(BASE62, 24, 9)}?sig=${fake(BASE62, 30, 9)}`,
  'multi-line key': `-----BEGIN KEY-----\n${fake(BASE62, 64)}\n${fake(BASE62, 64, 2)}\n-----END KEY-----`,
};

const ENCODINGS: Record<string, (secret: string) => string> = {
  raw: (secret) => secret,
  'with line breaks': (secret) => secret.replace(/(.{2})(?! )/gu, '$1\r\n  '),
  backwards: (secret) => [...secret].reverse().join(''),
  JSON: (secret) => JSON.stringify({ message: `bad key ${secret}` }),
  'JSON in JSON': (secret) => JSON.stringify({ body: JSON.stringify({ key: secret }) }),
  'ASCII JSON': (secret) =>
    inside(secret).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'JSON with escaped slashes': (secret) => inside(secret).replaceAll('/', '\\/'),
  encodeURIComponent: (secret) => `?q=${encodeURIComponent(secret)}&x=1`,
  encodeURI: (secret) => encodeURI(secret),
  'lower-case percent': (secret) => encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (c) => c.toLowerCase()),
  URLSearchParams: (secret) => new URLSearchParams({ key: secret }).toString(),
  'strict percent': (secret) =>
    encodeURIComponent(secret).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`),
  'HTML &#39;': (secret) => `<p title="${html(secret, '&#39;')}">`,
  'HTML &#x27;': (secret) => html(secret, '&#x27;'),
  'HTML &apos;': (secret) => html(secret, '&apos;'),
  'HTML text': (secret) => secret.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;'),
  'base64 at 0': (secret) => base64(secret),
  'base64 at 1': (secret) => base64(`u${secret}:after`),
  'base64 at 2': (secret) => base64(`me${secret}`),
  'base64 of Basic': (secret) => base64(`api:${secret}`),
  base64url: (secret) => Buffer.from(`xy${secret}z`).toString('base64url'),
  'base64 in lines': (secret) => base64(`body ${secret} end`).replace(/(.{9})/g, '$1\n'),
  'base64 in a URL': (secret) => encodeURIComponent(base64(secret)),
  'base64 in escaped JSON': (secret) => base64(secret).replaceAll('/', '\\/'),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  'line breaks as two characters': (secret) => inside(secret.replace(/(.{5})(?! )/gsu, '$1\r\n  ')),
  '\\u of every character': (secret) =>
    `"${Array.from({ length: secret.length }, (_, i) => `\\u${pad(secret.charCodeAt(i), 4)}`).join('')}"`,
  '\\x of every byte': (secret) => [...Buffer.from(secret)].map((byte) => `\\x${pad(byte, 2).toUpperCase()}`).join(''),
  '\\\\x of every byte': (secret) => [...Buffer.from(secret)].map((byte) => `\\\\x${pad(byte, 2)}`).join(''),
  'HTML decimal of every character': (secret) => [...secret].map((c) => `&#${c.codePointAt(0)};`).join(''),
  'HTML hex of every character': (secret) => [...secret].map((c) => `&#x${c.codePointAt(0)?.toString(16)};`).join(''),
  'hex with spaces': (secret) => [...Buffer.from(secret)].map((byte) => pad(byte, 2)).join(' '),
  'hex with colons': (secret) => [...Buffer.from(secret)].map((byte) => pad(byte, 2).toUpperCase()).join(':'),
  'hex of UTF-16': (secret) => Buffer.from(secret, 'utf16le').toString('hex'),
  'hex of UTF-16, other end first': (secret) => Buffer.from(secret, 'utf16le').swap16().toString('hex'),
  'base64 of UTF-16': (secret) => Buffer.from(`a${secret}b`, 'utf16le').toString('base64'),
  'base64 of base64': (secret) => base64(base64(secret)),
  'base64 of base64 in a text': (secret) => base64(`x${base64(`ab${secret}c`)}`),
  'HEX in text': (secret) => `dump ${Buffer.from(secret).toString('hex').toUpperCase()} end`,
};

/** A sample of each kind of secret, and the rule that names it. */
const SHAPES: [rule: string, sample: string][] = [
  ['anthropic_key', `sk-ant-api03-${fake(`${BASE62}_-`, 93)}AA`],
  ['openrouter_key', `sk-or-v1-${fake(HEX, 64)}`],
  ['langfuse_key', `sk-lf-${crypto.randomUUID()}`],
  ['api_key', `sk-proj-${fake(`${BASE62}_-`, 148)}`],
  ['api_key', `sk-${fake(BASE62, 48)}`],
  ['api_key', `sk-${fake(HEX, 32)}`],
  ['slack_token', `xoxb-${fake('0123456789', 12)}-${fake('0123456789', 12, 2)}-${fake(BASE62, 24)}`],
  ['slack_token', `xapp-1-A${fake(BASE36, 10).toUpperCase()}-${fake('0123456789', 13)}-${fake(HEX, 64)}`],
  ['aws_key', `AKIA${fake('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`],
  ['aws_key', `ASIA${fake('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`],
  ['github_token', `ghp_${fake(BASE62, 36)}`],
  ['github_token', `gho_${fake(BASE62, 36)}`],
  ['github_token', `github_pat_${fake(BASE62, 22)}_${fake(BASE62, 59)}`],
  ['gitlab_token', `glpat-${fake(`${BASE62}_-`, 20)}`],
  ['google_key', `AIza${fake(`${BASE62}_-`, 35)}`],
  ['huggingface_token', `hf_${fake(BASE62, 34)}`],
  ['npm_token', `npm_${fake(BASE62, 36)}`],
  ['api_key', `ya29.a0${fake(`${BASE62}_-`, 120)}`],
  ['api_key', `dop_v1_${fake(HEX, 64)}`],
  ['sendgrid_key', `SG.${fake(`${BASE62}_-`, 22)}.${fake(`${BASE62}_-`, 43)}`],
  ['api_key', `sk_live_${fake(BASE62, 24)}`],
  ['api_key', `rk_live_${fake(BASE62, 24)}`],
  ['api_key', `sk_test_${fake(BASE62, 99)}`],
  ['api_key', `whsec_${fake(BASE62, 32)}`],
  ['api_key', `gsk_${fake(BASE62, 52)}`],
  ['api_key', `xai-${fake(BASE62, 80)}`],
  ['api_key', `pplx-${fake(BASE62, 48)}`],
  ['api_key', `r8_${fake(BASE62, 37)}`],
  ['api_key', `nvapi-${fake(`${BASE62}_-`, 64)}`],
  ['api_key', `fw_${fake(BASE62, 24)}`],
  ['api_key', `tgp_v1_${fake(`${BASE62}_-`, 43)}`],
  ['api_key', `csk-${fake(BASE36, 48)}`],
  [
    'jwt',
    [{ alg: 'HS256', typ: 'JWT' }, { sub: '1234567890' }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.') + `.${fake(BASE62, 43)}`,
  ],
];

/** Texts with the secret between « and »: what stands around it gives it away, and stays. */
const CONTEXTS: [rule: string, text: string][] = [
  [
    'slack_webhook',
    `POST https://hooks.slack.com/«services/T0${fake(BASE36, 9).toUpperCase()}/B0${fake(BASE36, 9, 2).toUpperCase()}/${fake(BASE62, 24)}» 404`,
  ],
  ['slack_webhook', `https:\\/\\/hooks.slack.com\\/«workflows\\/T0123ABCD\\/A0123\\/12345\\/${fake(BASE62, 24)}»`],
  [
    'discord_webhook',
    `https://discord.com/api/webhooks/«${fake('0123456789', 18)}/${fake(`${BASE62}_-`, 68)}»?wait=true`,
  ],
  ['authorization', `Authorization: Basic «${base64(`api-user:${fake(BASE36, 12)}`)}»`],
  ['authorization', `{"authorization":"Bearer «${fake(BASE62, 40)}»","accept":"*/*"}`],
  ['authorization', `{\\"Authorization\\": \\"Token «${fake(HEX, 40)}»\\"}`],
  ['authorization', `Proxy-Authorization: «${fake(BASE62, 20)}»`],
  ['bearer_token', `sent bearer «${fake(BASE62, 32)}» to the server`],
  ['bearer_token', `Bearer%20«${fake(BASE62, 32)}»`],
  ['basic_credentials', `with Basic «${base64('admin:open sesame')}» in the request`],
  ['secret_parameter', `GET /v1/models?api_key=«${fake(HEX, 32)}»&limit=3`],
  ['secret_parameter', `GET /v1/models?key=«${fake(BASE62, 32)}»&limit=3`],
  ['secret_parameter', `callback%3Ftoken%3D«${fake(BASE62, 24)}»`],
  ['secret_parameter', `OPENAI_API_KEY=«${fake(BASE36, 24)}»`],
  ['secret_parameter', `export DB_PASSWORD="«tr0ub4dor&3»"`],
  ['secret_parameter', `mysql --user=root --password=«hunter2»; exit`],
  ['secret_parameter', `{"client_secret":"«${fake(BASE62, 20)}»","id":"x"}`],
  ['secret_parameter', `{\\"accessToken\\":\\"«${fake(BASE62, 30)}»\\"}`],
  ['secret_parameter', `  api-key: «${fake(HEX, 32)}»`],
  ['secret_parameter', `secret => "«${fake(BASE36, 16)}»"`],
  ['secret_parameter', `AccountName=x;AccountKey=«${base64(fake(BASE62, 64))}»;EndpointSuffix=core`],
  ['secret_parameter', `"routing_key": "«${fake(HEX, 32)}»"`],
  ['pagerduty_key', `PagerDuty integration of the team: «${fake(BASE36, 32)}».`],
  ['url_userinfo', `git clone https://«me:${fake(BASE36, 12)}»@git.example.com/x.git`],
  ['url_userinfo', `smtp://«alerts%40example.com:s3cret»@mail.example.com:587`],
  ['url_userinfo', `https://«${fake(BASE62, 40)}»@git.example.com/x.git`],
];

const SURROUNDINGS: ((text: string) => string)[] = [
  (text) => text,
  (text) => `key is ${text}.`,
  (text) => `"${text}",`,
  (text) => `(${text})`,
  (text) => `first line\n${text}\nlast line`,
  (text) => JSON.stringify({ e: `line\n${text}\ttab` }),
  (text) => JSON.stringify(JSON.stringify([`a\n${text}\n`])),
  (text) => `https://example.com/${text}/x`,
  (text) => `a%20${text}%20b`,
  (text) => `\u001b[31m${text}\u001b[0m`,
  (text) => `\\u0022${text}\\u0022`,
  (text) => `漢字${text}漢字`,
];

const uuid = 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6';
const sha = createHash('sha256').update('x').digest('hex');
const vector = base64(String.fromCharCode(...Array.from({ length: 600 }, (_, i) => (i * 37) % 128)));
const ORDINARY = [
  ...[
    uuid,
    sha,
    sha.slice(0, 40),
    sha.slice(0, 7),
    vector,
    '2026-11-22T10:00:00.123Z',
    'fp_44709d6fcb',
    '1.2.3-beta.4',
  ],
  ...[`sha256:${sha}`, `"h":"${sha}"`, `"run_id":"${uuid}"`, `key: ${uuid}`, `cache_key=${sha}`, `key: ${sha}`],
  ...[`"dedup_key":"${uuid}:run_ended"`, `"idempotency_key":"${uuid}"`, `sort_key=2026-11-22`, `primary key: 12345678`],
  ...['"input_tokens":1234,"output_tokens":56,"max_tokens":4096,"token_count":9', 'token usage: 1234567890123456'],
  ...[
    'const token = nextToken();',
    'password: string;',
    'apiKey: process.env.OPENAI_API_KEY,',
    "token: 'comment.line'",
  ],
  ...[
    'Authorization: Bearer $OPENAI_API_KEY',
    'Authorization: Bearer <your key>',
    'Authorization: Bearer YOUR_API_KEY',
  ],
  ...['bearer authentication is required here', 'Basic authentication and basic understanding', 'Basic dGVzdA'],
  ...[
    'task-list-of-things-to-do-2026',
    'sk-learn-documentation-page',
    'disk-based-storage-v2-something',
    'risk-assessment',
  ],
  ...[
    'ssh://git@github.com/a/b.git',
    'http://localhost:3000/a@b',
    'https://example.com:8443/@scope/pkg',
    'file:///a/b@c',
  ],
  ...['https://user:password@host/', 'postgres://USER:${PASSWORD}@db', '/usr/lib/node_modules/key/token/secret.js'],
  ...['-----BEGIN PRIVATE KEY----- is how it starts', '-----BEGIN PUBLIC KEY-----', 'The secret: never give up.'],
  ...['fw_firewallruleconfiguration', 'whsec_', 'SG.Singapore.Region', 'csk-task-list'],
  ...['npm_config_registry', 'hf_transformers_cache_directory', 'ghp_', 'the eyJ prefix', 'AKIA', 'xoxo-hugs'],
  ...[
    'password=',
    'password=""',
    'password=***********',
    'api_key=xxxxxxxxxxxxxxxx',
    'secret={{ secret1 }}',
    'token=$(cat x1)',
    'password=decrypt1(value)',
    'apiKey=keys1[0]',
  ],
];

function rulesIn(text: string): string[] {
  return [...text.matchAll(new RegExp(PLACEHOLDER, 'g'))].map((match) => match[1] ?? '');
}

describe('registered secrets', () => {
  for (const [name, secret] of Object.entries(CANARIES)) {
    it(`are found in every encoding: ${name}`, () => {
      const redactor = new Redactor();
      redactor.register(secret, 'canary');
      for (const [encoding, encode] of Object.entries(ENCODINGS)) {
        const text = `before ${encode(secret)} after`;
        const redacted = redactor.redact(text);
        assert.match(redacted, PLACEHOLDER, encoding);
        // At most the base64 letters that the secret shares with its neighbours may stay.
        const left = redacted.replace(new RegExp(PLACEHOLDER, 'g'), '');
        const rest = encode('').length + 'before  after'.length + 12;
        assert.ok(left.length <= rest, `${encoding}: ${left}`);
      }
    });
  }

  it('carry the same tag in all encodings, another one for another secret or redactor', () => {
    const tagOf = (redactor: Redactor, text: string) => PLACEHOLDER.exec(redactor.redact(text))?.[0];
    const one = new Redactor();
    const [first = '', , , , , second = ''] = Object.values(CANARIES);
    one.register(first, 'A key');
    one.register(second, 'hook');
    const tag = tagOf(one, first);
    assert.match(tag ?? '', new RegExp(`^\\[REDACTED:a_key:[0-9a-f]{8}:${first.length}\\]$`));
    assert.equal(tagOf(one, base64(`xx${first}`)), tag);
    assert.equal(tagOf(one, Buffer.from(first).toString('hex')), tag);
    assert.notEqual(tagOf(one, second), tag);
    one.register([...first].reverse().join('').toUpperCase(), 'A key');
    assert.notEqual(tagOf(one, [...first].reverse().join('').toUpperCase()), tag);
    const elsewhere = new Redactor();
    elsewhere.register(first, 'A key');
    assert.notEqual(tagOf(elsewhere, first), tag);
  });

  it('leave nothing where they overlap or touch', () => {
    const redactor = new Redactor();
    for (const secret of ['abcdefghij', 'ghijklmnop', 'klmnop', 'abcdef']) redactor.register(secret, 'part');
    assert.equal(rulesIn(redactor.redact('xabcdefghijklmnopx')).length, 1);
    assert.equal(redactor.redact('xabcdefghijklmnopx').replace(PLACEHOLDER, ''), 'xx');
    assert.equal(rulesIn(redactor.redact('abcdefabcdef')).length, 2);
    redactor.register('abcdefxyz', 'longer');
    assert.match(redactor.redact('abcdefxyz'), /^\[REDACTED:longer:[0-9a-f]{8}:9\]$/);
  });

  it('of URLs are found without the host', () => {
    const redactor = new Redactor();
    const [path, key, password] = [fake(BASE62, 24), fake(BASE36, 30), fake(BASE62, 9)];
    redactor.register(`https://me:${password}@alerts.example.com/v2/hooks/${path}?routing=${key}`, 'webhook');
    for (const text of [`/v2/hooks/${path}?routing=${key}`, `POST /x/${path} HTTP/1.1`, `k ${key}`, `p ${password}`]) {
      assert.deepEqual(rulesIn(redactor.redact(text)), ['webhook'], text);
    }
    assert.equal(redactor.redact('hooks of alerts.example.com routing v2'), 'hooks of alerts.example.com routing v2');
  });

  it('must have six characters, and are never quoted', () => {
    const redactor = new Redactor();
    for (const secret of ['', 'abcde', '  abcde \n']) {
      assert.throws(
        () => redactor.register(secret, 'PIN'),
        (error: unknown) =>
          error instanceof RedactionError && error.reason === 'too_short' && !/abcde/.test(error.message),
      );
    }
    redactor.register('abcdef\n', 'PIN');
    assert.match(redactor.redact('key abcdef!'), /^key \[REDACTED:pin:[0-9a-f]{8}:6\]!$/);
  });

  it('cannot be smuggled out in a made-up placeholder', () => {
    const redactor = new Redactor();
    redactor.register('hunter2hunter2', 'password');
    assert.doesNotMatch(redactor.redact('[REDACTED:hunter2hunter2:00000000:9]'), /hunter/);
  });
});

describe('secrets known by shape', () => {
  it('are found wherever they stand', () => {
    for (const [rule, sample] of SHAPES) {
      for (const surround of SURROUNDINGS) {
        const text = surround(sample);
        const redacted = new Redactor().redact(text);
        assert.deepEqual(rulesIn(redacted), [rule], text);
        assert.equal(redacted.replace(PLACEHOLDER, sample), text);
      }
    }
  });

  it('are found by what stands around them, which stays', () => {
    for (const [rule, marked] of CONTEXTS) {
      const secret = /«(.*)»/.exec(marked)?.[1] ?? '';
      const redacted = new Redactor().redact(marked.replace(/[«»]/g, ''));
      assert.equal(redacted.replace(PLACEHOLDER, `«${secret}»`), marked);
      assert.deepEqual(rulesIn(redacted), [rule]);
    }
  });

  it('include private keys, whole or torn, as a file, in JSON or in code', () => {
    const line = (seed: number) => fake(BASE62, 64, seed);
    const body = [line(1), line(2), `${fake(BASE62, 30)}==`];
    for (const kind of ['', 'RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED ']) {
      const [begin, end] = [`-----BEGIN ${kind}PRIVATE KEY-----`, `-----END ${kind}PRIVATE KEY-----`];
      const whole = [begin, ...body, end].join('\n');
      const variants = [
        whole,
        whole.replaceAll('\n', '\r\n'),
        JSON.stringify(whole),
        JSON.stringify(JSON.stringify(whole)),
        [begin, 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-128-CBC,0123', '', ...body, end].join('\n'),
        [begin, ...body.slice(0, 2)].join('\n'),
        `'${begin}\\n' +\n  '${body.join(`\\n' +\n  '`)}\\n' +\n  '${end}'`,
      ];
      for (const text of variants) {
        const redacted = new Redactor().redact(`a ${text} b`);
        assert.deepEqual(rulesIn(redacted), ['private_key'], text);
        for (const part of body.slice(0, 2)) assert.ok(!redacted.includes(part.slice(0, 20)), text);
        assert.match(redacted, / b$/);
      }
    }
  });

  it('are replaced to their end, however long', () => {
    const long = fake(BASE62, 3000);
    for (const text of [`password=${long}`, `{"api_key":"${long}"}`, `sk-${long}`, `Authorization: Bearer ${long}`]) {
      assert.ok(new Redactor().redact(text).length < 80, text.slice(0, 20));
    }
  });
});

describe('ordinary text', () => {
  it('stays as it is', () => {
    const redactor = new Redactor();
    redactor.register(CANARIES['OpenAI key'] ?? '', 'key');
    for (const text of ORDINARY) assert.equal(redactor.redact(text), text);
    assert.equal(redactor.counts.total, 0);
  });

  it('in our own log stays as it is', () => {
    const redactor = new Redactor();
    for (const [name, secret] of Object.entries(CANARIES)) redactor.register(secret, name);
    for (let i = 0; i < 2000; i++) {
      const digest = createHash('sha256').update(`line ${i}`).digest();
      const floats = new Float32Array(digest.subarray(0, 16)).map((byte) => (byte - 128) / 997 / (i + 1));
      const event = {
        c: digest.toString('hex').slice(0, 8),
        h: digest.toString('hex'),
        e: {
          ...{
            v: 1,
            seq: i,
            epoch: 1,
            type: 'call.settled',
            ts: new Date(1.8e12 + i * 977).toISOString(),
            mono_ms: i * 1.5,
          },
          ...{ run_id: uuid, call_id: digest.toString('base64url'), agent: 'execution', model: 'gpt-4o-2024-11-20' },
          ...{
            input_tokens: i,
            cached_tokens: 0,
            output_tokens: 9,
            cost_usd: 1e-6 * i,
            system_fingerprint: 'fp_44709d6fcb',
          },
          ...{ embedding: Buffer.from(floats.buffer).toString('base64'), request_sha256: digest.toString('hex') },
          ...{ text: `Compare option ${i} with key=value pairs, tokens: many`, path: `/home/me/p${i}/.babyagi/runs/x` },
        },
      };
      const line = JSON.stringify(event);
      assert.equal(redactor.redact(line), line);
      assert.deepEqual(redactor.redactJson(event), event);
    }
  });

  it('of vectors of 1536 numbers stays as it is', () => {
    const redactor = new Redactor();
    for (const [name, secret] of Object.entries(CANARIES)) redactor.register(secret, name);
    for (let i = 0; i < 300; i++) {
      const text = createHash('shake256', { outputLength: 6144 }).update(`vector ${i}`).digest('base64');
      assert.equal(redactor.redact(text), text);
    }
  });

  it('of documentation and code is hit in less than 1 of 10 000 lines', () => {
    const redactor = new Redactor();
    let lines = 0;
    let hits = 0;
    for (const path of corpus(join(process.cwd(), 'node_modules'), 10)) {
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        lines++;
        if (redactor.redact(line) !== line) hits++;
      }
    }
    assert.ok(lines > 30_000, `only ${lines} lines`);
    console.log(`redaction: ${lines} lines of documentation and code, ${hits} replaced for nothing`);
    assert.ok(hits * 10_000 < lines, `${hits} hits in ${lines} lines`);
  });
});

function packages(root: string): string[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Some documentation and source files of each package. */
function corpus(root: string, perPackage: number): string[] {
  return packages(root).flatMap((name) => {
    const files = readdirSync(join(root, name), { recursive: true, withFileTypes: true });
    return files
      .filter((file) => file.isFile() && /\.(?:md|js|d\.ts)$/.test(file.name))
      .map((file) => join(file.parentPath, file.name))
      .sort()
      .slice(0, perPackage);
  });
}

describe('redact', () => {
  const pieces = [
    ...SHAPES.map(([, sample]) => sample),
    ...CONTEXTS.map(([, text]) => text.replace(/[«»]/g, '')),
    ...Object.values(CANARIES),
    ...[
      'password=',
      'key=',
      'Authorization: Bearer ',
      'sk-',
      '://',
      '@',
      ':',
      '"',
      "'",
      '\\',
      '\n',
      ' ',
      '&',
      '=',
      '-',
      'A1b2C3d4',
    ],
    ...[
      '[REDACTED:',
      '[REDACTED:api_key:01234567:9]',
      ']',
      'eyJ',
      '.',
      'AKIA',
      'PagerDuty ',
      '-----BEGIN PRIVATE KEY-----\n',
    ],
  ];
  const text = fc
    .array(
      fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 4 })),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join(''));
  const redactor = new Redactor();
  for (const [name, secret] of Object.entries(CANARIES)) redactor.register(secret, name);

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(text, (value) => {
        const once = redactor.redact(value);
        assert.equal(redactor.redact(once), once);
        const before = redactor.counts.total;
        assert.equal(new Redactor().redact(once), once, 'nor in another process');
        redactor.redact(once);
        assert.equal(redactor.counts.total, before);
      }),
      { numRuns: 3000 },
    );
  });

  it('leaves JSON that can be parsed, with the same names', () => {
    const torn = `-----BEGIN PRIVATE KEY-----\n${fake(BASE62, 64)}`;
    const name = fc.oneof(fc.constantFrom('password', 'x', 'aPropertyWithAVeryLongNameOfLetters', 'api_key'), text);
    const value = fc.oneof(text, fc.constant(torn), fc.integer(), fc.boolean());
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), fc.constantFrom(0, 2), (entries, indent) => {
        const json = JSON.stringify(Object.fromEntries(entries), null, indent);
        const namesIn = (line: string) => Object.keys(JSON.parse(line) as object);
        assert.equal(namesIn(redactor.redact(json)).length, namesIn(json).length);
      }),
      { numRuns: 2000 },
    );
  });

  it('counts what it replaced, by rule', () => {
    const counting = new Redactor();
    counting.register('hunter2hunter2', 'Mail password');
    counting.redact('hunter2hunter2 and hunter2hunter2');
    counting.redact(SHAPES[10]?.[1] ?? '');
    assert.deepEqual(counting.counts, { total: 3, byRule: { mail_password: 2, github_token: 1 } });
  });

  it('reads a text once, whatever it repeats', { timeout: 60_000 }, () => {
    const parts = [
      ...[
        'key=',
        'a',
        'sk-',
        'eyJ',
        'eyJaaaaaaaa.',
        '://',
        '://a:',
        'a:@',
        '-----BEGIN PRIVATE KEY-----',
        'pagerduty ',
        'token\\\\',
      ],
      ...[
        'authorization: abcd ',
        'bearer ',
        'password="',
        'hooks.slack.com/services/',
        'AIza',
        'AKIAAAAAAAAAAAAAAAAA_',
        '[REDACTED:',
      ],
    ];
    for (const part of parts) redactor.redact(part.repeat(400_000 / part.length));
  });
});

describe('redactJson', () => {
  const secretNames = [
    ...[
      'authorization',
      'Authorization',
      'api_key',
      'apiKey',
      'API_KEY',
      'OPENAI_API_KEY',
      'x-api-key',
      'apikey',
      'password',
    ],
    ...[
      'dbPassword',
      'token',
      'accessToken',
      'auth_token',
      'HTTPAuthorization',
      'client_secret',
      'privateKey',
      'Set-Cookie',
    ],
    ...['routing_key', 'credentials', 'AWSSecretKey'],
  ];
  const openNames = [
    ...[
      'input_tokens',
      'output_tokens',
      'max_tokens',
      'maxTokens',
      'token_count',
      'tokens',
      'cached_tokens',
      'tokenizer',
    ],
    ...[
      'key',
      'dedup_key',
      'cache_key',
      'keyboard',
      'secretary',
      'author',
      'authority',
      'passage',
      'compass',
      'token_type',
    ],
    ...['api_key_env', 'public_key', 'monkey'],
  ];

  it('replaces the whole of a string whose name says that it is a secret', () => {
    for (const name of secretNames) {
      const redacted = new Redactor().redactJson({ [name]: 'open sesame', list: [{ [name]: ['a', 'b'] }] });
      assert.match(redacted[name] as string, /^\[REDACTED:secret_property:[0-9a-f]{8}:11\]$/, name);
      assert.doesNotMatch(JSON.stringify(redacted.list), /"[ab]"/);
    }
  });

  it('leaves other names alone', () => {
    const redactor = new Redactor();
    for (const name of openNames)
      assert.deepEqual(redactor.redactJson({ [name]: 'plain words' }), { [name]: 'plain words' });
  });

  it('names the secret where it knows it, and changes nothing the second time', () => {
    const redactor = new Redactor();
    redactor.register('hunter2hunter2', 'mail');
    const value = {
      password: 'hunter2hunter2',
      authorization: 'Bearer hunter2hunter2',
      token: 'x hunter2hunter2',
      pwd: '',
    };
    const once = redactor.redactJson(value);
    assert.match(once.password, /^\[REDACTED:mail:[0-9a-f]{8}:14\]$/);
    assert.match(once.authorization, /^Bearer \[REDACTED:mail:[0-9a-f]{8}:14\]$/);
    assert.match(once.token, /^\[REDACTED:secret_property:[0-9a-f]{8}:16\]$/);
    assert.equal(once.pwd, '');
    assert.deepEqual(redactor.redactJson(once), once);
    assert.equal(redactor.counts.total, 3);
  });

  it('copies deeply: strings, names, lists; and touches nothing else', () => {
    const redactor = new Redactor();
    redactor.register('hunter2hunter2', 'mail');
    const value: unknown = JSON.parse(
      '{"a":[1,true,null,{"b hunter2hunter2":"c hunter2hunter2 d"}],"n":1.5,"__proto__":{"x":"hunter2hunter2"}}',
    );
    const before = JSON.stringify(value);
    const redacted = redactor.redactJson(value);
    assert.equal(JSON.stringify(value), before);
    assert.equal(JSON.stringify(redacted).replace(/\[REDACTED:mail:[0-9a-f]{8}:14\]/g, 'hunter2hunter2'), before);
    assert.doesNotMatch(JSON.stringify(redacted), /hunter/);
    assert.equal(Object.getPrototypeOf(redacted), Object.prototype);
  });

  it('refuses data that is too deep or contains itself', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const deep: unknown = JSON.parse('['.repeat(300) + ']'.repeat(300));
    for (const value of [cycle, deep]) {
      assert.throws(
        () => new Redactor().redactJson(value),
        (error: unknown) => error instanceof RedactionError && error.reason === 'too_deep',
      );
    }
  });
});

describe('redactChunks', () => {
  const filler = 'The quick brown fox jumps over the lazy dog. '.repeat(60);
  const key = `-----BEGIN PRIVATE KEY-----\n${Array.from({ length: 60 }, (_, i) => fake(BASE62, 64, i)).join('\n')}\n-----END PRIVATE KEY-----`;
  const secrets = [
    ...SHAPES.map(([, sample]) => sample),
    ...Object.values(CANARIES),
    key,
    `password=${fake(BASE62, 3000)}`,
  ];

  function redactor(): Redactor {
    const registered = new Redactor();
    for (const [name, secret] of Object.entries(CANARIES)) registered.register(secret, name);
    return registered;
  }

  function inPieces(text: string, sizes: readonly number[], by = redactor()): string {
    const chunks = redactChunks(by);
    let out = '';
    for (let at = 0, i = 0; at < text.length; i++) {
      const size = sizes[i % sizes.length] ?? 1;
      out += chunks.push(text.slice(at, at + size));
      at += size;
    }
    return out + chunks.end();
  }

  it('gives what redact gives, wherever the text is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...secrets), { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 100, max: 5000 })), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat(200),
        (chosen, sizes, offset) => {
          const text = filler.slice(offset) + chosen.join(`\n${filler}`) + filler;
          const by = redactor();
          assert.equal(inPieces(text, sizes, by), by.redact(text));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('hands out what is settled before the end', () => {
    const chunks = redactChunks(redactor());
    const first = chunks.push(filler.repeat(3));
    assert.ok(first.length > filler.length);
    assert.equal(first + chunks.end(), filler.repeat(3));
  });

  it('is how long texts are redacted: no secret escapes at a seam', () => {
    const window = 256 * 1024;
    for (const secret of secrets) {
      for (const before of [1, Math.floor(secret.length / 2)]) {
        const padding = filler.repeat(130).slice(0, window - before - 1);
        const registered = redactor();
        const redacted = registered.redact(`${padding} ${secret} ${filler}`);
        assert.equal(registered.counts.total, 1, secret);
        assert.ok(!redacted.includes(secret.slice(-12)));
      }
    }
  });

  it('finds registered secrets longer than any shape', () => {
    const secret = fake(BASE62, 3000);
    const registered = new Redactor();
    registered.register(secret, 'long');
    for (const text of [secret, Buffer.from(secret).toString('hex')]) {
      const chunks = redactChunks(registered);
      let out = '';
      for (let at = 0; at < text.length; at += 50) out += chunks.push(text.slice(at, at + 50));
      assert.match(out + chunks.end(), /^\[REDACTED:long:[0-9a-f]{8}:3000\]$/);
    }
  });

  it('takes no end of a word for a word', () => {
    const text = `X${SHAPES[8]?.[1]} `.repeat(120);
    assert.ok(new Redactor().redact(text) === text);
    assert.ok(inPieces(text, [1]) === text);
  });

  it('does not wait for ever for the end of a secret', () => {
    const chunks = redactChunks(redactor());
    let out = chunks.push('sk-');
    for (let i = 0; i < 25; i++) out += chunks.push(fake(BASE62, 50_000, i));
    assert.match(out, /^\[REDACTED:api_key:[0-9a-f]{8}:\d{7}\]/);
  });
});
