/* program: random EVM code.  Most of it keeps a picture of the stack, so that it comes far. */
import { type Random } from "../lib/random.ts";
import type { Hex } from "../lib/rpc.ts";

/* BLOCKHASH and PREVRANDAO: of these two chains share nothing, and Anvil's cannot be chosen. */
const NOT_COMMON = new Set([0x40, 0x44]);

/* [code, items taken, items given] */
const PLAIN: readonly (readonly [number, number, number])[] = [
    [0x01, 2, 1], [0x02, 2, 1], [0x03, 2, 1], [0x04, 2, 1], [0x05, 2, 1], [0x06, 2, 1], [0x07, 2, 1], [0x08, 3, 1],
    [0x09, 3, 1], [0x0a, 2, 1], [0x0b, 2, 1], [0x10, 2, 1], [0x11, 2, 1], [0x12, 2, 1], [0x13, 2, 1], [0x14, 2, 1],
    [0x15, 1, 1], [0x16, 2, 1], [0x17, 2, 1], [0x18, 2, 1], [0x19, 1, 1], [0x1a, 2, 1], [0x1b, 2, 1], [0x1c, 2, 1],
    [0x1d, 2, 1], [0x1e, 1, 1], [0x30, 0, 1], [0x31, 1, 1], [0x32, 0, 1], [0x33, 0, 1], [0x34, 0, 1], [0x35, 1, 1],
    [0x36, 0, 1], [0x38, 0, 1], [0x41, 0, 1], [0x3a, 0, 1], [0x3b, 1, 1], [0x3d, 0, 1], [0x3f, 1, 1], [0x42, 0, 1], [0x43, 0, 1],
    [0x45, 0, 1], [0x46, 0, 1], [0x47, 0, 1], [0x48, 0, 1], [0x49, 1, 1], [0x4a, 0, 1], [0x50, 1, 0], [0x58, 0, 1],
    [0x59, 0, 1], [0x5a, 0, 1],
];

const EDGES = [0n, 1n, 2n, 31n, 32n, 255n, 256n, (1n << 64n) - 1n, 1n << 128n, 1n << 255n, (1n << 255n) - 1n, (1n << 256n) - 1n];

class Program {
    readonly code: number[] = [];
    depth = 0;
    readonly #random: Random;
    readonly #addresses: readonly Hex[];

    constructor(random: Random, addresses: readonly Hex[]) {
        this.#random = random;
        this.#addresses = addresses;
    }

    push(value: bigint): void {
        if (value === 0n && this.#random.chance(50)) {
            this.code.push(0x5f);
        } else {
            const hex = value.toString(16);
            const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
            this.code.push(0x5f + bytes.length, ...bytes);
        }
        this.depth++;
    }

    number(): bigint {
        const random = this.#random;
        switch (random.below(4)) {
            case 0: return random.pick(EDGES);
            case 1: return BigInt(`0x${Buffer.from(random.bytes(random.between(1, 32))).toString("hex")}`);
            case 2: return BigInt(random.pick(this.#addresses));
            default: return BigInt(random.below(300));
        }
    }

    need(count: number): void {
        while (this.depth < count) {
            this.push(this.number());
        }
    }

    op(code: number, taken: number, given: number): void {
        this.need(taken);
        this.code.push(code);
        this.depth += given - taken;
    }

    /* Operands as they are, the last one on top. */
    with(code: number, given: number, ...operands: bigint[]): void {
        operands.forEach((operand) => this.push(operand));
        this.code.push(code);
        this.depth += given - operands.length;
    }

    small(): bigint {
        return BigInt(this.#random.pick([0, 1, 31, 32, 33, 64, 100, 500]));
    }

    /* A forward jump over some bytes that are not run, or a conditional one. */
    jump(): void {
        const random = this.#random;
        const junk = Array.from(random.bytes(random.below(6))).filter((byte) => byte < 0x60 || byte > 0x7f);
        const conditional = random.chance(60);
        this.need(conditional ? 1 : 0);
        const at = this.code.length + 4 + junk.length;
        if (conditional) {
            this.depth--;
            this.code.push(0x61, at >> 8, at & 0xff, 0x57, ...junk.map(() => 0x5b), 0x5b);
        } else {
            this.code.push(0x61, at >> 8, at & 0xff, 0x56, ...junk, 0x5b);
        }
    }

    call(): void {
        const random = this.#random;
        const code = random.pick([0xf1, 0xf2, 0xf4, 0xfa]);
        const value = random.chance(30) ? [BigInt(random.below(100))] : [0n];
        this.with(code, 1, this.small(), this.small(), this.small(), this.small(), ...(code < 0xf4 ? value : []),
                  BigInt(random.pick(this.#addresses)), BigInt(random.pick([0, 2_300, 50_000, 10_000_000])));
    }

    step(): void {
        const random = this.#random;
        const kinds: readonly (() => void)[] = [
            () => this.op(...random.pick(PLAIN)),
            () => this.op(...random.pick(PLAIN)),
            () => this.op(...random.pick(PLAIN)),
            () => this.op(...random.pick(PLAIN)),
            () => this.push(this.number()),
            () => {
                const n = random.between(1, 16);
                this.op(0x7f + n, n, n + 1);
            },
            () => {
                const n = random.between(1, 16);
                this.op(0x8f + n, n + 1, n + 1);
            },
            () => this.with(random.pick([0x52, 0x53]), 0, this.number(), this.small()),
            () => this.with(0x51, 1, this.small()),
            () => this.with(0x20, 1, this.small(), this.small()),
            () => this.with(random.pick([0x37, 0x39, 0x5e]), 0, this.small(), this.small(), this.small()),
            () => this.with(0x3c, 0, this.small(), this.small(), this.small(), BigInt(random.pick(this.#addresses))),
            () => this.with(random.pick([0x54, 0x5c]), 1, BigInt(random.below(6))),
            () => {
                this.need(1);
                this.push(BigInt(random.below(6)));
                this.code.push(random.pick([0x55, 0x5d]));
                this.depth -= 2;
            },
            () => {
                const topics = random.below(5);
                this.need(topics);
                this.with(0xa0 + topics, 0, this.small(), this.small());
                this.depth -= topics;
            },
            () => this.jump(),
            () => this.call(),
            () => this.with(0xf0, 1, this.small(), this.small(), 0n),
            () => this.with(0xf5, 1, BigInt(random.below(4)), this.small(), this.small(), 0n),
        ];
        random.pick(kinds)();
    }

    end(): void {
        const random = this.#random;
        this.need(1);
        switch (random.below(12)) {
            case 0: this.with(0xfd, 0, this.small(), this.small()); break;
            case 1: this.code.push(0xfe); break;
            case 2: this.code.push(0x00); break;
            case 3: this.with(0xff, 0, BigInt(random.pick(this.#addresses))); break;
            default:
                this.with(0x55, 0, BigInt(random.below(6)));
                this.with(0xf3, 0, this.small(), this.small());
        }
    }
}

const hexOf = (code: readonly number[]): Hex => `0x${Buffer.from(code).toString("hex")}`;

/* steps operations and an end. */
export function program(random: Random, addresses: readonly Hex[], steps: number): Hex {
    const made = new Program(random, addresses);
    for (let i = 0; i < steps && made.code.length < 2_000; i++) {
        made.step();
        if (made.depth > 40) {
            made.op(0x50, 1, 0);
        }
    }
    made.end();
    return hexOf(made.code);
}

/* Bytes without any picture. */
export const junk = (random: Random, size: number): Hex =>
    hexOf(Array.from(random.bytes(size)).filter((byte) => !NOT_COMMON.has(byte)));
