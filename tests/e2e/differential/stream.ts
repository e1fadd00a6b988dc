/* stream: a seeded stream of signed transactions of every kind. */
import { getCreate2Address, HDNodeWallet, keccak256, Mnemonic, Signature, Transaction, type TransactionLike, Wallet } from "ethers";
import { CHAIN_ID, MNEMONIC } from "../clients/client.ts";
import type { Random } from "../lib/random.ts";
import type { Hex } from "../lib/rpc.ts";
import { PRECOMPILES, question } from "./precompiles.ts";
import { STRANGERS_NONCE } from "./quirks.ts";
import { junk, program } from "./program.ts";
import { type Around, CALL, deploying, DELEGATECALL, plainSteps, proxyOf, robotCode, Script, STATICCALL, tree } from "./robot.ts";

/* How many of a hundred. */
const SHARES = {
    transfer: 9, create: 7, create2: 7, revert: 7, outOfGas: 7, selfdestruct: 7, delegation: 7, precompile: 7,
    nested: 7, random: 7, accessList: 7, storage: 7, logs: 7, transient: 7,
} as const;

export type Kind = keyof typeof SHARES;
export const KINDS = Object.keys(SHARES) as Kind[];

const SENDERS = 6;
const AUTHORITIES = 8;
const CREATE_BASE = 32_000;

export interface Authorization {
    address: Hex;
    nonce: number;
    chainId: number;
    signature: Signature;
}

export interface Body {
    to: Hex | null;
    data: Hex;
    value: bigint;
    gasLimit: number;
    accessList?: { address: Hex; storageKeys: Hex[] }[];
    authorizations?: Authorization[];
}

export interface Item {
    kind: Kind;
    sender: number;
    from: Hex;
    body: Body;
    /* What a call asks for. */
    call: Record<string, unknown>;
    raw: Hex;
    hash: Hex;
}

export interface Price {
    baseFee: bigint;
    /* Higher goes first. */
    tip: bigint;
}

const word = (value: number): Hex => `0x${value.toString(16).padStart(64, "0")}`;
const hex = (value: bigint | number): Hex => `0x${value.toString(16)}`;

/* Gas that a transaction must bring [EIP-2028, EIP-2930, EIP-3860, EIP-7623, EIP-7702]. */
export function intrinsicGas(body: Body): number {
    const data = Buffer.from(body.data.slice(2), "hex");
    const zeros = data.filter((byte) => byte === 0).length;
    const tokens = zeros + 4 * (data.length - zeros);
    const create = body.to === null ? CREATE_BASE + 2 * Math.ceil(data.length / 32) : 0;
    const lists = (body.accessList ?? []).reduce((sum, entry) => sum + 2_400 + 1_900 * entry.storageKeys.length, 0);
    const delegations = 25_000 * (body.authorizations ?? []).length;
    return Math.max(21_000 + 4 * tokens + create + lists + delegations, 21_000 + 10 * tokens);
}

export class Stream {
    readonly random: Random;
    readonly senders: Wallet[];
    readonly authorities: Wallet[];
    /* By lower-case address: what the chain says. */
    readonly nonces = new Map<string, number>();
    robots: Hex[] = [];
    programs: Hex[] = [];
    readonly addresses: Hex[];
    #deck: Kind[] = [];

    constructor(random: Random) {
        this.random = random;
        const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");
        this.senders = Array.from({ length: SENDERS }, (_, i) => new Wallet(root.deriveChild(i).privateKey));
        this.authorities = Array.from({ length: AUTHORITIES }, () => new Wallet(random.hex(32)));
        this.addresses = [
            ...[...this.senders, ...this.authorities].map((wallet) => wallet.address.toLowerCase() as Hex),
            ...PRECOMPILES, ...Array.from({ length: 6 }, () => random.hex(20)),
            "0x0000000000000000000000000000000000000000", "0x4e59b44847b379578588920ca78fbf26c0b4956c",
        ];
    }

    get around(): Around {
        return { random: this.random, robots: this.robots, addresses: [...this.addresses, ...this.robots, ...this.programs] };
    }

    /* A contract that a transaction has made. */
    learn(kind: Kind, address: Hex, code: Hex): void {
        const list = code.startsWith("0x363d3d373d3d3d363d73") || code.length > 2_000 && kind === "create" ? this.robots : this.programs;
        if (code !== "0x" && !list.includes(address)) {
            list.push(address);
        }
    }

    nonce(wallet: Wallet): number {
        return this.nonces.get(wallet.address.toLowerCase()) ?? 0;
    }

