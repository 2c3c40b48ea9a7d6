/**
 * A chat room that shows who is there. Plain members: nobody needs the history, so there is no state to transfer; the
 * list of who is present *is* the view, and a crash is told like a goodbye.
 *
 *     node presence.js NAME
 *
 * Lines from standard input go to all; `@NAME text` goes to one.
 */
import { createInterface } from 'node:readline';
import { dispatch, start } from 'nact';
import { groups, leaveDomain, spawnMember, views, type View } from 'nact-groups';

type Line = { readonly text: string };

const [name = 'anonymous'] = process.argv.slice(2);
const domain = process.env['DOMAIN'] ?? 'lounge';
const system = start(groups({ domain, name }));

const room = spawnMember(
  system,
  (said: number, { text }: Line, ctx) => {
    console.log(`${ctx.from.name}: ${text}`);
    return said + 1;
  },
  'room',
  {
    initialState: 0,
    onDirect: (said, msg, ctx) => {
      console.log(`${ctx.from.name} whispers: ${(msg as Line).text}`);
      return said;
    },
  },
);

let present: View | undefined;
views(room).subscribe((view) => {
  present = view;
  for (const { name: gone, cause } of view.left) console.log(`* ${gone} ${cause === 'left' ? 'left' : 'was lost'}`);
  console.log(`* here: ${view.members.map((member) => member.name).join(', ')}`);
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const whisper = /^@(\S+) (.*)$/.exec(line);
  const to = whisper && present?.members.find((member) => member.name === whisper[1]);
  if (to) dispatch(to.ref, { text: whisper[2] });
  else dispatch(room, { text: line });
});
process.once('SIGTERM', () => void leaveDomain(system));
