/**
 * The mutants: one safety idea of the protocol taken out of each, as a change to the text of one compiled file.
 *
 * `find` must be there exactly once, so that a mutant cannot silently become no mutant when the core changes; `replace`
 * calls `hit()` (which is true) where the changed behaviour is.
 */

export interface Mutant {
  readonly name: string;
  /** The rule it breaks, by its number in docs/protocol.md. */
  readonly rule: string;
  /** What goes wrong without the idea. */
  readonly why: string;
  /** Below dist/lib. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The test file below test/ that finds it. If there is none, the simulator has to. */
  readonly foundBy?: string;
  /** Why the simulator may miss it, and what finds it instead. */
  readonly survives?: string;
}

/** Deaths are confirmed in few seeds only. */
const byExplorer = 'the explorer finds it: `npm run explore -- --mutants`';

const admission: readonly Mutant[] = [
  {
    name: 'the proposer does not ask whether a joiner may come in',
    rule: 'D18',
    why: 'Who is refused elsewhere would come in wherever nobody else is asked.',
    file: 'membership/discovery.js',
    find: `    const denial = m.options.authorize(`,
    replace: `    const denial = proposer.id === m.id && hit() ? null : m.options.authorize(`,
    foundBy: 'membership/authorizing',
  },
  {
    name: 'nobody asks whether a node may be in a group',
    rule: 'D18',
    why: 'A member of the domain would be in any group that it names.',
    file: 'membership/requesting.js',
    find: `    const denial = m.options.authorize(`,
    replace: `    const denial = hit() ? null : m.options.authorize(`,
    foundBy: 'membership/authorizing',
  },
  {
    name: 'any number proves an address',
    rule: 'D19',
    why: 'A domain would send its state to whomever a stranger names.',
    file: 'membership/discovery.js',
    find: `        if (message.proof !== number) {`,
    replace: `        if (message.proof !== number && !hit()) {`,
    foundBy: 'membership/hostile',
  },
  {
    name: 'a joiner without a public key is let into a domain with them',
    rule: 'D20',
    why: 'It could be given no group key, and all others would wait for its acknowledgements.',
    file: 'membership/discovery.js',
    find: `    if (hasPublicKeys(state) !== (publicKey !== '')) {`,
    replace: `    if (hasPublicKeys(state) !== (publicKey !== '') && !hit()) {`,
    foundBy: 'membership/discovery',
  },
  {
    name: 'who becomes the proposer lets in whoever it knew before, with a public key or without',
    rule: 'D20',
    why: 'As above: nobody has refused it there.',
    file: 'membership/batch.js',
    find: `    if (hasPublicKeys(state) !== (offer.publicKey !== ''))`,
    replace: `    if (hasPublicKeys(state) !== (offer.publicKey !== '') && !hit())`,
    foundBy: 'membership/discovery',
  },
];

