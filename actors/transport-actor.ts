/**
 * The nact actor that runs the core. Sockets, timers and members put events into its inbox; one nact message per turn of
 * the event loop has it step the core with all of them and carry out the effects, in order.
 *
 * A process that was stopped or stalled finds its timers overdue before it has read what is queued. So after an overdue
 * tick nobody is judged until a turn has brought no more datagrams: read everything first, judge after. Everything else
 * that ticks do goes on: a node that reads a lot must still be heard.
 */
import { assertNever } from '../lib/assert.js';
import type { Effect } from '../lib/events.js';
import { nodeId } from '../lib/ids.js';
import { gauge, isLater } from '../lib/inspect.js';
import { createNode, defaults, nextTick, ready, step, turnAway, type Node } from '../lib/node.js';
import type { Forced } from '../lib/membership/control.js';
import type { DomainState } from '../lib/membership/state.js';
import { ExposedError } from '../transport/exposure.js';
import { KeyPair } from '../transport/key-agreement.js';
import { Rekeying, rekeyingBytes } from '../transport/rekeying.js';
import type { Transport, TransportHandlers } from '../transport/transport.js';
import { authorizeFor } from './authorizing.js';
import { guard } from './context.js';
import { CannotForce, DomainRefused, GroupRefused, InvalidOption, NotAMember } from './errors.js';
import { consentBy, endMembers } from './ending.js';
import { endForcing } from './forcing.js';
import { drainFed, enqueue, enqueueReborn } from './group-actor.js';
import { holdKeys } from './keys.js';
import { tell, wake, type Host, type Life, type Member } from './host.js';
import { endHost, finish } from './leave.js';
import { noticesStalls } from './options.js';
import { isDead } from './process-identity.js';
import { createOutbox, failRest, type Outbox } from './receipts.js';
import { endRemote, followDomain, receiveRemote } from './remote.js';
import { createRequests, endRequest, endRequests, noteAnswer } from './requests.js';
import { endTransfers } from './restore.js';
import { maybeCollect, noteAllocated } from './scavenging.js';
import { openTrace, type TraceWriter } from './trace-writer.js';

/** A tick later than this tells of a stall, in milliseconds. */
const overdueMillis = 50;
/** A flood of datagrams must not keep a node from judging for longer; by then the sockets' buffers have been read. */
const behindMillisMax = 250;
/** Bytes under way: of what one socket holds a part is left for what is not multicasts. */
const windowShare = 0.8;
const windowBytesMin = 128 * 1024;
const windowBytesMax = 4 * 1024 * 1024;
/** Packets between two rounds of effects: acknowledgements leave while more is read, so that the senders' windows never run empty. */
const packetsPerBatch = 8;
/** This many lives ended by bugs within a minute: it will not get better. */
const bugsMax = 5;
const bugsMillis = 60_000;
/** The core is told of the wall clock when it was set, or has drifted from the monotonic one, by more than this. */
const wallDriftMillis = 10;
/** Numbers for joiners to repeat are below this: far more than anybody can try. */
const challengeLimit = 2 ** 47;
/** How often a traced node writes down what it buffers, in milliseconds. */
const gaugeMillis = 1000;

/** A life at its start. The core follows when the transport is open. */
export function newLife({ options, runtime }: Pick<Host, 'options' | 'runtime'>, forced?: Forced): Life {
  const incarnation = runtime.incarnation();
  const id = nodeId(options.name, incarnation);
  const trace = options.trace === undefined ? undefined : openTrace(options.trace, id, runtime);
  if (trace?.file && trace.file !== options.trace) options.logger.info(`the trace of ${id} goes to ${trace.file}`);
  return {
    id,
    incarnation,
    forced,
    outboxes: new Map(),
    requests: createRequests(),
    trace,
    core: undefined,
    rekeying: undefined,
    domain: undefined,
    departed: new Set(),
    strangers: new Map(),
    posted: 0,
  };
}

