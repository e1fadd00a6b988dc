/* The scenarios' client over web3.js 4. */
import { signMessageWithPrivateKey } from "web3-eth-accounts";
import { ContractExecutionError } from "web3-errors";
import { HDNodeWallet, Mnemonic } from "ethers";
import { Web3, type Contract as Web3Contract } from "web3";
import { decodeContractErrorData, getEncodedEip712Data } from "web3-eth-abi";
import type { Abi, Artifact } from "../lib/contracts.ts";
import type { Hex } from "../lib/rpc.ts";
import {
    ACCOUNT_COUNT, type Client, type Contract, type Event, type Failure, MNEMONIC, type ReadOptions,
    type Receipt, type SendOptions, type TypedData, unnamed,
} from "./client.ts";

/* web3.js derives no keys from a mnemonic. */
export function privateKeys(): Hex[] {
    const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");
    return Array.from({ length: ACCOUNT_COUNT }, (_, i) => root.deriveChild(i).privateKey as Hex);
}

export function makeWeb3(url: string): Web3 {
    const web3 = new Web3(url);
    web3.eth.handleRevert = true;
    web3.eth.transactionPollingInterval = 10;
    web3.eth.transactionReceiptPollingInterval = 10;
    web3.eth.transactionConfirmationPollingInterval = 1000;
    web3.eth.transactionConfirmationBlocks = 1;
    for (const key of privateKeys()) {
        web3.eth.accounts.wallet.add(key);
    }
    return web3;
}

/* The library gives arguments by position and by name, and their number. */
function listOf(args: object | undefined): unknown[] {
    const found = (args ?? {}) as Record<string, unknown>;
    return Array.from({ length: Number(found["__length__"] ?? 0) }, (_, i) => found[String(i)]);
}

function failureOf(error: unknown): Failure {
    let at: unknown = error;
    while (at instanceof Error && !(at instanceof ContractExecutionError) && at.cause !== undefined) {
        at = at.cause;
    }
    if (!(at instanceof ContractExecutionError)) {
        throw error;
    }
    const { errorName, errorArgs, data } = at.cause;
    if (errorName === undefined || data === "0x") { /* to the library, nothing is its first error */
        return unnamed(data ?? "0x");
    }
    const args = listOf(errorArgs);
    if (errorName === "Error") {
        return { kind: "reason", what: String(args[0]), args: [] };
    }
    if (errorName === "Panic") {
        return { kind: "panic", what: String(args[0]), args: [] };
    }
    return { kind: "custom", what: errorName, args };
}

interface DecodedLog {
    event?: string;
    address?: string;
    blockNumber?: bigint | number | string;
    returnValues?: Record<string, unknown>;
}

function eventOf(log: DecodedLog): Event[] {
    if (log.event === undefined || log.event === "") {
        return [];
    }
    return [{ name: log.event, args: log.returnValues ?? {}, block: BigInt(log.blockNumber ?? 0),
              address: log.address ?? "" }];
}

interface SentReceipt {
    transactionHash: unknown;
    status: bigint;
    blockNumber: bigint;
    gasUsed: bigint;
    effectiveGasPrice?: bigint;
    logs: unknown[];
    events?: Record<string, DecodedLog | DecodedLog[]>;
}

function receiptOf(receipt: SentReceipt): Receipt {
    const decoded = Object.values(receipt.events ?? {}).flat() as (DecodedLog & { logIndex?: bigint })[];
    decoded.sort((a, b) => Number((a.logIndex ?? 0n) - (b.logIndex ?? 0n)));
    return {
        hash: String(receipt.transactionHash) as Hex,
        ok: receipt.status === 1n,
        block: receipt.blockNumber,
        gasUsed: receipt.gasUsed,
        gasPrice: receipt.effectiveGasPrice ?? 0n,
        events: decoded.flatMap(eventOf),
        logCount: receipt.logs.length,
    };
}

type AnyContract = Web3Contract<Abi>;

interface BoundMethod {
    call(options?: object, block?: unknown): Promise<unknown>;
    send(options?: object): Promise<SentReceipt>;
    estimateGas(options?: object): Promise<bigint>;
    encodeABI(): string;
}

/* A failed transaction is an error that carries its receipt. */
async function settled(sending: Promise<SentReceipt>): Promise<Receipt> {
    try {
        return receiptOf(await sending);
    } catch (error) {
        const { receipt } = error as { receipt?: SentReceipt };
        if (receipt !== undefined) {
            return receiptOf(receipt);
        }
        throw error;
    }
}

class Bound implements Contract {
    readonly artifact: Artifact;
    readonly address: string;
    readonly #client: Web3Client;
    readonly #contract: AnyContract;

    constructor(artifact: Artifact, address: string, client: Web3Client) {
        this.artifact = artifact;
        this.address = address;
        this.#client = client;
        this.#contract = client.contract(artifact, address);
    }