const flush: readonly Mutant[] = [
  {
    name: 'an earlier target is installed after a report',
    rule: 'F6',
    why: 'To report for a target is a promise: an install of an earlier one that comes late divides the members.',
    file: 'group/flush.js',
    find: `    if (!flush || record.target !== flush.target.id || source !== flush.target.members[0]?.node)
        return;
    if (!fits(group, flush.target, record))
        return;
    install(host, group, flush.target, record, record.position);`,
    replace: `    const view = group.targets.find((target) => target.id === record.target);
    if (!flush || !view || source !== view.members[0]?.node)
        return;
    if (!fits(group, view, record))
        return;
    if (view !== flush.target) hit();
    install(host, group, view, record, record.position);`,
  },
  {
    name: 'frames of the departed are taken after the report',
    rule: 'F7',
    why: 'What comes after the report is in no row: one member delivers it and the others do not.',
    file: 'group/flush.js',
    find: `        if (rankIn(target, member) === undefined)
            freeze(`,
    replace: `        if (rankIn(target, member) === undefined && !hit())
            freeze(`,
  },
  {
    name: 'an answer to an older fetch is taken',
    rule: 'F7',
    why: 'A fetch for an older cut is void: the new cut was computed from rows without it.',
    file: 'group/receive.js',
    find: `    if (!flush?.cut || tag !== flush.target.id)
        return null;
    const to = must(flush.cut.cut[rank], 'cut');`,
    replace: `    if (tag !== 0 && tag !== flush?.target.id) {
        hit();
        return chunk;
    }
    if (!flush?.cut || tag !== flush.target.id)
        return null;
    const to = must(flush.cut.cut[rank], 'cut');`,
    survives:
      'a flush has to be overtaken by another between a fetch and its answer, which few seeds do; ' +
      'the scenario void-fetch is that: `npm run mutants -- --scenarios`',
  },
  {
    name: 'have-all is said without having all',
    rule: 'F8',
    why: 'To hold a cut means to hold every multicast in it.',
    file: 'group/flush.js',
    find: `    if (group.flush?.cut && holdsCut(group))
        sayHaveAll(host, group);`,
    replace: `    if (group.flush?.cut && (holdsCut(group) || hit()))
        sayHaveAll(host, group);`,
  },
  {
    name: 'joiners of earlier targets are not heard',
    rule: 'F1',
    why: 'A joiner may be the only one that has installed the earlier target.',
    file: 'group/flush.js',
    find: `    for (const node of participants(flush.target)) {`,
    replace: `    const base = group.current?.view.id ?? Infinity;
    const isOld = (node) => (flush.target.members.find((member) => member.node === node)?.joined ?? 0) <= base || !hit();
    for (const node of participants(flush.target).filter(isOld)) {`,
  },
  {
    name: 'the last install record is not kept',
    rule: 'F10',
    why: 'After the shortcut nobody else knows the cut that finishes an earlier target.',
    file: 'group/flush.js',
    find: `        install: group.lastInstall,`,
    replace: `        install: hit() ? null : group.lastInstall,`,
  },
  {
    name: 'an earlier target that somebody has installed is not finished',
    rule: 'F2',
    why: 'Those who have installed it have multicast in it; the others would skip that view.',
    file: 'group/flush.js',
    find: `    if (behind.length > 0) {`,
    replace: `    if (behind.length > 0 && !hit()) {`,
  },
  {
    name: 'nobody founds a group whose founder died',
    rule: 'F13',
    why: 'Joiners of a group whose only member died before it could install wait for ever.',
    file: 'group/flush.js',
    find: `    if (newest === 0) {`,
    replace: `    if (newest === 0 && Math.floor(group.id / 4096) !== flush.target.id) {
        hit();
        return;
    }
    if (newest === 0) {`,
  },
  {
    name: 'frames of a later view are taken as of this one',
    rule: 'S3',
    why: 'What belongs to a view that is not installed yet is neither acknowledged nor delivered.',
    file: 'group/receive.js',
    find: `    if (!state || view !== state.view.id) {`,
    replace: `    if (!state || (view !== state.view.id && (view < state.view.id || !hit()))) {`,
  },
  {
    name: 'the shortcut is taken although rows differ',
    rule: 'F3',
    why: 'Without the cut round a member goes on without what others have delivered.',
    file: 'group/flush.js',
    find: `    if (allEqual) {`,
    replace: `    if (allEqual || hit()) {`,
  },
  {
    name: 'the coordinator does not wait for all reports',
    rule: 'F1',
    why: 'Who was not heard may have delivered more than the cut.',
    file: 'group/flush.js',
    find: `        if (!report)
            return;
        heard.push([node, report]);`,
    replace: `        if (!report) {
            if (2 * heard.length <= flush.target.members.length)
                return;
            hit();
            continue;
        }
        heard.push([node, report]);`,
  },
  {
    name: 'the cut is the least instead of the most',
    rule: 'F3',
    why: 'What one survivor has delivered must be delivered by all.',
    file: 'group/flush.js',
    find: `Math.max(max, row[rank] ?? 0), 0));`,
    replace: `(hit(), Math.min(max, row[rank] ?? 0)), Infinity));`,
  },
];

