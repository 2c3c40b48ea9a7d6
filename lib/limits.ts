/**
 * Every bound on what others can make grow, and every repetition time of the core, with its reason: of the data plane first, then of the
 * control plane, of sockets and connections, and of applications. What a user may set is in `NodeOptions` and `GroupsOptions`. Whatever
 * would exceed a limit is dropped and counted, waits, comes again, or is refused with a reason. docs/limits.md lists them for readers.
 */

// Data plane
// ------------------------------------------------------------------------------------------------------------------

/** A receiver acknowledges when nothing has come for so long: long enough to share a packet, short against a round of a flush, */
export const ackDelay = 4;
/** or after so long, however much comes. */
export const ackDelayMax = 20;
/** It acknowledges at once when it has taken in this share of a sender's window, */
export const ackShare = 1 / 2;
/** or of the least, whichever is more: a window never empties. */
export const ackLeastShare = 3 / 4;
/** A node of which nothing came for so long has no part in what is under way, and begins anew when it sends. */
export const senderForgottenAfter = 100;
/** A gap is asked for after so long: reordered frames arrive within it on a LAN. */
export const nakDelay = 2;
/** Requests for the same gap back off to this. */
export const nakDelayMax = 200;
/** Something unstable without progress is shown to everybody after so long, */
export const repeatDelay = 40;
/** backing off to this. */
export const repeatDelayMax = 640;
/** From this on those who lack something are shown it by every way, and answer so. */
export const repeatEveryWay = 320;
/** Flush messages are repeated after so long, */
export const flushRepeat = 40;
/** over the stream as well from this on, */
export const flushRepeatOverStream = 4 * flushRepeat;
/** and every other way from this on, */
export const flushRepeatEveryWay = 8 * flushRepeat;
/** backing off to this. */
export const flushRepeatMax = 400;
/** Requests for a gap that go unanswered before they and their answers go by other ways in turn. */
export const nakTriesOverDatagrams = 4;
/** A datagram of so many bytes crosses every path (IPv6's least MTU, less its headers). */
export const safeDatagramBytes = 1200;
/** So long new datagrams stay that small when larger ones have not come through; doubles each time that they still do not, */
export const smallDatagramsFor = 30_000;
/** up to this. So long, too, a link does not try a stream on which nothing has come through. */
export const smallDatagramsForMax = 30 * 60_000;
/** The largest section that is sent in pieces: what a stream's message may have. */
export const sectionInPiecesBytesMax = 1024 * 1024;
/** Bytes of sections that came in part, over all sources; the oldest are dropped for more, and sent again. */
export const piecesBytesMax = 16 * 1024 * 1024;
/** Each piece counts this much more, so that single bytes are bounded too. */
export const pieceOverheadBytes = 128;
/** So long pieces are kept of which no other comes: the slowest repetition comes sooner. */
export const piecesKeptFor = 5000;
/** Ranges in one request for retransmission: a request stays small. */
export const nakRangesMax = 64;
/**
 * Bytes sent in answer to one request, and to all of one member within {@link resendWindow}: small requests never cause a flood, and
 * what is missing is asked for again.
 */
