/**
 * The scenario language: one step a line, `#` begins a comment.
 *
 *   nodes a b c d                      processes, all down; their addresses survive their lives
 *   group stock replicated             a group; `plain` for one without state
 *   option windowBytes 4096            a node option, before the first start
 *   start a b                          one after the other: a is the older
 *   start together a b                 at the same time
 *   join stock a b                     one after the other: a has the lower rank
 *   join stock d soon                  asks for it and goes on
 *   leave stock a / leave domain a
 *   send b m1 to stock                 one multicast, named m1; `fifo`, `causal`, `total` or `barrier`, and `uniform`, may follow
 *   send b m1..m20 to stock            a burst
 *   drop data from b to c              packets with a section of that kind; `packets` for all kinds, `*` for all nodes
 *   hold install from a to b           kept, until `release install from a to b`
 *   pass data from b to c              ends the dropping
 *   partition a b | c d                no packets between the sides, until `mend`
 *   crash a / restart a / pause a / resume a
 *   when a sends install: crash a      once, right after that packet and before anything else that a does;
 *                                      also `blocks stock`, `installs stock`, `delivers m1`, `learns a state`
 *   by hand                            from here nothing moves by itself: packets wait, clocks stand still, nobody is suspected
 *   bring accept from a to b           the first packet that waits there with these sections; `bring row+data 2 from a to b`: the second
 *   let time pass                      for all; the timers that are due go off
 *   suspect a at b                     b's detector has not heard a for too long
 *   death a at b                       the system tells b that a's process is dead
 *   force d e at d                     an operator says at d that d and e go on by themselves
 *   slept b                            b stood still for so long that others may have suspected it, and notices
 *   run 50 ms / run until CONDITION    the latter for at most ten simulated seconds
 *   expect CONDITION / expect not CONDITION
 *
 * Conditions: `domain of a b`, `view stock of a b` (at all of them), `delivered m1 at a b`, `blocked stock at a`,
 * `sent install by a`, `state of stock at d`, `equal stock at a b`, `wedged a`, `down a`, `calm` (nothing buffered, and no view
 * is changing), `can go on` (those who live, by the rules of agreement).
 */

/** A step as it was read. */
export interface Step {
  readonly text: string;
  readonly line: number;
  readonly words: readonly string[];
}

/** A scenario as it was read: what it is about, and its steps. */
export interface Script {
  readonly about: readonly string[];
  readonly steps: readonly Step[];
}

/** Reads a scenario. The comment that opens it says what it shows; a scenario without one is refused. */
export function readScript(text: string): Script {
  const lines = text.split('\n');
  const opening = lines.findIndex((line) => !line.startsWith('#'));
  const about = lines.slice(0, Math.max(0, opening)).map((line) => line.slice(1).trim());
  if (about.length === 0) throw new Error('a scenario opens with a paragraph on what it shows');
  const steps = lines.flatMap((line, index) => {
    const step = (line.split('#')[0] ?? '').trim();
    return step === '' ? [] : [{ text: step, line: index + 1, words: step.split(/\s+/) }];
  });
  return { about, steps };
}
