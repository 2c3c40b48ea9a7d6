/**
 * Supervision as nact does it, item by item: `onCrash` sees the one message that threw, not the batch it came in.
 *
 * `resume` goes on with the next. `reset` of a replicated actor fetches the state anew: alone with its initial state it
 * would have diverged. Only if it is the group's last member is the initial state the group's. `stop` leaves the group.
 */
import type { Member } from './host.js';
import { beginLeave, beginRejoin } from './leave.js';
import type { NactActor } from './nact-internals.js';

/** A user's function threw. Resolves when the supervisor's decision is carried out. */
export async function faulted(
  member: Member,
  message: unknown,
  error: unknown,
  mailbox: () => readonly unknown[],
): Promise<void> {
  const { actor } = member;
  const ctx = actor.createSupervisionContext(message, undefined, error);
  Object.defineProperty(ctx, 'mailbox', { get: mailbox, enumerable: true });
  let decision: unknown;
  try {
    decision = await actor.onCrash(message, error, ctx);
  } catch (failure) {
    member.log.error(`onCrash of '${member.group}' threw: ${String(failure)}; the actor stops`);
    decision = ctx['stop'];
  }
  const { parent } = actor;
  const siblings = () => [...(parent?.children.values() ?? [])];
  switch (decision) {
    case ctx['stop']:
      beginLeave(member, true);
      break;
    case ctx['stopAll']:
      beginLeave(member, true);
      for (const sibling of siblings()) sibling.stop();
      break;
    case ctx['stopAllChildren']:
      for (const child of children(actor)) child.stop();
      break;
    case ctx['reset']:
      resetMember(member);
      break;
    case ctx['resetAll']:
      for (const sibling of siblings()) sibling.reset();
      break;
    case ctx['resetAllChildren']:
      for (const child of children(actor)) child.reset();
      break;
    case ctx['resume']:
    // no child is at fault: as nact, which would throw here, but without the throw
    case ctx['stopChild']:
    case ctx['resetChild']:
      break;
    default:
      // escalate. nact leaves a child whose parent resumes hanging; here it goes on
      await actor.parent?.handleFault(message, undefined, error, actor.reference);
  }
}

function children(actor: NactActor): NactActor[] {
  return [...actor.children.values()];
}

/** nact's reset of a member: its children stop, and it starts from the group's state. */
export function resetMember(member: Member): void {
  for (const child of children(member.actor)) child.stop();
  const { view } = member;
  const alone = member.settings.kind === 'plain' || (view ? view.members.length === 1 : member.founder);
  if (!alone) {
    beginRejoin(member);
    return;
  }
  try {
    member.state = initialState(member);
    member.hasState = true;
  } catch (error) {
    member.log.error(`the initial state of '${member.group}' cannot be made: ${String(error)}; the actor stops`);
    beginLeave(member, true);
  }
}

/** The state that a founder starts with. */
export function initialState(member: Member): unknown {
  const { initialStateFunc } = member.behavior;
  return initialStateFunc ? initialStateFunc(member.actor.createContext(undefined)) : member.behavior.initialState;
}
