import assert from 'node:assert/strict';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, it, mock, type TestContext } from 'node:test';
import tls from 'node:tls';
import type { Channel } from '../../src/notify/channel.ts';
import { Email } from '../../src/notify/email.ts';
import { channelsFor } from '../../src/notify/channels.ts';
import type { NoticeSettings } from '../../src/notify/settings.ts';
import { Egress, type LookupAll } from '../../src/safety/egress.ts';
import { eventually } from '../support/eventually.ts';
import { MAIL_HOST, type MailServer, startMailServer, textOf } from '../support/mail-server.ts';
import { message, RUN_ID } from '../support/notice-message.ts';

const LOGIN = { user: 'me', password: 'correct-horse-battery' };
const FROM = 'babyagi@example.com';
const TO = 'operator@example.com';

afterEach(() => mock.restoreAll());

/** Leads every name to this machine, as a name server of somebody else may do too. */
const here: LookupAll = (_hostname, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);

function mailTo(
  t: TestContext,
  server: string,
  more: Partial<NonNullable<NoticeSettings['email']>> = {},
  lookup = here,
): Email {
  const egress = new Egress({ allowedOrigins: [], lookup });
  t.after(() => egress.close());
  const email = { server, from: FROM, to: [TO], login: null, kinds: [], ...more };
  egress.allowMailServer(email.server);
  return new Email(email, egress);
}

async function mailServer(t: TestContext, options: Parameters<typeof startMailServer>[0] = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  t.after(() => server.close());
  return server;
}

/** The system trusts the certificate of the test, as it does those of the world. */
function trust(certificate: string): void {
  const original = tls.connect;
  mock.method(tls, 'connect', (options: tls.ConnectionOptions, listener?: () => void) =>
    original({ ca: certificate, ...options }, listener),
  );
}

/** A server that says what it is told to, and keeps what it hears. */
async function speaker(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<{ port: number; heard: () => string; open: () => number }> {
  let heard = '';
  const open = new Set<Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, heard: () => heard, open: () => open.size };
}

/** Answers lines of SMTP one by one. */
function smtp(answers: (line: string) => string): (socket: Socket) => void {
  return (socket) => {
    socket.write('220 mail.example.com ESMTP\r\n');
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split('\r\n').filter(Boolean)) socket.write(answers(line));
    });
  };
}

const { signal } = new AbortController();