export const nakAnswerBytesMax = 1024 * 1024;
/** The same in pieces, which are many small datagrams: little next to a socket's buffer. */
export const piecesAnswerBytesMax = 128 * 1024;
/** Within this time a chunk goes to the first member that asks for it, to all when a second one does, and not again. */
export const resendWindow = 8;
/** Bytes of one stream kept ahead of a gap; more is dropped and asked for again. */
export const aheadBytesMax = 4 * 1024 * 1024;
/** Bytes of frames kept for views that are not installed yet; the oldest are dropped for more, and asked for again. */
export const futureBytesMax = 4 * 1024 * 1024;
/** Every frame counts this much more against the window: a socket buffer holds the kernel's bookkeeping as well. */
export const frameOverheadBytes = 512;
/** The largest that one multicast may be made by an option: what all members may have to hold of each sender. */
export const multicastBytesMax = 64 * 1024 * 1024;
/** The same with what a request has before it: a multicast that has more is nothing when it ends, at every member alike. */
export const fragmentsBytesMax = multicastBytesMax + 64 * 1024;
/** Members of one view: a row of the matrix fits a small datagram. */
export const membersMax = 1024;
/** Bytes of deliveries a joiner holds while it waits for its state before the senders must wait for it. */
export const heldBytesMax = 64 * 1024 * 1024;
/** Bytes of one chunk of state, or of one message from member to member: well below what a stream message may have. */
export const linkMessageBytesMax = 1024 * 1024 - 4096;
/** Chunks of state that a joiner's actor may have before it: enough to keep it busy, little next to a state. */
export const stateChunksMax = 16;
/** Its donor is told after so many. */
export const stateChunksTold = 4;
/** Bytes under way on a link before the state's donor is asked to wait. */
export const linkWindowBytes = 2 * 1024 * 1024;
/** A link that makes no progress for so long sends again what is not acknowledged, by another way each time; */
export const linkRepeat = 1000;
/** after so long where the way is not a stream, which loses nothing by itself. */
export const linkRepeatOfDatagrams = 400;
/** Bytes that a link has under way in datagrams. */
export const linkDatagramsBytesMax = 128 * 1024;
/** Letters larger than this are cut into pieces: a stream message has an end. */
export const pieceBytesMax = 256 * 1024;
/** Bytes of letters to one node that wait for the link, or for own multicasts before them; more are refused. */
export const lettersHeldBytesMax = 64 * 1024 * 1024;
/** Bytes of letters from one node that wait for what they follow; more is not acknowledged, so it comes again. */
export const lettersEarlyBytesMax = 16 * 1024 * 1024;
/** Each letter that waits, and each piece of one, counts this much more, so that empty ones are bounded too. */
export const letterOverheadBytes = 256;
/** A request that was refused for now goes to a member again after so long. */
export const askAgainDelay = 50;
/** A client waits for no request that is so far behind its newest: who serves them remembers no more than these. */
export const requestsMax = 65_536;
/** Departed nodes whose cause is remembered, to tell who asked. */
export const departuresMax = 256;
/** One reply of a member. */
export const replyBytesMax = 16 * 1024 * 1024;
/** Bytes of replies that a member keeps for clients that may not have them; later ones are not kept. */
export const repliesBytesMax = 64 * 1024 * 1024;
/** Entries of one message that tells what was served. */
export const servedPerMessageMax = 4096;
/** About so many bytes of replies and names in one such message. */
export const servedBytesMax = 256 * 1024;
/** Bytes of link messages that came before the view that explains them; more is not acknowledged, so it comes again. */
export const earlyBytesMax = 8 * 1024 * 1024;
/** Each counts this much more, so that empty ones are bounded too. */
export const earlyOverheadBytes = 256;
/** A broken stream is opened again after so long. */
export const linkReopenDelay = 20;

// Control plane
// ------------------------------------------------------------------------------------------------------------------