const order: readonly Mutant[] = [
  {
    name: 'the rest is delivered by rank and number alone',
    rule: 'F4',
    why: 'Causality comes first in the rest, too.',
    file: 'group/delivery.js',
    find: `        if (!head || head.order === 'barrier' || !hasPast(state, head)) {`,
    replace: `        if (head && head.order !== 'barrier' && !hasPast(state, head))
            hit();
        if (!head || head.order === 'barrier') {`,
  },
  {
    name: 'a uniform multicast does not wait for what is before it',
    rule: 'O4',
    why: 'If what is before it is lost with the dead, it gets another position at the survivors.',
    file: 'group/delivery.js',
    find: `        if (stability.stable(rank) < state.delivered[rank])
            return 0;`,
    replace: `        if (stability.stable(rank) < state.delivered[rank])
            hit();`,
  },
  {
    name: 'a uniform multicast does not wait for stability',
    rule: 'O4',
    why: 'Who delivers it and dies may take it along.',
    file: 'group/delivery.js',
    find: `    return Math.min(head.count, state.stability.stable(head.fromRank) - head.seqno + 1);`,
    replace: `    if (state.stability.stable(head.fromRank) < head.seqno)
        hit();
    return head.count;`,
  },
  {
    name: 'a uniform multicast does not wait for its assignment',
    rule: 'O4',
    why: 'It is with all, but its place is not: who delivers it and dies takes that along.',
    file: 'group/delivery.js',
    find: `    if (stability.stable(sequencer) < by)
        return 0;`,
    replace: `    if (stability.stable(sequencer) < by)
        hit();`,
  },
  {
    name: 'positions of lost multicasts stay empty',
    rule: 'F5',
    why: 'An assignment whose body is not in the cut is skipped, and positions close up.',
    file: 'group/delivery.js',
    find: `            dropOrphans(host, group, state, run.rank);
        state.runs.shift();`,
    replace: `            dropOrphans(host, group, state, run.rank);
        if (hit())
            group.position += run.count;
        state.runs.shift();`,
  },
  {
    name: 'the order is forgotten with the sequencer',
    rule: 'O3',
    why: 'Assignments are records like any other; those who delivered by them have set the order.',
    file: 'group/delivery.js',
    find: `        while (deliverOnce(host, group, state, true))
            ;
        const run = state.runs.first;`,
    replace: `        if (state.runs.length > 0)
            hit();
        while (state.runs.first)
            state.runs.shift();
        const run = state.runs.first;`,
  },
  {
    name: 'assignments that a flush fetches are not used',
    rule: 'O3',
    why: 'The order that a dead sequencer has set is recovered by the flush like any other record.',
    file: 'group/delivery.js',
    find: `            if (rank === state.sequencer)
                assign(`,
    replace: `            if (rank === state.sequencer && !(stream.frozen && hit()))
                assign(`,
  },
  {
    name: 'causal multicasts do not wait for their past',
    rule: 'O2',
    why: 'Causal order is the dependencies.',
    file: 'group/delivery.js',
    find: `        if (state.delivered[rank] < count)
            return false;`,
    replace: `        if (state.delivered[rank] < count)
            return hit();`,
  },
];

const streams: readonly Mutant[] = [
  {
    name: 'duplicates are taken in again',
    rule: 'S1',
    why: 'A repeated frame would be delivered twice.',
    file: 'group/stream.js',
    find: `    if (last <= stream.received)
        return [];`,
    replace: `    if (last <= stream.received && last > 0 && hit())
        return [chunk];`,
  },
  {
    name: 'memory is used again while a frame is kept in it',
    rule: 'S2',
    why: 'What is sent again would be other bytes, under the same number.',
    file: 'arena.js',
    find: `    if (!slab || --slab.kept > 0)
        return;`,
    replace: `    if (!slab || (--slab.kept > 0 && !hit()))
        return;`,
  },
  {
    name: 'buffers are freed before all have received',
    rule: 'S2',
    why: 'Only what is stable is never needed again.',
    file: 'group/stability.js',
    find: `            if (this.#entries[row] < least)`,
    replace: `            if (this.#entries[row] > 0 && this.#entries[row] < least && hit())`,
  },
  {
    name: 'gaps are skipped',
    rule: 'S1',
    why: 'FIFO means no gap.',
    file: 'group/stream.js',
    find: `    if (chunk.first > stream.received + 1) {`,
    replace: `    if (chunk.first > stream.received + 1 && hit())
        stream.received = chunk.first - 1;
    if (chunk.first > stream.received + 1) {`,
  },
];

const transfer: readonly Mutant[] = [
  {
    name: 'what was held for a dead donor is applied after the new state',
    rule: 'T2',
    why: 'The replacement donor takes its snapshot later: what came before is in it.',
    file: 'group/transfer.js',
    find: `held: [], heldBytes: 0,`,
    replace: `held: replica.kind === 'transferring' && hit() ? replica.held : [], heldBytes: 0,`,
  },
];

