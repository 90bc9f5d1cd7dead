/** A small assembler for WebAssembly: functions over pairs of doubles, written as expressions and made into a module. */

// Opcodes and section layout: WebAssembly core specification 2.0, sections 5.4 and 5.5. No relaxed instruction is here,
// so every machine gets the same bits.

/** Instructions, ready for a function's body. */
export type Code = readonly number[];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

const plain =
  (opcode: number) =>
  (...operands: Code[]): Code => [...operands.flat(), opcode];
const vector =
  (opcode: number) =>
  (...operands: Code[]): Code => [...operands.flat(), 0xfd, ...leb(opcode)];

export const localGet = (local: number): Code => [0x20, ...leb(local)];
export const localSet = (local: number, value: Code): Code => [...value, 0x21, ...leb(local)];
/** An integer below 64, which is its own signed LEB128. */
export const i32Small = (value: number): Code => [0x41, value];
export const i32Add = plain(0x6a);
export const i32LessUnsigned = plain(0x49);

export const f64Splat = vector(0x14);
export const f64Add = vector(0xf0);
export const f64Sub = vector(0xf1);
export const f64Mul = vector(0xf2);
export const f64Div = vector(0xf3);
export const i64Add = vector(0xce);
export const i64Sub = vector(0xd1);
export const i64GreaterSigned = vector(0xd9);
export const and = vector(0x4e);
export const or = vector(0x50);
/** Of each bit the first operand's where the third has a 1, the second's where it has a 0. */
export const select = vector(0x52);
export const anyTrue = vector(0x53);
export const shiftLeft = (value: Code, bits: number): Code => vector(0xcb)(value, i32Small(bits));
export const shiftRight = (value: Code, bits: number): Code => vector(0xcd)(value, i32Small(bits));

/** A pair of doubles in memory, at `address` and `offset` bytes on. */
export const load = (address: Code, offset = 0): Code => [...address, 0xfd, 0x00, 3, ...leb(offset)];
export const store = (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 3, 0];

/** The body once, and again as long as `condition` holds at its end. */
export const repeatWhile = (condition: Code, body: readonly Code[]): Code => [
  0x03,
  0x40,
  ...body.flat(),
  ...condition,
  0x0d,
  0,
  0x0b,
];
export const when = (condition: Code, body: readonly Code[]): Code => [...condition, 0x04, 0x40, ...body.flat(), 0x0b];

export const I32 = 0x7f;
export const F64 = 0x7c;
const V128 = 0x7b;

/** Constants of a module, each twice, from `start` bytes on: the compiler makes a vector constant anew wherever one stands. */
export class ConstantPool {
  readonly #words: bigint[] = [];
  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  double(value: number): Code {
    return this.integer(new BigInt64Array(Float64Array.of(value).buffer)[0]);
  }

  integer(value: bigint): Code {
    let index = this.#words.indexOf(value);
    if (index === -1) index = this.#words.push(value) - 1;
    return load(i32Small(0), this.#start + 16 * index);
  }

  /** Puts the constants where the code looks for them. */
  write(memory: ArrayBufferLike): void {
    const words = new BigInt64Array(memory, this.#start, 2 * this.#words.length);
    for (const [i, value] of this.#words.entries()) words.fill(value, 2 * i, 2 * i + 2);
  }
}

/** A module of one function, `run`, with `numVectors` locals after its parameters, and one page of memory, `memory`. */
export function assemble(
  parameters: readonly number[],
  numVectors: number,
  body: readonly Code[],
): Uint8Array<ArrayBuffer> {
  const counted = (items: readonly Code[]): Code => [...leb(items.length), ...items.flat()];
  const section = (id: number, items: readonly Code[]): Code => {
    const content = counted(items);
    return [id, ...leb(content.length), ...content];
  };
  const name = (text: string): Code => [text.length, ...Array.from(text, (c) => c.charCodeAt(0))];
  const code = [...counted([[...leb(numVectors), V128]]), ...body.flat(), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, [[0x60, ...counted(parameters.map((type) => [type])), 0]]),
    ...section(3, [[0]]),
    ...section(5, [[1, 1, 1]]),
    ...section(7, [
      [...name("run"), 0, 0],
      [...name("memory"), 2, 0],
    ]),
    ...section(10, [[...leb(code.length), ...code]]),
  ]);
}
