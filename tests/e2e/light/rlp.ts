/* rlp: reading the one canonical form. */
import { demand, refuse } from "./bytes.ts";

export type Item = Uint8Array | Item[];

interface Read {
    item: Item;
    end: number;
}

/* The length in so many bytes at `at`, which must need all of them. */
function longLength(bytes: Uint8Array, at: number, width: number): number {
    demand(at + width <= bytes.length, "rlp: too short");
    let length = 0;
    for (const byte of bytes.subarray(at, at + width)) {
        length = length * 256 + byte;
    }
    demand(bytes[at] !== 0 && length > 55 && Number.isSafeInteger(length), "rlp: not the shortest form");
    return length;
}

function read(bytes: Uint8Array, at: number): Read {
    const first = bytes[at] ?? refuse("rlp: too short");
    if (first < 0x80) {
        return { item: bytes.subarray(at, at + 1), end: at + 1 };
    }
    const list = first >= 0xc0;
    const size = first - (list ? 0xc0 : 0x80);
    const width = size > 55 ? size - 55 : 0;
    const length = width > 0 ? longLength(bytes, at + 1, width) : size;
    const start = at + 1 + width;
    const end = start + length;
    demand(end <= bytes.length, "rlp: too short");
    if (list) {
        return { item: readAll(bytes.subarray(start, end)), end };
    }
    demand(length !== 1 || (bytes[start] ?? 0) >= 0x80, "rlp: not the shortest form");
    return { item: bytes.subarray(start, end), end };
}

function readAll(bytes: Uint8Array): Item[] {
    const items: Item[] = [];
    for (let at = 0; at < bytes.length;) {
        const { item, end } = read(bytes, at);
        items.push(item);
        at = end;
    }
    return items;
}

/* Exactly one item. */
export function decode(bytes: Uint8Array): Item {
    const { item, end } = read(bytes, 0);
    demand(end === bytes.length, "rlp: bytes behind the item");
    return item;
}

/* Exactly one list. */
export const decodeList = (bytes: Uint8Array): Item[] => list(decode(bytes));

export const list = (item: Item | undefined): Item[] => (Array.isArray(item) ? item : refuse("rlp: no list"));

export function string(item: Item | undefined, length?: number): Uint8Array {
    if (!(item instanceof Uint8Array)) {
        return refuse("rlp: no byte string");
    }
    demand(length === undefined || item.length === length, "rlp: another length");
    return item;
}

export function number(item: Item | undefined, bits = 64): bigint {
    const bytes = string(item);
    demand(bytes.length * 8 <= bits, "rlp: a number too large");
    demand(bytes[0] !== 0, "rlp: a number with leading zeros");
    return bytes.length === 0 ? 0n : BigInt("0x" + Buffer.from(bytes).toString("hex"));
}
