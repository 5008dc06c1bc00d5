import type { EventDraft } from './events.ts';
import type { Call, Task } from './state.ts';

/** How tasks are executed, made and ordered. Every method may be repeated after a crash: settled calls answer again. */
export interface Strategy {
  /** Recalls context and executes the task. Throws StepFailed where the task cannot be done. */
  execute(task: Task, iteration: number): Promise<Call>;
  /** The key under which the result of a task is remembered. */
  memoryId(task: Task): string;
  /** Remembers, creates and prioritises: gives the changes to the task list, which the loop appends as one batch. */
  plan(task: Task, result: Call, iteration: number): Promise<EventDraft[]>;
  /** Whether the objective is met, asked when the plan or an empty queue suggests it. */
  judge(iteration: number): Promise<boolean>;
}
