/* trie: what a Merkle-Patricia proof proves. */
import { demand, hex, keccak, refuse } from "./bytes.ts";
import { decode, type Item, list, string } from "./rlp.ts";

export const EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

const nibblesOf = (bytes: Uint8Array): number[] => [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);

/* A short node's path: hex-prefix, with no bit set but those it needs. */
function pathOf(prefix: Uint8Array): { path: number[]; leaf: boolean } {
    const nibbles = nibblesOf(prefix);
    const flags = nibbles[0] ?? refuse("proof: a path of nothing");
    demand(flags < 4 && (flags % 2 === 1 || nibbles[1] === 0), "proof: a path spelled another way");
    return { path: nibbles.slice(flags % 2 === 1 ? 1 : 2), leaf: flags >= 2 };
}

/* A child is nothing, a hash, or a node of less than 32 bytes in its place. */
type Child = { hash: string } | { node: Item[] } | undefined;

function lengthOf(item: Item): number {
    const payload = Array.isArray(item) ? item.reduce((sum, one) => sum + lengthOf(one), 0)
        : item.length === 1 && (item[0] ?? 0) < 0x80 ? 0 : item.length;
    return payload + (payload > 55 ? 1 + Math.ceil(payload.toString(2).length / 8) : 1);
}

function childOf(item: Item | undefined): Child {
    if (Array.isArray(item)) {
        demand(lengthOf(item) < 32, "proof: a large node inside its parent");
        return { node: item };
    }
    const bytes = string(item);
    demand(bytes.length === 0 || bytes.length === 32, "proof: neither a hash nor a node");
    return bytes.length === 0 ? undefined : { hash: hex(bytes) };
}

/* What one node says of the rest of a key. */
interface Step {
    used: number;
    next?: Child;
    value?: Uint8Array;
    extension: boolean;
}

function branch(node: Item[], key: number[]): Step {
    const children = node.slice(0, 16).map(childOf);
    const value = string(node[16]);
    const there = children.filter((child) => child !== undefined).length + (value.length > 0 ? 1 : 0);
    demand(there >= 2, "proof: a branch of one");
    const nibble = key[0];
    return nibble === undefined ? { used: 0, value, extension: false } : { used: 1, next: children[nibble], extension: false };
}

function short(node: Item[], key: number[]): Step {
    const { path, leaf } = pathOf(string(node[0]));
    const fits = path.every((nibble, i) => nibble === key[i]);
    if (leaf) {
        const value = string(node[1]);
        demand(value.length > 0, "proof: a leaf of nothing");
        return fits && path.length === key.length ? { used: path.length, value, extension: false } : { used: 0, extension: false };
    }
    const next = childOf(node[1]);
    demand(next !== undefined && path.length > 0, "proof: an extension to nowhere");
    return fits ? { used: path.length, next, extension: true } : { used: 0, extension: true };
}

/* The value of key under root; undefined when it is proven that there is none. */
export function proven(root: string, key: Uint8Array, nodes: readonly Uint8Array[]): Uint8Array | undefined {
    if (nodes.length === 0 && root === EMPTY_ROOT) {
        return undefined;
    }
    let used = 0;
    const hashed = (hash: string): Item[] => {
        const bytes = nodes[used] ?? refuse("proof: a node is missing");
        demand(keccak(bytes) === hash, "proof: another node");
        demand(used === 0 || bytes.length >= 32, "proof: a small node by its hash");
        used++;
        return list(decode(bytes));
    };
    let rest = nibblesOf(key);
    let node = hashed(root);
    let below = false;
    for (;;) {
        demand(node.length === 17 || node.length === 2, "proof: no node");
        const step = node.length === 17 ? branch(node, rest) : short(node, rest);
        demand(!below || node.length === 17, "proof: no branch below an extension");
        if (step.next === undefined) {
            demand(used === nodes.length, "proof: nodes behind the end");
            return step.value === undefined || step.value.length === 0 ? undefined : step.value;
        }
        rest = rest.slice(step.used);
        below = step.extension;
        node = "hash" in step.next ? hashed(step.next.hash) : step.next.node;
    }
}
