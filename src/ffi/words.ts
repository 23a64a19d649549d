/** Numbers as 64-bit words in memory, without BigInt, whose every use costs a microsecond or three while nothing is compiled. */

const TWO_32 = 0x1_0000_0000;

/** A whole number of at most 53 bits, negative ones too, into two 32-bit words from `index` on (low first, as on both machines). */
export function set64(words: Int32Array, index: number, value: number): void {
  words[index] = value | 0; // modulo 2^32
  words[index + 1] = ((value - (value >>> 0)) / TWO_32) | 0;
}
