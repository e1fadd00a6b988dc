/* bytes: hex strings, numbers and hashes.  Everything that is refused throws Refused. */
import { keccak256 } from "ethers";

export class Refused extends Error {}

export function refuse(why: string): never {
    throw new Refused(why);
}

export function demand(holds: boolean, why: string): void {
    if (!holds) {
        refuse(why);
    }
}

const U64 = (1n << 64n) - 1n;
const U256 = (1n << 256n) - 1n;

/* "0x" and two digits a byte. */
export function bytesOf(text: unknown, length?: number): Uint8Array {
    if (typeof text !== "string" || !/^0[xX]([0-9a-fA-F]{2})*$/.test(text)) {
        refuse("no byte string");
    }
    const bytes = Uint8Array.from(Buffer.from(text.slice(2), "hex"));
    demand(length === undefined || bytes.length === length, "a byte string of another length");
    return bytes;
}

/* "0x" and a number. */
function quantity(text: unknown, most: bigint): bigint {
    if (typeof text !== "string" || !/^0[xX][0-9a-fA-F]+$/.test(text)) {
        refuse("no quantity");
    }
    const value = BigInt("0x" + text.slice(2));
    demand(value <= most, "a quantity too large");
    return value;
}

export const u64 = (text: unknown): bigint => quantity(text, U64);
export const u256 = (text: unknown): bigint => quantity(text, U256);

export const hex = (bytes: Uint8Array): string => "0x" + Buffer.from(bytes).toString("hex");
export const keccak = (bytes: Uint8Array): string => keccak256(bytes);
export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/* A number in so many bytes. */
export function fixed(value: bigint, length: number): Uint8Array {
    return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * length, "0"), "hex"));
}

export const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