    #method(name: string, args: unknown[]): BoundMethod {
        const methods = this.#contract.methods as unknown as Record<string, (...args: unknown[]) => BoundMethod>;
        const method = methods[name];
        if (method === undefined) {
            throw new Error(`no method ${name}`);
        }
        return method(...args);
    }

    async read<T>(name: string, args: unknown[] = [], { from = 0, block }: ReadOptions = {}): Promise<T> {
        const got = await this.#method(name, args).call({ from: this.#client.accounts[from] }, block);
        const many = got !== null && typeof got === "object" && "__length__" in got;
        return (many ? listOf(got) : got) as T;
    }

    async send(name: string, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Receipt> {
        const method = this.#method(name, args);
        const options = { from: this.#client.accounts[from], ...(value === undefined ? {} : { value: String(value) }) };
        return settled(method.send({ ...options, gas: String(gas ?? await method.estimateGas(options)) }));
    }

    async fails(name: string, args: unknown[] = [], options: ReadOptions & SendOptions = {}): Promise<Failure> {
        try {
            await this.#method(name, args).call({ from: this.#client.accounts[options.from ?? 0],
                ...(options.value === undefined ? {} : { value: String(options.value) }) }, options.block);
        } catch (error) {
            return failureOf(error);
        }
        throw new Error(`${name} did not fail`);
    }

    async past(name: string, filter: Record<string, unknown>, first: bigint, last: bigint): Promise<Event[]> {
        const logs = await this.#contract.getPastEvents(name as never,
            { filter: filter as never, fromBlock: first, toBlock: last });
        return (logs as DecodedLog[]).flatMap(eventOf);
    }

    data(name: string, args: unknown[] = []): Hex {
        return this.#method(name, args).encodeABI() as Hex;
    }
}

export class Web3Client implements Client {
    readonly name = "web3";
    readonly web3: Web3;
    readonly accounts: readonly string[];
    readonly #keys: Hex[] = privateKeys();

    constructor(url: string) {
        this.web3 = makeWeb3(url);
        this.accounts = Array.from(this.#keys, (_, i) => this.web3.eth.accounts.wallet[i]?.address ?? "");
    }

    contract(artifact: Artifact, address?: string): AnyContract {
        const contract = new this.web3.eth.Contract(artifact.abi, address);
        contract.handleRevert = true;
        return contract;
    }

    #deployment(artifact: Artifact, args: unknown[]) {
        return this.contract(artifact).deploy({ data: artifact.bytecode, arguments: args as never });
    }

    async deploy(artifact: Artifact, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Contract> {
        const deployment = this.#deployment(artifact, args);
        const options = { from: this.accounts[from] as string, ...(value === undefined ? {} : { value: String(value) }) };
        const sent = await deployment.send({ ...options, gas: String(gas ?? await deployment.estimateGas(options)) });
        return this.at(artifact, sent.options.address as string);
    }

    at(artifact: Artifact, address: string): Contract {
        return new Bound(artifact, address, this);
    }

    async deployFails(artifact: Artifact, args: unknown[] = [], { from = 0 }: SendOptions = {}): Promise<Failure> {
        try {
            await this.#deployment(artifact, args).estimateGas({ from: this.accounts[from] as string });
        } catch (error) {
            if (error instanceof ContractExecutionError) { /* the library leaves this to us */
                const errors = artifact.abi.filter((entry) => entry.type === "error");
                decodeContractErrorData(errors, error.cause);
            }
            return failureOf(error);
        }
        throw new Error("the deployment did not fail");
    }

    async transfer(to: string, value: bigint, { from = 0, gas }: SendOptions = {}): Promise<Receipt> {
        return settled(this.web3.eth.sendTransaction({ from: this.accounts[from] as string, to, value: String(value),
            ...(gas === undefined ? {} : { gas: String(gas) }) }) as unknown as Promise<SentReceipt>);
    }

    balance(address: string, block?: bigint): Promise<bigint> {
        return this.web3.eth.getBalance(address, block);
    }

    async signTyped(from: number, data: TypedData): Promise<{ v: number; r: Hex; s: Hex }> {
        const domainType = [{ name: "name", type: "string" }, { name: "version", type: "string" },
                            { name: "chainId", type: "uint256" }, { name: "verifyingContract", type: "address" }];
        const hash = getEncodedEip712Data({ ...data, types: { EIP712Domain: domainType, ...data.types } }, true);
        const { v, r, s } = signMessageWithPrivateKey(hash, this.#keys[from] as Hex);
        return { v: Number(BigInt(v)), r: r as Hex, s: s as Hex };
    }

    rpc<T>(method: string, params: unknown[] = []): Promise<T> {
        return this.web3.requestManager.send({ method, params } as never) as Promise<T>;
    }

    async close(): Promise<void> {
        this.web3.provider?.disconnect();
    }
}