    /* The first transactions: three robots, and money for the authorities. */
    *opening(): Generator<Omit<Item, "raw" | "hash" | "call" | "from">> {
        for (let i = 0; i < 3; i++) {
            yield { kind: "create", sender: 0, body: { to: null, data: robotCode(), value: 0n, gasLimit: 2_000_000 } };
        }
        for (const authority of this.authorities) {
            const to = authority.address.toLowerCase() as Hex;
            yield { kind: "transfer", sender: 1, body: { to, data: "0x", value: 10n ** 18n, gasLimit: 21_000 } };
        }
    }

    nextKind(): Kind {
        if (this.#deck.length === 0) {
            const deck = KINDS.flatMap((kind) => Array<Kind>(SHARES[kind]).fill(kind));
            for (let i = deck.length - 1; i > 0; i--) {
                const j = this.random.below(i + 1);
                [deck[i], deck[j]] = [deck[j] as Kind, deck[i] as Kind];
            }
            this.#deck = deck;
        }
        return this.#deck.pop() as Kind;
    }

    next(): Omit<Item, "raw" | "hash" | "call" | "from"> {
        const kind = this.nextKind();
        return { kind, sender: this.random.below(SENDERS), body: MAKERS[kind](this) };
    }

    /* Signs it with the sender's nonce `ahead` of the chain's. */
    sign(item: Omit<Item, "raw" | "hash" | "call" | "from">, price: Price, ahead: number): Item {
        const { body, sender } = item;
        const wallet = this.senders[sender] as Wallet;
        const like: TransactionLike = {
            to: body.to, data: body.data, value: body.value, gasLimit: body.gasLimit, nonce: this.nonce(wallet) + ahead,
            chainId: CHAIN_ID,
        };
        const type = body.authorizations !== undefined ? 4
            : this.random.pick(body.accessList !== undefined ? [1, 2] : [0, 0, 1, 2, 2]);
        const fee = price.baseFee + price.tip;
        const call: Record<string, unknown> = {
            from: wallet.address.toLowerCase(), data: body.data, value: hex(body.value), gas: hex(body.gasLimit),
            ...(body.to === null ? {} : { to: body.to }),
        };
        if (type >= 2) {
            Object.assign(like, { maxFeePerGas: fee, maxPriorityFeePerGas: price.tip });
            Object.assign(call, { maxFeePerGas: hex(fee), maxPriorityFeePerGas: hex(price.tip) });
        } else {
            like.gasPrice = fee;
            call["gasPrice"] = hex(fee);
        }
        if (type === 0 && this.random.chance(10)) {
            like.chainId = 0;
        }
        if (type >= 1) {
            like.accessList = body.accessList ?? [];
            call["accessList"] = like.accessList;
        }
        if (body.authorizations !== undefined) {
            like.authorizationList = body.authorizations.map((entry) =>
                ({ ...entry, nonce: BigInt(entry.nonce), chainId: BigInt(entry.chainId) }));
        }
        const tx = Transaction.from({ ...like, type });
        tx.signature = wallet.signingKey.sign(tx.unsignedHash);
        return { ...item, from: wallet.address.toLowerCase() as Hex, call, raw: tx.serialized as Hex, hash: tx.hash as Hex };
    }
}

type Maker = (stream: Stream) => Body;

const runs = (stream: Stream, script: Script, more: Partial<Body> = {}): Body =>
    ({ to: stream.random.pick(stream.robots), data: script.hex, value: 0n, gasLimit: 3_000_000, ...more });

const someCode = (stream: Stream): Hex => {
    const { random, around } = stream;
    return random.pick([
        () => proxyOf(random.pick(stream.robots)),
        () => proxyOf(random.pick(stream.robots)),
        () => deploying(program(random, around.addresses, random.below(60))),
        () => program(random, around.addresses, random.below(40)),
        () => deploying(junk(random, random.below(100))),
    ])();
};

function transfer(stream: Stream): Body {
    const { random, around } = stream;
    const to = random.chance(20) ? random.hex(20) : random.pick(around.addresses);
    const body: Body = { to, value: random.chance(15) ? 0n : BigInt(random.below(10 ** 9)), gasLimit: 0,
                         data: random.chance(25) ? random.hex(random.below(100)) : "0x" };
    return { ...body, gasLimit: intrinsicGas(body) + (random.chance(50) ? 0 : random.below(200_000)) };
}