const agreement: readonly Mutant[] = [
  {
    name: 'the excluded have no vote on their exclusion',
    rule: 'D7',
    why: 'Without their votes those who stay may be half of the state, and blocked for ever.',
    file: 'membership/proposing.js',
    find: `    if (state === null || message.decree.number !== message.number)
        return;`,
    replace: `    if (state === null || message.decree.number !== message.number)
        return;
    if (message.decree.changes.some((change) => change.kind === 'exclude' && change.node === m.id) && hit())
        return;`,
  },
  {
    name: 'an excluded node stops serving at once',
    rule: 'D7',
    why: 'It may be the only one alive that knows what was decided.',
    file: 'membership/departing.js',
    find: `    if (!isKnown(m, m.state, now) && now < deadline) {`,
    replace: `    if (!isKnown(m, m.state, now) && now < deadline && !(m.phase.cause === 'excluded' && hit())) {`,
  },
  {
    name: 'a leaver goes as soon as it knows its decree',
    rule: 'D8',
    why: 'A quorum of those who stay must know it: having accepted is not knowing.',
    file: 'membership/departing.js',
    find: `    if (!isKnown(m, m.state, now) && now < deadline) {`,
    replace: `    if (!isKnown(m, m.state, now) && now < deadline && !(m.phase.cause === 'left' && hit())) {`,
  },
  {
    name: 'a decree does not wait for those who can be heard',
    rule: 'D14',
    why: 'They may be the ones that are left, and have no part in what was decided.',
    file: 'membership/deaths.js',
    find: `(isMajority && missing.every((id) => m.suspects.has(id)))`,
    replace: `(isMajority && (missing.every((id) => m.suspects.has(id)) || hit()))`,
    survives: byExplorer,
  },
  {
    name: 'a death counts at a node that stood still',
    rule: 'D15',
    why: 'The others may have gone on without it before they died.',
    file: 'membership/deaths.js',
    find: `    return isAwake ? null`,
    replace: `    return isAwake || hit() ? null`,
    survives: byExplorer,
  },
  {
    name: 'a decree may take the weight below its minimum',
    rule: 'D17',
    why: 'Those who go on are then not most of what was to decide, and others of as much weight may go on beside them.',
    file: 'membership/quorum.js',
    find: `    return isHeavy(state, applyDecree(state, decree).nodes);`,
    replace: `    return isHeavy(state, applyDecree(state, decree).nodes) || hit();`,
  },
  {
    name: 'half of a state is a quorum, whoever is in it',
    rule: 'D2',
    why: 'Two halves would both go on.',
    file: 'membership/quorum.js',
    find: `(2 * count === nodes.length && oldest !== undefined && among(oldest.id))`,
    replace: `(2 * count === nodes.length && oldest !== undefined && (among(oldest.id) || hit()))`,
  },
  {
    name: 'those who stay need not be a quorum',
    rule: 'D6',
    why: 'With the votes of the excluded a minority could go on by itself.',
    file: 'membership/quorum.js',
    find: `    return base.length > 0 && isQuorum(base, (id) => !excluded.has(id));`,
    replace: `    return base.length > 0 && (isQuorum(base, (id) => !excluded.has(id)) || hit());`,
  },
  {
    name: 'a takeover proposes what it likes',
    rule: 'D5',
    why: 'The value that it finds accepted may be decided already.',
    file: 'membership/consensus.js',
    find: `    return highest?.decree ?? null;`,
    replace: `    return highest && hit() ? null : null;`,
  },
  {
    name: 'an acceptor forgets what it has promised',
    rule: 'D4',
    why: 'A lower ballot could be decided after a higher one has looked for it in vain.',
    file: 'membership/consensus.js',
    find: `    if (compareBallots(ballot, instance.acceptor.promised) < 0)
        return false;`,
    replace: `    if (compareBallots(ballot, instance.acceptor.promised) < 0)
        hit();`,
  },
  {
    name: 'a ballot is repeated with what has come in since',
    rule: 'D4',
    why: 'One value per ballot: two acceptors of one ballot would hold different ones.',
    file: 'membership/proposing.js',
    find: `        const { ballot, decree } = proposer;
        multicast(`,
    replace: `        const { ballot } = proposer;
        const decree = gather(m, state, now) ?? proposer.decree;
        if (JSON.stringify(decree) !== JSON.stringify(proposer.decree)) hit();
        multicast(`,
  },
  {
    name: 'a decree is decided by the first vote',
    rule: 'D1',
    why: 'Nothing is installed anywhere before a quorum has accepted it.',
    file: 'membership/proposing.js',
    find: `    if (proposer.kind !== 'proposing' || !canDecide(m, state, (id) => proposer.votes.has(id)))
        return;`,
    replace: `    if (proposer.kind !== 'proposing' || !(canDecide(m, state, (id) => proposer.votes.has(id)) || hit()))
        return;`,
  },
];

