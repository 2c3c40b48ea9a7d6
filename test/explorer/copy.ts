/**
 * Copies of a process, to be stepped while the original stays. A walk over its plain data keeps who shares what with whom;
 * the core's host, whose functions belong to one node, is made anew for each copy.
 *
 * What the walk does not know (another class, a function) it refuses: a copy that shares state would be worse than none.
 */
import type { Node } from '../../lib/node.js';
import { Stability } from '../../lib/group/stability.js';
import { Queue } from '../../lib/queue.js';
import type { Core } from '../simulation/core.js';
import type { Process } from './process.js';

/** Fields with values that are never changed once they are there; copies share them. */
const immutable: ReadonlySet<string> = new Set([
  ...['options', 'settings', 'habits'],
  // views, domain states and how views were installed
  ...['view', 'info', 'target', 'domain', 'lastInstall', 'record'],
  // multicasts and frames
  ...['payload', 'bytes', 'body', 'message', 'dependencies'],
]);

/** Whether a value of this field is never changed. */
export function isImmutable(key: string, value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  // a state of the domain, in the control plane; a replica's state is another matter
  return immutable.has(key) || (key === 'state' && 'nodes' in value && 'groups' in value);
}

type Seen = Map<object, object>;
type Fields = Record<string, unknown>;

/** A process that goes its own way from here. */
export function copyProcess(core: Core, process: Process): Process {
  const { node, replica, sent, now, over } = process;
  const copy = core.createNode(node.options, now);
  const seen: Seen = new Map<object, object>([
    [node, copy],
    [node.host, copy.host],
  ]);
  copyFields(node, copy, seen);
  copyFields(node.host, copy.host, seen);
  return { node: copy, replica: copyOf(replica, seen) as Process['replica'], sent, now, over };
}

/** The host's functions are those of the new node already. */
function copyFields(from: Node | Node['host'], to: Node | Node['host'], seen: Seen): void {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value !== 'function')
      (to as unknown as Fields)[key] = isImmutable(key, value) ? value : copyOf(value, seen);
  }
}

function copyOf(value: unknown, seen: Seen): unknown {
  if (typeof value === 'function') throw new Error('a function in the state of a node');
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  return ArrayBuffer.isView(value) ? keep(value, copyBytes(value), seen) : copyObject(value, seen);
}

function keep<T extends object>(value: object, copy: T, seen: Seen): T {
  seen.set(value, copy);
  return copy;
}

function copyBytes(value: ArrayBufferView): ArrayBufferView {
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Float64Array) return value.slice();
  throw new Error('an array of a kind that was not in the state of a node before');
}

function copyObject(value: object, seen: Seen): unknown {
  if (Array.isArray(value)) {
    const copy: unknown[] = keep(value, [], seen);
    for (const item of value) copy.push(copyOf(item, seen));
    return copy;
  }
  if (value instanceof Map) {
    const copy = keep(value, new Map<unknown, unknown>(), seen);
    for (const [key, item] of value) copy.set(copyOf(key, seen), copyOf(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(value, new Set<unknown>(), seen);
    for (const item of value) copy.add(copyOf(item, seen));
    return copy;
  }
  if (value instanceof Queue) {
    const copy = keep(value, new Queue<unknown>(), seen);
    for (const item of value) copy.push(copyOf(item, seen));
    return copy;
  }
  if (value instanceof Stability) return keep(value, copyStability(value), seen);
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new Error(`a ${value.constructor.name} in a node's state`);
  const copy: Fields = keep(value, {}, seen);
  for (const key of Object.keys(value)) copyField(copy, key, (value as Fields)[key], seen);
  return copy;
}

function copyField(copy: Fields, key: string, value: unknown, seen: Seen): void {
  copy[key] = isImmutable(key, value) ? value : copyOf(value, seen);
}

function copyStability(value: Stability): Stability {
  const copy = new Stability(value.size);
  for (let observer = 0; observer < value.size; observer += 1) {
    for (let sender = 0; sender < value.size; sender += 1)
      copy.raise(observer, sender, value.received(observer, sender));
  }
  for (let sender = 0; sender < value.size; sender += 1) {
    if (copy.stable(sender) !== value.stable(sender)) throw new Error('a stability matrix that cannot be copied');
  }
  return copy;
}
