/**
 * An open group: some processes hold a phone book, others ask them. Who asks is no member, holds no copy, and need not know
 * who the members are; kill the one that it talks to, and it goes on with another.
 *
 *     node phone-book.js serve [NAME]
 *     node phone-book.js ask PERSON [NUMBER]
 */
import { start } from 'nact';
import { ask, groupRef, groups, leaveDomain, spawnReplicated } from 'nact-groups';

type Book = ReadonlyMap<string, string>;
type Entry = { readonly person: string; readonly number?: string };

const [role = 'serve', person = `${role}-${process.pid}`, number] = process.argv.slice(2);
const system = start(
  groups({ domain: process.env['DOMAIN'] ?? 'town', name: role === 'ask' ? `${role}-${process.pid}` : person }),
);

if (role === 'ask') {
  const book = groupRef<Entry, Book, string>(system, 'phone-book');
  try {
    const replies = await ask(book, number === undefined ? { person } : { person, number }, { replies: 'majority' });
    for (const { member, value } of replies) console.log(`${member.name} says: ${person} has ${value}`);
  } finally {
    await leaveDomain(system);
  }
} else {
  spawnReplicated(
    system,
    (book: Book, { person, number }: Entry, ctx) => {
      const next = number === undefined ? book : new Map(book).set(person, number);
      ctx.reply(next.get(person) ?? 'no number');
      return next;
    },
    'phone-book',
    {
      initialState: new Map() as Book,
      accept: ({ message: { number = '0' } }) => /^\d+$/.test(number) || `${number} is no number`,
      onView: (_book, view) => console.log(`held by ${view.members.map(({ name }) => name).join(', ')}`),
    },
  );
  process.once('SIGTERM', () => void leaveDomain(system));
}
