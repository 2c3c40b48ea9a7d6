/** Numbers in one block of memory that grows at its end. */

/** A list of 32-bit numbers. */
export interface Growing {
  data: Int32Array;
  length: number;
}

export function createGrowing(capacity = 1 << 12): Growing {
  return { data: new Int32Array(capacity), length: 0 };
}

/** Makes room for so many more. */
export function reserve(list: Growing, more: number): void {
  if (list.length + more <= list.data.length) return;
  const data = new Int32Array(Math.max(Math.ceil(list.data.length * 1.6), list.length + more));
  data.set(list.data.subarray(0, list.length));
  list.data = data;
}

export function append(list: Growing, value: number): void {
  reserve(list, 1);
  list.data[list.length++] = value;
}
