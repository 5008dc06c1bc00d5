import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isLoopback,
  isPublicAddress,
  KeyError,
  type KeyErrorReason,
  mayConnect,
  needsKey,
  OriginError,
  type OriginErrorReason,
  parseApiKey,
  parseMailServer,
  parseOrigin,
} from '../../../src/safety/origin.ts';

const SECRET = 'sk-canary-0123456789';

function refusal(url: string, allowPrivate = false): OriginErrorReason | undefined {
  try {
    parseOrigin(url, { allowPrivate });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof OriginError);
    assert.ok(!error.message.includes(SECRET), error.message);
    return error.reason;
  }
}

describe('parseOrigin', () => {
  it('normalises case, default port, punycode and number notations to one text', () => {
    const cases: [url: string, text: string][] = [
      ['https://api.openai.com/v1/chat?x=1#y', 'https://api.openai.com'],
      ['HTTPS://API.OpenAI.com:443', 'https://api.openai.com'],
      ['https://api.openai.com:8443/', 'https://api.openai.com:8443'],
      ['https://bücher.example/', 'https://xn--bcher-kva.example'],
      ['http://localhost:11434/v1', 'http://localhost:11434'],
      ['http://LOCALHOST:80', 'http://localhost'],
      ['http://127.1:8080', 'http://127.0.0.1:8080'],
      ['http://0x7f000001:8080', 'http://127.0.0.1:8080'],
      ['http://[0:0:0:0:0:0:0:1]:8080', 'http://[::1]:8080'],
      ['https://8.8.8.8', 'https://8.8.8.8'],
    ];
    for (const [url, text] of cases) assert.equal(parseOrigin(url).text, text, url);
  });

  it('gives host without brackets and the effective port', () => {
    assert.deepEqual(parseOrigin('http://[::1]:8080/v1'), {
      text: 'http://[::1]:8080',
      scheme: 'http',
      host: '::1',
      port: 8080,
    });
    assert.equal(parseOrigin('https://example.com').port, 443);
    assert.equal(parseOrigin('http://localhost').port, 80);
  });

  it('keeps look-alike names apart', () => {
    assert.notEqual(parseOrigin('https://аpi.openai.com').text, parseOrigin('https://api.openai.com').text);
    assert.equal(parseOrigin('https://api.openai.com.evil.example').host, 'api.openai.com.evil.example');
  });

  it('refuses what may not carry a key, and says why', () => {
    const cases: [url: string, reason: OriginErrorReason][] = [
      ['', 'invalid_url'],
      ['api.openai.com/v1', 'invalid_url'],
      ['https://', 'invalid_url'],
      ['https://exa mple.com', 'invalid_url'],
      ['https://example.com:99999', 'invalid_url'],
      ['ftp://example.com', 'scheme_not_allowed'],
      ['file:///etc/passwd', 'scheme_not_allowed'],
      ['ws://localhost', 'scheme_not_allowed'],
      ['http://example.com', 'insecure'],
      ['http://localhost.example.com', 'insecure'],
      ['http://8.8.8.8', 'insecure'],
      [`https://user:${SECRET}@example.com`, 'userinfo'],
      [`https://${SECRET}@example.com/?k=${SECRET}`, 'userinfo'],
      ['https://api.openai.com:x@evil.example', 'userinfo'],
      [`https://:${SECRET}@example.com`, 'userinfo'],
      [`https://api.openai.com./${SECRET}`, 'trailing_dot'],
      ['http://localhost.:8080', 'trailing_dot'],
      ['https://169.254.169.254/latest/meta-data', 'address_not_allowed'],
      ['https://10.0.0.1', 'address_not_allowed'],
      ['https://192.168.1.10', 'address_not_allowed'],
      ['https://0.0.0.0', 'address_not_allowed'],
      ['https://[fe80::1]', 'address_not_allowed'],
      ['https://[fd00::1]', 'address_not_allowed'],
      ['https://[::ffff:10.0.0.1]', 'address_not_allowed'],
      ['https://[::]', 'address_not_allowed'],
      ['https://224.0.0.1', 'address_not_allowed'],
    ];
    for (const [url, reason] of cases) assert.equal(refusal(url), reason, url);
  });

  it('lets allowPrivate name servers of the own network, over http too, but nothing public over http', () => {
    for (const url of [
      'http://192.168.1.10:8000',
      'https://10.0.0.1',
      'http://[fd00::1]:8000',
      'http://llm.lan:8000',
      'https://169.254.1.1',
      'http://100.64.0.7',
    ]) {
      assert.equal(refusal(url, true), undefined, url);
    }
    assert.equal(refusal('http://8.8.8.8', true), 'insecure');
    assert.equal(refusal('http://[2606:4700::1]', true), 'insecure');
    assert.equal(refusal('http://0.0.0.0', true), 'address_not_allowed');
    assert.equal(refusal('https://255.255.255.255', true), 'address_not_allowed');
    assert.equal(refusal('https://user@10.0.0.1', true), 'userinfo');
  });

  it('is idempotent, and the text is all that counts', () => {
    fc.assert(
      fc.property(fc.webUrl({ validSchemes: ['https'], withFragments: true, withQueryParameters: true }), (url) => {
        const origin = parseOrigin(url);
        assert.deepEqual(parseOrigin(origin.text), origin);
        assert.deepEqual(parseOrigin(`${origin.text}/another/path?q=1`), origin);
      }),
    );
  });

  it('sees through every notation of a private address', () => {
    const privateAddress = fc.oneof(
      fc.integer({ min: 0x0a000000, max: 0x0affffff }),
      fc.integer({ min: 0xac100000, max: 0xac1fffff }),
      fc.integer({ min: 0xc0a80000, max: 0xc0a8ffff }),
      fc.integer({ min: 0xa9fe0000, max: 0xa9feffff }),
      fc.integer({ min: 0x64400000, max: 0x647fffff }),
    );
    fc.assert(
      fc.property(privateAddress, (address) => {
        const bytes = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
        const groups = `${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
        for (const host of [
          bytes.join('.'),
          String(address),
          `0x${address.toString(16)}`,
          `0${address.toString(8)}`,
          `[::ffff:${groups}]`,
          `[64:ff9b::${groups}]`,
        ]) {
          assert.equal(refusal(`https://${host}/`), 'address_not_allowed', host);
        }
      }),
    );
  });
});

