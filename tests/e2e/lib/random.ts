/* random: a seeded stream of numbers (xorshift128+ over 64-bit words, seeded by splitmix64). */
import type { Hex } from "./rpc.ts";

const MASK = (1n << 64n) - 1n;

function* splitmix(seed: bigint): Generator<bigint, never> {
    let x = seed & MASK;
    for (;;) {
        x = (x + 0x9e3779b97f4a7c15n) & MASK;
        let z = x;
        z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
        z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
        yield z ^ (z >> 31n);
    }
}

export class Random {
    #a: bigint;
    #b: bigint;

    constructor(seed: number | bigint) {
        const words = splitmix(BigInt(seed));
        this.#a = words.next().value;
        this.#b = words.next().value;
    }

    word(): bigint {
        let a = this.#a;
        const b = this.#b;
        this.#a = b;
        a ^= (a << 23n) & MASK;
        this.#b = a ^ b ^ (a >> 17n) ^ (b >> 26n);
        return (this.#b + b) & MASK;
    }

    /* 0 <= n < limit; limit is at most 2^48. */
    below(limit: number): number {
        return Number((this.word() >> 11n) % BigInt(limit));
    }

    between(first: number, last: number): number {
        return first + this.below(last - first + 1);
    }

    chance(percent: number): boolean {
        return this.below(100) < percent;
    }

    pick<T>(list: readonly T[]): T {
        return list[this.below(list.length)] as T;
    }

    bytes(count: number): Uint8Array {
        const out = new Uint8Array(count);
        for (let i = 0; i < count; i += 8) {
            let w = this.word();
            for (let j = i; j < Math.min(i + 8, count); j++) {
                out[j] = Number(w & 0xffn);
                w >>= 8n;
            }
        }
        return out;
    }

    hex(count: number): Hex {
        return `0x${Buffer.from(this.bytes(count)).toString("hex")}`;
    }
}
