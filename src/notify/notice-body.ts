import * as z from 'zod';

const usd = z.number().min(0);

/** What the JSON webhook is sent. */
export const NoticeBody = z.object({
  version: z.literal(1),
  id: z
    .string()
    .describe('The same for each attempt, also in the header `webhook-id`: what comes twice is told apart by it.'),
  kind: z
    .string()
    .describe(
      'started, resumed, review, paused, continued, ended, limit, failed, heartbeat, hang, overdue, recovered. Later versions may have more.',
    ),
  run_id: z.string(),
  at: z.string().describe('When there was something to tell, UTC ISO 8601.'),
  reason: z
    .string()
    .nullable()
    .describe(
      'At an end its stop reason; for a review `iterations`, `cost` or `first_use`; for a pause `stalled` or `only_blocked`.',
    ),
  text: z.string().describe('A sentence or more for people.'),
  iterations: z.int().nullable().describe('Iterations that are complete. Null from the watchdog, as are the amounts.'),
  money: z
    .object({ settled_usd: usd, held_usd: usd, reserved_usd: usd, limit_usd: usd })
    .nullable()
    .describe('US dollars. All zero where the prices are included in what the provider is paid for.'),
});
export type NoticeBody = z.infer<typeof NoticeBody>;
