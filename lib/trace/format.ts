/**
 * The protocol trace: what a node did, in JSON lines, one file per incarnation, each record written before the step
 * takes effect, so that a killed process has told the truth.
 *
 * `t` is monotonic nanoseconds, `p` the node id; the writer adds both. The domain is traced as the group `$domain`.
 */
import type { LeaveCause, Order } from '../membership/state.js';

/** A record without its time and process. */
export type TraceRecord =
  | { readonly e: 'start'; readonly domain: string; readonly protocol: 1 }
  /** `dom` names the founding that a `$domain` number or a group's view belongs to. */
  | {
      readonly e: 'view';
      readonly g: string;
      readonly v: string;
      readonly k: number;
      readonly m: readonly string[];
      readonly primary: boolean;
      readonly prev: string | null;
      readonly joined: readonly string[];
      readonly left: readonly (readonly [string, LeaveCause])[];
      readonly h?: string;
      /** Of `$domain`: those who left by a death that is confirmed. */
      readonly dead?: readonly string[];
      /** Of `$domain`: what its nodes weigh, and the minimum, if there is one. */
      readonly w?: number;
      readonly wmin?: number;
      readonly dom: string;
    }
  | { readonly e: 'blocked'; readonly g: string; readonly v: string }
  | {
      readonly e: 'send';
      readonly g: string;
      readonly id: string;
      readonly o: Order;
      readonly u: boolean;
      /** Null: queued for a later view, see `xmit`. */
      readonly v: string | null;
      readonly h: string;
      /** It is a request, see `ask`. */
      readonly r?: string;
    }
  | { readonly e: 'xmit'; readonly g: string; readonly id: string; readonly v: string }
  | { readonly e: 'sendfail'; readonly g: string; readonly id: string; readonly why: string }
  | {
      readonly e: 'deliver';
      readonly g: string;
      readonly id: string;
      readonly v: string;
      readonly o: Order;
      readonly u: boolean;
      /** Present for total multicasts and barriers. */
      readonly pos?: number;
      /** Agreed with the position. */
      readonly time?: number;
      readonly h: string;
      /** It is a request; `repeated`: it was delivered before, and takes no effect. */
      readonly r?: string;
      readonly repeated?: boolean;
    }
  | { readonly e: 'stable'; readonly g: string; readonly id: string }
  | { readonly e: 'hash'; readonly g: string; readonly v: string; readonly pos: number; readonly h: string }
  /** This replica's state was not that of the others at a position, and is fetched anew. */
  | { readonly e: 'diverged'; readonly g: string; readonly v: string; readonly pos: number }
  | { readonly e: 'state-out'; readonly g: string; readonly for: string; readonly v: string; readonly h: string }
  | { readonly e: 'state-in'; readonly g: string; readonly from: string; readonly v: string; readonly h: string }
  /** `id`: the multicast that asks; null for a node that asks through a member. */
  | {
      readonly e: 'ask';
      readonly g: string;
      readonly r: string;
      readonly id: string | null;
      readonly want: string | number;
    }
  /** A letter to another node, and from one; letters between two nodes are numbered from 1. */
  | { readonly e: 'tell'; readonly to: string; readonly n: number }
  | { readonly e: 'told'; readonly from: string; readonly n: number }
  | { readonly e: 'answered'; readonly g: string; readonly r: string }
  | {
      readonly e: 'asked';
      readonly g: string;
      readonly r: string;
      readonly outcome: string;
      readonly got: readonly string[];
      readonly missing: readonly string[];
    }
  | { readonly e: 'suspect'; readonly who: string; readonly why?: string }
  /** Without `g`: all groups at once. */
  | { readonly e: 'leave'; readonly g?: string }
  | { readonly e: 'left'; readonly g?: string }
  /** This life is over; without `g` for all groups at once. */
  | { readonly e: 'excluded'; readonly g?: string; readonly v: string; readonly why: string }
  | {
      readonly e: 'gauge';
      readonly unstable: number;
      readonly unstableBytes: number;
      readonly queued: number;
      readonly reorder: number;
      readonly reassembly: number;
      readonly rss: number;
      readonly lagMs: number;
    };

/** A record as it stands in a trace. */
export type Traced = TraceRecord & { readonly t: number; readonly p: string };
