/** The part of the OpenTelemetry protocol that spans need, as OTLP/JSON has it: ids as hex, 64-bit integers as texts. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: (typeof KIND)[keyof typeof KIND];
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  /** Absent: nothing went wrong. */
  readonly status?: { readonly code: typeof STATUS_ERROR };
}

export interface Attribute {
  readonly key: string;
  readonly value: Value;
}

type Value =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly Value[] } };

export const KIND = { internal: 1, client: 3 } as const;
export const STATUS_ERROR = 2;

/** A server or a log may call anything anything. */
const LONGEST_TEXT = 256;
/** A lone half of a surrogate pair, which strict readers of JSON refuse. */
const LONE_SURROGATE = /\p{Surrogate}/gu;
const MOST_NANOSECONDS = 2n ** 64n;

export function bounded(value: string): string {
  return value.slice(0, LONGEST_TEXT).replace(LONE_SURROGATE, '\ufffd');
}

export function text(value: string): Value {
  return { stringValue: bounded(value) };
}

export function texts(values: readonly string[]): Value {
  return { arrayValue: { values: values.map(text) } };
}

/** Null for what is no whole number. */
export function whole(value: number): Value | null {
  return Number.isSafeInteger(value) ? { intValue: String(value) } : null;
}

export function amount(value: number): Value {
  return { doubleValue: value };
}

/** In the order given; what is null is left out. */
export function attributes(values: Readonly<Record<string, Value | null>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [{ key, value }]));
}

/** Nanoseconds since 1970; 0, which means unknown, for what is no such time. */
export function nanoseconds(time: string): bigint {
  const ms = Date.parse(time);
  const ns = Number.isNaN(ms) ? 0n : BigInt(ms) * 1_000_000n;
  return ns >= 0n && ns < MOST_NANOSECONDS ? ns : 0n;
}

/** The body of a request to a collector, and what a file of traces holds. */
export function tracesJson(resource: readonly Attribute[], scope: Scope, spans: readonly Span[]): string {
  const { schemaUrl, ...named } = scope;
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: resource }, scopeSpans: [{ scope: named, spans, schemaUrl }], schemaUrl },
    ],
  });
}

interface Scope {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
}
