/**
 * A process for the test of remote refs: `remote-node DOMAIN NAME` is a node whose actors are in the replicated directory:
 * `echo@NAME` answers with its process id, `silent@NAME` never does, `relay@NAME` asks another echo and passes the answer on.
 */
import { dispatch, query, spawn, start, type Ref } from 'nact';
import { groups, multicast, spawnReplicated, type GroupRef } from '../../actors/index.js';

/** What an actor here is asked. */
export interface Asked {
  readonly replyTo: Ref<unknown>;
  readonly from?: Ref<unknown>;
}

/** Actors by name. */
export type Directory = Readonly<Record<string, Ref<unknown>>>;

/** An actor and its name. */
export interface Entry {
  readonly name: string;
  readonly ref: Ref<unknown>;
}

/** This node's member of the directory. */
export function joinDirectory(system: Ref<unknown>): GroupRef<Entry, Directory> {
  const add = (state: Directory, { name, ref }: Entry): Directory => ({ ...state, [name]: ref });
  return spawnReplicated(system, add, 'directory', { initialState: {} });
}

async function main(domain: string, name: string): Promise<void> {
  const system = start(groups({ domain, name }));
  const directory = joinDirectory(system);
  const actors = {
    echo: spawn(system, (_state: unknown, { replyTo }: Asked) => dispatch(replyTo, process.pid), 'echo'),
    silent: spawn(system, () => undefined, 'silent'),
    relay: spawn(
      system,
      async (_state: unknown, { replyTo, from }: Asked) =>
        dispatch(replyTo, await query(from as Ref<unknown>, (replyTo: Ref<unknown>): Asked => ({ replyTo }), 10_000)),
      'relay',
    ),
  };
  for (const [kind, ref] of Object.entries(actors)) {
    await multicast(directory, { name: `${kind}@${name}`, ref: ref as Ref<unknown> }).stable;
  }
}

const [domain, name] = process.argv.slice(2);
if (process.argv[1]?.endsWith('remote-node.js')) await main(domain as string, name as string);
