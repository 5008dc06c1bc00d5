import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redactor } from '../../../src/safety/redaction.ts';
import { CollectorError, collectorOf, headersOf, secretsIn } from '../../../src/telemetry/collector.ts';

const SECRET = 'cGstbGYtMTIzNDU2Nzg6c2stbGYtODc2NTQzMjE';

describe('a collector of traces', () => {
  it('is asked at /v1/traces behind its endpoint, also where all of the address is given', () => {
    for (const [endpoint, url] of [
      ['http://localhost:4318', 'http://localhost:4318/v1/traces'],
      ['http://localhost:4318/', 'http://localhost:4318/v1/traces'],
      ['http://localhost:4318/v1/traces', 'http://localhost:4318/v1/traces'],
      ['https://example.com/api/public/otel/', 'https://example.com/api/public/otel/v1/traces'],
      ['https://example.com/otlp?tenant=me#top', 'https://example.com/otlp/v1/traces?tenant=me'],
    ] as const) {
      const collector = collectorOf(endpoint, null, false);
      assert.deepEqual([collector.url, collector.origin, collector.headers], [url, new URL(endpoint).origin, {}]);
    }
  });

  it('is refused where its address cannot be used, in words that quote nothing secret', () => {
    for (const endpoint of [
      '',
      'localhost:4318',
      'ftp://example.com',
      'http://8.8.8.8',
      'http://10.0.0.1',
      `https://me:${SECRET}@example.com`,
    ]) {
      assert.throws(
        () => collectorOf(endpoint, null, false),
        (error) => error instanceof CollectorError && error.reason === 'endpoint' && !error.message.includes(SECRET),
        endpoint,
      );
    }
    assert.equal(collectorOf('http://10.0.0.1:4318', null, true).origin, 'http://10.0.0.1:4318');
  });

  it('gets headers as the variable of OpenTelemetry has them', () => {
    assert.deepEqual(headersOf(` Authorization = Basic%20${SECRET}== , x-scope-orgid=me,`), {
      authorization: `Basic ${SECRET}==`,
      'x-scope-orgid': 'me',
    });
    assert.deepEqual(headersOf(''), {});
    for (const wrong of [
      SECRET,
      `=${SECRET}`,
      `a b=${SECRET}`,
      `a=${SECRET}%0d%0ahost: x`,
      `a=${SECRET}%zz`,
      'a=',
      'a=ü',
    ]) {
      assert.throws(
        () => headersOf(wrong),
        (error) => error instanceof CollectorError && error.reason === 'headers' && !error.message.includes(SECRET),
        wrong,
      );
    }
  });

  it('has its secrets replaced in every form, and ordinary words left alone', () => {
    const redactor = new Redactor();
    const given = `authorization=Basic%20${SECRET},x-api-key=hunter2!,x-scope-orgid=gardens,x-version=4`;
    for (const secret of secretsIn(given)) redactor.register(secret, 'otlp_headers');
    for (const text of [given, `Basic ${SECRET}`, `Basic%20${SECRET}`, SECRET, 'the hunter2! of it'])
      assert.doesNotMatch(redactor.redact(text), new RegExp(`${SECRET}|hunter2`), text);
    for (const text of ['Plan two gardens', 'Basic needs', 'version 4']) assert.equal(redactor.redact(text), text);
    assert.deepEqual(secretsIn(''), []);
  });
});