/** This life's numbering of own multicasts in a group. */
export function outboxOf(host: Host, group: string): Outbox {
  let outbox = host.life.outboxes.get(group);
  if (!outbox) {
    const { queueLengthMax } = host.options;
    outbox = createOutbox(host.life.id, group, queueLengthMax, (what, refuse) => guard(host, group, what, refuse));
    host.life.outboxes.set(group, outbox);
  }
  return outbox;
}

/** Opens the transport and starts the core. Errors end the host; `ready` rejects with them. */
export async function openHost(host: Host): Promise<void> {
  try {
    const { keys } = host.options;
    if (keys !== undefined) {
      const { ring } = (host.keys = await holdKeys(keys, (why) => host.log.warn(why)));
      const told = (): void =>
        void host.log.info(`keys, the used one first: ${ring.keys.map(({ name }) => name).join(', ')}`);
      ring.watch(told);
      told();
    }
    const transport = await openTransport(host, handlers(host));
    if (host.phase !== 'opening') {
      host.keys?.close();
      await transport.close();
      return;
    }
    if (!transport.isLocal && host.options.quorum === 'verified-deaths') {
      await transport.close();
      throw new InvalidOption(
        `quorum 'verified-deaths' takes nodes that are all processes of one machine, and ${transport.description} reaches ` +
          "beyond it: say quorum: 'majority', or nothing",
      );
    }
    if (host.options.rekey && !transport.isProtected && !transport.isLocal) {
      await transport.close();
      throw new InvalidOption(
        `rekey: true takes a transport under the domain's key, and ${transport.description} is under none: use udpMulticast() or tcp()`,
      );
    }
    host.transport = transport;
    host.phase = 'running';
    host.log.info(`${host.life.id} opens domain '${host.options.domain}': ${transport.description}`);
    startCore(host);
    wake(host);
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    host.log.error(`${host.life.id} cannot open domain '${host.options.domain}': ${failure.message}`);
    endHost(host, failure);
  }
}

/** Opens the transport under the node's keys. Throws {@link InvalidOption} if it would carry messages in the clear beyond this machine. */
async function openTransport({ options, keys }: Host, told: TransportHandlers): Promise<Transport> {
  const { domain, insecure } = options;
  try {
    const transport = await options.transport(domain, told, keys?.ring, insecure);
    if (transport.isLocal || transport.isProtected || insecure) return transport;
    // a transport of the user's own that did not look
    await transport.close();
    throw new ExposedError(
      `${transport.description} reaches beyond this machine, and nothing protects what it carries`,
    );
  } catch (error) {
    if (!(error instanceof ExposedError)) throw error;
    throw new InvalidOption(
      `not opened without protection: ${error.message}: anybody there can read messages and forge them. Give all nodes one key: ` +
        'groups({ key }), NACT_GROUPS_KEY or NACT_GROUPS_KEY_FILE, on the command line --key-file; or use the loopback interface; ' +
        'or spell out that the network is trusted: groups({ insecure: true }), on the command line --insecure',
      { cause: error },
    );
  }
}

function handlers(host: Host): TransportHandlers {
  return {
    datagram(bytes, from) {
      noteAllocated(bytes.length);
      noteEncrypted(host, bytes);
      const { core, rekeying } = host.life;
      if (core && turnAway(core, bytes)) return;
      if (rekeying) rekeying.receive('datagram', bytes, from);
      else take(host, 'datagram', bytes, from);
    },
    stream(bytes, from) {
      noteAllocated(bytes.length);
      noteEncrypted(host, bytes);
      const { rekeying } = host.life;
      if (rekeying) rekeying.receive('stream', bytes, from);
      else take(host, 'stream', bytes, from);
    },
    streamDown: (to, why, wasUp) => streamDown(host, to, why, wasUp),
    error(error) {
      host.log.warn(`transport: ${error.message}`);
    },
    tooLarge: () => tell(host, { kind: 'datagram-too-large' }),
    moved: (why) => void move(host, why),
  };
}

