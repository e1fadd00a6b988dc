/* The scenarios' client over viem. */
import {
    BaseError, type Chain, ContractFunctionRevertedError, createPublicClient, createWalletClient, decodeErrorResult, encodeFunctionData,
    getAddress, type HDAccount, http, parseEventLogs, parseSignature, type PublicClient, type Transport, type WalletClient,
} from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { anvil } from "viem/chains";
import type { Artifact } from "../lib/contracts.ts";
import type { Hex } from "../lib/rpc.ts";
import {
    ACCOUNT_COUNT, type Client, type Contract, type Event, type Failure, MNEMONIC, type ReadOptions,
    type Receipt, type SendOptions, type TypedData, unnamed,
} from "./client.ts";

export type Wallet = WalletClient<Transport, Chain, HDAccount>;
export type Public = PublicClient<Transport, Chain>;

export const accounts = (): HDAccount[] =>
    Array.from({ length: ACCOUNT_COUNT }, (_, addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));

function failureOf(error: unknown): Failure {
    if (!(error instanceof BaseError)) {
        throw error;
    }
    const reverted = error.walk((e) => e instanceof ContractFunctionRevertedError);
    if (!(reverted instanceof ContractFunctionRevertedError)) {
        throw error;
    }
    if (reverted.data === undefined) {
        return unnamed(reverted.raw ?? "0x");
    }
    const args = [...(reverted.data.args ?? [])] as unknown[];
    if (reverted.data.errorName === "Error") {
        return { kind: "reason", what: String(args[0]), args: [] };
    }
    if (reverted.data.errorName === "Panic") {
        return { kind: "panic", what: String(args[0]), args: [] };
    }
    return { kind: "custom", what: reverted.data.errorName, args };
}

/* The library chooses among overloads by the arguments. */
const plainName = (name: string): string => name.replace(/\(.*/, "");

interface ViemReceipt {
    transactionHash: Hex;
    status: "success" | "reverted";
    blockNumber: bigint;
    gasUsed: bigint;
    effectiveGasPrice: bigint;
    logs: Parameters<typeof parseEventLogs>[0]["logs"];
}

function eventsOf(artifact: Artifact, logs: ViemReceipt["logs"]): Event[] {
    return parseEventLogs({ abi: artifact.abi, logs, strict: true }).map((log) => {
        const { eventName, args } = log as unknown as { eventName: string; args: Record<string, unknown> };
        return { name: eventName, args, block: log.blockNumber ?? 0n, address: getAddress(log.address) };
    });
}

function receiptOf(receipt: ViemReceipt, artifact: Artifact, address: string): Receipt {
    return {
        hash: receipt.transactionHash,
        ok: receipt.status === "success",
        block: receipt.blockNumber,
        gasUsed: receipt.gasUsed,
        gasPrice: receipt.effectiveGasPrice,
        events: eventsOf(artifact, receipt.logs.filter((log) => getAddress(log.address) === address)),
        logCount: receipt.logs.length,
    };
}

class Bound implements Contract {
    readonly artifact: Artifact;
    readonly address: Hex;
    readonly #client: ViemClient;

    constructor(artifact: Artifact, address: string, client: ViemClient) {
        this.artifact = artifact;
        this.address = getAddress(address);
        this.#client = client;
    }

    #call(name: string, args: unknown[]) {
        return { address: this.address, abi: this.artifact.abi, functionName: plainName(name), args };
    }

    async read<T>(name: string, args: unknown[] = [], { from = 0, block }: ReadOptions = {}): Promise<T> {
        const got = await this.#client.node.readContract({
            ...this.#call(name, args), account: this.#client.account(from),
            ...(block === undefined ? {} : { blockNumber: block }),
        });
        return got as T;
    }

    async send(name: string, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Receipt> {
        const hash = await this.#client.wallet(from).writeContract({
            ...this.#call(name, args), ...(value === undefined ? {} : { value }), ...(gas === undefined ? {} : { gas }),
        });
        const receipt = await this.#client.node.waitForTransactionReceipt({ hash, pollingInterval: 10 });
        return receiptOf(receipt, this.artifact, this.address);
    }

    async fails(name: string, args: unknown[] = [], options: ReadOptions & SendOptions = {}): Promise<Failure> {
        try {
            await this.#client.node.simulateContract({
                ...this.#call(name, args), account: this.#client.account(options.from ?? 0),
                ...(options.value === undefined ? {} : { value: options.value }),
                ...(options.block === undefined ? {} : { blockNumber: options.block }),
            });
        } catch (error) {
            return failureOf(error);
        }
        throw new Error(`${name} did not fail`);
    }

    async past(name: string, filter: Record<string, unknown>, first: bigint, last: bigint): Promise<Event[]> {
        const logs = await this.#client.node.getContractEvents({
            address: this.address, abi: this.artifact.abi, eventName: name, args: filter, fromBlock: first, toBlock: last,
        });
        return eventsOf(this.artifact, logs);
    }

    data(name: string, args: unknown[] = []): Hex {
        return encodeFunctionData({ abi: this.artifact.abi, functionName: plainName(name), args });
    }
}

