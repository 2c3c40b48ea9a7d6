/** A system that refuses to send datagrams, as some do whose rules cannot be had here: it stands in for the real one. */
import { Socket } from 'node:dgram';
import type { ExecutionContext } from 'ava';

type Sent = (error: Error | null, bytes: number) => void;
type Send = (this: Socket, message: Uint8Array | Uint8Array[], port: number, address: string, sent: Sent) => void;

/** Has every datagram of this process refused with the code that is told for it, until the test ends; null: it is sent. */
export function refuseDatagrams(t: ExecutionContext, codeFor: (bytes: number, address: string) => string | null): void {
  const sockets = Socket.prototype as unknown as { send: Send };
  const { send } = sockets;
  sockets.send = function (message, port, address, sent) {
    const bytes = Array.isArray(message) ? message.reduce((sum, part) => sum + part.length, 0) : message.length;
    const code = codeFor(bytes, address);
    if (code === null) send.call(this, message, port, address, sent);
    else
      setImmediate(sent, Object.assign(new Error(`send ${code} ${address}:${port}`), { code, address, port }), bytes);
  };
  t.teardown(() => {
    sockets.send = send;
  });
}
