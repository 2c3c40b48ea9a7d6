/**
 * nact-groups: virtually synchronous process groups for nact. Everything public, and nothing else.
 *
 * @module nact-groups
 */
import './nact-types.js';

export {
  deliveries,
  domain,
  events,
  explain,
  flush,
  leave,
  leaveDomain,
  multicast,
  read,
  ready,
  status,
  views,
} from './api.js';
export type { Domain } from './api.js';
export type { DomainKeys } from './domain-keys.js';
export { ask } from './asking.js';
export { digestOf } from './digest-of.js';
export { logFormat } from './logging.js';
export {
  AskFailed,
  AskTimedOut,
  CannotForce,
  DomainRefused,
  DuplicateMember,
  GroupFull,
  GroupRefused,
  GroupWedged,
  InvalidOption,
  MessageTooLarge,
  MulticastFailed,
  NotAMember,
  NotDecodable,
  NotEncodable,
  NotInDomain,
  NotLocal,
  OrderTooWeak,
  RequestRefused,
  SystemNameTaken,
  TransferInterrupted,
  Unreachable,
  WouldDeadlock,
} from './errors.js';
export { groupRef } from './group-ref.js';
export type { GroupRefOptions } from './group-ref.js';
export { inspector } from './inspector/inspector.js';
export type { Inspector, InspectorOptions } from './inspector/inspector.js';
export { groups } from './plugin.js';
export { spawnMember, spawnReplicated } from './spawn.js';
export type {
  AskOptions,
  AuthorizeRequest,
  ClaimingNode,
  Asked,
  Client,
  Codec,
  CommonProps,
  Context,
  DeliveryEvent,
  Departure,
  DetectorOptions,
  DomainGroup,
  DomainNode,
  DomainView,
  Earlier,
  Explanation,
  GroupEvent,
  GroupFunc,
  GroupRef,
  GroupsOptions,
  Key,
  KeyOption,
  LimitOptions,
  Member,
  MemberProps,
  MulticastOptions,
  ReadContext,
  ReadOptions,
  Receipt,
  Replies,
  ReplicatedProps,
  Reply,
  Request,
  SupervisionContext,
  TransferProgress,
  Unanswered,
  View,
} from './types.js';
export type { GroupStatus } from '../lib/events.js';
export type { GroupOrder, LeaveCause, Order } from '../lib/membership/state.js';
export type { Traced, TraceRecord } from '../lib/trace/format.js';
export { memory, memoryHub } from '../transport/memory.js';
export { TransportError } from '../transport/errors.js';
export { ExposedError } from '../transport/exposure.js';
export type { MemoryHub, Packet, Rule, Verdict } from '../transport/memory.js';
export { tcp } from '../transport/tcp.js';
export type { TcpOptions } from '../transport/tcp.js';
export type { DnsOptions } from '../transport/finding.js';
export type { DomainKey, Keyring } from '../transport/keyring.js';
export type { Transport, TransportFactory, TransportHandlers } from '../transport/transport.js';
export type { Found } from '../lib/events.js';
export { udpMulticast } from '../transport/udp-multicast.js';
export type { UdpMulticastOptions } from '../transport/udp-multicast.js';
