import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** What one answered request costs at a real provider, in tokens. `request` is its place in `server.requests`. */
export interface BillLine {
  request: number;
  kind: 'chat' | 'embeddings';
  model: string;
  /** SHA-256 of the request body, hex: equal bodies mean that the same answer was bought twice. */
  body_sha256: string;
  input_tokens: number;
  /** The part of `input_tokens` that the provider served from its prompt cache. */
  cached_tokens: number;
  output_tokens: number;
}

/** Pico-dollars per token; cached input costs as much as other input unless a price says otherwise. */
export interface BillPrices {
  inputPico: bigint;
  outputPico: bigint;
  cachedInputPico?: bigint;
}

/** The bill in pico-dollars, exact. Prices may depend on the line, for a run that uses several models. */
export function billed(lines: readonly BillLine[], prices: BillPrices | ((line: BillLine) => BillPrices)): bigint {
  let total = 0n;
  for (const line of lines) {
    const price = typeof prices === 'function' ? prices(line) : prices;
    total += BigInt(line.input_tokens - line.cached_tokens) * price.inputPico;
    total += BigInt(line.cached_tokens) * (price.cachedInputPico ?? price.inputPico);
    total += BigInt(line.output_tokens) * price.outputPico;
  }
  return total;
}

/** Throws on token counts that no provider could bill: a wrong auditor is worse than none. */
export function checkBillLine(line: BillLine): void {
  for (const tokens of [line.input_tokens, line.cached_tokens, line.output_tokens]) {
    if (!Number.isSafeInteger(tokens) || tokens < 0) throw new TypeError(`not a token count: ${tokens}`);
  }
  if (line.cached_tokens > line.input_tokens) throw new TypeError('more cached tokens than input tokens');
}

/** Adds one line of JSON; O_APPEND keeps the lines of several servers whole. */
export function appendBill(ledgerFile: string, line: BillLine): void {
  appendFileSync(ledgerFile, `${JSON.stringify(line)}\n`);
}

/** The lines written so far by every server that shares the file; none if no request was billed yet. */
export function readBill(ledgerFile: string): BillLine[] {
  if (!existsSync(ledgerFile)) return [];
  const lines = readFileSync(ledgerFile, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as BillLine);
}