export class ViemClient implements Client {
    readonly name = "viem";
    readonly accounts: readonly string[];
    readonly node: Public;
    readonly #accounts: HDAccount[] = accounts();
    readonly #transport: Transport;

    constructor(url: string) {
        this.#transport = http(url, { batch: true, timeout: 120_000, retryCount: 0 });
        this.node = createPublicClient({ chain: anvil, transport: this.#transport, pollingInterval: 10 });
        this.accounts = this.#accounts.map((account) => account.address);
    }

    account(index: number): HDAccount {
        return this.#accounts[index] as HDAccount;
    }

    wallet(index: number): Wallet {
        return createWalletClient({ chain: anvil, transport: this.#transport, account: this.account(index) });
    }

    async deploy(artifact: Artifact, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Contract> {
        const hash = await this.wallet(from).deployContract({
            abi: artifact.abi, bytecode: artifact.bytecode, args,
            ...(value === undefined ? {} : { value }), ...(gas === undefined ? {} : { gas }),
        });
        const receipt = await this.node.waitForTransactionReceipt({ hash, pollingInterval: 10 });
        if (receipt.status !== "success" || !receipt.contractAddress) {
            throw new Error(`${artifact.name}: deployment failed`);
        }
        return this.at(artifact, receipt.contractAddress);
    }

    at(artifact: Artifact, address: string): Contract {
        return new Bound(artifact, address, this);
    }

    async deployFails(artifact: Artifact, args: unknown[] = [], { from = 0 }: SendOptions = {}): Promise<Failure> {
        try {
            await this.wallet(from).deployContract({ abi: artifact.abi, bytecode: artifact.bytecode, args });
        } catch (error) {
            if (!(error instanceof BaseError)) {
                throw error;
            }
            const withData = error.walk((e) => typeof (e as { data?: unknown }).data === "string") as { data?: Hex } | null;
            const decoded = decodeErrorResult({ abi: artifact.abi, data: withData?.data ?? "0x" });
            return { kind: "custom", what: decoded.errorName, args: [...(decoded.args ?? [])] };
        }
        throw new Error("the deployment did not fail");
    }

    async transfer(to: string, value: bigint, { from = 0, gas }: SendOptions = {}): Promise<Receipt> {
        const hash = await this.wallet(from).sendTransaction(
            { to: getAddress(to), value, ...(gas === undefined ? {} : { gas }) });
        const receipt = await this.node.waitForTransactionReceipt({ hash, pollingInterval: 10 });
        return receiptOf(receipt, { name: "", abi: [], bytecode: "0x", deployedBytecode: "0x" }, to);
    }

    balance(address: string, block?: bigint): Promise<bigint> {
        return this.node.getBalance({ address: getAddress(address), ...(block === undefined ? {} : { blockNumber: block }) });
    }

    async signTyped(from: number, data: TypedData): Promise<{ v: number; r: Hex; s: Hex }> {
        const signed = await this.account(from).signTypedData({
            domain: { ...data.domain, verifyingContract: getAddress(data.domain.verifyingContract) },
            types: data.types, primaryType: data.primaryType, message: data.message,
        });
        const { v, yParity, r, s } = parseSignature(signed);
        return { v: Number(v ?? BigInt(27 + yParity)), r, s };
    }

    rpc<T>(method: string, params: unknown[] = []): Promise<T> {
        return this.node.request({ method, params } as never) as Promise<T>;
    }

    async close(): Promise<void> {}
}
