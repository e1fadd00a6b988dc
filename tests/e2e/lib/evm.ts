/* evm: EthereumJS as a second opinion on official-format tests. */
import { type Block, createBlock, createBlockFromRLP } from "@ethereumjs/block";
import { Common, Mainnet } from "@ethereumjs/common";
import type { EVMMockBlockchainInterface, Log } from "@ethereumjs/evm";
import { RLP } from "@ethereumjs/rlp";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createTxFromRLP, type TypedTransaction } from "@ethereumjs/tx";
import { bytesToHex, createAccount, createAddressFromString, hexToBytes, type KZG } from "@ethereumjs/util";
import { createVM, runBlock, runTx, type VM } from "@ethereumjs/vm";
import { keccak256 } from "ethers";
import { verifyProof } from "./kzg.ts";
import type { Hex } from "./rpc.ts";

export interface Account {
    balance: Hex;
    nonce: Hex;
    code: Hex;
    storage: Record<Hex, Hex>;
}

export type Alloc = Record<Hex, Account>;

export interface StateTest {
    env: Record<string, Hex>;
    pre: Alloc;
    post: Record<string, { hash: Hex; logs: Hex; txbytes: Hex; expectException?: string }[]>;
}

export interface BlockTest {
    network: string;
    config: { chainid: Hex };
    pre: Alloc;
    postState: Alloc;
    genesisRLP: Hex;
    blocks: { rlp: Hex }[];
    lastblockhash: Hex;
}

const none = (): never => {
    throw new Error("not needed by an EVM");
};

const kzg: KZG = {
    verifyProof,
    blobToKzgCommitment: none,
    computeBlobProof: none,
    verifyBlobProofBatch: none,
    computeCells: none,
    computeCellsAndProofs: none,
    recoverCellsAndProofs: none,
    verifyCellKzgProofBatch: none,
};

/* Its names of forks that the fixtures call otherwise. */
const names: Record<string, string> = {
    Frontier: "chainstart", EIP150: "tangerineWhistle", EIP158: "spuriousDragon", ConstantinopleFix: "petersburg",
};

export const rulesOf = (fork: string, chainId = 1): Common =>
    new Common({ chain: { ...Mainnet, chainId }, hardfork: names[fork] ?? fork.toLowerCase(), customCrypto: { kzg } });

const keccak = (bytes: Uint8Array): Uint8Array => hexToBytes(keccak256(bytes) as Hex);

const word = (hex: Hex): Uint8Array => hexToBytes(`0x${hex.slice(2).padStart(64, "0")}`);

function trimmed(hex: Hex): Uint8Array {
    const digits = hex.slice(2).replace(/^(00)+/, "");
    return hexToBytes(`0x${digits}`);
}

export async function worldOf(common: Common, alloc: Alloc): Promise<MerkleStateManager> {
    const state = new MerkleStateManager({ common });
    for (const [name, { balance, nonce, code, storage }] of Object.entries(alloc)) {
        const address = createAddressFromString(name);
        await state.putAccount(address, createAccount({ nonce: BigInt(nonce), balance: BigInt(balance) }));
        if (code !== "0x") {
            await state.putCode(address, hexToBytes(code));
        }
        for (const [slot, value] of Object.entries(storage)) {
            await state.putStorage(address, word(slot as Hex), trimmed(value));
        }
    }
    await state.flush();
    return state;
}

class Hashes implements EVMMockBlockchainInterface {
    readonly #of: (number: number) => Uint8Array;

    constructor(of: (number: number) => Uint8Array) {
        this.#of = of;
    }

