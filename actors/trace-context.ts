/**
 * The trace that a message is part of, as it travels with it: what W3C's `traceparent` says, in 25 bytes (trace, span, flags), before the
 * message's own. Only a message that is sent within a span has it; any other is as it would be without tracing. What a vendor adds
 * (`tracestate`) stays behind: it has no bound.
 *
 * The core knows nothing of it. A member without telemetry steps over it, and a contact passes it on.
 */
import { NotDecodable } from './errors.js';
import { kindTraced } from './internal.js';
import { Marker } from './wire-format.js';

/** Trace (16), span (8), flags (1). */
export const contextBytes = 25;
/** A marker and a kind before it. */
const headBytes = 2 + contextBytes;

/** A message with its trace. */
function withContext(context: Uint8Array, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headBytes + message.length);
  bytes[0] = Marker.internal;
  bytes[1] = kindTraced;
  bytes.set(context, 2);
  bytes.set(message, headBytes);
  return bytes;
}

/** The same, unless a message that may be sent would be too large with it: that goes without. */
export function contextIfFits(context: Uint8Array, message: Uint8Array, bytesMax: number): Uint8Array {
  return message.length + headBytes > bytesMax ? message : withContext(context, message);
}

/** Whether what begins at `start` is a message with its trace, well formed or not. */
export function isTraced(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === Marker.internal && bytes[start + 1] === kindTraced;
}

/** Where the message itself begins in `[start, end)`. Throws {@link NotDecodable} if there is none. */
export function messageAt(bytes: Uint8Array, start: number, end: number): number {
  if (!isTraced(bytes, start)) return start;
  const at = start + headBytes;
  if (at >= end || isTraced(bytes, at)) throw new NotDecodable('a trace without a message');
  return at;
}

/** A copy of the trace of the message that begins at `start`. */
export function contextAt(bytes: Uint8Array, start: number): Uint8Array {
  return bytes.slice(start + 2, start + headBytes);
}
