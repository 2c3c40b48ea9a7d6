/**
 * The nact plugin: `start(groups({ domain }))` puts a system into a domain.
 */
import { spawn, type Plugin } from 'nact';
import { BehaviorSubject } from 'rxjs';
import { SystemNameTaken } from './errors.js';
import { deferred, hosts, logFieldsOf, registerHost, type Host } from './host.js';
import { beginLeaveDomain, wrapSystem } from './leave.js';
import { outside, type NactActor, type NactSystem } from './nact-internals.js';
import { actorLogger, withFields } from './logging.js';
import { limitedLog } from './log-limit.js';
import { resolveOptions } from './options.js';
import { systemRuntime, type Runtime } from './runtime.js';
import { patchFind, refCodec } from './references.js';
import { newLife, openHost, turn } from './transport-actor.js';
import type { GroupsOptions } from './types.js';

/** The name of the actor that runs the protocol, below the system. */
const actorName = 'nact-groups';

/**
 * Makes a system a node of a domain; it joins in the background, see `ready`.
 *
 * Throws {@link InvalidOption}; `start` throws {@link SystemNameTaken} if a system of its name lives in this process.
 *
 * @example
 * ```ts
 * const system = start(groups({ domain: 'shop' }));
 * const elsewhere = start({ name: 'eu' }, groups({ domain: 'shop', key: { file: '/etc/shop/keys' }, transport: tcp({ seeds }) }));
 * ```
 */
export function groups(options: GroupsOptions): Plugin {
  return groupsIn(options, systemRuntime());
}

/** The same with time and chance from elsewhere: see {@link Runtime}. */
export function groupsIn(given: GroupsOptions, runtime: Runtime): Plugin {
  const options = resolveOptions(given);
  return (system) => {
    const nactSystem = system as unknown as NactSystem;
    refuseNamesake(nactSystem);
    const log = withFields(options.logger, {
      domain: options.domain,
      get node() {
        return host.life.id;
      },
    });
    const host: Host = {
      system: nactSystem,
      options,
      runtime,
      log,
      notes: limitedLog(log),
      actor: undefined,
      life: newLife({ options, runtime }),
      keys: undefined,
      transport: undefined,
      next: undefined,
      isMoving: false,
      phase: 'opening',
      inbox: [],
      fed: [],
      woken: false,
      timer: undefined,
      timerDue: Infinity,
      wall: 0,
      beingSent: new WeakSet(),
      leaveBy: Infinity,
      behindSince: undefined,
      lag: 0,
      datagramsTaken: 0,
      gaugedAt: 0,
      bugs: [],
      ready: deferred(),
      forcing: undefined,
      left: deferred(),
      domain: new BehaviorSubject<Host['domain']['value']>(undefined),
      members: new Map(),
      successors: new Map(),
      refs: { isRef: () => false, pack: () => undefined, unpack: () => undefined },
      watcher: undefined,
      meter: undefined,
      tracing: undefined,
      queries: new Map(),
      deadLetters: 0,
      deadLettersTo: new Map(),
    };
    Object.assign(host, { refs: refCodec(host) });
    registerHost(host);
    logActors(host);
    patchFind(host);
    wrapSystem(host);
    const ref = spawn(
      outside<never>(nactSystem.reference),
      () => (host.tracing ? host.tracing.apart(() => turn(host)) : turn(host)),
      actorName,
    );
    host.actor = nactSystem.find(ref) as NactActor;
    host.actor.stop = () => beginLeaveDomain(host);
    void openHost(host);
  };
}

/** What actors of a system without logging of its own say in `ctx.log` goes where the library's lines go. */
function logActors({ system, log }: Host): void {
  if (system.createLogger(system.reference) !== undefined) return;
  system.createLogger = (ref) => actorLogger(log, () => logFieldsOf(ref));
}

/** nact lets a second system of a name take the first one's refs. The new one leads back to it, and does not start. */
function refuseNamesake(system: NactSystem): void {
  const namesake = hosts.get(system.name)?.system;
  if (!namesake) return;
  system.find = (ref) => namesake.find(ref);
  throw new SystemNameTaken(system.name);
}