function create(stream: Stream): Body {
    const { random } = stream;
    const codes = [
        () => someCode(stream), () => someCode(stream), () => someCode(stream), () => robotCode(),
        () => deploying("0xef0001"),
        () => "0x62006001" + "5ff3" as Hex,
        () => "0x616000" + "5ff3" as Hex,
        () => "0x" as Hex,
        () => "0x60ff5f5260205ffd" as Hex,
        () => "0xfe" as Hex,
        () => "0x30ff" as Hex,
        () => "0x602a5f55600160015560205ff3" as Hex,
    ];
    return { to: null, data: random.pick(codes)(), value: random.chance(25) ? BigInt(random.below(1000)) : 0n,
             gasLimit: random.chance(80) ? 7_000_000 : 100_000 + random.below(200_000) };
}

function create2(stream: Stream): Body {
    const { random, around } = stream;
    const script = plainSteps(around, new Script(), random.below(3));
    const code = someCode(stream);
    for (let i = random.between(1, 3); i > 0; i--) {
        const made = random.chance(60) ? code : someCode(stream);
        script.create2(random.below(3), made, random.chance(20) ? BigInt(random.below(50)) : 0n);
    }
    if (random.chance(15)) {
        script.create(code);
    }
    return runs(stream, script, { value: random.chance(30) ? 100n : 0n, gasLimit: 4_000_000 });
}

function revert(stream: Stream): Body {
    const { random, around, robots } = stream;
    const inner = plainSteps(around, new Script(), random.between(1, 4)).revert(random.pick([0, 4, 32, 100, 1000]));
    const script = plainSteps(around, new Script(), random.below(3)).call(CALL, random.pick(robots), inner.hex, { value: BigInt(random.below(2)) });
    plainSteps(around, script, random.below(3));
    if (random.chance(70)) {
        script.revert(random.pick([0, 1, 32, 68, 500]));
    }
    return runs(stream, script, { value: BigInt(random.below(100)) });
}

function outOfGas(stream: Stream): Body {
    const { random, around } = stream;
    const script = tree(around, 2).hash(random.below(1000));
    if (random.chance(30)) {
        script.memory(random.pick([0xffff, 0xffffff])).hash(60_000);
    }
    const body = random.chance(80) ? runs(stream, script)
                                   : { to: null, data: someCode(stream), value: 0n, gasLimit: 0 };
    return { ...body, gasLimit: intrinsicGas(body) + random.below(random.pick([100, 3_000, 30_000, 60_000])) };
}

function selfdestruct(stream: Stream): Body {
    const { random, around } = stream;
    const robot = random.pick(stream.robots);
    const beneficiary = (): Hex => random.pick([robot, random.hex(20), random.pick(around.addresses)]);
    const script = plainSteps(around, new Script(), random.below(3));
    const proxy = proxyOf(random.pick(stream.robots));
    const salt = random.between(100, 255);
    const child = getCreate2Address(robot, word(salt), keccak256(proxy)).toLowerCase() as Hex;
    const end = new Script().store(1, 5).destroy(random.pick([child, beneficiary()])).hex;
    random.pick([
        () => script.destroy(beneficiary()),
        () => script.create2(salt, proxy, BigInt(random.below(50))).call(CALL, child, end, { value: 7n }).look(child),
        () => script.create2(salt, proxy).call(CALL, child, end).call(CALL, child, new Script().store(2, 1).around().hex).create2(salt, proxy),
        () => script.create(`0x73${beneficiary().slice(2)}ff`, BigInt(random.below(30))),
        () => script.call(random.pick([CALL, DELEGATECALL, STATICCALL] as const), random.pick(stream.robots),
                          new Script().destroy(beneficiary()).hex).look(robot),
    ])();
    return runs(stream, script, { to: robot, value: BigInt(random.below(200)) });
}

