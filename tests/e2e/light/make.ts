/* make: bundles of our own making, from the format pages alone: chains with epochs and sets that
 * change, signed on npm's curves, states as tries of our own; good, and with something wrong. */
import { bls12_381 } from "@noble/curves/bls12-381";
import { secp256k1 } from "@noble/curves/secp256k1";
import { bytesOf, concat, fixed, hex, keccak } from "./bytes.ts";

/* Numbers that a seed decides (xorshift). */
export class Dice {
    #state: bigint;

    constructor(seed: number) {
        this.#state = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n & 0xffffffffffffffffn;
    }

    below(n: number): number {
        let x = this.#state;
        x ^= x << 13n & 0xffffffffffffffffn;
        x ^= x >> 7n;
        x ^= x << 17n & 0xffffffffffffffffn;
        this.#state = x;
        return Number((x >> 11n) % BigInt(n));
    }

    bytes(length: number): Uint8Array {
        return Uint8Array.from({ length }, () => this.below(256));
    }

    pick<T>(list: readonly T[]): T {
        return list[this.below(list.length)] as T;
    }
}

/* RLP. */

type Put = Uint8Array | bigint | number | Put[];

function minimal(value: bigint): Uint8Array {
    const digits = value.toString(16);
    return value === 0n ? new Uint8Array() : fixed(value, Math.ceil(digits.length / 2));
}

function head(base: number, length: number): Uint8Array {
    const width = minimal(BigInt(length));
    return length < 56 ? Uint8Array.of(base + length) : concat(Uint8Array.of(base + 55 + width.length), width);
}

function rlp(item: Put): Uint8Array {
    if (Array.isArray(item)) {
        const inside = concat(...item.map(rlp));
        return concat(head(0xc0, inside.length), inside);
    }
    const bytes = item instanceof Uint8Array ? item : minimal(BigInt(item));
    return bytes.length === 1 && (bytes[0] ?? 0) < 0x80 ? bytes : concat(head(0x80, bytes.length), bytes);
}

/* Tries: pairs of a path of nibbles and a value. */

type Pair = readonly [number[], Uint8Array];
type Node = { rlp: Uint8Array; path: number[]; value?: Uint8Array; children: (Node | undefined)[] };

const pathOf = (key: Uint8Array): number[] => [...bytesOf(keccak(key))].flatMap((byte) => [byte >> 4, byte & 15]);

function prefixed(path: number[], leaf: boolean): Uint8Array {
    const flags = (leaf ? 2 : 0) + path.length % 2;
    const nibbles = path.length % 2 === 1 ? [flags, ...path] : [flags, 0, ...path];
    return Uint8Array.from({ length: nibbles.length / 2 }, (_, i) => (nibbles[2 * i] ?? 0) * 16 + (nibbles[2 * i + 1] ?? 0));
}

/* How a node stands in its parent, as RLP. */
const inParent = (node: Node | undefined): Uint8Array =>
    node === undefined ? Uint8Array.of(0x80) : node.rlp.length < 32 ? node.rlp : rlp(bytesOf(keccak(node.rlp)));

function listOf(...parts: Uint8Array[]): Uint8Array {
    const inside = concat(...parts);
    return concat(head(0xc0, inside.length), inside);
}

function grow(pairs: readonly Pair[], depth: number): Node | undefined {
    const first = pairs[0];
    if (first === undefined) {
        return undefined;
    }
    if (pairs.length === 1) {
        const path = first[0].slice(depth);
        return { rlp: rlp([prefixed(path, true), first[1]]), path, value: first[1], children: [] };
    }
    let common = depth;
    while (pairs.every(([path]) => path[common] === first[0][common])) {
        common++;
    }
    if (common > depth) {
        const child = grow(pairs, common);
        const path = first[0].slice(depth, common);
        return { rlp: listOf(rlp(prefixed(path, false)), inParent(child)), path, children: [child] };
    }
    const children = Array.from({ length: 16 }, (_, nibble) => grow(pairs.filter(([path]) => path[depth] === nibble), depth + 1));
    return { rlp: listOf(...children.map(inParent), Uint8Array.of(0x80)), path: [], children };
}

class Trie {
    readonly #root: Node | undefined;

    constructor(pairs: readonly (readonly [Uint8Array, Uint8Array])[]) {
        this.#root = grow(pairs.map(([key, value]) => [pathOf(key), value]), 0);
    }

