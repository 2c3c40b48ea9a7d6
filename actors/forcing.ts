/** An operator's word that the domain goes on without a quorum, from the call to what comes of it. */
import { inspect } from 'node:util';
import { CannotForce } from './errors.js';
import { deferred, tell, type Host } from './host.js';

/** In so many timeouts of the failure detector something must have come of it. */
const timeoutsMax = 20;

/** Has the domain go on with these nodes. Resolves when this node is in it again. */
export function forceOn(host: Host, nodes: readonly string[]): Promise<void> {
  if (!areNames(nodes)) {
    return Promise.reject(
      new CannotForce(
        `forceOn takes an array of the names of all nodes that are to go on, as forceOn(['a', 'b']), not ${inspect(nodes)}`,
      ),
    );
  }
  if (host.phase !== 'running' || host.life.core === undefined) {
    return Promise.reject(new CannotForce('this node is in no domain'));
  }
  if (host.forcing) return Promise.reject(new CannotForce('it is being forced on already'));
  const names = [...nodes];
  const millis = timeoutsMax * host.options.timeout;
  const timer = host.runtime.after(millis, () => {
    const why = `nothing came of it within ${millis / 1000} s: the log says what is waited for; it may be tried again`;
    endForcing(host, new CannotForce(why));
  });
  const forcing = { ...deferred(), timer };
  host.forcing = forcing;
  host.log.error(`an operator forces domain '${host.options.domain}' on with ${names.join(', ')}`);
  tell(host, { kind: 'force', nodes: names });
  return forcing.promise;
}

/** From JavaScript anything may come. */
function areNames(nodes: unknown): boolean {
  return Array.isArray(nodes) && nodes.length > 0 && nodes.every((name) => typeof name === 'string' && name !== '');
}

/** It has happened, or not. */
export function endForcing(host: Host, error: Error | undefined): void {
  const { forcing } = host;
  if (!forcing) return;
  host.forcing = undefined;
  host.runtime.cancel(forcing.timer);
  if (error) forcing.reject(error);
  else forcing.resolve();
}
