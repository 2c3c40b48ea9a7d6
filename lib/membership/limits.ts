/**
 * What is bounded, and why. Whatever would exceed a limit waits for the next decree or is refused with a reason.
 */

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
/** A node's weight. */
export const weightMax = 1_000_000;
/** Bytes of a group's name and of a codec's. */
export const groupNameBytesMax = 256;
/** Bytes of an explanation. */
export const reasonBytesMax = 512;
/** Messages that went out without effect before they go by every other way as well. */
export const datagramsInVain = 3;
