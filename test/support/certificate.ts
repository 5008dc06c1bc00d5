import { type KeyPairKeyObjectResult, sign } from 'node:crypto';

/** A self-signed X.509 certificate (PEM) for one DNS name, built by hand: Node can sign, but not issue. */
export function selfSigned({ publicKey, privateKey }: KeyPairKeyObjectResult, name: string): string {
  const der = (tag: number, ...content: Buffer[]): Buffer => {
    const body = Buffer.concat(content);
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const hex = (text: string) => Buffer.from(text, 'hex');
  const sequence = (...content: Buffer[]) => der(0x30, ...content);
  const time = (text: string) => der(0x18, Buffer.from(text));
  const bits = (content: Buffer) => der(0x03, Buffer.concat([Buffer.from([0]), content]));

  const ecdsaWithSha256 = sequence(der(0x06, hex('2a8648ce3d040302')));
  const subject = sequence(der(0x31, sequence(der(0x06, hex('550403')), der(0x0c, Buffer.from(name)))));
  const alternativeNames = sequence(der(0x82, Buffer.from(name)));
  const tbs = sequence(
    der(0xa0, der(0x02, hex('02'))),
    der(0x02, hex('01')),
    ecdsaWithSha256,
    subject,
    sequence(time('20200101000000Z'), time('21200101000000Z')),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(der(0x06, hex('551d11')), der(0x04, alternativeNames)))),
  );
  const signature = bits(sign('sha256', tbs, privateKey));
  const base64 = sequence(tbs, ecdsaWithSha256, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}
