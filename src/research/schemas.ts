import * as z from 'zod';
import { NoticeBody } from '../notify/notice-body.ts';
import { RunConfig } from '../run/config.ts';
import { RunEvent } from '../run/events.ts';
import { Checkpoint } from '../runlog/checkpoint.ts';
import { ResultRow } from '../runlog/results.ts';
import { Summary } from '../runlog/summary.ts';
import { ExperimentFile } from './experiment-file.ts';

/** What each file of media/schemas/ describes. */
const FILES: Readonly<Record<string, { title: string; schema: z.ZodType }>> = {
  'config.schema.json': { title: 'config.json: what a BabyAGI run was started with', schema: RunConfig },
  'summary.schema.json': { title: 'summary.json: what a BabyAGI run did', schema: Summary },
  'results.schema.json': { title: 'results.json: the memory of a BabyAGI run at its end', schema: z.array(ResultRow) },
  'checkpoint.schema.json': { title: 'checkpoints/NNNNNN.json: the state of a BabyAGI run', schema: Checkpoint },
  'event.schema.json': { title: 'One event of a BabyAGI run: the value of `e` in a line of its log', schema: RunEvent },
  'experiment.schema.json': {
    title: '*.experiment.json: variants of BabyAGI that are compared over many trials',
    schema: ExperimentFile,
  },
  'notice.schema.json': { title: 'What the JSON webhook of BabyAGI is sent', schema: NoticeBody },
};

/** The contents of media/schemas/ by file name: JSON Schema draft 7, which is what VS Code reads. */
export function jsonSchemas(): Map<string, string> {
  return new Map(
    Object.entries(FILES).map(([name, { title, schema }]) => {
      // As input: a field that a later version adds is no mistake.
      const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
      return [name, `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`];
    }),
  );
}