function take(host: Host, kind: 'datagram' | 'stream', bytes: Uint8Array, from: string): void {
  if (kind === 'datagram') host.watcher?.packet(bytes);
  host.inbox.push({ kind, bytes, from });
  host.datagramsTaken += 1;
  wake(host);
}

function streamDown(host: Host, to: string, why: string, wasUp: boolean): void {
  host.log.debug(`stream to ${to} is down: ${why}`);
  host.inbox.push({ kind: 'stream-down', to, wasUp });
  wake(host);
}

/**
 * This node has another address now, and the others know it by the one that is gone. So the transport is opened there as well, and once
 * somebody is heard in a later state of the domain, which has gone on without this node, a new life begins there. Until then it waits as it
 * is: it may be the last that has the state.
 */
async function move(host: Host, why: string): Promise<void> {
  if (host.phase !== 'running' || host.isMoving) return;
  host.isMoving = true;
  const own = handlers(host);
  let next: Transport | undefined;
  const isPending = (): boolean => next !== undefined && next === host.next;
  const takeIf = (isAhead: boolean): void => {
    if (!isAhead || !isPending() || host.phase !== 'running') return;
    const { transport: former } = host;
    host.transport = next;
    host.next = undefined;
    host.isMoving = false;
    restart(host, why);
    void former?.close();
  };
  try {
    const heard: TransportHandlers = {
      ...own,
      datagram(bytes, from) {
        const { core } = host.life;
        takeIf(core !== undefined && isLater(core, bytes));
        own.datagram(bytes, from);
      },
      moved(again) {
        // while it is pending, the former one tells of it as well
        if (isPending()) giveUp(host);
        else own.moved(again);
      },
    };
    next = await openTransport(host, heard);
    host.next = next;
    host.log.warn(`${why}: ${host.life.id} waits to hear from the others at ${next.address}`);
    if (hasEnded(host)) giveUp(host);
    else takeIf(host.life.domain === undefined);
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    host.log.warn(`${why}; the transport cannot be opened anew: ${failure}; it is tried again`);
    host.isMoving = false;
  }
}

/** Closes a transport that was opened at a new address, before it is this node's. */
function giveUp(host: Host): void {
  const { next } = host;
  host.next = undefined;
  host.isMoving = false;
  void next?.close();
}

function hasEnded({ phase }: Host): boolean {
  return phase === 'left' || phase === 'refused';
}

/** Where all nodes are processes of this machine, the system tells who is dead. */
function quorumOf({ options, runtime }: Host, transport: Transport): 'majority' | 'verified-deaths' {
  const { quorum, heartbeat, timeout } = options;
  const isFit = transport.isLoopback && runtime.process !== '' && noticesStalls(heartbeat, timeout);
  return quorum ?? (isFit ? 'verified-deaths' : 'majority');
}

function startCore(host: Host): void {
  const { options, life, transport, runtime } = host;
  if (!transport) return;
  const rekeying = (life.rekeying = options.rekey ? rekeyOver(host, transport) : undefined);
  host.wall = runtime.wall() - runtime.now();
  const share = Math.floor(transport.receiveBufferBytes * windowShare);
  life.core = createNode(
    {
      domain: options.domain,
      name: options.name,
      incarnation: life.incarnation,
      address: transport.address,
      wall: host.wall,
      seed: runtime.random(2 ** 31),
      trace: life.trace !== undefined,
      minimumNodes: options.minimumNodes,
      founds: life.forced === 'found',
      weight: options.weight,
      process: runtime.process,
      metadata: options.metadata,
      publicKey: rekeying?.keyPair.publicKey ?? '',
      versions: defaults.versions,
      authorize: authorizeFor(host),
      // where nobody can forge an address, or send at all
      challenge: transport.isLocal || transport.isProtected ? null : () => 1 + runtime.random(challengeLimit),
      quorum: quorumOf(host, transport),
      minimumWeight: options.minimumWeight,
      heartbeat: options.heartbeat,
      timeout: options.timeout,
      timeoutMax: options.timeoutMax,
      discovery: options.discovery,
      datagramBytesMax: transport.datagramBytesMax - (rekeying ? rekeyingBytes : 0),
      windowBytes: options.windowBytes ?? Math.min(windowBytesMax, Math.max(windowBytesMin, share)),
      slabBytes: defaults.slabBytes,
      allocate,
      queueLengthMax: options.queueLengthMax,
      messageBytesMax: options.messageBytesMax,
      backlogBytesMax: options.backlogBytesMax,
    },
    runtime.now(),
  );
  host.timerDue = Infinity;
}

