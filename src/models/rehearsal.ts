import {
  type ChatRequest,
  type Clock,
  type LanguageModel,
  ModelError,
  type ModelReply,
  type ModelRequest,
  type PreparedRequest,
  type Tokens,
} from '../run/ports.ts';
import type { WorkspaceReader } from '../tools/workspace.ts';
import { type AgendaItem, agendaOf, subjectOf } from './rehearsal-agenda.ts';
import { judgeReply, synthesisReply } from './rehearsal-answer.ts';
import { bagOfWords } from './rehearsal-embedding.ts';
import { findingsOf } from './rehearsal-findings.ts';
import { WorkspaceIndex } from './rehearsal-index.ts';
import { creationReply, NO_TASKS, planReply, prioritizationReply, repairReply } from './rehearsal-planning.ts';
import { type Frame, type Question, questionOf } from './rehearsal-question.ts';
import { rehearsalBody } from './request-body.ts';

/** The name and version that answers carry: other rules are another version. */
export const REHEARSAL_MODEL = 'rehearsal-1';
/** Where its requests go: nowhere. */
export const REHEARSAL_ORIGIN = 'local:rehearsal';

/** Tokens that a provider adds to each message, and to the whole (OpenAI cookbook). */
const PER_MESSAGE = 3;
const PER_REQUEST = 3;

export interface RehearsalParts {
  readonly workspace: WorkspaceReader;
  /** Of the model whose cost is to be foreseen. */
  readonly tokens: Tokens;
  readonly clock: Clock;
  /** Milliseconds that an answer takes, so that a person can watch; none by default. */
  readonly paceMs?: number;
  /** The name requests are made under. */
  readonly modelName: string;
}

/**
 * A stand-in for a language model: no network, no chance, no memory of its own. It answers each agent by fixed rules
 * from the request and the files of the workspace, and uses as many tokens as its texts have.
 */
export class RehearsalModel implements LanguageModel {
  private readonly parts: RehearsalParts;
  private index: Promise<WorkspaceIndex> | null = null;
  /** The last agenda, by what it was made from: requests of a run ask for the same one again and again. */
  private agenda: { readonly of: string; readonly items: readonly AgendaItem[] } = { of: '', items: [] };

  constructor(parts: RehearsalParts) {
    this.parts = parts;
  }

  prepare(request: ModelRequest): PreparedRequest {
    const { modelName: model } = this.parts;
    return { request, model, origin: REHEARSAL_ORIGIN, body: rehearsalBody(model, request) };
  }

  /** Throws ModelError: `aborted` at once, `timeout` where the pace is slower than the time allowed. */
  async send(
    { body }: PreparedRequest,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ModelReply> {
    if (signal.aborted) throw stopped();
    const { request } = JSON.parse(new TextDecoder().decode(body)) as { request: ModelRequest };
    const { clock, paceMs = 0 } = this.parts;
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(stopped());
    });
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (paceMs > 0) await Promise.race([clock.sleep(Math.min(paceMs, timeoutMs), signal), aborted]);
      if (paceMs > timeoutMs) {
        throw new ModelError('timeout', `The rehearsal answers after ${paceMs} ms, and ${timeoutMs} ms were allowed.`, {
          unbilled: true,
        });
      }
      return await Promise.race([this.reply(request), aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  private async reply(request: ModelRequest): Promise<ModelReply> {
    const { tokens } = this.parts;
    await tokens.ready();
    const base = { model: REHEARSAL_MODEL, fingerprint: REHEARSAL_MODEL };
    if (request.kind === 'embedding') {
      const inputTokens = request.texts.reduce((sum, text) => sum + tokens.count(text), 0);
      const usage = { inputTokens, cachedTokens: 0, outputTokens: 0 };
      return { ...base, finishReason: null, text: null, vectors: request.texts.map(bagOfWords), usage };
    }
    const whole = await this.answer(questionOf(request), request);
    const text = tokens.head(whole, request.maxOutputTokens);
    const inputTokens = request.messages.reduce(
      (sum, { content }) => sum + tokens.count(content) + PER_MESSAGE,
      PER_REQUEST,
    );
    const usage = { inputTokens, cachedTokens: 0, outputTokens: tokens.count(text) };
    return { ...base, finishReason: text === whole ? 'stop' : 'length', text, vectors: null, usage };
  }

  private async answer(question: Question, { maxOutputTokens }: ChatRequest): Promise<string> {
    const { tokens } = this.parts;
    switch (question.agent) {
      case 'repair':
        return repairReply(question.reply);
      case 'judge':
        return judgeReply(question);
      case 'synthesis':
        return synthesisReply(question, tokens, maxOutputTokens);
      case 'execution': {
        const { index, agenda } = await this.workspace(question);
        return findingsOf(index, subjectOf(index, agenda, question.task), question, tokens);
      }
      case 'planning': {
        const { index, agenda } = await this.workspace(question);
        return planReply(index, agenda, question);
      }
      case 'creation': {
        const { agenda } = await this.workspace(bare(question.objective));
        return creationReply(agenda, question.lastTask, question.waiting);
      }
      case 'prioritization': {
        const { agenda } = await this.workspace(bare(question.objective));
        return prioritizationReply(agenda, question.tasks);
      }
      case 'unknown': {
        if (question.wantsTasks) return NO_TASKS;
        const asked = { ...bare(''), task: question.text, earlier: '' };
        const { index, agenda } = await this.workspace(asked);
        return findingsOf(index, subjectOf(index, agenda, question.text), asked, tokens);
      }
    }
  }

  /** The workspace, read on the first question, to the end even where nobody waits for it any more. */
  private async workspace(frame: Frame) {
    this.index ??= WorkspaceIndex.build(this.parts.workspace);
    const index = await this.index;
    const of = JSON.stringify([frame.objective, frame.criteria, frame.guidance]);
    if (this.agenda.of !== of) this.agenda = { of, items: agendaOf(index, frame) };
    return { index, agenda: this.agenda.items };
  }
}

function stopped(): ModelError {
  return new ModelError('aborted', 'The rehearsal was stopped.', { unbilled: true });
}

function bare(objective: string): Frame {
  return { objective, criteria: [], guidance: [] };
}
