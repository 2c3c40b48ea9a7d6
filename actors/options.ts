/**
 * Options of `groups`, checked and completed.
 */
import { hostname } from 'node:os';
import { inspect } from 'node:util';
import type { Logger } from 'winston';
import { multicastBytesMax, nameBytesMax, nodesMax, queueBytesMax, weightMax } from '../lib/limits.js';
import { defaults } from '../lib/options.js';
import { encodeUtf8 } from '../lib/wire/utf8.js';
import type { Traced } from '../lib/trace/format.js';
import { optionMillisMax, optionsFault } from '../transport/options.js';
import type { TransportFactory } from '../transport/transport.js';
import { udpMulticast } from '../transport/udp-multicast.js';
import { claimsOption } from './claims.js';
import { InvalidOption } from './errors.js';
import { keySource, type KeySource } from './keys.js';
import { consoleLogger } from './logging.js';
import type { GroupsOptions } from './types.js';

/** Options with nothing left open but the window, which depends on the socket. */
export interface ResolvedOptions {
  readonly domain: string;
  readonly name: string;
  readonly transport: TransportFactory;
  readonly keys: KeySource | undefined;
  readonly insecure: boolean;
  readonly rekey: boolean;
  readonly authorize: GroupsOptions['authorize'];
  readonly groups: GroupsOptions['groups'];
  /** What it says of itself, see claims.ts. */
  readonly metadata: string;
  readonly minimumNodes: number;
  readonly weight: number;
  readonly minimumWeight: number;
  readonly quorum: 'majority' | 'verified-deaths' | undefined;
  readonly logger: Logger;
  readonly trace: string | ((record: Traced) => void) | undefined;
  readonly windowBytes: number | undefined;
  readonly queueLengthMax: number;
  readonly queueBytesMax: number;
  readonly messageBytesMax: number;
  readonly backlogBytesMax: number;
  readonly behindMax: number | undefined;
  readonly heartbeat: number;
  readonly timeout: number;
  readonly timeoutMax: number;
  readonly discovery: number;
  readonly rejoin: boolean;
}

let systems = 0;

/** `host-pid`, with a number from the second system of a process on. */
function defaultName(): string {
  systems += 1;
  return `${hostname()}-${process.pid}${systems > 1 ? `-${systems}` : ''}`;
}

const known = [
  'domain',
  'name',
  'transport',
  'key',
  'insecure',
  'rekey',
  'authorize',
  'metadata',
  'groups',
  'minimumNodes',
  'weights',
  'minimumWeight',
  'quorum',
  'logger',
  'trace',
  'limits',
  'detector',
  'rejoin',
] as const satisfies readonly (keyof GroupsOptions)[];

const knownLimits = [
  'windowBytes',
  'queueLengthMax',
  'queueBytesMax',
  'messageBytesMax',
  'backlogBytesMax',
  'behindMax',
] as const satisfies readonly (keyof NonNullable<GroupsOptions['limits']>)[];

const knownTimes = ['heartbeat', 'timeout', 'timeoutMax', 'discovery'] as const satisfies readonly (keyof NonNullable<
  GroupsOptions['detector']
>)[];

/** Checks options. Throws {@link InvalidOption}. */
export function resolveOptions(options: GroupsOptions): ResolvedOptions {
  checkKeys('groups()', options, known);
  const { limits = {}, detector = {} } = options;
  checkKeys('limits', limits, knownLimits);
  checkKeys('detector', detector, knownTimes);
  const timeout = time('timeout', detector.timeout ?? defaults.timeout, 1);
  const name = nameOption('name', options.name ?? defaultName());
  const resolved: ResolvedOptions = {
    domain: nameOption('domain', options.domain),
    name,
    transport: transportOption(options.transport),
    keys: keySource(options.key, process.env),
    insecure: flag('insecure', options.insecure ?? false),
    rekey: flag('rekey', options.rekey ?? false),
    authorize: authorizeOption(options.authorize),
    groups: options.groups,
    metadata: claimsOption(options.metadata, options.groups),
    minimumNodes: count('minimumNodes', options.minimumNodes ?? defaults.minimumNodes, 1, nodesMax),
    weight: weightOption(options.weights, name),
    minimumWeight: halves('minimumWeight', options.minimumWeight ?? defaults.minimumWeight),
    quorum: quorumOption(options.quorum),
    logger: loggerOption(options.logger),
    trace: traceOption(options.trace),
    windowBytes: limits.windowBytes === undefined ? undefined : count('limits.windowBytes', limits.windowBytes, 4096),
    queueLengthMax: count('limits.queueLengthMax', limits.queueLengthMax ?? defaults.queueLengthMax, 1),
    queueBytesMax: count('limits.queueBytesMax', limits.queueBytesMax ?? queueBytesMax, 1),
    messageBytesMax: count(
      'limits.messageBytesMax',
      limits.messageBytesMax ?? defaults.messageBytesMax,
      1,
      multicastBytesMax,
    ),
    backlogBytesMax: count('limits.backlogBytesMax', limits.backlogBytesMax ?? defaults.backlogBytesMax, 1),
    behindMax: limits.behindMax === undefined ? undefined : count('limits.behindMax', limits.behindMax, 10),
    heartbeat: time('heartbeat', detector.heartbeat ?? defaults.heartbeat, 1),
    timeout,
    timeoutMax: time('timeoutMax', detector.timeoutMax ?? Math.min(3 * timeout, optionMillisMax), 1),
    discovery: time('discovery', detector.discovery ?? defaults.discovery, 0),
    rejoin: flag('rejoin', options.rejoin ?? true),
  };
  if (resolved.timeout < 2 * resolved.heartbeat) {
    throw new InvalidOption(
      `detector.timeout (${resolved.timeout} ms) must be at least twice detector.heartbeat (${resolved.heartbeat} ms)`,
    );
  }
  if (resolved.rekey && resolved.keys === undefined) {
    throw new InvalidOption(
      'rekey: true takes a key, which admits nodes to those that share a group key: give all nodes one, by groups({ key }), ' +
        'NACT_GROUPS_KEY or NACT_GROUPS_KEY_FILE, or on the command line by --key-file',
    );
  }
  if (resolved.quorum === 'verified-deaths' && !noticesStalls(resolved.heartbeat, resolved.timeout)) {
    throw new InvalidOption(
      `detector.heartbeat (${resolved.heartbeat} ms) must be at most an eighth of detector.timeout (${resolved.timeout} ms) ` +
        `with the quorum 'verified-deaths': a node has to notice that it stood still before the others give it up`,
    );
  }
  if (resolved.timeoutMax < resolved.timeout) {
    throw new InvalidOption(
      `detector.timeoutMax (${resolved.timeoutMax} ms) must be at least detector.timeout (${resolved.timeout} ms)`,
    );
  }
  return resolved;
}

