import { messageOf } from '../run/message.ts';
import { type Egress, EgressError } from '../safety/egress.ts';
import { isLoopback, parseMailServer } from '../safety/origin.ts';
import { printable } from '../safety/text.ts';
import type { Channel, DeliveryFailure, Message } from './channel.ts';
import type * as mailer from './mailer.ts';
import { notReached } from './post.ts';
import type { EmailSettings, NoticeSettings } from './settings.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** For all of a conversation; mail servers like to let strangers wait. */
const TIMEOUT_MS = 60_000;
const LONGEST_SUBJECT = 100;

type Mailer = typeof mailer;
type Socket = Awaited<ReturnType<Egress['connect']>>;

/**
 * E-mail over SMTP. The library speaks, on a connection that the gate opened; TLS is a must but on this machine. What the
 * server says is not told: it may repeat the password.
 */
export class Email implements Channel {
  readonly name = 'email';
  readonly origin: string;
  private readonly settings: NonNullable<NoticeSettings['email']>;
  private readonly egress: Egress;
  private readonly host: string;
  private readonly secured: boolean;
  /** Of notices that only some got so far: who has them. Forgotten with the process, after which they get them once more. */
  private readonly reached = new Map<string, ReadonlySet<string>>();

  constructor(settings: NonNullable<NoticeSettings['email']>, egress: Egress) {
    const { text, host, scheme } = parseMailServer(settings.server);
    this.settings = settings;
    this.egress = egress;
    this.origin = text;
    this.host = host;
    this.secured = scheme === 'smtps';
  }

  takes(kind: string): boolean {
    return this.settings.kinds.some((taken) => taken === kind);
  }

  async send(message: Message, signal: AbortSignal): Promise<DeliveryFailure | null> {
    try {
      // An update may have removed what is read only now.
      const { MimeNode, SMTPConnection } = await import('./mailer.ts');
      const mail = await composed(MimeNode, this.settings, message);
      const socket = await this.egress.connect(this.settings.server, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
      return await this.converse(SMTPConnection, socket, message.id, mail, signal);
    } catch (error) {
      if (error instanceof EgressError) return notReached(error);
      const words = `The e-mail could not be made: ${messageOf(error)}`;
      return { error: { class: 'internal', message: words }, permanent: false, retryAfterMs: null };
    }
  }

  private converse(
    SMTPConnection: Mailer['SMTPConnection'],
    socket: Socket,
    id: string,
    mail: Buffer,
    signal: AbortSignal,
  ): Promise<DeliveryFailure | null> {
    const { login, from, to } = this.settings;
    const had = this.reached.get(id) ?? new Set();
    const left = to.filter((address) => !had.has(address));
    const isHere = isLoopback(this.host);
    const connection = new SMTPConnection({
      connection: socket,
      host: this.host,
      secure: this.secured,
      secured: this.secured,
      requireTLS: !this.secured && !isHere,
      ignoreTLS: isHere,
      tls: { rejectUnauthorized: true },
      socketTimeout: TIMEOUT_MS,
    });
    return new Promise((resolve) => {
      const settle = (failure: DeliveryFailure | null) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        resolve(failure);
        if (failure === null) connection.quit();
        else connection.close();
        // It may wait for the server to hang up.
        setTimeout(() => socket.destroy(), 1000).unref();
      };
      const fail = (reason: string, what: string, permanent = false) =>
        settle({
          error: { class: reason, message: `The mail server at ${this.origin} ${what}.` },
          permanent,
          retryAfterMs: null,
        });
      const failed = (error: SmtpError) => fail(...this.explained(error));
      const abort = () => fail('aborted', 'was not waited for');
      const timer = setTimeout(() => fail('timeout', 'did not answer in time'), TIMEOUT_MS);
      signal.addEventListener('abort', abort, { once: true });
      const send = () =>
        connection.send({ from, to: left }, mail, (error, sent) => {
          if (error) return failed(error);
          const { rejected, rejectedErrors = [] } = sent;
          // A server may want to be asked later for some; the others are not to get it twice.
          const isFinal = rejectedErrors.every(({ permanent }) => permanent === true);
          if (isFinal) this.reached.delete(id);
          else this.reached.set(id, new Set(to.filter((address) => !rejected.includes(address))));
          if (rejected.length === 0) return settle(null);
          fail('recipient_refused', `refused ${rejected.length} of ${to.length} recipients`, isFinal);
        });
      connection.on('error', failed);
      if (signal.aborted) return abort();
      connection.connect((error) => {
        if (error) return failed(error);
        if (login === null) return send();
        connection.login({ user: login.user, pass: login.password }, (refused) => (refused ? failed(refused) : send()));
      });
    });
  }

  private explained({
    code,
    originalCode,
    responseCode,
    permanent,
  }: SmtpError): [reason: string, what: string, permanent: boolean] {
    if (code === 'ETLS' || /CERT|TLS|SSL/.test(originalCode ?? ''))
      return ['tls_failed', 'could not prove its identity, or offers no TLS', false];
    if (responseCode !== undefined) {
      const what = code === 'EAUTH' ? 'refused the user name and password' : 'refused the mail';
      return [`smtp_${responseCode}`, `${what} with ${responseCode}`, permanent ?? false];
    }
    return [code === 'ETIMEDOUT' ? 'timeout' : 'reset', 'did not answer to the end', false];
  }
}

/** What of an error of the library is without anything that a server said. */
interface SmtpError {
  readonly code?: string | undefined;
  /** That of the system or of TLS, below it. */
  readonly originalCode?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly permanent?: boolean | undefined;
}

function composed(
  MimeNode: Mailer['MimeNode'],
  { from, to }: EmailSettings,
  { id, runId, kind, at, text }: Message,
): Promise<Buffer> {
  const host = from.slice(from.lastIndexOf('@') + 1);
  return new MimeNode('text/plain; charset=utf-8', { disableFileAccess: true, disableUrlAccess: true })
    .setHeader({
      From: from,
      To: to.join(', '),
      Subject: printable(text, LONGEST_SUBJECT),
      Date: new Date(at),
      // The same for each attempt; and the mails of a run are one thread.
      'Message-ID': `<${id}.${runId}@${host}>`,
      References: `<${runId}@${host}>`,
      // No reply of an absent person, please.
      'Auto-Submitted': 'auto-generated',
    })
    .setContent(`${text}\n\nRun ${runId}, ${kind}, ${at}\n`)
    .build();
}