/** What users say goes under group keys from here on. */
function rekeyOver(host: Host, transport: Transport): Rekeying {
  const { life } = host;
  return new Rekeying({
    domain: host.options.domain,
    self: life.id,
    keyPair: new KeyPair(),
    transport,
    clock: host.runtime,
    take(kind, bytes, from) {
      noteAllocated(2 * bytes.length);
      take(host, kind, bytes, from);
    },
    streamDown: (to, why) => {
      if (host.life === life) streamDown(host, to, why, false);
    },
    warn: (message) => host.log.warn(message),
  });
}

/** Under a key each message is in memory a second time, as it goes over the network. */
function noteEncrypted(host: Host, bytes: Uint8Array): void {
  if (host.keys !== undefined) noteAllocated(bytes.length);
}

/** Memory for frames, not cleared. */
function allocate(bytes: number): Uint8Array {
  noteAllocated(bytes);
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}

/** One nact message: everything that came since the last. */
export function turn(host: Host): void {
  host.woken = false;
  const { core } = host.life;
  if (!core) return;
  const now = host.runtime.now();
  try {
    const events = host.inbox;
    host.inbox = [];
    host.life.posted = 0;
    const wall = host.runtime.wall() - now;
    if (Math.abs(wall - host.wall) > wallDriftMillis) {
      host.wall = wall;
      step(core, { kind: 'clock', wall }, now);
    }
    let packets = 0;
    for (const event of events) {
      step(core, event, now);
      // own multicasts are packed together, however many there are
      if ((event.kind !== 'datagram' && event.kind !== 'stream') || ++packets % packetsPerBatch !== 0) continue;
      perform(host, ready(core, now));
      // that life may be over: what is left of the batch was for it
      if (host.life.core !== core) return;
    }
    const due = nextTick(core);
    const behind = isBehind(host, due, now);
    if (now >= due) step(core, { kind: 'tick', behind }, now);
    const effects = ready(core, now);
    if (host.life.trace && now - host.gaugedAt >= gaugeMillis) traceGauge(host, core, host.life.trace, now);
    perform(host, effects);
    if (now >= consentBy(host) && host.life.core) {
      host.log.warn(`${host.life.id} goes without the others' consent: it could not leave gracefully`);
      void conclude(host, 'left', undefined);
    }
  } catch (error) {
    bug(host, error);
  } finally {
    drainFed(host, now);
  }
  maybeCollect();
  if (host.life.core) armTimer(host, Math.min(nextTick(host.life.core), consentBy(host)));
}

/** Traces the buffers. Written with the next batch. */
function traceGauge(host: Host, core: Node, trace: TraceWriter, now: number): void {
  host.gaugedAt = now;
  const rss = process.memoryUsage.rss();
  trace.record({ e: 'gauge', ...gauge(core), rss, lagMs: Math.round(host.lag * 1000) / 1000 });
}

/** Whether input of before a stall may still be queued: from an overdue tick on, until a turn has brought nothing. */
function isBehind(host: Host, due: number, now: number): boolean {
  const taken = host.datagramsTaken;
  host.datagramsTaken = 0;
  if (host.behindSince === undefined) {
    if (now < due) return false;
    host.lag = now - due;
    if (host.lag <= overdueMillis) return false;
    host.behindSince = now;
  } else if (taken === 0 || now - host.behindSince > behindMillisMax) {
    host.behindSince = undefined;
    return false;
  }
  // a turn after the sockets have been looked at
  wake(host);
  return true;
}