describe('needsKey', () => {
  it('is false for this machine, and for plain http, which reaches the own network alone', () => {
    for (const url of [
      'http://localhost:11434/v1',
      'https://127.0.0.1:8443',
      'https://[::1]',
      'http://192.168.0.9:8000',
    ])
      assert.equal(needsKey(url), false, url);
    for (const url of ['https://api.openai.com/v1', 'https://192.168.0.9:8000', 'https://localhost.example'])
      assert.equal(needsKey(url), true, url);
  });
});

describe('isLoopback and isPublicAddress', () => {
  it('tell this machine, the internet and the rest apart', () => {
    const loopback = ['localhost', 'LocalHost', '127.0.0.1', '127.255.255.254', '::1', '[::1]', '::ffff:127.0.0.1'];
    const isPublic = [
      '1.1.1.1',
      '172.15.255.255',
      '172.32.0.0',
      '100.128.0.0',
      '2606:4700::1111',
      '64:ff9b::808:808',
      '::ffff:8.8.8.8',
    ];
    const neither = [
      ...['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.0.1', '169.254.169.254', '100.64.0.1', '198.18.0.1'],
      ...['0.0.0.0', '192.0.2.1', '198.51.100.1', '203.0.113.1', '224.0.0.251', '240.0.0.1', '255.255.255.255'],
      ...[
        '::',
        'fe80::1',
        'fe80::1%eth0',
        'fc00::1',
        'fd00:ec2::254',
        'ff02::1',
        '2001:db8::1',
        '2002:7f00:1::1',
        '2001::1',
        '3fff::1',
      ],
      ...['::ffff:192.168.0.1', '64:ff9b::7f00:1', '::7f00:1', '4000::1', 'example.com', 'localhost.example.com', ''],
    ];
    for (const host of loopback) assert.deepEqual([isLoopback(host), isPublicAddress(host)], [true, false], host);
    for (const host of isPublic) assert.deepEqual([isLoopback(host), isPublicAddress(host)], [false, true], host);
    for (const host of neither) assert.deepEqual([isLoopback(host), isPublicAddress(host)], [false, false], host);
  });
});