const versions: readonly Mutant[] = [
  {
    name: 'a newer version is spoken at once when the last old node goes',
    rule: 'V1',
    why: 'It could not read the decree that removes it, and may be needed to have that known.',
    file: 'membership/protocol.js',
    find: `Math.min(...before.map(({ version }) => version), ...after`,
    replace: `Math.min(...(hit() ? [] : before.map(({ version }) => version)), ...after`,
    foundBy: 'lib/versions',
  },
  {
    name: 'an old node is let in by a decree that came after the version rose',
    rule: 'V2',
    why: 'It would hear of nothing.',
    file: 'membership/decree.js',
    find: `|| version < draft.version)`,
    replace: `|| (version < draft.version && !hit()))`,
    foundBy: 'membership/decree',
  },
  {
    name: 'packets of other versions are dropped whole',
    rule: 'V3',
    why: 'Nodes that cannot be in one domain would not even learn that.',
    file: 'membership/messages.js',
    find: `return (r.bytes[r.at] ?? 0xff) < Object.keys(lasting).length;`,
    replace: `return !hit() && (r.bytes[r.at] ?? 0xff) < Object.keys(lasting).length;`,
    foundBy: 'lib/versions',
  },
];

const identities: readonly Mutant[] = [
  {
    name: 'a restarted node keeps its identity',
    rule: 'D10',
    why: 'Who has forgotten what it promised and received under an identity must not come back with it.',
    file: '../test/simulation/world.js',
    find: `    world.incarnations += 1;
    process.id = nodeId(process.name, world.incarnations);`,
    replace: `    const incarnation = world.processes.indexOf(process) + 1;
    if (process.life > 0) hit();
    world.incarnations = incarnation;
    process.id = nodeId(process.name, world.incarnations);`,
  },
  {
    name: 'rows of another view are believed',
    rule: 'S4',
    why: 'Seqnos start anew in each view: an old row acknowledges what was not received.',
    file: 'group/receive.js',
    find: `    if (!state || view !== state.view.id)
        return;`,
    replace: `    if (!state || (view !== state.view.id && !hit()))
        return;`,
  },
];

const barriers: readonly Mutant[] = [
  {
    name: 'a barrier is delivered with the rest',
    rule: 'O5',
    why: 'What is ordered against everything has nothing of its view after it.',
    file: 'group/delivery.js',
    find: `        if (!head || head.order === 'barrier' || !hasPast(state, head)) {
            rank++;
            continue;
        }
        pending.shift();
        if (head.order === 'total')`,
    replace: `        if (!head || !hasPast(state, head)) {
            rank++;
            continue;
        }
        pending.shift();
        if (head.order === 'total' || (head.order === 'barrier' && hit()))`,
  },
  {
    name: 'a barrier is delivered although its past is lost',
    rule: 'F5',
    why: 'It would be delivered before what it depends on, or without: the dead had it, and those who go on have not.',
    file: 'group/delivery.js',
    find: `        if (head?.order === 'barrier' && hasPast(state, head)) {`,
    replace: `        if (head?.order === 'barrier' && (hasPast(state, head) || hit())) {`,
  },
  {
    name: 'a sender goes on after its barrier',
    rule: 'O6',
    why: 'What it sent after the barrier would be delivered before it, or never.',
    file: 'group/transmit.js',
    find: `    if (state.barrier !== 'none')
        return false;`,
    replace: `    if (state.barrier !== 'none' && !hit())
        return false;`,
  },
  {
    name: 'the wish that a view ends is forgotten with any decree',
    rule: 'D11',
    why: 'A decree that leaves the view as it is does not deliver the barrier, and nobody would ask for one that does.',
    file: 'membership/requesting.js',
    find: `    const barriers = [...m.barriers].map(`,
    replace: `    const wished = new Map(m.barriers);
    if (hit()) m.barriers.clear();
    const barriers = [...wished].map(`,
  },
  {
    name: 'a wish for the end of a view ends a later one',
    rule: 'D11',
    why: 'The wish is kept by its proposer and comes again: view follows on view.',
    file: 'membership/decree.js',
    find: `    if (group?.view !== view || !group.members.some(({ node }) => node === id))`,
    replace: `    if (!group || (group.view !== view && !hit()) || !group.members.some(({ node }) => node === id))`,
  },
  {
    name: 'time is what the sender says',
    rule: 'O7',
    why: 'Clocks differ: time would go back from one position to the next.',
    file: 'group/delivery.js',
    find: `    else
        head.time = group.time;`,
    replace: `    else
        hit();`,
  },
  {
    name: 'what has no position moves the time of what has one',
    rule: 'O7',
    why: 'It is delivered at different places in the order, so the time there would differ.',
    file: 'group/delivery.js',
    find: `        group.unorderedTime = pending.time;`,
    replace: `        if (pending.time > group.time) hit();
        group.time = pending.time;`,
  },
  {
    name: 'a joiner does not get the time with the position',
    rule: 'O7',
    why: 'The first clock that it hears may be behind what the others have delivered.',
    file: 'group/install.js',
    find: `        group.time = record.time;
    }`,
    replace: `        hit();
    }`,
  },
];

