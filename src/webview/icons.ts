import { svg } from './dom.ts';

/** Drawn here, 16 by 16, so that the panel needs no font. Lines, but for the shapes in SOLID. */
const PATHS = {
  play: 'M4.5 2.8v10.4L13 8z',
  pause: 'M4.5 3h2.2v10H4.5zM9.3 3h2.2v10H9.3z',
  stop: 'M3.8 3.8h8.4v8.4H3.8z',
  check: 'M2.8 8.6l3.4 3.4 7-7.6',
  cross: 'M4 4l8 8M12 4l-8 8',
  warning: 'M8 2.2l6.3 11.3H1.7zM8 6.3v3.6M8 11.4v.6',
  eye: 'M1.5 8C3.2 5.1 5.4 3.7 8 3.7s4.8 1.4 6.5 4.3c-1.7 2.9-3.9 4.3-6.5 4.3S3.2 10.9 1.5 8zM8 6a2 2 0 1 1 0 4 2 2 0 0 1 0-4z',
  limit: 'M1.8 8h8.2M7 4.800l3.2 3.200L7 11.200M13.5 3v10',
  clock: 'M8 1.800a6.2 6.2 0 1 1 0 12.400A6.2 6.2 0 0 1 8 1.800zM8 4.600V8l2.4 1.6',
  circle: 'M8 2.800a5.2 5.2 0 1 1 0 10.400A5.2 5.2 0 0 1 8 2.800z',
  removed: 'M8 2.800a5.2 5.2 0 1 1 0 10.400A5.2 5.2 0 0 1 8 2.800zM5.5 8h5',
  lock: 'M4 7.200h8v6H4zM5.600 7.200V5.200a2.4 2.4 0 0 1 4.800 0v2',
  copies: 'M5.5 5.500h8v8h-8zM10.5 5.500v-3h-8v8h3',
  more: 'M8 3v10M3 8h10',
  fork: 'M4.500 2.500v11M4.500 9.500c5 0 7-1.500 7-5.500M9.300 6l2.200-2.200L13.700 6',
  document: 'M3.8 1.800h5.400l3 3v9.400H3.800zM9 1.800v3.200h3.2',
  lines: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  chevron: 'M6 3.500L10.5 8 6 12.5',
} as const;
export type IconName = keyof typeof PATHS;

const SOLID: ReadonlySet<IconName> = new Set(['play', 'pause', 'stop']);

/** Decoration: what it means is always said in words beside it. */
export function icon(name: IconName, look = ''): SVGElement {
  const shape = svg('path', { d: PATHS[name] });
  return svg(
    'svg',
    { class: `icon ${SOLID.has(name) ? 'solid' : ''} ${look}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    shape,
  );
}
