/* The scenarios' client over ethers v6. */
import {
    type BaseWallet, Contract as EthersContract, ContractFactory, type ContractTransactionReceipt, HDNodeWallet,
    Interface, type JsonRpcProvider, Mnemonic, type TransactionReceipt, isCallException, Signature,
} from "ethers";
import type { Artifact } from "../lib/contracts.ts";
import type { Hex } from "../lib/rpc.ts";
import {
    ACCOUNT_COUNT, type Client, type Contract, type Event, type Failure, MNEMONIC, type ReadOptions,
    type Receipt, type SendOptions, type TypedData, unnamed,
} from "./client.ts";

export function wallets(provider: JsonRpcProvider): BaseWallet[] {
    const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");
    return Array.from({ length: ACCOUNT_COUNT }, (_, i) => root.deriveChild(i).connect(provider));
}

function failureOf(error: unknown, iface: Interface): Failure {
    if (!isCallException(error)) {
        throw error;
    }
    const data = error.data ?? "0x";
    const revert = error.revert ?? (data === "0x" ? null : iface.parseError(data));
    if (revert === null) {
        return unnamed(data);
    }
    const args = Array.from(revert.args as Iterable<unknown>);
    if (revert.name === "Error") {
        return { kind: "reason", what: String(args[0]), args: [] };
    }
    if (revert.name === "Panic") {
        return { kind: "panic", what: String(args[0]), args: [] };
    }
    return { kind: "custom", what: revert.name, args };
}

class Bound implements Contract {
    readonly artifact: Artifact;
    readonly address: string;
    readonly #signers: BaseWallet[];
    readonly #contract: EthersContract;

    constructor(artifact: Artifact, address: string, signers: BaseWallet[]) {
        this.artifact = artifact;
        this.address = address;
        this.#signers = signers;
        this.#contract = new EthersContract(address, artifact.abi, signers[0] as BaseWallet);
    }