    getBlock(number: number): Promise<{ hash(): Uint8Array }> {
        return Promise.resolve({ hash: () => this.#of(number) });
    }

    putBlock(): Promise<void> {
        return Promise.resolve();
    }

    shallowCopy(): Hashes {
        return this;
    }
}

const logsHash = (logs: readonly Log[]): Hex => bytesToHex(keccak(RLP.encode(logs.map((log) => [...log]))));

function blockOf(common: Common, env: StateTest["env"]): Block {
    return createBlock({
        header: {
            coinbase: env["currentCoinbase"] as Hex,
            gasLimit: BigInt(env["currentGasLimit"] as Hex),
            number: BigInt(env["currentNumber"] as Hex),
            timestamp: BigInt(env["currentTimestamp"] as Hex),
            ...(env["currentBaseFee"] === undefined ? {} : { baseFeePerGas: BigInt(env["currentBaseFee"]) }),
            ...(env["currentRandom"] === undefined
                ? { difficulty: BigInt(env["currentDifficulty"] as Hex) }
                : { mixHash: env["currentRandom"] }),
            ...(env["currentExcessBlobGas"] === undefined ? {} : { excessBlobGas: BigInt(env["currentExcessBlobGas"]) }),
        },
    }, { common, skipConsensusFormatValidation: true });
}

/* What EthereumJS 10.1.3 gets wrong, by the events of a run; geth agrees with Keel on all of it. */
export class Faults {
    readonly seen = new Set<string>();

    watch(vm: VM): void {
        let last = "";
        vm.evm.events?.on("step", ({ opcode, stack, memory }, next) => {
            last = opcode.name;
            if (last === "CREATE" || last === "CREATE2") {
                const [size, offset] = stack.slice(-3, -1).map(Number) as [number, number];
                if (size >= 2 && memory[offset] === 0xef && (memory[offset + 1] ?? 0) === 0) {
                    this.seen.add("init code that begins with 0xef00 is not run but passed over [EIP-3540 is not active]");
                }
            }
            next?.();
        });
        vm.evm.events?.on("afterMessage", ({ execResult }, next) => {
            if (last === "REVERT" && execResult.exceptionError?.error === "invalid bytecode deployed") {
                this.seen.add("a creation that reverts with 0xef as its first byte loses all its gas [EIP-3541 is about code]");
            }
            next?.();
        });
    }
}

export class KnownFault extends Error {}

export interface Outcome {
    root: Hex;
    logs: Hex;
    refused?: string;
}

/* One transaction on a state, alone. */
export async function runState(test: StateTest, fork: string, raw: Hex, faults?: Faults): Promise<Outcome> {
    const common = rulesOf(fork);
    const stateManager = await worldOf(common, test.pre);
    const blockchain = new Hashes((number) => keccak(new TextEncoder().encode(String(number))));
    const vm = await createVM({ common, stateManager, blockchain });
    faults?.watch(vm);
    const block = blockOf(common, test.env);
    let logs: readonly Log[] = [];
    let refused: string | undefined;
    try {
        const tx: TypedTransaction = createTxFromRLP(hexToBytes(raw), { common });
        const result = await runTx(vm, { tx, block, skipHardForkValidation: true });
        logs = result.execResult.logs ?? [];
    } catch (error) {
        refused = error instanceof Error ? error.message : String(error);
    }
    await stateManager.flush();
    return {
        root: bytesToHex(await stateManager.getStateRoot()),
        logs: logsHash(logs),
        ...(refused === undefined ? {} : { refused }),
    };
}

export interface Judged {
    hashes: Hex[];
    transactions: number;
}

/* The blocks of a test one after the other, each with everything its header promises; throws where
 * anything differs. */
export async function runBlocks(test: BlockTest): Promise<Judged> {
    const common = rulesOf(test.network, Number(test.config.chainid));
    const stateManager = await worldOf(common, test.pre);
    const known = new Map<number, Uint8Array>();
    const blockchain = new Hashes((number) => known.get(number) ?? new Uint8Array(32));
    const vm: VM = await createVM({ common, stateManager, blockchain });
    const genesis = createBlockFromRLP(hexToBytes(test.genesisRLP), { common });
    const judged: Judged = { hashes: [], transactions: 0 };
    let parent = genesis;
    same("the pre state's root", bytesToHex(await stateManager.getStateRoot()), bytesToHex(genesis.header.stateRoot));
    known.set(Number(genesis.header.number), genesis.hash());
    known.set(Number(genesis.header.number) - 1, genesis.header.parentHash);
    for (const { rlp } of test.blocks) {
        const block = createBlockFromRLP(hexToBytes(rlp), { common });
        same("a parent's hash", bytesToHex(block.header.parentHash), bytesToHex(parent.hash()));
        same("a base fee", block.header.baseFeePerGas, parent.header.calcNextBaseFee());
        const options = { block, root: parent.header.stateRoot, skipHeaderValidation: true, skipHardForkValidation: true };
        const result = await runBlock(vm, options).catch(async (error: unknown) => {
            const faults = new Faults();
            faults.watch(vm);
            await runBlock(vm, options).catch(() => undefined);
            const what = `block ${block.header.number}: ${error instanceof Error ? error.message : String(error)}`;
            throw faults.seen.size > 0 ? new KnownFault([...faults.seen].join("; "), { cause: judged }) : new Error(what);
        });
        same("the gas used", result.gasUsed, block.header.gasUsed);
        known.set(Number(block.header.number), block.hash());
        judged.hashes.push(bytesToHex(block.hash()));
        judged.transactions += block.transactions.length;
        parent = block;
    }
    same("the last hash", bytesToHex(parent.hash()), test.lastblockhash);
    const post = await worldOf(common, test.postState);
    same("the post state's root", bytesToHex(await post.getStateRoot()), bytesToHex(parent.header.stateRoot));
    return judged;
}

function same(what: string, got: unknown, want: unknown): void {
    if (got !== want) {
        throw new Error(`${what}: EthereumJS has ${String(got)}, Keel ${String(want)}`);
    }
}
