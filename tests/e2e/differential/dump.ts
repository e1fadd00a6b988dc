/* dump: accounts in the form of eth_getProof: from proofs, or all that an Anvil has, from its dump. */
import { gunzipSync } from "node:zlib";
import { keccak256 } from "ethers";
import type { Node } from "../lib/node.ts";
import { EMPTY_CODE, EMPTY_ROOT, storageRoot } from "../lib/proof.ts";
import { type Hex, quantity, type RpcProof } from "../lib/rpc.ts";

export interface Account {
    balance: string;
    nonce: string;
    codeHash: string;
    storageHash: string;
}

interface Dumped {
    balance: string;
    nonce: number | string;
    code: Hex;
    storage: Record<Hex, Hex>;
}

export const NOTHING: Account = { balance: "0x0", nonce: "0x0", codeHash: EMPTY_CODE, storageHash: EMPTY_ROOT };

/* By lower-case address.  Slots that hold zero stand in the dump; they are none. */
export async function dumpOf(anvil: Node): Promise<Map<Hex, Account>> {
    const packed = Buffer.from((await anvil.rpc.call<Hex>("anvil_dumpState")).slice(2), "hex");
    const { accounts } = JSON.parse(gunzipSync(packed).toString()) as { accounts: Record<Hex, Dumped> };
    const all = new Map<Hex, Account>();
    for (const [address, { balance, nonce, code, storage }] of Object.entries(accounts) as [Hex, Dumped][]) {
        all.set(address.toLowerCase() as Hex, {
            balance: quantity(BigInt(balance)),
            nonce: quantity(BigInt(nonce)),
            codeHash: keccak256(code),
            storageHash: await storageRoot(Object.entries(storage) as [Hex, Hex][]),
        });
    }
    return all;
}

export async function provenOf(node: Node, addresses: readonly Hex[]): Promise<Map<Hex, Account>> {
    const proofs = await node.rpc.all<RpcProof>(addresses.map((address) => ["eth_getProof", [address, [], "latest"]] as const));
    return new Map(proofs.map(({ address, balance, nonce, codeHash, storageHash }) =>
        [address.toLowerCase() as Hex, { balance, nonce, codeHash, storageHash }]));
}