describe('e-mail', () => {
  it('arrives at a server on this machine, which needs no TLS, whatever the text holds', async (t) => {
    const server = await mailServer(t, { login: LOGIN });
    const text = 'Ünïted\r\nBcc: everybody@example.com\r\n\r\n.\r\nQUIT\r\n…end 🙂';
    const email = mailTo(t, `smtp://localhost:${server.port}`, { login: LOGIN, to: [TO, 'second@example.com'] });
    assert.equal(await email.send(message({ text }), signal), null);
    const [mail, ...others] = server.mails;
    assert.ok(mail);
    assert.deepEqual(others, []);
    assert.deepEqual([mail.from, mail.to, mail.user], [FROM, [TO, 'second@example.com'], LOGIN.user]);
    const [head = ''] = mail.raw.split('\r\n\r\n');
    assert.doesNotMatch(head, /^bcc:/im);
    assert.match(head, new RegExp(`^Message-ID: <n1\\.${RUN_ID}@example\\.com>$`, 'im'));
    assert.match(head, /^Auto-Submitted: auto-generated$/im);
    assert.match(head, /^Date: Sun, 17 May 2026 10:00:00 \+0000$/im);
    assert.match(textOf(mail).replaceAll('\r\n', '\n'), /Ünïted\nBcc: everybody@example.com\n\n\.\nQUIT\n…end 🙂\n/);
  });

  it('goes to a server elsewhere over STARTTLS, which it verifies', async (t) => {
    const server = await mailServer(t, { login: LOGIN });
    trust(server.certificate);
    const email = mailTo(t, `smtp://${MAIL_HOST}:${server.port}`, { login: LOGIN });
    assert.equal(await email.send(message(), signal), null);
    assert.deepEqual(
      server.mails.map(({ secure, user }) => [secure, user]),
      [[true, LOGIN.user]],
    );
  });

  it('goes over TLS from the first byte with smtps', async (t) => {
    const server = await mailServer(t, { login: LOGIN, secure: true });
    trust(server.certificate);
    const email = mailTo(t, `smtps://${MAIL_HOST}:${server.port}`, { login: LOGIN });
    assert.equal(await email.send(message(), signal), null);
    assert.equal(server.mails.length, 1);
  });

  for (const [name, address] of [
    ['localhost', '8.8.8.8'],
    ['localhost', '192.168.1.20'],
    [MAIL_HOST, '0.0.0.0'],
    [MAIL_HOST, '224.0.0.1'],
  ] as const) {
    it(`is not sent where the name ${name} leads to ${address}`, async (t) => {
      const lookup: LookupAll = (_hostname, _options, callback) => callback(null, [{ address, family: 4 }]);
      const failure = await mailTo(t, `smtp://${name}:25`, { login: LOGIN }, lookup).send(message(), signal);
      assert.equal(failure?.error.class, 'address_refused');
    });
  }

  it('opens one connection, and ends it', async (t) => {
    const server = await speaker(
      t,
      smtp((line) => (line === 'DATA' ? '354 go on\r\n' : '250 ok\r\n')),
    );
    await mailTo(t, `smtp://localhost:${server.port}`).send(message(), AbortSignal.timeout(2000));
    await eventually('the end of the connection', () => server.open() === 0, 5000);
  });

  for (const scheme of ['smtp', 'smtps']) {
    it(`gives a server that nobody vouches for neither password nor text (${scheme})`, async (t) => {
      const server = await mailServer(t, { login: LOGIN, secure: scheme === 'smtps' });
      const failure = await mailTo(t, `${scheme}://${MAIL_HOST}:${server.port}`, { login: LOGIN }).send(
        message(),
        signal,
      );
      assert.deepEqual([failure?.error.class, failure?.permanent], ['tls_failed', false]);
      assert.deepEqual(server.mails, []);
    });

    it(`gives nothing to a server with the certificate of another name (${scheme})`, async (t) => {
      const server = await mailServer(t, { login: LOGIN, secure: scheme === 'smtps' });
      trust(server.certificate);
      const failure = await mailTo(t, `${scheme}://other.example.com:${server.port}`, { login: LOGIN }).send(
        message(),
        signal,
      );
      assert.equal(failure?.error.class, 'tls_failed');
      assert.deepEqual(server.mails, []);
    });
  }

  it('gives nothing to a server elsewhere that offers no TLS, or from whose offer somebody took it', async (t) => {
    const server = await speaker(
      t,
      smtp((line) => (line.startsWith('EHLO') ? '250-mail\r\n250 AUTH PLAIN LOGIN\r\n' : '250 ok\r\n')),
    );
    const failure = await mailTo(t, `smtp://${MAIL_HOST}:${server.port}`, { login: LOGIN }).send(message(), signal);
    assert.ok(failure);
    assert.equal(failure.permanent, false);
    assert.doesNotMatch(server.heard(), /AUTH|MAIL FROM|Hello/);
  });

  it('takes nothing that was said before the TLS for an answer under it', async (t) => {
    const server = await speaker(t, (socket) => {
      socket.write('220 mail\r\n');
      socket.on('data', (chunk) => {
        const line = chunk.toString('latin1');
        if (line.startsWith('EHLO')) socket.write('250-mail\r\n250 STARTTLS\r\n');
        if (line.startsWith('STARTTLS'))
          socket.write('220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n250 ok\r\n');
      });
    });
    const email = mailTo(t, `smtp://${MAIL_HOST}:${server.port}`, { login: LOGIN });
    const failure = await email.send(message(), AbortSignal.timeout(3000));
    assert.ok(failure);
    assert.doesNotMatch(server.heard(), /AUTH|MAIL FROM|Hello/);
  });

  it('that is refused for a wrong password is given up; what the server said is not told', async (t) => {
    const server = await mailServer(t, { login: { ...LOGIN, password: 'another-password' } });
    const failure = await mailTo(t, `smtp://localhost:${server.port}`, { login: LOGIN }).send(message(), signal);
    assert.ok(failure);
    assert.equal(failure.permanent, true);
    assert.equal(
      failure.error.message,
      `The mail server at smtp://localhost:${server.port} refused the user name and password with 535.`,
    );
  });

  it('is tried again where the server asks for it, and given up where it refuses', async (t) => {
    for (const [code, permanent] of [
      [451, false],
      [550, true],
    ] as const) {
      const refuse = smtp((line) => (line.startsWith('MAIL') ? `${code} no\r\n` : '250 ok\r\n'));
      const { port } = await speaker(t, refuse);
      const failure = await mailTo(t, `smtp://localhost:${port}`).send(message(), signal);
      assert.deepEqual([failure?.error.class, failure?.permanent], [`smtp_${code}`, permanent]);
    }
  });

  it('that only some get is no mail that all got, nor sent to them twice', async (t) => {
    const server = await mailServer(t, {
      onRcptTo: ({ address }, _session, callback) => callback(address === TO ? null : new Error('no such mailbox')),
    });
    const email = mailTo(t, `smtp://localhost:${server.port}`, { to: [TO, 'nobody@example.com'] });
    const failure = await email.send(message(), signal);
    assert.deepEqual([failure?.error.class, failure?.permanent], ['recipient_refused', true]);
    assert.equal(server.mails.length, 1);
  });

  it('that is to be sent later to some is sent again, to them alone', async (t) => {
    let times = 0;
    const server = await mailServer(t, {
      onRcptTo: ({ address }, _session, callback) => {
        const later = Object.assign(new Error('greylisted'), { responseCode: 450 });
        callback(address === 'second@example.com' && ++times <= 2 ? later : null);
      },
    });
    const email = mailTo(t, `smtp://localhost:${server.port}`, { to: [TO, 'second@example.com'] });
    for (const _ of [1, 2]) {
      const failure = await email.send(message(), signal);
      assert.equal(failure?.permanent, false, JSON.stringify(failure));
    }
    assert.equal(await email.send(message(), signal), null);
    assert.deepEqual(
      server.mails.map(({ to }) => to),
      [[TO], ['second@example.com']],
    );
  });

  const hostile: Readonly<Record<string, (socket: Socket) => void>> = {
    'hangs up at once': (socket) => socket.destroy(),
    'says something else': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'says too much': (socket) => {
      const flood = () => socket.writable && socket.write('2'.repeat(65_536), flood);
      flood();
    },
    'hangs up in the middle': (socket) => {
      socket.write('220 mail\r\n');
      socket.once('data', () => socket.destroy());
    },
    'resets while the mail is sent': (socket) => {
      smtp((line) => {
        if (line === 'DATA') setImmediate(() => socket.resetAndDestroy());
        return line === 'DATA' ? '354 go on\r\n' : '250 ok\r\n';
      })(socket);
    },
  };
  for (const [what, onSocket] of Object.entries(hostile)) {
    it(`to a server that ${what} fails and may be tried again`, async (t) => {
      const { port } = await speaker(t, onSocket);
      const failure = await mailTo(t, `smtp://localhost:${port}`).send(message(), AbortSignal.timeout(5000));
      assert.ok(failure);
      assert.equal(failure.permanent, false, JSON.stringify(failure));
      assert.notEqual(failure.error.class, 'aborted');
    });
  }

  it('to a server that never answers ends when it is told to', async (t) => {
    const { port, open } = await speaker(t, () => {});
    const stopping = new AbortController();
    const sending = mailTo(t, `smtp://localhost:${port}`).send(message(), stopping.signal);
    await eventually('the connection', () => open() === 1, 5000);
    const began = performance.now();
    stopping.abort();
    assert.equal((await sending)?.error.class, 'aborted');
    assert.ok(performance.now() - began < 500);
    await eventually('its end', () => open() === 0, 5000);
  });
});

