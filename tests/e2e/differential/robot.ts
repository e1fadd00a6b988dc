/* robot: scripts for contracts/Robot.sol, made at random or step by step. */
import { artifact } from "../lib/contracts.ts";
import type { Random } from "../lib/random.ts";
import type { Hex } from "../lib/rpc.ts";

const bytes = (value: number | bigint, size: number): string => value.toString(16).padStart(size * 2, "0");
const bare = (hex: Hex): string => hex.slice(2).toLowerCase();

export const CALL = 0;
export const CALLCODE = 1;
export const DELEGATECALL = 2;
export const STATICCALL = 3;
export type CallKind = 0 | 1 | 2 | 3;

export const robotCode = (): Hex => artifact("Robot").bytecode;

/* A contract of its own that runs another's code by delegation [ERC-1167]. */
export const proxyOf = (robot: Hex): Hex =>
    `0x3d602d80600a3d3981f3363d3d373d3d3d363d73${bare(robot)}5af43d82803e903d91602b57fd5bf3`;

/* Init code that puts code on the chain. */
export const deploying = (code: Hex): Hex =>
    `0x61${bytes((code.length - 2) / 2, 2)}80600c6000396000f300${bare(code)}`;

/* Steps, one after another. */
export class Script {
    #hex = "";

    #add(op: number, ...operands: string[]): this {
        this.#hex += bytes(op, 1) + operands.join("");
        return this;
    }

    get size(): number {
        return this.#hex.length / 2;
    }

    get hex(): Hex {
        return `0x${this.#hex}`;
    }

    store(key: number, value: number): this {
        return this.#add(0x01, bytes(key, 1), bytes(value, 2));
    }

    load(key: number): this {
        return this.#add(0x02, bytes(key, 1));
    }

    storeTransient(key: number, value: number): this {
        return this.#add(0x03, bytes(key, 1), bytes(value, 2));
    }

    loadTransient(key: number): this {
        return this.#add(0x04, bytes(key, 1));
    }

    log(topics: number, size: number): this {
        return this.#add(0x05, bytes(topics, 1), bytes(size, 2));
    }

    /* gas 0: all that may be given. */
    call(kind: CallKind, to: Hex, data: Hex, { gas = 0, value = 0n }: { gas?: number; value?: bigint } = {}): this {
        return this.#add(0x06, bytes(kind, 1), bare(to), bytes(gas, 3), bytes(value, 8), bytes((data.length - 2) / 2, 2), bare(data));
    }

    create(code: Hex, value = 0n): this {
        return this.#add(0x07, bytes(value, 8), bytes((code.length - 2) / 2, 2), bare(code));
    }

    create2(salt: number, code: Hex, value = 0n): this {
        return this.#add(0x08, bytes(salt, 1), bytes(value, 8), bytes((code.length - 2) / 2, 2), bare(code));
    }

    destroy(to: Hex): this {
        return this.#add(0x09, bare(to));
    }

    revert(size: number): this {
        return this.#add(0x0a, bytes(size, 2));
    }

    end(size: number): this {
        return this.#add(0x0b, bytes(size, 2));
    }

    invalid(): this {
        return this.#add(0x0c);
    }

    look(who: Hex): this {
        return this.#add(0x0d, bare(who));
    }

    around(): this {
        return this.#add(0x0e);
    }

    gas(): this {
        return this.#add(0x0f);
    }

    hash(count: number): this {
        return this.#add(0x10, bytes(count, 2));
    }

    memory(at: number): this {
        return this.#add(0x11, bytes(at, 3));
    }

    move(at: number, from: number, size: number): this {
        return this.#add(0x12, bytes(at, 3), bytes(from, 3), bytes(size, 2));
    }
}

export interface Around {
    random: Random;
    /* Robots and what runs their code. */
    robots: readonly Hex[];
    /* Addresses worth looking at and paying. */
    addresses: readonly Hex[];
}

/* Some steps without calls. */
export function plainSteps({ random, addresses }: Around, script: Script, count: number): Script {
    for (let i = 0; i < count; i++) {
        const steps = [
            () => script.store(random.below(8), random.chance(40) ? 0 : random.below(4)),
            () => script.load(random.below(12)),
            () => script.storeTransient(random.below(4), random.below(3)),
            () => script.loadTransient(random.below(4)),
            () => script.log(random.below(5), random.pick([0, 1, 31, 32, 100])),
            () => script.look(random.pick(addresses)),
            () => script.around(),
            () => script.gas(),
            () => script.hash(random.below(50)),
            () => script.memory(random.pick([0, 31, 32, 1000, 70_000])),
            () => script.move(random.below(300), random.below(300), random.below(300)),
        ];
        random.pick(steps)();
    }
    return script;
}

/* A tree of calls over the robots, depth levels deep. */
export function tree(around: Around, depth: number): Script {
    const { random, robots, addresses } = around;
    const script = plainSteps(around, new Script(), random.below(4));
    for (let i = random.between(1, 3); depth > 0 && i > 0; i--) {
        const kind = random.pick([CALL, CALL, CALLCODE, DELEGATECALL, STATICCALL] as const);
        const value = kind <= CALLCODE && random.chance(30) ? BigInt(random.below(1000)) : 0n;
        const gas = random.chance(70) ? 0 : random.pick([0xffffff, 100_000, 20_000, 2_300, 1]);
        if (random.chance(85)) {
            script.call(kind, random.pick(robots), tree(around, depth - 1).hex, { gas, value });
        } else {
            script.call(kind, random.pick(addresses), random.hex(random.below(40)), { gas, value });
        }
        plainSteps(around, script, random.below(3));
    }
    if (random.chance(12)) {
        random.pick([() => script.revert(random.below(100)), () => script.invalid(), () => script.end(random.below(200))])();
    }
    return script;
}
