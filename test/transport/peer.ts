/**
 * A node in a process of its own, for tests that kill it. It obeys its parent's commands and reports what it hears.
 */
import { udpMulticast } from '../../transport/udp-multicast.js';

/** From the parent. */
export type Command =
  | { readonly kind: 'multicast'; readonly text: string }
  | { readonly kind: 'stream'; readonly to: string; readonly text: string };

/** To the parent. */
export type Report =
  | { readonly kind: 'open'; readonly address: string }
  | { readonly kind: 'datagram' | 'stream'; readonly from: string; readonly text: string }
  | { readonly kind: 'down'; readonly to: string; readonly why: string }
  | { readonly kind: 'error'; readonly message: string };

const report = (message: Report): void => {
  process.send?.(message);
};

const decoder = new TextDecoder();
const transport = await udpMulticast()(process.argv[2] ?? '', {
  datagram: (bytes, from) => report({ kind: 'datagram', from, text: decoder.decode(bytes) }),
  stream: (bytes, from) => report({ kind: 'stream', from, text: decoder.decode(bytes) }),
  streamDown: (to, why) => report({ kind: 'down', to, why }),
  error: (error) => report({ kind: 'error', message: error.message }),
  tooLarge: () => {},
  moved: () => {},
});

process.on('message', (command: Command) => {
  const bytes = new TextEncoder().encode(command.text);
  if (command.kind === 'multicast') transport.multicast(bytes);
  else transport.stream(command.to, bytes);
});
process.on('disconnect', () => process.exit());

report({ kind: 'open', address: transport.address });
