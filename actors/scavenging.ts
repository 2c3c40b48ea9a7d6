/**
 * Has V8 collect short-lived arrays while they are few.
 *
 * A frame is an array outside of V8's heap that lives for some milliseconds. V8 looks for dead ones of its own accord when there are
 * 32 MB of them. But from 16 MB on, or whatever its heap has grown by since, it takes each look at its limits for a reason to mark the
 * whole heap: at 200 MB/s of frames that is ten times a second, and half of the processor time (measured, Node.js 20.20). A minor
 * collection before it comes to that took one to three milliseconds, on two cores that four processes shared.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So many bytes of arrays between two collections. */
const bytesMax = 8 * 1024 * 1024;

let allocated = 0;
let collect: ((options: { readonly type: 'minor' }) => void) | undefined | null;

/** Takes note of memory that was allocated for frames, or came with them. */
export function noteAllocated(bytes: number): void {
  allocated += bytes;
}

/** Collects if it is time to. To be called where little is referred to from the stack. */
export function maybeCollect(): void {
  if (allocated < bytesMax) return;
  allocated = 0;
  if (collect === undefined) collect = collector();
  collect?.({ type: 'minor' });
}

/** V8's own function, which a flag shows to contexts that are made while it is set; null where there is none. */
function collector(): typeof collect {
  try {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as typeof collect;
  } catch {
    return null;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
