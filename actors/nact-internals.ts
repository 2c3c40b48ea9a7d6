/**
 * What the library uses of nact 7.6 beneath its public functions: the `ActorSystem` a plugin is given, and the `Actor`
 * objects that its `find` returns. Nothing else in the project knows these shapes.
 *
 * The instances may be changed (their `dispatch`, `stop`, `find`); nact's classes never are.
 */
import type { ActorPath, Logger, Ref } from 'nact';

/** A ref as it is at run time. */
export interface NactRef {
  readonly type: string;
  readonly system: { readonly name: string };
  readonly path: ActorPath;
  readonly name: string;
  readonly parent?: NactRef;
  /** Of a temporary ref only. */
  readonly id?: number;
}

/** What actors and the system have in common: somewhere to hang children. */
export interface NactParent {
  readonly name: string;
  readonly reference: NactRef;
  readonly children: Map<string, NactActor>;
  /** Absent for the system, and for an actor that has stopped. */
  parent?: NactParent;
  stopped: boolean;
  childStopped(child: NactActor): void;
  handleFault(msg: unknown, sender: unknown, error: unknown, child?: unknown): unknown;
  stop(): void;
}

/** An actor as `find` returns it. */
export interface NactActor extends NactParent {
  readonly path: ActorPath;
  readonly system: NactSystem;
  readonly log: Logger | undefined;
  readonly childReferences: Map<string, NactRef>;
  /** Milliseconds without a message after which nact stops it, if there are any such. */
  readonly shutdownPeriod?: number;
  state: unknown;
  onCrash(msg: unknown, error: unknown, ctx: unknown, child?: unknown): unknown;
  dispatch(message: unknown, sender?: unknown): void;
  reset(): void;
  createContext(sender: unknown): Record<string, unknown>;
  createSupervisionContext(msg: unknown, sender: unknown, error: unknown): Record<string, unknown>;
}

/** The system a plugin is given. */
export interface NactSystem extends NactParent {
  /** The logger of an actor that is being made; undefined as long as no logging is configured. */
  createLogger(ref: NactRef): Logger | undefined;
  find(ref: unknown): unknown;
  /** What a temporary ref is resolved by: the first message settles it. */
  addTempReference(ref: { readonly id: number }, deferral: { readonly resolve: (message: unknown) => void }): void;
  removeTempReference(ref: { readonly id: number }): void;
}

/** A path as nact makes them: its class is not exported. `name` stands for the system. */
export function pathOf(system: NactSystem, name: string, parts: readonly string[]): ActorPath {
  const Path = system.reference.path.constructor as new (parts: string[], system: string) => ActorPath;
  return new Path([...parts], name);
}

/** A ref with these fields as nact makes them. Not plain data, so that it is known for a ref when it travels on. */
export function refWith(
  system: NactSystem,
  fields: Omit<NactRef, 'system' | 'path' | 'name'> & Partial<NactRef>,
): NactRef {
  const prototype = Object.getPrototypeOf(system.reference) as object;
  return Object.assign(Object.create(prototype) as object, { system: { name: system.name } }, fields) as NactRef;
}

/** A ref seen from inside. */
export function inside(ref: Ref<never>): NactRef {
  return ref as unknown as NactRef;
}

/** A ref as users hold it. */
export function outside<Msg>(ref: NactRef): Ref<Msg> {
  return ref as unknown as Ref<Msg>;
}
