/**
 * Views as users see them, made once per view from the core's.
 */
import type { MemberInfo, ViewInfo } from '../lib/events.js';
import type { Departure, Member, View } from './types.js';

/** The view for users. `memberOf` makes the member with its ref. */
export function viewOf(info: ViewInfo, memberOf: (info: MemberInfo) => Member): View {
  const members = info.members.map(memberOf);
  const joined = info.joined.map((joiner) => members.find((member) => member.id === joiner.id) ?? memberOf(joiner));
  const left = info.left.map(({ member, cause }): Departure => ({ ...memberOf(member), cause }));
  return Object.freeze({
    id: String(info.id),
    group: info.group,
    members: Object.freeze(members),
    rank: info.rank,
    coordinator: members[0] as Member,
    joined: Object.freeze(joined),
    left: Object.freeze(left),
    cause: causeOf(info),
    primary: info.primary,
    previous: info.previous === null ? null : String(info.previous),
  });
}

/** Why there is a new view, in words. A joiner whose first donor died begins with one in which nobody joins. */
export function causeOf({ members, previous, joined, left }: ViewInfo): string {
  const causes: string[] = [];
  for (const cause of ['failed', 'excluded', 'left'] as const) {
    const names = left.filter((one) => one.cause === cause).map(({ member }) => member.name);
    if (names.length > 0) causes.push(`${cause}: ${names.join(', ')}`);
  }
  if (joined.length === members.length && left.length === 0) causes.push('founded');
  else if (joined.length > 0) causes.push(`joined: ${joined.map((one) => one.name).join(', ')}`);
  return causes.join('; ') || (previous === null ? 'same members' : 'barrier');
}
