/** The data plane of a view at its beginning: nothing sent, nothing received. */
import type { Arena } from '../arena.js';
import type { ViewInfo } from '../events.js';
import type { Rank } from '../ids.js';
import { repeatDelay } from '../limits.js';
import { Queue } from '../queue.js';
import { Stability } from './stability.js';
import type { ViewState } from './state.js';
import { createStream } from './stream.js';
import type { View } from './view.js';

/** A view as it starts. The coordinator is the sequencer. */
export function createViewState(view: View, info: ViewInfo, rank: Rank, arena: Arena): ViewState {
  const size = view.members.length;
  return {
    view,
    info,
    size,
    rank,
    sequencer: 0,
    streams: view.members.map(() => createStream(arena)),
    stability: new Stability(size),
    delivered: new Float64Array(size),
    lastOrdered: 0,
    dependenciesSent: new Float64Array(size),
    dependenciesRead: new Array<null>(size).fill(null),
    runs: new Queue(),
    barrier: 'none',
    timeSent: 0,
    unassigned: [],
    causalPending: 0,
    sent: new Queue(),
    past: new Float64Array(size),
    rowSent: new Float64Array(size),
    rowFrom: 0,
    bytesSinceRow: new Float64Array(size),
    windows: new Float64Array(size),
    owesSince: Infinity,
    receivedAt: -Infinity,
    ackAt: Infinity,
    ackNow: false,
    rowAsked: false,
    askedInVain: new Set(),
    paused: new Uint8Array(size),
    pausedSent: false,
    repeatAt: Infinity,
    repeatDelay,
    resentAt: 0,
    resent: new Map(),
    answered: new Map(),
  };
}
