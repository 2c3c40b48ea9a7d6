/** What is loaded into a member's process before its own program. */
import { fileURLToPath } from 'node:url';

/** What to put before a member's command so that it loads a module of this folder first, which finds these variables. */
export function preloading(module: string, variables: Readonly<Record<string, string>>): readonly string[] {
  const url = new URL(module, import.meta.url);
  const all = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return ['env', `NODE_OPTIONS=--import=${fileURLToPath(url)}`, ...all];
}