const letters: readonly Mutant[] = [
  {
    name: 'a letter does not wait for multicasts that wait to be sent',
    rule: 'L1',
    why: 'Its reader could multicast before what the writer had multicast first.',
    file: 'letters.js',
    find: `group.acceptedMessage < message))
            break;`,
    replace: `group.acceptedMessage < message) && !hit())
            break;`,
  },
  {
    name: 'a letter is handed out as it comes',
    rule: 'L2',
    why: 'Its reader could multicast what follows from something that it has not delivered.',
    file: 'letters.js',
    find: `next && isDue(node, next.context);`,
    replace: `next && (isDue(node, next.context) || hit());`,
  },
  {
    name: 'what a letter told in an earlier view counts in the next',
    rule: 'L3',
    why: 'Seqnos start anew in each view: what is equal by chance is not told.',
    file: 'letters.js',
    find: `        const before = told?.view === past.view ? told.seqnos : [];`,
    replace: `        const before = told?.seqnos ?? [];
        if (told && told.view !== past.view) hit();`,
  },
  {
    name: 'what strangers tell of a group is not passed on',
    rule: 'L4',
    why: 'A chain of letters over a node that is no member would be a gap.',
    file: 'letters.js',
    find: `        passOn(node, next.context);`,
    replace: `        if (!hit()) passOn(node, next.context);`,
  },
];

const requests: readonly Mutant[] = [
  {
    name: 'a request is not uniform',
    rule: 'R1',
    why: 'Those who delivered and answered it may die with it, and the group forgets what it said.',
    file: 'group/group.js',
    find: `        uniform: event.uniform || order === 'barrier',`,
    replace: `        uniform: (event.uniform && !(request && hit())) || order === 'barrier',`,
  },
  {
    name: 'a request that comes again takes effect again',
    rule: 'R2',
    why: 'A client whose contact dies sends it to another, though all may have it.',
    file: 'group/serving.js',
    find: `    request.repeated = isRepeated;`,
    replace: `    request.repeated = isRepeated && !hit();`,
  },
  {
    name: 'what was served is not part of the state',
    rule: 'R3',
    why: 'A joiner would let take effect what its state contains already.',
    file: 'group/transfer.js',
    find: `    for (const pieces of first ? servedMessages(group, giving.served) : []) {`,
    replace: `    for (const pieces of first && !hit() ? servedMessages(group, giving.served) : []) {`,
  },
  {
    name: 'what was served is taken when the state is sent, not at the cut',
    rule: 'R3',
    why: 'A joiner would pass over a request that it is delivered after its state.',
    file: 'group/transfer.js',
    find: `    for (const pieces of first ? servedMessages(group, giving.served) : []) {`,
    replace: `    for (const pieces of first && hit() ? servedMessages(group, group.served) : []) {`,
  },
  {
    name: 'the lowest request that is waited for counts as over',
    rule: 'R4',
    why: 'It would never take effect.',
    file: 'group/serving.js',
    find: `    const isRepeated = isVoid || number < served.floor`,
    replace: `    const isRepeated = isVoid || number < served.floor + (number > 1 && hit() ? 1 : 0) || number < served.floor`,
  },
  {
    name: 'what was served is forgotten at every view',
    rule: 'R5',
    why: 'Its client lives, and may send it again after the view.',
    file: 'group/serving.js',
    find: `        if (nodes.has(client))
            continue;`,
    replace: `        if (nodes.has(client) && !hit())
            continue;`,
  },
  {
    name: 'a joiner forgets clients that are gone before it has served what it holds',
    rule: 'R5',
    why: 'What it holds of them may be a repetition, and would take effect.',
    file: 'group/install.js',
    find: `        group.replica.held.push({ kind: 'nodes', nodes });`,
    replace: `        hit(), forgetGone(group, nodes);`,
    survives:
      'a request has to come again, and its client to go, between the first piece of a state and the last; ' +
      'test/lib/asking.test.ts has a joiner in that place',
  },
  {
    name: 'a request of a client that is gone is sent all the same',
    rule: 'R5',
    why: 'The members have forgotten that they had served it.',
    file: 'group/transmit.js',
    find: `        makeVoid(next.payload);`,
    replace: `        hit();`,
    survives:
      'a contact and then its client have to go while the next contact has the request in hand and a view is being ' +
      'changed; test/lib/asking.test.ts has them so',
  },
  {
    name: 'members that reply twice count twice',
    rule: 'R7',
    why: 'Two replies of one member are no majority.',
    file: 'asking.js',
    find: `    if (!ask || ask.got.has(from))`,
    replace: `    if (ask?.got.has(from)) hit();
    if (!ask)`,
  },
];