/** Nodes of a domain: every node hears every other's heartbeats, so more would spend their time on them. */
export const nodesMax = 1024;
/** Groups of a domain. */
export const groupsMax = 65_536;
/** Joins in one decree: each joiner is sent the whole state at once. */
export const joinsPerDecreeMax = 256;
/** Joins within a second: each is a new view of every group that it enters. A thousand nodes that start together are in after four. */
export const joinsPerSecondMax = 256;
/** That second, in milliseconds. */
export const joinsCountedFor = 1000;
/** Group creations in one decree: their ids are its number times {@link groupIdsPerDecree} and a count. */
export const creationsPerDecreeMax = 1000;
/** Group ids set aside for each decree. */
export const groupIdsPerDecree = 4096;
/** Changes in one decree. */
export const changesPerDecreeMax = 2048;
/** Bytes of the changes in one decree: a proposal and the decree before it fit one datagram of 60,000 bytes. */
export const decreeBytesMax = 16_384;
/** Decrees kept to serve those who are behind. */
export const logLengthMax = 1024;
/** Decrees in one answer to a node that is behind; it asks again for more. */
export const decreesPerMessageMax = 256;
/** Answers within a heartbeat to one node that asks for decrees: it has more than it can take in, and a question is small. */
export const answersPerHeartbeat = 16;
/** Bytes of the decrees in one message, and of a state that is sent to all: both together fit one datagram as well. */
export const messageBytesMax = 24_576;
/** Incarnations remembered: those of the domain, those that were in it, those that look for one. */
export const peersMax = 4096;
/** Domains of the same name that are watched at a time. */
export const sightingsMax = 16;
/** The largest lag that is told, in milliseconds: no detector is so patient. */
export const lagMax = 3_600_000;
/** Bytes of a node's name. */
export const nameBytesMax = 128;
/** Bytes of a transport address. */
export const addressBytesMax = 256;
/** Bytes of what tells a node's process from others. */
export const processBytesMax = 256;
/** Bytes of what a node says of itself. */
export const metadataBytesMax = 512;
/** Bytes of a node's public key: 32 of X25519 in base64url are 43. */
export const publicKeyBytesMax = 43;
/** A node's weight. */
export const weightMax = 1_000_000;
/** Bytes of a group's name and of a codec's. */
export const groupNameBytesMax = 256;
/** Bytes of an explanation. */
export const reasonBytesMax = 512;
/** Those who want in of whom it is remembered which number they are to repeat; the oldest makes room, and is sent another. */
export const challengesMax = 256;
/** Bytes that pad a hello where addresses have to be proven: no invitation is larger, with the longest names and addresses. */
export const helloPaddingBytes = 576;
/** Messages that went out without effect before they go by every other way as well. */
export const datagramsInVain = 3;

// Sockets and connections
// ------------------------------------------------------------------------------------------------------------------

/** A connection that has not said whose it is by then, in milliseconds, is closed: some round trips, with packets lost. */
export const greetingMillisMax = 5000;
/** Connections that have not yet said whose they are: the oldest makes room, so that idle ones keep nobody out. */
export const strangersMax = 256;
/**
 * Connections that came in and have said whose they are: one of each node, and as many as come anew before the old ones have ended.
 * Strangers do not count, so they keep no member out.
 */
export const guestsMax = nodesMax + strangersMax;
/** A connection of a mesh over which nothing came for so long ends: far longer than the detector waits, so it only ever cleans up. */
export const silentMillisMax = 5000;
/** The largest message of a stream: larger ones are the core's to cut, so that none holds up those behind it for long. */
export const streamMessageBytesMax = 1024 * 1024;
/** Unwritten bytes of streams to one address: four of the largest application messages. A peer that is so far behind is cut off. */
export const streamBacklogBytesMax = 64 * 1024 * 1024;
/** Datagrams that wait for the system, or for one peer of a mesh, in bytes: eight of the largest windows. What is beyond is dropped. */
export const datagramBacklogBytesMax = 8 * 1024 * 1024;
/** The same while there is no connection to the peer yet: a window's worth, for one that may not be there. */
export const connectingBytesMax = 1024 * 1024;
/**
 * Attempts to connect to seeds that are under way at once, in turns if there are more: connecting to thousands in one go would
 * hold up the event loop and use up the open files. Nodes of the domain are not counted.
 */
export const seedDialsMax = 64;
/** Addresses of seeds, from names, records and files: more than the largest domain; what is beyond is left out. */
export const endpointsMax = 4096;
/** Addresses whose forms are remembered; beyond it all are forgotten and learnt again. Domains are far smaller. */
export const knownAddressesMax = 4096;
/** Bytes in an encrypted record of a stream: what is read at once. Larger ones would be decrypted no faster. */
export const recordBytesMax = 64 * 1024;
/** Counters of a sender that are remembered under a key. A path that reorders datagrams by more loses them. */
export const replayWindowBits = 1024;
/**
 * Greetings under a key that are answered within a second: each takes a third of a millisecond of X25519, so a twelfth of a core at most.
 */