function delegation(stream: Stream): Body {
    const { random, around } = stream;
    const count = random.pick([1, 1, 1, 2, 3]);
    const ahead = new Map<Wallet, number>();
    const authorizations: Authorization[] = [];
    for (let i = 0; i < count; i++) {
        const authority = random.pick(stream.authorities);
        const target = random.pick([random.pick(stream.robots), random.pick(stream.robots), random.pick(around.addresses),
                                    "0x0000000000000000000000000000000000000000" as Hex]);
        const step = ahead.get(authority) ?? 0;
        const stranger = random.chance(8);
        const nonce = stranger ? STRANGERS_NONCE : stream.nonce(authority) + step + (random.chance(10) ? 1 : 0);
        const chainId = random.pick([CHAIN_ID, CHAIN_ID, CHAIN_ID, 0, 1]);
        const signed = authority.authorizeSync({ address: target, nonce, chainId });
        const signature = stranger ? Signature.from({ r: random.hex(32), s: signed.signature.s, v: signed.signature.v })
                                   : signed.signature;
        authorizations.push({ address: target, nonce, chainId, signature });
        ahead.set(authority, step + 1);
    }
    const authority = random.pick(stream.authorities).address.toLowerCase() as Hex;
    const steps = plainSteps(around, new Script(), random.below(5));
    const script = random.chance(50) ? steps : new Script().call(random.pick([CALL, DELEGATECALL, STATICCALL] as const), authority, steps.hex)
        .look(authority);
    const to = random.chance(60) ? authority : random.pick(stream.robots);
    return { to, data: script.hex, value: BigInt(random.below(50)), gasLimit: 2_000_000, authorizations };
}

function precompile(stream: Stream): Body {
    const { random } = stream;
    if (random.chance(25)) {
        const { address, input } = question(random);
        return { to: address, data: input, value: BigInt(random.below(3)), gasLimit: 1_000_000 };
    }
    const script = new Script();
    for (let i = random.between(1, 5); i > 0; i--) {
        const { address, input } = question(random);
        const gas = random.chance(75) ? 0 : random.pick([100, 700, 3_000, 50_000, 200_000]);
        script.call(random.pick([STATICCALL, STATICCALL, CALL, DELEGATECALL] as const), address, input, { gas });
    }
    return runs(stream, script.gas().store(9, random.below(9)), { gasLimit: 5_000_000 });
}

function nested(stream: Stream): Body {
    return runs(stream, tree(stream.around, stream.random.between(2, 4)), { value: BigInt(stream.random.below(5000)) });
}

function random(stream: Stream): Body {
    const { random, around, programs } = stream;
    const more = { value: random.chance(20) ? BigInt(random.below(100)) : 0n, gasLimit: 2_000_000 };
    const made = [
        () => ({ to: null, data: deploying(program(random, around.addresses, random.between(10, 150))), ...more }),
        () => ({ to: null, data: program(random, around.addresses, random.between(10, 150)), ...more }),
        () => ({ to: null, data: deploying(junk(random, random.between(1, 200))), ...more }),
    ];
    if (programs.length > 0 && random.chance(60)) {
        return { to: random.pick(programs), data: random.hex(random.below(120)), ...more };
    }
    return random.pick(made)();
}

function accessList(stream: Stream): Body {
    const { random, around } = stream;
    const list = Array.from({ length: random.below(4) }, () => ({
        address: random.pick(around.addresses),
        storageKeys: Array.from({ length: random.below(5) }, () => word(random.below(10))),
    }));
    return runs(stream, tree(around, 2), { accessList: list });
}

function storage(stream: Stream): Body {
    const { random } = stream;
    const script = new Script();
    for (let i = random.between(4, 30); i > 0; i--) {
        random.chance(25) ? script.load(random.below(10)) : script.store(random.below(6), random.chance(45) ? 0 : random.below(3));
    }
    return runs(stream, random.chance(90) ? script.gas() : script.revert(0));
}

function logs(stream: Stream): Body {
    const { random, robots } = stream;
    const script = new Script();
    for (let i = random.between(1, 8); i > 0; i--) {
        script.log(random.below(5), random.pick([0, 1, 32, 64, 100, 5_000]));
        if (random.chance(20)) {
            const inner = new Script().log(random.below(5), 32);
            script.call(random.pick([CALL, DELEGATECALL, STATICCALL] as const), random.pick(robots),
                        (random.chance(30) ? inner.revert(0) : inner).hex);
        }
    }
    return runs(stream, script);
}

function transient(stream: Stream): Body {
    const { random, robots } = stream;
    const script = new Script();
    const to = random.pick(robots);
    for (let i = random.between(2, 8); i > 0; i--) {
        script.storeTransient(random.below(3), random.below(3)).loadTransient(random.below(3));
        const inner = new Script().loadTransient(random.below(3)).storeTransient(random.below(3), 7);
        if (random.chance(50)) {
            script.call(random.pick([CALL, DELEGATECALL, STATICCALL] as const), random.pick([to, random.pick(robots)]),
                        (random.chance(30) ? inner.revert(32) : inner).hex);
        }
    }
    return runs(stream, script, { to });
}

const MAKERS: Record<Kind, Maker> = {
    transfer, create, create2, revert, outOfGas, selfdestruct, delegation, precompile, nested, random, accessList,
    storage, logs, transient,
};