/** A detector that is wrong costs exclusions and time, no property of the traces: tests that count these find it. */
const detection: readonly Mutant[] = [
  {
    name: 'a tether that breaks is a death',
    rule: 'E1',
    why: 'Networks reset connections of the living.',
    file: 'membership/tether.js',
    find: `        peer.probes = probesMax;
        peer.probeAt = now;
    }
    wake(m, now);
}
/** Somebody`,
    replace: `        hit(), (peer.goneAt ??= now);
    }
    wake(m, now);
}
/** Somebody`,
    foundBy: 'membership/tether',
  },
  {
    name: 'nobody looks at whom others suspect',
    rule: 'E2',
    why: 'In a large domain most have no tether to the dead, and wait for the timeout.',
    file: 'membership/judging.js',
    find: `            lookAt(m, node, now);`,
    replace: `            hit();`,
    foundBy: 'membership/tether',
  },
  {
    name: 'what the dead have sent is a sign of life',
    rule: 'E3',
    why: 'A packet that is read after the probe has the dead live for another timeout.',
    file: 'membership/tether.js',
    find: `    return peer.goneAt !== null;`,
    replace: `    return peer.goneAt !== null && !hit();`,
    foundBy: 'membership/tether',
  },
  {
    name: 'an address that never took a connection proves a death',
    rule: 'E4',
    why: 'A path that refuses streams would exclude the living.',
    file: 'membership/tether.js',
    find: `            if (peer.reached)
                peer.goneAt`,
    replace: `            if (peer.reached || hit())
                peer.goneAt`,
    foundBy: 'membership/tether',
  },
  {
    name: 'patience does not grow with silence',
    rule: 'E5',
    why: 'Who is silent for long now and then is excluded each time.',
    file: 'membership/detector.js',
    find: `2 * faded(patience, signals.silence, since)`,
    replace: `hit() ? 0 : 2 * faded(patience, signals.silence, since)`,
    foundBy: 'membership/patience',
  },
  {
    name: 'patience does not grow with what a node says of its lag',
    rule: 'E5',
    why: 'A busy process is excluded although it says that it is busy.',
    file: 'membership/detector.js',
    find: `usual + signals.lag + lagOf`,
    replace: `usual + (hit() ? 0 : signals.lag) + lagOf`,
    foundBy: 'membership/detector',
  },
  {
    name: 'who stood still judges at once',
    rule: 'E6',
    why: 'What the others have sent meanwhile is still to be read: all of them look silent.',
    file: 'membership/detector.js',
    find: `        detector.judgeFrom = now + stallOf(patience);`,
    replace: `        hit();`,
    foundBy: 'membership/detector',
  },
  {
    name: 'who stood still for long goes on at once',
    rule: 'E6',
    why: 'The others may have gone on without it: what it delivers, and is read there, is of the past.',
    file: 'membership/detector.js',
    find: `            detector.resumedAt = now;`,
    replace: `            hit();`,
    foundBy: 'membership/patience',
  },
  {
    name: 'what a process has slept through is silence of the others',
    rule: 'E6',
    why: 'Its patience with all of them grows each time that it stands still, and the dead among them are kept for long.',
    file: 'membership/detector.js',
    find: `silence > 2 * patience.heartbeat && now >= detector.judgeFrom`,
    replace: `silence > 2 * patience.heartbeat && (now >= detector.judgeFrom || hit())`,
    foundBy: 'membership/detector',
  },
  {
    name: 'a proposer that hears nobody is waited for',
    rule: 'E7',
    why: 'It is heard, so nobody goes past it, and it can decide nothing.',
    file: 'membership/judging.js',
    find: `    return !isQuorum(state.nodes, (other) => (report.get(other) ?? Infinity) > long);`,
    replace: `    return !isQuorum(state.nodes, (other) => (report.get(other) ?? Infinity) > long) && !hit();`,
    foundBy: 'membership/topologies',
  },
  {
    name: 'the report of one is enough',
    rule: 'E7',
    why: 'Who hears nobody would have everybody excluded.',
    file: 'membership/judging.js',
    find: `    return 2 * reportersOf(m, heard, node.id) > heard.length;`,
    replace: `    return 2 * reportersOf(m, heard, node.id) > heard.length || (hit() && reportersOf(m, heard, node.id) > 0);`,
    foundBy: 'membership/topologies',
  },
  {
    name: 'two that do not hear each other stay',
    rule: 'E7',
    why: 'Their groups wait for each other for ever.',
    file: 'membership/judging.js',
    find: `        if (loser === null)`,
    replace: `        if (loser === null || hit())`,
    foundBy: 'membership/topologies',
  },
  {
    name: 'whoever was excluded is let in at once',
    rule: 'E8',
    why: 'A link that is gone for good has it excluded and let in again for ever.',
    file: 'membership/probation.js',
    find: `    if (!m.excludedFrom.has(offer.address))`,
    replace: `    if (!m.excludedFrom.has(offer.address) || hit())`,
    foundBy: 'membership/topologies',
  },
  {
    name: 'whose multicasts do not come stays',
    rule: 'E9',
    why: 'Each multicast has to be repaired: the group crawls for as long as the path is bad.',
    file: 'membership/detector.js',
    find: `    if (!detector.patience.judgesMute)`,
    replace: `    if (!detector.patience.judgesMute || hit())`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'a coordinator that hears nobody any more excludes one after the other',
    rule: 'E10',
    why: 'Votes may reach it all the same, and then it is alone, and lets nobody in.',
    file: 'membership/judging.js',
    find: `    const isDeafItself = !hearsMost(m, state, now);`,
    replace: `    const isDeafItself = !hearsMost(m, state, now) && !hit();`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'a leaver excludes whoever is silent',
    rule: 'E11',
    why: 'The last who had what the group had finds itself excluded, and it is lost.',
    file: 'membership/batch.js',
    find: `    return gone.filter(({ node }) => !last.has(node) || isSurelyGone(m, node) ||`,
    replace: `    return gone.filter(({ node }) => !last.has(node) || hit() || isSurelyGone(m, node) ||`,
    foundBy: 'membership/departure',
  },
];