/** Wakes the actor at `due`; an earlier alarm than needed is left alone, it costs less than setting a new one. */
function armTimer(host: Host, due: number): void {
  if (host.timerDue <= due + 0.5 && host.timerDue !== 0) return;
  host.runtime.cancel(host.timer);
  host.timer = undefined;
  host.timerDue = due;
  if (due === Infinity) return;
  host.timer = host.runtime.after(Math.max(0, Math.ceil(due - host.runtime.now())), () => {
    host.timerDue = Infinity;
    wake(host);
  });
}

function perform(host: Host, effects: readonly Effect[]): void {
  const { trace } = host.life;
  if (trace) {
    // one write for the batch, before any of it takes effect
    for (const effect of effects) if (effect.kind === 'trace') trace.record(effect.record);
    trace.flush();
  }
  const { transport } = host;
  if (!transport) return;
  const { rekeying } = host.life;
  const carrier = rekeying ?? transport;
  let state: DomainState | undefined;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'multicast':
        noteEncrypted(host, effect.bytes);
        host.watcher?.packet(effect.bytes);
        if (!carrier.multicast(effect.bytes)) host.beingSent.add(effect.bytes.buffer);
        break;
      case 'unicast':
        noteEncrypted(host, effect.bytes);
        carrier.unicast(effect.to, effect.bytes);
        break;
      case 'stream':
        noteEncrypted(host, effect.bytes);
        carrier.stream(effect.to, effect.bytes);
        break;
      case 'tether':
        transport.tether(effect.to);
        break;
      case 'probe':
        void probe(host, transport, effect.to);
        break;
      case 'deliver': {
        const member = host.members.get(effect.group);
        if (!member) break;
        host.watcher?.items(effect.group, effect.items);
        host.meter?.items(member, effect.items);
        enqueue(member, effect.items);
        break;
      }
      case 'trace':
        break;
      case 'log':
        logEffect(host, effect);
        break;
      case 'domain':
        state = effect.state;
        rekeying?.follow(state);
        transport.setNodes(state.nodes.map(({ address }) => address));
        host.domain.next(state);
        break;
      case 'joined':
        host.log.info(`${host.life.id} is in domain '${host.options.domain}'`);
        host.ready.resolve();
        endForcing(host, undefined);
        break;
      case 'refused':
        host.log.error(`${host.life.id} is not let into domain '${host.options.domain}': ${effect.why}`);
        endHost(host, new DomainRefused(host.options.domain, effect.why));
        return;
      case 'group-refused':
        refuse(host, effect.group, effect.why);
        break;
      case 'left':
        host.log.info(`${host.life.id} has left domain '${host.options.domain}'`);
        void conclude(host, 'left', undefined);
        return;
      case 'answer':
        noteAnswer(host.life.requests, effect.number, effect.from, effect.payload);
        break;
      case 'answered':
        endRequest(host.life.requests, effect.number, effect);
        break;
      case 'remote':
        receiveRemote(host, effect.from, effect.payload);
        break;
      case 'confirm':
        if (isDead(effect.process)) tell(host, { kind: 'death', who: effect.who });
        break;
      case 'force-refused':
        host.log.error(`${host.life.id} is not forced on: ${effect.why}`);
        endForcing(host, new CannotForce(effect.why));
        break;
      case 'restart':
        restart(host, effect.why, effect.forced);
        return;
      default:
        assertNever(effect);
    }
  }
  // last: what a node said before it left counts
  if (state) followDomain(host, state);
}

/** What tells from whom something came may come as often as that. */
function logEffect(host: Host, { level, message, fields }: Effect & { kind: 'log' }): void {
  if (level === 'warn' && 'from' in fields) host.notes.note(level, message, `${message}, from ${fields['from']}`);
  else host.log.log(level, message, fields);
}

async function probe(host: Host, transport: Transport, to: string): Promise<void> {
  const { life } = host;
  const found = await transport.probe(to);
  if (host.life === life) tell(host, { kind: 'probed', to, found });
}

