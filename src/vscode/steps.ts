import * as vscode from 'vscode';

export const BACK = Symbol('back');
type Answer<T> = T | typeof BACK | undefined;

interface StepPlace {
  readonly title: string;
  readonly step?: number;
  readonly totalSteps?: number;
}

export interface TextQuestion extends StepPlace {
  readonly prompt: string;
  readonly placeholder?: string;
  readonly value?: string;
  readonly password?: boolean;
  /** A sentence where the text is refused. */
  readonly problem: (text: string) => string | null;
}

/** Asks for a line of text. Undefined: cancelled. */
export function askText(question: TextQuestion): Promise<Answer<string>> {
  const box = vscode.window.createInputBox();
  place(box, question);
  box.prompt = question.prompt;
  box.placeholder = question.placeholder;
  box.value = question.value ?? '';
  box.password = question.password ?? false;
  return new Promise<Answer<string>>((resolve) => {
    box.onDidTriggerButton(() => resolve(BACK));
    box.onDidHide(() => resolve(undefined));
    box.onDidChangeValue((text) => {
      // What is still empty is not wrong yet.
      box.validationMessage = text === '' ? undefined : (question.problem(text) ?? undefined);
    });
    box.onDidAccept(() => {
      const problem = question.problem(box.value);
      if (problem === null) resolve(box.value);
      else box.validationMessage = problem;
    });
    box.show();
  }).finally(() => box.dispose());
}

export interface PickQuestion<Item extends vscode.QuickPickItem> extends StepPlace {
  readonly placeholder: string;
  readonly items: readonly Item[];
  /** Makes an item of what is typed, where a text of one's own is an answer too. */
  readonly typed?: (text: string) => Item;
  readonly active?: Item | undefined;
  /** What is known only later: `show` puts other items in place of the first ones. The signal ends with the question. */
  readonly later?: (show: (items: readonly Item[]) => void, signal: AbortSignal) => void;
  /** What a button in an item's row stands for. */
  readonly onButton?: (item: Item, button: vscode.QuickInputButton) => Item;
}

/** Asks for one of several. Undefined: cancelled. */
export function askPick<Item extends vscode.QuickPickItem>(question: PickQuestion<Item>): Promise<Answer<Item>> {
  const pick = vscode.window.createQuickPick<Item>();
  place(pick, question);
  pick.placeholder = question.placeholder;
  pick.matchOnDescription = true;
  pick.items = question.items;
  if (question.active) pick.activeItems = [question.active];
  const asked = new AbortController();
  return new Promise<Answer<Item>>((resolve) => {
    pick.onDidTriggerButton(() => resolve(BACK));
    pick.onDidHide(() => resolve(undefined));
    const { typed, onButton } = question;
    if (typed) {
      pick.onDidChangeValue((text) => {
        const own = text.trim();
        const known = question.items.find(({ label }) => label === own);
        const first = own === '' ? undefined : (known ?? typed(own));
        pick.items = first === undefined || known ? question.items : [first, ...question.items];
        // What was typed is what is meant, also where another name contains it.
        if (first) pick.activeItems = [first];
      });
    }
    if (onButton) {
      pick.onDidTriggerItemButton(({ item, button }) => resolve(onButton(item, button)));
    }
    pick.onDidAccept(() => {
      const own = pick.value.trim();
      const chosen = pick.activeItems[0] ?? (typed && own !== '' ? typed(own) : undefined);
      if (chosen !== undefined) resolve(chosen);
    });
    pick.show();
    question.later?.((items) => {
      if (asked.signal.aborted) return;
      // The row that is chosen stays chosen.
      const at = pick.items.findIndex((item) => item === pick.activeItems[0]);
      pick.items = items;
      const active = items[at];
      if (active) pick.activeItems = [active];
    }, asked.signal);
  }).finally(() => {
    asked.abort();
    pick.dispose();
  });
}

function place(
  input: vscode.QuickInput & { buttons: readonly vscode.QuickInputButton[] },
  { title, step, totalSteps }: StepPlace,
): void {
  input.title = title;
  input.step = step;
  input.totalSteps = totalSteps;
  input.ignoreFocusOut = true;
  if (step !== undefined && step > 1) input.buttons = [vscode.QuickInputButtons.Back];
}

/**
 * Runs steps in order; each says where to go on: forward, back, or to a numbered step, counted from 0; `skip`: it asks
 * nothing, so on in the direction from which it was reached. False: cancelled.
 */
export async function runSteps(
  steps: readonly (() => Promise<'next' | 'back' | 'skip' | 'cancel' | number>)[],
): Promise<boolean> {
  let forward = true;
  for (let at = 0; at < steps.length; ) {
    const where = (await steps[at]?.()) ?? 'cancel';
    if (where === 'cancel') return false;
    if (where !== 'skip') forward = where !== 'back';
    if (where === 'next' || (where === 'skip' && forward)) at += 1;
    else if (where === 'back' || where === 'skip') at = Math.max(0, at - 1);
    else at = where;
  }
  return true;
}