    #method(name: string, from: number) {
        const contract = this.#contract.connect(this.#signers[from] as BaseWallet) as EthersContract;
        return contract.getFunction(name);
    }

    async read<T>(name: string, args: unknown[] = [], { from = 0, block }: ReadOptions = {}): Promise<T> {
        const overrides = block === undefined ? {} : { blockTag: block };
        const got = await this.#method(name, from).staticCallResult(...args, overrides);
        const plain = got.toArray(true);
        return (plain.length === 1 ? plain[0] : plain) as T;
    }

    async send(name: string, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Receipt> {
        const overrides = { ...(value === undefined ? {} : { value }),
                            ...(gas === undefined ? {} : { gasLimit: gas }) };
        const tx = await this.#method(name, from).send(...args, overrides);
        try {
            const receipt = await tx.wait();
            return receiptOf(receipt as ContractTransactionReceipt, this.#contract.interface, this.address);
        } catch (error) {
            if (isCallException(error) && error.receipt !== null && error.receipt !== undefined) {
                return receiptOf(error.receipt, this.#contract.interface, this.address);
            }
            throw error;
        }
    }

    async fails(name: string, args: unknown[] = [], options: ReadOptions & SendOptions = {}): Promise<Failure> {
        const overrides = { ...(options.value === undefined ? {} : { value: options.value }),
                            ...(options.block === undefined ? {} : { blockTag: options.block }) };
        try {
            await this.#method(name, options.from ?? 0).staticCall(...args, overrides);
        } catch (error) {
            return failureOf(error, this.#contract.interface);
        }
        throw new Error(`${name} did not fail`);
    }

    async past(name: string, filter: Record<string, unknown>, first: bigint, last: bigint): Promise<Event[]> {
        const event = this.#contract.interface.getEvent(name);
        const wanted = event?.inputs.map((input) => (input.indexed ? filter[input.name] ?? null : null)) ?? [];
        const topics = this.#contract.getEvent(name)(...wanted);
        const logs = await this.#contract.queryFilter(topics, first, last);
        return logs.map((log) => eventOf(log, this.#contract.interface)).filter((e) => e !== undefined);
    }

    data(name: string, args: unknown[] = []): Hex {
        return this.#contract.interface.encodeFunctionData(name, args) as Hex;
    }
}

interface LogLike {
    topics: ReadonlyArray<string>;
    data: string;
    blockNumber: number;
    address: string;
}

function eventOf(log: LogLike, iface: Interface): Event | undefined {
    const parsed = iface.parseLog({ topics: [...log.topics], data: log.data });
    return parsed === null ? undefined : {
        name: parsed.name,
        args: Object.fromEntries(parsed.args.toArray(true).map((arg, i) => [parsed.fragment.inputs[i]?.name || String(i), arg as unknown])),
        block: BigInt(log.blockNumber),
        address: log.address,
    };
}

function receiptOf(receipt: TransactionReceipt, iface: Interface, address: string): Receipt {
    const logs = receipt.logs.filter((log) => log.address === address);
    return {
        hash: receipt.hash as Hex,
        ok: receipt.status === 1,
        block: BigInt(receipt.blockNumber),
        gasUsed: receipt.gasUsed,
        gasPrice: receipt.gasPrice,
        events: logs.map((log) => eventOf(log, iface)).filter((e) => e !== undefined),
        logCount: receipt.logs.length,
    };
}

export class EthersClient implements Client {
    readonly name = "ethers";
    readonly accounts: readonly string[];
    readonly provider: JsonRpcProvider;
    readonly signers: BaseWallet[];

    constructor(provider: JsonRpcProvider) {
        this.provider = provider;
        this.signers = wallets(provider);
        this.accounts = this.signers.map((signer) => signer.address);
    }

    #factory(artifact: Artifact, from: number): ContractFactory {
        return new ContractFactory(artifact.abi, artifact.bytecode, this.signers[from] as BaseWallet);
    }

    async deploy(artifact: Artifact, args: unknown[] = [], { from = 0, value, gas }: SendOptions = {}): Promise<Contract> {
        const overrides = { ...(value === undefined ? {} : { value }),
                            ...(gas === undefined ? {} : { gasLimit: gas }) };
        const contract = await this.#factory(artifact, from).deploy(...args, overrides);
        await contract.waitForDeployment();
        return this.at(artifact, await contract.getAddress());
    }

    at(artifact: Artifact, address: string): Contract {
        return new Bound(artifact, address, this.signers);
    }

    async deployFails(artifact: Artifact, args: unknown[] = [], { from = 0 }: SendOptions = {}): Promise<Failure> {
        try {
            await this.#factory(artifact, from).deploy(...args);
        } catch (error) {
            return failureOf(error, Interface.from(artifact.abi));
        }
        throw new Error("the deployment did not fail");
    }

    async transfer(to: string, value: bigint, { from = 0, gas }: SendOptions = {}): Promise<Receipt> {
        const tx = await (this.signers[from] as BaseWallet).sendTransaction(
            { to, value, ...(gas === undefined ? {} : { gasLimit: gas }) });
        return receiptOf((await tx.wait()) as TransactionReceipt, new Interface([]), to);
    }

    balance(address: string, block?: bigint): Promise<bigint> {
        return this.provider.getBalance(address, block);
    }

    async signTyped(from: number, data: TypedData): Promise<{ v: number; r: Hex; s: Hex }> {
        const signed = await (this.signers[from] as BaseWallet).signTypedData(data.domain, data.types, data.message);
        const { v, r, s } = Signature.from(signed);
        return { v, r: r as Hex, s: s as Hex };
    }

    rpc<T>(method: string, params: unknown[] = []): Promise<T> {
        return this.provider.send(method, params) as Promise<T>;
    }

    async close(): Promise<void> {
        this.provider.destroy();
    }
}