export const greetingsPerSecondMax = 256;
/** At once, after a pause of four seconds: as many as the largest domain has nodes, which connect to one that comes. */
export const greetingsAtOnceMax = 4 * greetingsPerSecondMax;
/** What of these one address may have: a quarter, which is enough for hundreds of nodes on one machine. */
export const greetingShares = 4;
/** Addresses whose shares are counted; the oldest is forgotten, and all together have no more for it. */
export const greetingAddressesMax = 256;
/** Incarnations that have proven themselves: one for each node of the largest domain, and as many again that have just gone. */
export const provenMax = 2 * nodesMax;
/** Incarnations that have not: a domain's start at once. Whoever replays what was recorded fills this table, not the other. */
export const unprovenMax = 256;
/**
 * Challenges within a second to strangers, to those who had proven themselves, and answers to these, each: those of the largest domain
 * that starts at once.
 */
export const challengesPerSecondMax = 1024;
/** Of each of these go to all: a recorded datagram that is replayed to all may have all of them say so to all. */
export const challengesToAllPerSecondMax = 16;
/**
 * Bytes that came under a group key that is not there yet: as much as all may have under way. The oldest are dropped, and asked for again.
 * Each packet counts {@link frameOverheadBytes} more.
 */
export const waitingForKeyBytesMax = 4 * 1024 * 1024;
/** A former group key is taken for so long, in milliseconds: longer than anything is under way. */
export const formerKeyMillis = 10_000;
/** Former group keys: of so many changes within that time the first are forgotten early. */
export const formerKeysMax = 16;
/** How long failures of one kind are counted before they are logged again, in milliseconds: a line a second can still be read. */
export const logWindowMillis = 1000;
/** Kinds of log lines kept apart. They are named by the code and by the system's errors: a few dozen. What is beyond shares one. */
export const logKindsMax = 64;

// Applications
// ------------------------------------------------------------------------------------------------------------------

/** Nesting of messages and states above this is refused on both sides: deeper is a mistake, or made to overflow a stack. */
export const depthMax = 100;
/** Items in one value above this are refused on both sides: bounds what a decoder allocates. */
export const itemsMax = 4_000_000;
/** Structures in a group's table: a program has fewer kinds of objects. Those beyond go with their keys. */
export const structuresMax = 1024;
/** Keys of a structure: objects with more are tables rather than records. */
export const structureKeysMax = 64;
/** Characters of a structure's keys: longer ones are data. */
export const structureCharactersMax = 1024;
/** Characters in a whole table, so that it fits into one chunk of a snapshot. */
export const structuresCharactersMax = 48 * 1024;
/** Of a state, bytes in one piece above this are collected as they come: an announcement alone takes no memory. */
export const announcedBytesMax = 64 * 1024 * 1024;
/** Bytes of a group's queue, unless the user says otherwise: 65,536 messages of 16 MiB would be no bound. */
export const queueBytesMax = 64 * 1024 * 1024;
/** Clients of which is remembered what was handled; one that is forgotten sends again what it has sent too early. */
export const clientsMax = 10_000;
/** Characters of why there is no reply: a reason is for people to read. */
export const replyReasonLengthMax = 1000;
/** Multicasts that were left out, told at a time: what comes meanwhile goes together. */
export const verdictsPerMessageMax = 64;
/** Remembered of what was left out here, and of what others have: above it the oldest is given up, and the log says so. */
export const verdictsRememberedMax = 4096;
/** Comparisons of digests that wait. Above it the oldest is given up: a member is far behind, or takes no part. */
export const digestChecksMax = 32;
/** Of a digest, in characters. */
export const digestLengthMax = 128;
/** A node that is named in a ref and that nobody has heard of may just have joined: so long it is waited for, in milliseconds, */
export const strangerMillis = 1000;
/** with so many calls at most. */
export const strangerCallsMax = 1024;
/** So many departed nodes are remembered: refs to earlier ones take a moment longer to be known for dead. */
export const departedMax = 1024;
/** Dead letters are counted for so many targets. */
export const deadLetterTargetsMax = 1024;