describe('a channel', () => {
  const web = (url: string) => ({ url, allowPrivate: false });
  const settings = (port: number): NoticeSettings => ({
    slack: { ...web(`http://127.0.0.1:${port}/slack/7f3a`), kinds: ['ended'] },
    json_webhook: { ...web(`http://127.0.0.1:${port}/json/7f3a`), secret: '0123456789abcdef', kinds: ['ended'] },
    pagerduty: { ...web(`http://127.0.0.1:${port}/pd/7f3a`), routingKey: '7f3a0123456789abcdef', kinds: ['failed'] },
    email: { server: `smtp://127.0.0.1:${port}`, from: FROM, to: [TO], login: LOGIN, kinds: ['ended'] },
    dead_man: web(`http://127.0.0.1:${port}/ping/7f3a`),
  });
  const names = ['slack', 'json_webhook', 'pagerduty', 'email', 'dead_man'] as const;

  function channelAt(t: TestContext, name: string, port: number): Channel {
    const egress = new Egress({ allowedOrigins: [] });
    t.after(() => egress.close());
    const channel = channelsFor(settings(port), egress).find((each) => each.name === name);
    assert.ok(channel);
    return channel;
  }

  const servers: Readonly<Record<string, (socket: Socket) => void>> = {
    'hangs up': (socket) => socket.destroy(),
    'says nothing that is understood': (socket) => socket.end('\u0000\u0001 7f3a \r\n'),
    'leads elsewhere': (socket) =>
      socket.once('data', () =>
        socket.end(
          'HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/7f3a\r\nContent-Length: 0\r\n\r\n',
        ),
      ),
  };
  for (const name of names) {
    for (const [what, onSocket] of Object.entries(servers)) {
      it(`${name} to a server that ${what} fails, and tells nothing secret`, async (t) => {
        const { port } = await speaker(t, (socket) => {
          // A mail server speaks first.
          if (name === 'email') setTimeout(() => socket.end('500 7f3a\r\n'), 200).unref();
          onSocket(socket);
        });
        const channel = channelAt(t, name, port);
        const failure = await channel.send(message({ kind: 'failed' }), AbortSignal.timeout(8000));
        assert.ok(failure);
        assert.ok(
          failure.error.class !== 'aborted' && !JSON.stringify(failure).includes('7f3a'),
          JSON.stringify(failure),
        );
        assert.ok(!channel.origin.includes('7f3a'));
      });
    }

    it(`${name} to a server that never answers ends when it is told to`, async (t) => {
      const { port, open } = await speaker(t, () => {});
      const stopping = new AbortController();
      const sending = channelAt(t, name, port).send(message({ kind: 'failed' }), stopping.signal);
      await eventually('the connection', () => open() === 1, 5000);
      stopping.abort();
      assert.equal((await sending)?.error.class, 'aborted');
    });

    it(`${name} reaches only where it was set to`, async (t) => {
      const { port } = await speaker(t, () => {});
      const egress = new Egress({ allowedOrigins: [], localOnly: true });
      t.after(() => egress.close());
      const elsewhere = JSON.parse(
        JSON.stringify(settings(port))
          .replaceAll('http://127.0.0.1', 'https://elsewhere.example')
          .replaceAll('smtp://127.0.0.1', 'smtp://elsewhere.example'),
      ) as NoticeSettings;
      const channel = channelsFor(elsewhere, egress).find((each) => each.name === name);
      const failure = await channel?.send(message({ kind: 'failed' }), signal);
      assert.deepEqual([failure?.error.class, failure?.permanent], ['origin_not_allowed', true]);
    });
  }
});
