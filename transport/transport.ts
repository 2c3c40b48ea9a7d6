/**
 * The seam between the protocol and the network: best-effort datagrams, to all and to one, and streams that are
 * reliable and in order while they last. Everything else (loss, order, liveness) is the core's business.
 */
import type { Found } from '../lib/events.js';
import type { Keyring } from './keyring.js';

/** What a transport tells its user. Callbacks run on the event loop, never from inside a call into the transport. */
export interface TransportHandlers {
  /** A datagram arrived; its bytes are the receiver's to keep. `from` is the address it came from, as far as it can be told. */
  datagram(bytes: Uint8Array, from: string): void;
  /** A message arrived on a stream; its bytes are the receiver's to keep. */
  stream(bytes: Uint8Array, from: string): void;
  /**
   * The stream to this address could not be opened or broke: messages written to it may be lost. Once per break.
   * `wasUp`: there was a connection in one direction or the other, so that the peer may have crashed.
   */
  streamDown(to: string, why: string, wasUp: boolean): void;
  /** Something failed that no call can report; the transport goes on. */
  error(error: Error): void;
  /** The system refuses datagrams for their size: smaller ones may pass. Told for each. */
  tooLarge(): void;
  /**
   * Others cannot reach this node any more: its address is gone. Opened anew, the transport would have another one. Told once a second
   * until it is closed.
   */
  moved(why: string): void;
}

/** An open transport. No method throws for what the network does. */
export interface Transport {
  /** Where others reach this node by unicast datagrams and by streams. */
  readonly address: string;
  /** Whether what it carries stays on this machine, and nobody else can send to it. */
  readonly isLocal: boolean;
  /** Whether nobody without a key of the domain can read what it carries, or send to it. Default: no. */
  readonly isProtected?: boolean;
  /** Whether each node is a process of its own on this machine, so that the system can tell who is dead. Default: no. */
  readonly isLoopback?: boolean;
  /** The largest datagram it takes, in bytes. */
  readonly datagramBytesMax: number;
  /** Bytes that its socket can hold until they are read; senders keep what is under way below it. */
  readonly receiveBufferBytes: number;
  /** One line for the log: interface, addresses, buffer sizes asked for and granted. */
  readonly description: string;
  /**
   * To every node of the domain; may or may not come back to the sender. True: the bytes are done with, and the caller's again; else they
   * must not be changed any more.
   */
  multicast(bytes: Uint8Array): boolean;
  /** To one address. */
  unicast(to: string, bytes: Uint8Array): void;
  /** A message of any size up to 1 MiB on the stream to this address, which is opened when needed. */
  stream(to: string, bytes: Uint8Array): void;
  /**
   * Keeps a stream to each of these addresses open, so that a crash there is told by `streamDown`; replaces what was said
   * before. One that breaks or cannot be opened is tried again, later and later; that nothing could be opened where
   * nothing was written is not told.
   */
  tether(to: readonly string[]): void;
  /** Whether anybody listens at this address, by a new connection; takes two seconds at most. Never rejects. */
  probe(to: string): Promise<Found>;
  /** Bytes given to `stream` for this address and not yet taken by the system. */
  streamBacklog(to: string): number;
  /**
   * Who is in the domain, by address, as of its latest state. A transport without multicast has to reach them all; what it
   * finds by itself it goes on reaching too.
   */
  setNodes(addresses: readonly string[]): void;
  /** Datagrams that were given away and are not yet with the system. */
  readonly datagramsPending: number;
  /** What was lost here rather than on the way, and the like, counted since it was opened, by name. */
  statistics(): Readonly<Record<string, number>>;
  /** Resolves when everything is closed and what was written has been given to the system. */
  close(): Promise<void>;
}

/**
 * Opens a transport for a domain, under its keys if there are any: then everything that leaves the process has to be encrypted
 * and authenticated, and the transport says `isProtected`. Rejects with a clear error: port in use, no such interface.
 *
 * `insecure`: the network is trusted. Without it and without keys a transport that reaches beyond this machine has to reject before it
 * opens a socket, with an `ExposedError`.
 */
export type TransportFactory = (
  domain: string,
  handlers: TransportHandlers,
  keyring?: Keyring,
  insecure?: boolean,
) => Promise<Transport>;