    hash(): Uint8Array {
        return bytesOf(keccak(this.#root?.rlp ?? Uint8Array.of(0x80)));
    }

    prove(key: Uint8Array): string[] {
        const nodes: string[] = [];
        let rest = pathOf(key);
        for (let node = this.#root; node !== undefined;) {
            if (nodes.length === 0 || node.rlp.length >= 32) {
                nodes.push(hex(node.rlp));
            }
            if (node.children.length === 16) {
                const next: Node | undefined = node.children[rest[0] ?? 0];
                rest = rest.slice(1);
                node = next;
            } else {
                const fits = node.path.every((nibble, i) => nibble === rest[i]);
                rest = rest.slice(node.path.length);
                node = fits ? node.children[0] : undefined;
            }
        }
        return nodes;
    }
}

/* Accounts. */

interface Holder {
    address: Uint8Array;
    nonce: number;
    balance: bigint;
    code: Uint8Array;
    slots: (readonly [bigint, bigint])[];
    storage: Trie;
}

const NO_CODE = bytesOf(keccak(new Uint8Array()));
const word = (value: bigint): Uint8Array => fixed(value, 32);
const quantity = (value: bigint): string => "0x" + value.toString(16);

function makeHolder(dice: Dice): Holder {
    const count = dice.below(3) === 0 ? dice.below(30) : 0;
    const slots = Array.from({ length: count }, (_, i) => [BigInt(hex(dice.bytes(1 + dice.below(32)))) * 64n % (1n << 256n) + BigInt(i), BigInt(i + 1)] as const);
    return {
        address: dice.bytes(20),
        nonce: 1 + dice.below(70000),
        balance: BigInt(hex(dice.bytes(1 + dice.below(12)))),
        code: dice.below(2) === 0 ? NO_CODE : dice.bytes(32),
        slots,
        storage: new Trie(slots.map(([key, value]) => [word(key), rlp(value)])),
    };
}

class State {
    readonly holders: Holder[];
    readonly trie: Trie;

    constructor(dice: Dice) {
        this.holders = Array.from({ length: dice.below(4) === 0 ? dice.below(3) : dice.below(60) }, () => makeHolder(dice));
        this.trie = new Trie(this.holders.map((one) => [one.address, rlp([one.nonce, one.balance, one.storage.hash(), one.code])]));
    }

    account(dice: Dice): object {
        const there = this.holders.length > 0 && dice.below(4) > 0;
        const none = { address: dice.bytes(20), nonce: 0, balance: 0n, code: NO_CODE, slots: [], storage: new Trie([]) };
        const one: Holder = there ? dice.pick(this.holders) : none;
        const asked = Array.from({ length: dice.below(4) }, () =>
            one.slots.length > 0 && dice.below(4) > 0 ? dice.pick(one.slots) : ([BigInt(hex(dice.bytes(32))), 0n] as const));
        return {
            address: hex(one.address),
            accountProof: this.trie.prove(one.address),
            balance: quantity(one.balance),
            nonce: quantity(BigInt(one.nonce)),
            codeHash: hex(one.code),
            storageHash: hex(one.storage.hash()),
            storageProof: asked.map(([key, value]) => ({ key: quantity(key), value: quantity(value), proof: one.storage.prove(word(key)) })),
        };
    }
}

/* Validators. */

interface Voter {
    secret: Uint8Array;
    operator: Uint8Array;
    key: Uint8Array;
    weight: number;
}

const POP = { DST: "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_" };

function makeVoter(dice: Dice, scheme: number): Voter {
    const secret = concat(Uint8Array.of(1), dice.bytes(31));
    const key = scheme === 2 ? bls12_381.getPublicKey(secret)
        : bytesOf("0x" + keccak(secp256k1.getPublicKey(secret, false).subarray(1)).slice(26));
    return { secret, operator: dice.bytes(20), key, weight: 1 + dice.below(dice.below(2) === 0 ? 1 : 9) };
}

interface Subject {
    kind: number;
    epoch: number;
    view: number;
    parentView: number;
    height: number;
    parentHash: Uint8Array;
    blockHash: Uint8Array;
}

interface Domain {
    chainId: bigint;
    genesisHash: Uint8Array;
}

interface Block {
    header: Uint8Array;
    hash: Uint8Array;
    consensus: Uint8Array;
    subject: Subject;
    state: State;
    last: boolean;
}

type Bundle = Record<string, unknown>;

export interface Made {
    text: string;
    intent: string;
}

const RANDAO_KEY = new Uint8Array(48);

export class Chain {
    readonly anchor: { genesisHash: string };
    readonly #dice: Dice;
    readonly #scheme: number;
    readonly #domain: Domain;
    readonly #sets: Voter[][] = [];
    readonly #blocks: Block[] = [];
    readonly #signed = new Map<string, Uint8Array>();
    readonly #genesis: object;

    constructor(dice: Dice, scheme: number) {
        this.#dice = dice;
        this.#scheme = scheme;
        const epochs = 1 + dice.below(3);
        const states = [new State(dice), new State(dice)];
        for (let epoch = 0; epoch < epochs; epoch++) {
            this.#sets.push(this.#nextSet());
        }
        const consensus = rlp([1, 0, 0, 0, 5000, bytesOf(keccak(this.#setRlp(0))), new Uint8Array(), 1, new Uint8Array(32), dice.bytes(32)]);
        const header = this.#header(0, new Uint8Array(32), dice.pick(states), consensus);
        this.#domain = { chainId: BigInt(1 + dice.below(1 << 30)), genesisHash: bytesOf(keccak(header)) };
        this.anchor = { genesisHash: hex(this.#domain.genesisHash) };
        this.#genesis = { hash: this.anchor.genesisHash, header: hex(header), consensusHeader: hex(consensus), validators: hex(this.#setRlp(0)) };
        let parent = this.#domain.genesisHash;
        for (let epoch = 0; epoch < epochs; epoch++) {
            const length = 1 + dice.below(5);
            let view = 0;
            for (let i = 0; i < length; i++) {
                const last = i + 1 === length && epoch + 1 < epochs;
                const parentView = view;
                view += 1 + dice.below(3);
                const block = this.#block(epoch, view, parentView, parent, last, dice.pick(states));
                this.#blocks.push(block);
                parent = block.hash;
            }
        }
    }

    #nextSet(): Voter[] {
        const before = this.#sets[this.#sets.length - 1];
        if (before === undefined) {
            return Array.from({ length: 1 + this.#dice.below(6) }, () => makeVoter(this.#dice, this.#scheme));
        }
        const after = [...before];
        after[this.#dice.below(after.length + 1)] = makeVoter(this.#dice, this.#scheme);
        return after;
    }

    #setRlp(epoch: number): Uint8Array {
        return rlp([this.#scheme, (this.#sets[epoch] ?? []).map((one) => [one.operator, one.key, RANDAO_KEY, one.weight])]);
    }

    #header(number: number, parent: Uint8Array, state: State, consensus: Uint8Array): Uint8Array {
        const dice = this.#dice;
        const items: Put[] = [parent, dice.bytes(32), dice.bytes(20), state.trie.hash(), dice.bytes(32), dice.bytes(32), dice.bytes(256), 0, number,
            dice.below(1 << 30), dice.below(1 << 30), 5 + number, bytesOf(keccak(consensus)), dice.bytes(32), dice.bytes(8)];
        const tail: Put[] = [dice.below(1 << 30), dice.bytes(32), 0, dice.below(1000), dice.bytes(32), dice.bytes(32)];
        return rlp([...items, ...tail.slice(0, dice.pick([0, 1, 2, 5, 6]))]);
    }

    #block(epoch: number, view: number, parentView: number, parent: Uint8Array, last: boolean, state: State): Block {
        const dice = this.#dice;
        const height = this.#blocks.length + 1;
        const next = last ? bytesOf(keccak(this.#setRlp(epoch + 1))) : new Uint8Array(32);
        const consensus = rlp([1, epoch, view, parentView, 5000 + height * 300, next, dice.bytes(96), 3, new Uint8Array(32)]);
        const header = this.#header(height, parent, state, consensus);
        const hash = bytesOf(keccak(header));
        const again = last && dice.below(2) === 0;
        const subject = { kind: 3, epoch, view: again ? view + 2 : view, parentView: again ? view + dice.below(2) : parentView, height,
            parentHash: again ? hash : parent, blockHash: hash };
        return { header, hash, consensus, subject, state, last };
    }

    #signature(voter: Voter, preimage: Uint8Array): Uint8Array {
        const name = hex(concat(voter.secret, preimage));
        const made = this.#signed.get(name) ?? (this.#scheme === 2 ? bls12_381.sign(preimage, voter.secret, POP) : signOne(voter.secret, preimage));
        this.#signed.set(name, made);
        return made;
    }

    /* less: the last of the signers that make a quorum stays away. */
    #certificate(s: Subject, domain: Domain = this.#domain, less = false): Uint8Array {
        const set = this.#sets[s.epoch] ?? this.#sets[0] ?? [];
        const preimage = concat(Buffer.from("keel/1/vote"), fixed(BigInt(this.#scheme), 1), fixed(domain.chainId, 8), domain.genesisHash,
                                ...[fixed(BigInt(s.kind), 1), ...[s.epoch, s.view, s.parentView, s.height].map((n) => fixed(BigInt(n), 8))],
                                s.parentHash, s.blockHash);
        const total = set.reduce((sum, one) => sum + one.weight, 0);
        let missing = Math.floor(2 * total / 3) + 1;
        const signers: number[] = [];
        for (const [i, one] of set.entries()) {
            if (missing > 0 && !(less && missing <= one.weight)) {
                signers.push(i);
                missing -= one.weight;
            }
        }
        const signatures = signers.map((i) => this.#signature(set[i] as Voter, preimage));
        const bits = new Uint8Array(Math.floor((signers[signers.length - 1] ?? -8) / 8) + 1);
        signers.forEach((i) => { bits[i >> 3] = (bits[i >> 3] ?? 0) | 1 << i % 8; });
        const all = this.#scheme === 2 && signatures.length > 0 ? bls12_381.aggregateSignatures(signatures) : concat(...signatures);
        return rlp([s.kind, s.epoch, s.view, s.parentView, s.height, s.parentHash, s.blockHash, bits, all]);
    }

    /* The block at `from`, final through the one at `to`. */
    #bundle(from: number, to: number, finalization: (block: Block) => Uint8Array): Bundle {
        const final = this.#blocks[to] as Block;
        const ends = this.#blocks.filter((block) => block.last && block.subject.epoch < final.subject.epoch);
        return {
            chainId: quantity(this.#domain.chainId),
            genesis: { ...this.#genesis },
            epochs: ends.map((block) => ({
                header: hex(block.header), consensusHeader: hex(block.consensus), finalization: hex(finalization(block)),
                validators: hex(this.#setRlp(block.subject.epoch + 1)),
            })),
            headers: this.#blocks.slice(from, to + 1).map((block) => hex(block.header)),
            consensusHeader: hex(final.consensus),
            finalization: hex(finalization(final)),
            ...(this.#dice.below(2) === 0 ? {} : { account: (this.#blocks[from] as Block).state.account(this.#dice) }),
        };
    }

    make(): Made {
        const dice = this.#dice;
        const from = dice.below(this.#blocks.length);
        const to = from + (dice.below(2) === 0 ? 0 : dice.below(Math.min(4, this.#blocks.length - from)));
        const epoch = this.#blocks[to]?.subject.epoch ?? 0;
        const signed = this.#blocks.filter((block, i) => i === to || (block.last && block.subject.epoch < epoch));
        const target = dice.pick(signed);
        const wrong = dice.pick(WRONG);
        const bundle = this.#bundle(from, to, (block) =>
            block === target && wrong.sign ? wrong.sign((s, domain, less) => this.#certificate(s, domain, less), block, this.#domain, dice)
                : this.#certificate(block.subject));
        const changed = wrong.change === undefined || wrong.change(bundle, dice);
        return { text: JSON.stringify(bundle), intent: changed ? wrong.name : "good" };
    }
}

function signOne(secret: Uint8Array, preimage: Uint8Array): Uint8Array {
    const made = secp256k1.sign(keccak(preimage).slice(2), secret, { lowS: true });
    return concat(made.toCompactRawBytes(), Uint8Array.of(made.recovery));
}

/* What can be wrong: with a signature, or with the text.  A change that finds nothing to change says
 * so, and the bundle is good. */

type Sign = (subject: Subject, domain?: Domain, less?: boolean) => Uint8Array;

interface Wrong {
    name: string;
    sign?: (sign: Sign, block: Block, domain: Domain, dice: Dice) => Uint8Array;
    change?: (bundle: Bundle, dice: Dice) => boolean;
}

/* Every place in which a string or a list stands, except where another value may be as good: what
 * belongs to nobody and to slots that hold nothing. */
interface Place {
    in: Record<string, unknown>;
    at: string;
}

function places(value: unknown, found: Place[] = []): Place[] {
    const box = value as Record<string, unknown>;
    for (const [at, inside] of Object.entries(box)) {
        const free = (at === "address" && box["nonce"] === "0x0") || (at === "key" && box["value"] === "0x0");
        if (!free) {
            found.push({ in: box, at });
        }
        if (typeof inside === "object" && inside !== null) {
            places(inside, found);
        }
    }
    return found;
}

function turnDigit(bundle: Bundle, dice: Dice): boolean {
    const { in: box, at } = dice.pick(places(bundle).filter((place) => typeof place.in[place.at] === "string" && String(place.in[place.at]).length > 2));
    const text = String(box[at]);
    const digit = 2 + dice.below(text.length - 2);
    const other = (Number.parseInt(text[digit] ?? "0", 16) ^ (1 + dice.below(15))).toString(16);
    box[at] = text.slice(0, digit) + other + text.slice(digit + 1);
    return true;
}

/* Lists with so many entries; the first header may go: the rest proves the next block. */
function lists(bundle: Bundle, least: number): unknown[][] {
    return places(bundle).filter(({ at }) => at !== "storageProof").map((place) => place.in[place.at])
        .filter((value): value is unknown[] => Array.isArray(value) && value.length >= least);
}

function leaveOut(bundle: Bundle, dice: Dice): boolean {
    const all = lists(bundle, 1);
    const list = all.length > 0 ? dice.pick(all) : [];
    const from = list === bundle["headers"] && list.length > 1 ? 1 : 0;
    return list.splice(from + dice.below(list.length - from), 1).length > 0;
}

function twice(bundle: Bundle, dice: Dice): boolean {
    const list = dice.pick(lists(bundle, 1));
    const at = dice.below(list.length);
    list.splice(at, 0, list[at]);
    return true;
}

function exchange(bundle: Bundle, dice: Dice): boolean {
    const all = lists(bundle, 2);
    const list = all.length > 0 ? dice.pick(all) : [];
    if (list.length < 2) {
        return false;
    }
    const at = dice.below(list.length - 1);
    list.splice(at, 2, list[at + 1], list[at]);
    return true;
}

function forget(bundle: Bundle, dice: Dice): boolean {
    const { in: box, at } = dice.pick(places(bundle).filter((place) => place.at !== "account" && !Array.isArray(place.in)));
    return delete box[at];
}

const again = (s: Subject): boolean => hex(s.parentHash) === hex(s.blockHash);

const WRONG: readonly Wrong[] = [
    { name: "good" },
    { name: "good" },
    { name: "good" },
    { name: "a digit", change: turnDigit },
    { name: "a digit", change: turnDigit },
    { name: "an entry left out", change: leaveOut },
    { name: "an entry twice", change: twice },
    { name: "entries exchanged", change: exchange },
    { name: "a member left out", change: forget },
    { name: "less than a quorum", sign: (sign, { subject }, domain) => sign(subject, domain, true) },
    { name: "another chain", sign: (sign, { subject }, domain) => sign(subject, { ...domain, chainId: domain.chainId + 1n }) },
    { name: "another genesis", sign: (sign, { subject }, domain, dice) => sign(subject, { ...domain, genesisHash: dice.bytes(32) }) },
    { name: "another kind", sign: (sign, { subject }) => sign({ ...subject, kind: 1 }) },
    { name: "another height", sign: (sign, { subject }) => sign({ ...subject, height: subject.height + 1 }) },
    { name: "another view", sign: (sign, { subject: s }) => sign(again(s) ? { ...s, parentView: 0 } : { ...s, view: s.view + 1 }) },
    { name: "another parent view", sign: (sign, { subject: s }) => sign(s.parentView > 0 ? { ...s, parentView: 0 } : { ...s, view: s.view + 1, parentView: 1 }) },
    { name: "another block", sign: (sign, { subject }, _, dice) => sign({ ...subject, blockHash: dice.bytes(32) }) },
    { name: "another parent", sign: (sign, { subject }, _, dice) => sign({ ...subject, parentHash: dice.bytes(32) }) },
    { name: "proposed again", sign: (sign, { subject: s, last }) =>
        sign(last ? { ...s, parentView: 0, parentHash: s.blockHash } : { ...s, view: s.view + 1, parentView: s.view, parentHash: s.blockHash }) },
];
