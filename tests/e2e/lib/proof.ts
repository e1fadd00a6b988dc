/* proof: checks the answers of eth_getProof against a state root with an independent library. */
import assert from "node:assert/strict";
import { createMPT, verifyMerkleProof } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import { bytesToHex, hexToBytes } from "@ethereumjs/util";
import { type Hex, type RpcProof, word } from "./rpc.ts";

/* keccak256(rlp("")) and keccak256("") */
export const EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
export const EMPTY_CODE = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

async function proven(root: Hex, key: Hex, proof: Hex[]): Promise<Uint8Array | null> {
    if (proof.length === 0 || root === EMPTY_ROOT) {
        assert.equal(root, EMPTY_ROOT, "only the empty trie proves with nothing");
        assert.ok(proof.every((node) => node === "0x80"));
        return null;
    }
    return verifyMerkleProof(hexToBytes(key), proof.map((node) => hexToBytes(node)),
                             { root: hexToBytes(root), useKeyHashing: true });
}

const trimmed = (value: Uint8Array | undefined): bigint =>
    value === undefined || value.length === 0 ? 0n : BigInt(bytesToHex(value));

/* Asserts that every value in the answer is what the state of this root holds. */
export async function checkProof(stateRoot: Hex, answer: RpcProof): Promise<void> {
    const account = await proven(stateRoot, answer.address, answer.accountProof);
    if (account === null) {
        assert.deepEqual([BigInt(answer.nonce), BigInt(answer.balance)], [0n, 0n]);
        assert.ok([EMPTY_CODE, word(0)].includes(answer.codeHash), answer.codeHash);
        assert.ok([EMPTY_ROOT, word(0)].includes(answer.storageHash), answer.storageHash);
    } else {
        const [nonce, balance, storage, code] = RLP.decode(account) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
        assert.deepEqual([trimmed(nonce), trimmed(balance), bytesToHex(storage), bytesToHex(code)],
                         [BigInt(answer.nonce), BigInt(answer.balance), answer.storageHash, answer.codeHash]);
    }
    for (const { key, value, proof } of answer.storageProof) {
        const root = account === null ? EMPTY_ROOT : answer.storageHash;
        const found = await proven(root, word(BigInt(key)), proof);
        assert.equal(found === null ? 0n : trimmed(RLP.decode(found) as Uint8Array), BigInt(value), `slot ${key}`);
    }
}

/* The root over slots and their values; those that are zero are not in it. */
export async function storageRoot(slots: readonly (readonly [Hex, Hex])[]): Promise<Hex> {
    const trie = await createMPT({ useKeyHashing: true });
    for (const [key, value] of slots) {
        if (BigInt(value) !== 0n) {
            await trie.put(hexToBytes(word(BigInt(key))), RLP.encode(BigInt(value)));
        }
    }
    return bytesToHex(trie.root());
}
