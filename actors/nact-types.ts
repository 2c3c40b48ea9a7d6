/**
 * nact's own types, made strict where they are wrong or too loose. Importing `nact-groups` is enough to get this.
 *
 * nact 7.6 declares `Ref<T>` as an empty class, so that every ref fits every other and `dispatch` takes any message; and
 * `start` as taking a string, which the code ignores: it takes `{ name }`. `Ref<never>` (what `start` returned) no longer
 * fits `Ref<any>` once refs are strict, hence the overloads for it.
 */
import type { ActorContext, ActorProps, Plugin } from 'nact';

declare const messageOf: unique symbol;

declare module 'nact' {
  /** A ref takes what its actor takes: contravariant in its message. */
  interface Ref<T> {
    /** Phantom: never there at run time. */
    readonly [messageOf]?: (message: T) => void;
  }

  /** Starts a system. The name has to be unique in the process; without one nact draws one. */
  export function start(options?: { readonly name?: string } | Plugin, ...plugins: Plugin[]): Ref<unknown>;

  /** Stops an actor or a system. */
  export function stop(actor: Ref<never>): void;

  /** Spawns an actor below another or below the system. */
  export function spawn<State, Msg>(
    parent: Ref<never>,
    f: (state: State, msg: Msg, ctx: ActorContext<Msg, Ref<unknown>>) => NoInfer<State> | Promise<NoInfer<State>>,
    name?: string,
    properties?: ActorProps<NoInfer<State>, NoInfer<Msg>, Ref<unknown>>,
  ): Ref<Msg>;
}
