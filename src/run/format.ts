/** Of config.json, of the events and of the files at exit. */
export const FORMAT_VERSION = 1;

export const STRATEGIES = ['guarded', 'classic'] as const;

/** What becomes of a review that nobody answers. */
export const UNATTENDED_ACTIONS = ['wait', 'continue', 'stop'] as const;

/** The agents of a run: each call is made by one of them. */
export const AGENTS = [
  'execution',
  'creation',
  'prioritization',
  'planning',
  'repair',
  'judge',
  'synthesis',
  'embedding',
] as const;
