/** Raw multicast, in one process of several: a datagram per message from the first process to all others. */
import { micros } from '../clock.js';
import { assignmentOf } from '../processes.js';
import { serve } from '../remote.js';
import { openMulticast, openUnicast } from '../sockets.js';
import { createPeer } from './peer.js';
import type { NodeAssignment } from './peer.js';

const { index, address, port } = assignmentOf<NodeAssignment>();
const unicast = await openUnicast();
const peer = createPeer((message) => unicast.send(message, port, address));

if (index > 0) {
  const group = await openMulticast(address, port);
  group.on('message', (message) => peer.got(message, micros()));
}

serve({ ...peer.served, ready: () => undefined });
