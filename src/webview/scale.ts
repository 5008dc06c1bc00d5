/** The geometry of the charts, in a box of WIDTH by HEIGHT that the page stretches. */

export const WIDTH = 1000;
export const HEIGHT = 100;
const MARK = 6;

/** The smallest of 1, 2, 4, 6 or 8 times a power of ten, so that its half is short too, that is not below `value`; 1 where there is nothing to measure. */
export function niceMaximum(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** Path of one bar for each value, side by side from the left. */
export function barPath(values: readonly number[], maximum: number): string {
  const slot = WIDTH / Math.max(1, values.length);
  const gap = values.length > 120 ? 0 : slot * 0.2;
  return values
    .map((value, index) => {
      if (value <= 0) return '';
      const top = round(HEIGHT * (1 - value / maximum));
      const left = round(index * slot + gap / 2);
      return `M${left} ${HEIGHT}V${top}H${round(left + slot - gap)}V${HEIGHT}z`;
    })
    .join('');
}

/** Path of a mark at the top of each slot that has one. */
export function markPath(marked: readonly boolean[]): string {
  const slot = WIDTH / Math.max(1, marked.length);
  const width = Math.max(slot * 0.8, 2);
  return marked
    .map((is, index) => (is ? `M${round(index * slot)} 0h${round(width)}v${MARK}h-${round(width)}z` : ''))
    .join('');
}

/** Path of a line that holds each value for the width of its slot; `closed`: down to the ground at both ends. */
export function stepPath(values: readonly number[], maximum: number, closed: boolean): string {
  const slot = WIDTH / Math.max(1, values.length);
  const steps = values.map((value, index) => {
    const y = round(HEIGHT * (1 - value / maximum));
    return `${index === 0 ? `M0 ${y}` : `V${y}`}H${round((index + 1) * slot)}`;
  });
  if (steps.length === 0) return '';
  return closed ? `${steps.join('')}V${HEIGHT}H0z` : steps.join('');
}

/** Which of `count` slots is at this part of the width, 0 to 1. */
export function slotAt(part: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.floor(part * count)));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
