import assert from 'node:assert/strict';
import root from '@opentelemetry/otlp-transformer/build/src/generated/root.js';
import type { Attribute, Span } from '../../src/telemetry/otlp.ts';

/** What OpenTelemetry's own code makes of OTLP/JSON. */
interface Message {
  verify(message: unknown): string | null;
  fromObject(message: unknown): unknown;
  toObject(message: unknown, options: { longs: StringConstructor; bytes: StringConstructor }): unknown;
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

const { ExportTraceServiceRequest } = (
  root as unknown as {
    opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: Message } } } } };
  }
).opentelemetry.proto.collector.trace.v1;

interface Traces {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeSpans: readonly [{ readonly spans: readonly Span[] }];
    },
  ];
}

const IDS = /"(traceId|spanId|parentSpanId)":"([^"]*)"/g;

/**
 * The spans of what a collector is sent. OpenTelemetry's own schema has to know every field and every type of it: what it
 * does not know is lost on the way to its binary form and back. Ids are hex in OTLP/JSON, base64 in all other JSON.
 */
export function decodedSpans(json: string): readonly Span[] {
  const plain = json.replaceAll(IDS, (_, name: string, hex: string) => {
    assert.match(hex, name === 'traceId' ? /^[0-9a-f]{32}$/ : /^[0-9a-f]{16}$/, name);
    return `"${name}":"${Buffer.from(hex, 'hex').toString('base64')}"`;
  });
  const message: unknown = JSON.parse(plain);
  const decoded = ExportTraceServiceRequest.fromObject(message);
  assert.equal(ExportTraceServiceRequest.verify(decoded), null);
  const again = ExportTraceServiceRequest.decode(ExportTraceServiceRequest.encode(decoded).finish());
  assert.deepEqual(
    JSON.parse(JSON.stringify(ExportTraceServiceRequest.toObject(again, { longs: String, bytes: String }))),
    message,
  );
  return (JSON.parse(json) as Traces).resourceSpans[0].scopeSpans[0].spans;
}

/** The attribute as the text or number that it is; undefined where there is none. */
export function attributeOf({ attributes }: Pick<Span, 'attributes'>, name: string): string | number | undefined {
  const value = attributes.find(({ key }) => key === name)?.value;
  if (value === undefined) return undefined;
  if ('stringValue' in value) return value.stringValue;
  if ('intValue' in value) return Number(value.intValue);
  return 'doubleValue' in value ? value.doubleValue : undefined;
}
