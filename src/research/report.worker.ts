import { workerData } from 'node:worker_threads';
import { nodeDisk } from '../runlog/disk.ts';
import { writeReport } from './experiment-report-files.ts';

/** A thread of its own, for windows: the tests of a report take longer than a window may be held up. `workerData`: the folder. */
void writeReport(nodeDisk, String(workerData));
