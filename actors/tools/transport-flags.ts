/**
 * Which transport the command line asks for. A flag of the other transport is an error: it would be ignored in silence.
 */
import { tcp, udpMulticast, type TransportFactory } from '../index.js';

/** The flags, as commander names them. */
export interface TransportFlags {
  readonly transport: 'udp' | 'tcp';
  readonly interface?: string;
  readonly multicast?: { readonly address: string; readonly port: number };
  readonly listen?: string;
  readonly advertise?: string;
  readonly seeds?: readonly string[];
  readonly dns?: string;
  readonly seedsFile?: string;
}

const flagsOf = {
  udp: { interface: '--interface', multicast: '--multicast' },
  tcp: { listen: '--listen', advertise: '--advertise', seeds: '--seeds', dns: '--dns', seedsFile: '--seeds-file' },
} as const satisfies Readonly<Record<'udp' | 'tcp', Partial<Record<keyof TransportFlags, string>>>>;

/** What is wrong with flags that do not belong together, or null. */
export function misplacedFlag(flags: TransportFlags): string | null {
  const other = flags.transport === 'udp' ? 'tcp' : 'udp';
  for (const [name, flag] of Object.entries(flagsOf[other])) {
    if (flags[name as keyof TransportFlags] !== undefined) return `${flag} is for --transport ${other}`;
  }
  return null;
}

/** The transport that the flags ask for. What is wrong with their values, opening it tells. */
export function transportOf(flags: TransportFlags): TransportFactory {
  if (flags.transport === 'udp') {
    return udpMulticast({
      ...(flags.interface === undefined ? {} : { interface: flags.interface }),
      ...(flags.multicast ?? {}),
    });
  }
  return tcp({
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
    ...(flags.seeds === undefined ? {} : { seeds: flags.seeds }),
    ...(flags.dns === undefined ? {} : { dns: flags.dns }),
    ...(flags.seedsFile === undefined ? {} : { file: flags.seedsFile }),
  });
}