describe('mayConnect', () => {
  it('fits an address to the name it was given for', () => {
    const addresses = ['127.0.0.1', '192.168.1.1', 'fe80::1%eth0', '8.8.8.8', '0.0.0.0'];
    const verdicts = (url: string, allowPrivate: boolean) =>
      addresses.filter((address) => mayConnect(parseOrigin(url, { allowPrivate }), address, allowPrivate));
    assert.deepEqual(verdicts('https://api.example.com', false), ['8.8.8.8']);
    assert.deepEqual(verdicts('https://api.example.com', true), [
      '127.0.0.1',
      '192.168.1.1',
      'fe80::1%eth0',
      '8.8.8.8',
    ]);
    assert.deepEqual(verdicts('http://llm.lan', true), ['127.0.0.1', '192.168.1.1', 'fe80::1%eth0']);
    assert.deepEqual(verdicts('http://localhost', false), ['127.0.0.1']);
    assert.deepEqual(verdicts('https://localhost', true), ['127.0.0.1']);
  });
});

describe('parseApiKey', () => {
  it('trims and keeps the key', () => {
    assert.equal(parseApiKey(`  ${SECRET}\r\n`), SECRET);
    assert.equal(parseApiKey('!'.repeat(8)), '!'.repeat(8));
    assert.equal(parseApiKey('~'.repeat(512)), '~'.repeat(512));
  });

  it('refuses without quoting', () => {
    const cases: [text: string, reason: KeyErrorReason][] = [
      ['', 'empty'],
      [' \n\t', 'empty'],
      [`${SECRET}\n${SECRET}`, 'forbidden_character'],
      [`Bearer ${SECRET}`, 'forbidden_character'],
      [`${SECRET}\u0000x`, 'forbidden_character'],
      [`${SECRET}\u2026`, 'forbidden_character'],
      [`${SECRET}\u007f.`, 'forbidden_character'],
      ['seven77', 'wrong_length'],
      [SECRET.repeat(26), 'wrong_length'],
    ];
    for (const [text, reason] of cases) {
      assert.throws(
        () => parseApiKey(text),
        (error) => {
          assert.ok(error instanceof KeyError);
          assert.equal(error.reason, reason, JSON.stringify(text));
          assert.ok(text.trim() === '' || !error.message.includes(text.trim().slice(0, 7)), error.message);
          return true;
        },
      );
    }
  });
});

describe('parseMailServer', () => {
  const reasonOf = (server: string) => {
    try {
      parseMailServer(server);
      return undefined;
    } catch (error) {
      assert.ok(error instanceof OriginError);
      assert.ok(!error.message.includes(SECRET), error.message);
      return error.reason;
    }
  };

  it('normalises the name as that of any server, and knows the usual ports', () => {
    for (const [server, text] of [
      ['smtp://Mail.Example.com', 'smtp://mail.example.com:587'],
      ['SMTPS://mail.example.com/', 'smtps://mail.example.com:465'],
      ['smtp://mail.example.com:80', 'smtp://mail.example.com:80'],
      ['smtps://mail.example.com:443', 'smtps://mail.example.com:443'],
      ['smtp://bücher.example:25', 'smtp://xn--bcher-kva.example:25'],
      ['smtp://[::1]:2525', 'smtp://[::1]:2525'],
      ['smtp://127.1', 'smtp://127.0.0.1:587'],
    ] as const) {
      assert.equal(parseMailServer(server).text, text);
    }
  });

  it('refuses what is no mail server', () => {
    for (const [server, reason] of [
      ['mail.example.com', 'invalid_mail_server'],
      ['https://mail.example.com', 'invalid_mail_server'],
      ['smtp://', 'invalid_mail_server'],
      ['smtp://mail.example.com/inbox', 'invalid_mail_server'],
      ['smtp://mail.example.com:99999', 'invalid_mail_server'],
      [`smtp://me:${SECRET}@mail.example.com`, 'userinfo'],
      ['smtp://mail.example.com.', 'trailing_dot'],
      ['smtp://0.0.0.0', 'address_not_allowed'],
    ] as const) {
      assert.equal(reasonOf(server), reason, server);
    }
  });

  it('is no server for requests', () => {
    assert.equal(refusal('smtp://mail.example.com', true), 'scheme_not_allowed');
  });
});