function refuse(host: Host, group: string, why: string): void {
  const member = host.members.get(group);
  if (!member) return;
  const error = new GroupRefused(group, why);
  host.log.error(error.message);
  failRest(member.outbox, error.message);
  finish(member, error);
}

/** The node is out of its domain: members apply what they were still delivered, as far as there is time, then everything is closed. */
async function conclude(host: Host, status: 'left' | 'excluded', error: Error | undefined): Promise<void> {
  host.phase = 'leaving';
  host.life.core = undefined;
  host.life.rekeying?.close();
  endRemote(host, 'this node is not in its domain any more');
  endRequests(host.life.requests, 'this node is not in its domain any more');
  host.runtime.cancel(host.timer);
  await endMembers(host, status, error ?? new NotAMember(host.options.domain, 'the node left its domain'));
  endHost(host, error);
}

/** What a member's outbox holds at the end of a life. Loses nothing in silence. */
function undelivered({ outbox, group, behavior, log }: Member): { unsent: unknown[]; uncertain: unknown[] } {
  const kept = [...outbox.kept];
  const sent = kept.filter(({ number }) => number <= outbox.accepted);
  const unsent = outbox.last - outbox.accepted;
  const uncertain = outbox.accepted - outbox.stable;
  if (unsent + uncertain > 0) {
    const told = behavior.restore ? "its 'restore' is told of them" : "a 'restore' of its own would be told of them";
    log.warn(
      `${unsent} multicasts of '${group}' were not sent, ${uncertain} may or may not be delivered by the others; ${told}`,
    );
  }
  return {
    unsent: kept.slice(sent.length).map(({ message }) => message),
    uncertain: sent.map(({ message }) => message),
  };
}

/** A new life under the same name: new core, all groups joined again, receipts of the old life settled. */
function restart(host: Host, why: string, forced?: Forced): void {
  if (host.phase !== 'running' || (!host.options.rejoin && !forced)) {
    void conclude(host, 'excluded', host.phase === 'running' ? new DomainRefused(host.options.domain, why) : undefined);
    return;
  }
  const old = host.life;
  old.core = undefined;
  old.rekeying?.close();
  for (const member of [...host.members.values()]) {
    if (member.phase === 'leaving') continue;
    member.phase = 'member';
    member.discarding = false;
    enqueueReborn(member, { forced: forced !== undefined, ...undelivered(member) });
  }
  for (const outbox of old.outboxes.values()) failRest(outbox, why);
  endRemote(host, `this node starts anew: ${why}`);
  // from here on nothing has the old life's numbers: what was held or told before is failed and must not reach the new core
  host.life = newLife(host, forced);
  host.inbox = [];
  host.log.warn(`${old.id} starts anew as ${host.life.id}: ${why}; refs to its actors that others hold are dead`);
  old.trace?.close();
  startCore(host);
  for (const member of [...host.members.values(), ...host.successors.values()]) {
    member.outbox = outboxOf(host, member.group);
    endTransfers(member, why);
    member.held = [];
    if (member.phase === 'member') {
      host.inbox.push({ kind: 'join-group', group: member.group, settings: member.settings });
    }
  }
  // last, because a successor joins with the end of who was before it
  const leaving = [...host.members.values()].filter(({ phase }) => phase === 'leaving');
  for (const member of leaving) finish(member, new GroupRefused(member.group, why));
  endRequests(old.requests, why);
  wake(host);
}

/** An assertion of the core failed: fail-stop, then a new life. */
function bug(host: Host, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  host.log.error(`${host.life.id} stops for a bug in the protocol: ${text}`);
  host.life.core = undefined;
  const now = host.runtime.now();
  host.bugs = [...host.bugs.filter((at) => now - at < bugsMillis), now];
  if (host.bugs.length >= bugsMax) {
    endHost(host, new DomainRefused(host.options.domain, `gave up after ${bugsMax} bugs within a minute: ${text}`));
    return;
  }
  restart(host, 'a bug in the protocol');
}
