/**
 * Membership of the multicast group, which a system forgets with the interface: one that is deleted and made anew under the same
 * name is another one to it, and a switch may have forgotten who was behind a link that was down. So it is looked again and
 * again whether the interface is what it was, and if not, or if a multicast could not be sent, the group is joined anew and
 * the interface for sending set anew.
 */
import type { Socket } from 'node:dgram';
import type { RemoteInfo } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { formatAddress, usableInterfaces } from './addresses.js';
import type { Endpoint, Interface } from './addresses.js';
import { codeOf } from './errors.js';
import type { Reporter } from './reporter.js';
import { closeSocket, openGroup, setBuffer } from './udp-sockets.js';

/**
 * How often it is looked at the interface: well within the time of discovery, or a node whose interface is back would found a domain of its
 * own before it hears the others. Looking costs some tens of microseconds.
 */
const lookMillis = 200;

/** What membership needs. */
export interface GroupMembershipOptions {
  readonly multicast: Endpoint;
  readonly on: Interface;
  readonly reporter: Reporter;
  /** A multicast arrived. */
  readonly received: (bytes: Buffer, from: RemoteInfo) => void;
  /** The group was joined anew: what is sent has to leave by this interface from now on. */
  readonly joinedAnew: (on: Interface) => void;
  /** This node's address is gone, and its interface has another; told at each look. */
  readonly moved: (from: Interface, to: Interface) => void;
}

/** A membership that is kept. */
export interface GroupMembership {
  /** What the socket's buffer holds, in bytes, as it was granted. */
  readonly receiveBufferBytes: number;
  /** How often the group was joined anew. */
  readonly rejoined: number;
  /** Something was not sent as it should: whatever the interface looks like, the group is joined anew at the next look. */
  suspect(): void;
  close(): Promise<void>;
}

/** Keeps a node in the multicast group; `socket` is in it. */
export function keepMembership(first: Socket, options: GroupMembershipOptions): GroupMembership {
  const { multicast, reporter } = options;
  const where = `${options.on.address} (${options.on.name})`;
  let socket = first;
  let known = looksOf(options.on);
  let isSuspect = false;
  let fault = '';
  let rejoined = 0;
  let looking: Promise<void> | undefined;
  let closing = false;

  function listenTo(next: Socket): number {
    next.on('message', options.received);
    next.on('error', (error) => reporter.report(`multicast-${codeOf(error)}`, `multicast socket: ${error.message}`));
    return setBuffer(next, 'Recv');
  }

  async function look(): Promise<void> {
    const looks = looksOf(options.on);
    if (looks === known && !isSuspect) return;
    const hasChanged = looks !== known;
    isSuspect = false;
    known = looks;
    const on = usableInterfaces().find(({ address }) => address === options.on.address);
    if (on === undefined) {
      const other = usableInterfaces().find(
        ({ name, family }) => name === options.on.name && family === multicast.family,
      );
      // until somebody has done something about it
      isSuspect = other !== undefined;
      if (other !== undefined) options.moved(options.on, other);
      else if (hasChanged) reporter.report('link', `interface ${where} is down or gone: nothing is sent or received`);
      return;
    }
    try {
      await join(on);
      fault = '';
      if (hasChanged)
        reporter.report(
          'link',
          `interface ${where} has changed: ${formatAddress(multicast.host, multicast.port)} is joined anew`,
        );
    } catch (error) {
      isSuspect = true;
      const why = error instanceof Error ? error.message : String(error);
      if (why !== fault) reporter.report('link', `${why}; it is tried again and again`);
      fault = why;
    }
  }

  /** Leaves first: else the system, which counts members, would say nothing to the network. */
  async function join(on: Interface): Promise<void> {
    try {
      socket.dropMembership(multicast.host, on.forMulticast);
    } catch {
      // the system has forgotten it
    }
    const next = await openGroup(multicast, on);
    rejoined += 1;
    if (closing) return closeSocket(next);
    listenTo(next);
    const former = socket;
    socket = next;
    options.joinedAnew(on);
    await closeSocket(former);
  }

  const receiveBufferBytes = listenTo(first);
  // processes of one machine lose nothing of it
  const timer = options.on.loopback
    ? undefined
    : setInterval(() => {
        looking ??= look().finally(() => (looking = undefined));
      }, lookMillis).unref();
  return {
    receiveBufferBytes,
    get rejoined() {
      return rejoined;
    },
    suspect() {
      isSuspect = true;
    },
    async close() {
      closing = true;
      clearInterval(timer);
      await looking;
      await closeSocket(socket);
    },
  };
}

/** What tells an interface from one that was made anew; empty if it is not there or down, and other if its address is gone. */
function looksOf({ name, address }: Interface): string {
  const all = Object.entries(networkInterfaces());
  const [now = name, addresses = []] = all.find(([, some]) => some?.some((each) => each.address === address)) ?? [
    name,
    all.find(([each]) => each === name)?.[1],
  ];
  const own = addresses.filter((each) => each.address === address || (each.family === 'IPv6' && each.scopeid > 0));
  return own.length === 0 && addresses.length === 0 ? '' : JSON.stringify([now, addresses[0]?.mac, own]);
}
