import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { selfSigned } from './certificate.ts';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it was sent. */
  readonly raw: string;
  readonly user: string | undefined;
  readonly secure: boolean;
}

export interface MailServer {
  readonly port: number;
  /** What must be trusted to trust it: it is `mail.example.com`. */
  readonly certificate: string;
  readonly mails: readonly Mail[];
  close(): Promise<void>;
}

export const MAIL_HOST = 'mail.example.com';

/** A real mail server on this machine. `login`: who may send, anybody where it is not given. */
export async function startMailServer({
  login,
  ...options
}: SMTPServerOptions & {
  readonly login?: { readonly user: string; readonly password: string };
} = {}): Promise<MailServer> {
  const mails: Mail[] = [];
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = selfSigned(pair, MAIL_HOST);
  const server = new SMTPServer({
    key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate,
    authOptional: login === undefined,
    // So that what does not upgrade is seen, and not refused.
    allowInsecureAuth: true,
    disableReverseLookup: true,
    onAuth: ({ username, password }, _session, callback) => {
      if (username === login?.user && password === login?.password) return callback(null, { user: username });
      // As talkative as servers come.
      return callback(new Error(`Wrong: ${username} ${password} ${Buffer.from(password ?? '').toString('base64')}`));
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
          user: session.user === undefined ? undefined : String(session.user),
          secure: session.secure,
        });
        callback();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    certificate,
    mails,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The text of a mail, decoded. */
export function textOf({ raw }: Mail): string {
  const [head = '', ...body] = raw.split('\r\n\r\n');
  const content = body.join('\r\n\r\n');
  if (/^content-transfer-encoding: base64/im.test(head)) return Buffer.from(content, 'base64').toString('utf8');
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return content;
  const bytes = content
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
