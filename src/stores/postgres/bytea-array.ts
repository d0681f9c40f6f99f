/** Of bytea in pg_type, the same in every server. */
const BYTEA_OID = 17;

/**
 * A bytea[] in PostgreSQL's binary format (array_recv in src/backend/utils/adt/arrayfuncs.c): the driver would write out
 * each byte as two digits, which takes four times as long, and sends what is in a Buffer as it is.
 */
export function encodeByteaArray(values: readonly Buffer[]): Buffer {
  const header = int32(1, 0, BYTEA_OID, values.length, 1); // dimensions, no nulls, type, length, lower bound
  return Buffer.concat([header, ...values.flatMap((value) => [int32(value.length), value])]);
}

function int32(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeInt32BE(number, 4 * index));
  return bytes;
}
