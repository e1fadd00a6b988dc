/* client: what the scenarios ask of a library.  Each library does it in its own way, with its own
 * encoders, decoders, signers and transport; integers are bigints and addresses checksummed. */
import type { Artifact } from "../lib/contracts.ts";
import type { Hex } from "../lib/rpc.ts";

export interface Event {
    name: string;
    args: Record<string, unknown>;
    block: bigint;
    address: string;
}

export interface Receipt {
    hash: Hex;
    ok: boolean;
    block: bigint;
    gasUsed: bigint;
    gasPrice: bigint;
    /* Those of the contract that the transaction was sent through, decoded. */
    events: Event[];
    logCount: number;
}

/* How a call failed, as the library decoded it. */
export interface Failure {
    kind: "custom" | "reason" | "panic" | "none";
    /* The name of a custom error (its selector, where the ABI lacks it), the reason, the panic code in
     * decimal; empty for none. */
    what: string;
    args: unknown[];
}

export interface SendOptions {
    /* Index of the account; 0 by default. */
    from?: number;
    value?: bigint;
    /* Fixed instead of estimated. */
    gas?: bigint;
}

export interface ReadOptions {
    from?: number;
    block?: bigint;
}

export interface Contract {
    readonly address: string;
    readonly artifact: Artifact;
    /* One result, or a list of them. */
    read<T>(name: string, args?: unknown[], options?: ReadOptions): Promise<T>;
    send(name: string, args?: unknown[], options?: SendOptions): Promise<Receipt>;
    fails(name: string, args?: unknown[], options?: ReadOptions & SendOptions): Promise<Failure>;
    /* By eth_getLogs; indexed arguments as filter. */
    past(name: string, filter: Record<string, unknown>, first: bigint, last: bigint): Promise<Event[]>;
    /* The call data. */
    data(name: string, args?: unknown[]): Hex;
}

export interface TypedData {
    domain: { name: string; version: string; chainId: number; verifyingContract: string };
    types: Record<string, { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
}

export interface Client {
    readonly name: string;
    /* The ten accounts of the test mnemonic, derived by the library. */
    readonly accounts: readonly string[];
    deploy(artifact: Artifact, args?: unknown[], options?: SendOptions): Promise<Contract>;
    at(artifact: Artifact, address: string): Contract;
    deployFails(artifact: Artifact, args?: unknown[], options?: SendOptions): Promise<Failure>;
    transfer(to: string, value: bigint, options?: SendOptions): Promise<Receipt>;
    balance(address: string, block?: bigint): Promise<bigint>;
    signTyped(from: number, data: TypedData): Promise<{ v: number; r: Hex; s: Hex }>;
    rpc<T>(method: string, params?: unknown[]): Promise<T>;
    close(): Promise<void>;
}

export const MNEMONIC = "test test test test test test test test test test test junk";
export const ACCOUNT_COUNT = 10;
export const CHAIN_ID = 31337;
export const ETHER = 10n ** 18n;

/* A failure whose data the library could not name. */
export const unnamed = (data: string): Failure =>
    data === "0x" ? { kind: "none", what: "", args: [] } : { kind: "custom", what: data.slice(0, 10), args: [] };