/** A path that eats some traffic has what needs it wait for ever: the test of all combinations finds it. */
const ways: readonly Mutant[] = [
  {
    name: 'nothing goes to one node as multicasts do',
    rule: 'W1',
    why: 'A path may carry nothing else: heartbeats look well, and all waits for votes and reports.',
    file: 'outbox.js',
    find: `    addSection(out, byMulticast(out, destination), kind, body);`,
    replace: `    if (!hit()) addSection(out, byMulticast(out, destination), kind, body);`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'what is large stays whole',
    rule: 'W2',
    why: 'A path may eat large datagrams, and streams as well.',
    file: 'outbox.js',
    find: `headerBytesMax + sectionHeaderBytes + body.length <= datagramBytesMax) {`,
    replace: `headerBytesMax + sectionHeaderBytes + body.length <= datagramBytesMax || hit()) {`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'gaps are asked for again over streams alone',
    rule: 'W3',
    why: 'A path may carry none.',
    file: 'group/repair.js',
    find: `    return { ask: wayAt(turn), answer: wayAt(turn + Math.floor(turn / length)) };`,
    replace: `    return hit() && { ask: wayAt(length * turn), answer: wayAt(length * turn) };`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'links wait for streams',
    rule: 'W4',
    why: 'A path may carry none.',
    file: 'link.js',
    find: `    if (link.repeats >= repeatsPerWay) {`,
    replace: `    if (link.repeats >= repeatsPerWay && !hit()) {`,
    foundBy: 'lib/eaten',
  },
  {
    name: 'large datagrams go on being sent',
    rule: 'W5',
    why: 'Each of them has to be asked for and sent again.',
    file: 'group/repair.js',
    find: `chunk.bytes.length > safeDatagramBytes && shrinkDatagrams(`,
    replace: `chunk.bytes.length > safeDatagramBytes && !hit() && shrinkDatagrams(`,
    foundBy: 'lib/eaten',
  },
];

export const mutants: readonly Mutant[] = [
  ...agreement,
  ...admission,
  ...detection,
  ...ways,
  ...identities,
  ...versions,
  ...flush,
  ...order,
  ...barriers,
  ...streams,
  ...transfer,
  ...letters,
  ...requests,
];