/** Whether a node notices each stall for which others could exclude it: confirmed deaths rest on that (rule D15). */
export function noticesStalls(heartbeat: number, timeout: number): boolean {
  return 8 * heartbeat <= timeout;
}

function checkKeys(what: string, value: unknown, keys: readonly string[]): void {
  const fault = optionsFault(what, value, keys);
  if (fault !== null) throw new InvalidOption(fault);
}

function transportOption(value: GroupsOptions['transport']): TransportFactory {
  if (value === undefined) return udpMulticast();
  if (typeof value === 'function') return value;
  throw new InvalidOption(`transport must be one like udpMulticast() or tcp(), not ${inspect(value, { depth: 0 })}`);
}

const logged = ['log', 'error', 'warn', 'info', 'debug'] as const satisfies readonly (keyof Logger)[];

function loggerOption(value: GroupsOptions['logger']): Logger {
  if (value === undefined) return consoleLogger();
  const lacks = logged.filter((method) => typeof (value as Partial<Logger> | null)?.[method] !== 'function');
  if (lacks.length === 0) return value;
  throw new InvalidOption(
    `logger must be a winston logger, and ${inspect(value, { depth: 0 })} has no ${lacks.join(', ')}; leave it out to log to the console`,
  );
}

function traceOption(value: GroupsOptions['trace']): GroupsOptions['trace'] {
  if (value === undefined || typeof value === 'function' || (typeof value === 'string' && value !== '')) return value;
  throw new InvalidOption(`trace must be a file's name or a function, not ${inspect(value, { depth: 0 })}`);
}

function authorizeOption(value: GroupsOptions['authorize']): GroupsOptions['authorize'] {
  if (value === undefined || typeof value === 'function') return value;
  throw new InvalidOption(`authorize must be a function, not ${inspect(value, { depth: 0 })}`);
}

function nameOption(option: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new InvalidOption(`${option} must be a name, not ${String(value)}`);

  if (/[#\u0000-\u001f]/.test(value) || encodeUtf8(value).length > nameBytesMax) {
    throw new InvalidOption(
      `${option} must be at most ${nameBytesMax} bytes without '#' or control characters: ${value}`,
    );
  }
  return value;
}

/** This node's own weight: said as such, or in a table of all nodes by name. */
function weightOption(weights: GroupsOptions['weights'], name: string): number {
  if (weights === undefined || typeof weights === 'number') return weight('weights', weights ?? defaults.weight);
  if (typeof weights !== 'object' || weights === null) {
    throw new InvalidOption(
      `weights must be this node's weight or an object of weights by node name, not ${inspect(weights)}`,
    );
  }
  for (const [node, value] of Object.entries(weights)) weight(`weights['${node}']`, value);
  return Object.hasOwn(weights, name) ? (weights[name] ?? defaults.weight) : defaults.weight;
}

function weight(option: string, value: unknown): number {
  const whole = count(option, value, 0);
  if (whole > weightMax) throw new InvalidOption(`${option} must be at most ${weightMax}, not ${whole}`);
  return whole;
}

function halves(option: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(2 * value) || value < 0 || value > weightMax * nodesMax) {
    throw new InvalidOption(
      `${option} must be a whole number of halves (half the weight of all servers), not ${String(value)}`,
    );
  }
  return value;
}

function quorumOption(value: unknown): 'majority' | 'verified-deaths' | undefined {
  if (value === undefined || value === 'majority' || value === 'verified-deaths') return value;
  throw new InvalidOption(`quorum must be 'majority' or 'verified-deaths', not ${inspect(value)}`);
}

function flag(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new InvalidOption(`${option} must be true or false, not ${String(value)}`);
  return value;
}

function count(option: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`;
    throw new InvalidOption(`${option} must be a whole number ${range}, not ${inspect(value, { depth: 0 })}`);
  }
  return value;
}

/** Milliseconds, up to an hour. */
function time(option: string, value: unknown, least: number): number {
  return count(`detector.${option} (milliseconds, at most an hour)`, value, least, optionMillisMax);
}
