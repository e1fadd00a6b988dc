/* pair: two nodes that get the same transactions in the same blocks, and whose answers are compared.
 *
 * What can be the same is made so: genesis time, base fee, gas limit, coinbase, each block's time.
 * Block hashes and PREVRANDAO are not, and no transaction reads them. */
import { isDeepStrictEqual } from "node:util";
import { until } from "../lib/harness.ts";
import type { Node } from "../lib/node.ts";
import { type Hex, quantity, RpcError, type RpcLog, type RpcReceipt } from "../lib/rpc.ts";
import { dumpOf, NOTHING, provenOf } from "./dump.ts";
import { type Frame, steady } from "./quirks.ts";
import type { Refusal } from "./refusals.ts";
import type { Item } from "./stream.ts";

interface Block {
    number: Hex;
    timestamp: Hex;
    miner: Hex;
    baseFeePerGas: Hex;
    gasUsed: Hex;
    gasLimit: Hex;
    logsBloom: Hex;
    receiptsRoot: Hex;
    transactionsRoot: Hex;
    transactions: Hex[];
}

const FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c";

export class Difference extends Error {}

type Calls = (readonly [string, readonly unknown[]])[];

/* Logs without what block they are in. */
const logsOf = (logs: readonly RpcLog[]): unknown[] =>
    logs.map(({ address, topics, data, logIndex, transactionIndex }) => ({ address, topics, data, logIndex, transactionIndex }));

const receiptOf = (receipt: RpcReceipt | null): unknown => receipt && {
    status: receipt.status, gasUsed: receipt.gasUsed, cumulativeGasUsed: receipt.cumulativeGasUsed, type: receipt.type,
    effectiveGasPrice: receipt.effectiveGasPrice, contractAddress: receipt.contractAddress?.toLowerCase() ?? null, from: receipt.from,
    to: receipt.to, transactionIndex: receipt.transactionIndex, logsBloom: receipt.logsBloom, logs: logsOf(receipt.logs),
};

export function* frames(frame: Frame): Generator<Frame> {
    yield frame;
    for (const inner of frame.calls ?? []) {
        yield* frames(inner);
    }
}

const shown = (value: unknown): string => {
    const text = JSON.stringify(value);
    return text === undefined || text.length <= 300 ? String(text) : `${text.slice(0, 300)} ...`;
};

/* Every place where the two part, by path. */
function* differences(subject: unknown, oracle: unknown, path = ""): Generator<string> {
    if (isDeepStrictEqual(subject, oracle)) {
        return;
    }
    if (subject !== null && oracle !== null && typeof subject === "object" && typeof oracle === "object") {
        for (const key of new Set([...Object.keys(subject), ...Object.keys(oracle)])) {
            yield* differences((subject as Record<string, unknown>)[key], (oracle as Record<string, unknown>)[key], `${path}.${key}`);
        }
    } else {
        yield `at ${path || "all"}:\n  subject ${shown(subject)}\n  oracle  ${shown(oracle)}`;
    }
}

export interface Mined {
    item: Item;
    receipt: RpcReceipt;
    trace: Frame;
}

export class Pair {
    /* The node under test, and the one it is compared with. */
    readonly nodes: readonly [Node, Node];
    baseFee = 0n;
    time = 0;
    #coinbase: Hex | undefined;
    readonly #seen = new Set<Hex>();

    constructor(subject: Node, oracle: Node) {
        this.nodes = [subject, oracle];
    }

    #both<T>(ask: (node: Node) => Promise<T>): Promise<[T, T]> {
        const [subject, oracle] = this.nodes;
        return Promise.all([ask(subject), ask(oracle)]);
    }

    #same(what: string, [subject, oracle]: readonly [unknown, unknown]): void {
        if (isDeepStrictEqual(subject, oracle)) {
            return;
        }
        throw new Difference([what, ...differences(subject, oracle)].join("\n"));
    }

    async begin(): Promise<void> {
        const [subject, oracle] = await this.#both((node) => node.rpc.call<Block>("eth_getBlockByNumber", ["latest", false]));
        this.#same("genesis", [[subject.timestamp, subject.baseFeePerGas, subject.gasLimit],
                               [oracle.timestamp, oracle.baseFeePerGas, oracle.gasLimit]]);
        /* Anvil's block 1 has its genesis' base fee once more. */
        this.baseFee = BigInt(subject.baseFeePerGas);
        await this.#both((node) => node.rpc.call("anvil_setNextBlockBaseFeePerGas", [quantity(this.baseFee)]));
        this.time = Number(subject.timestamp);
        /* The CREATE2 factory of Anvil's genesis has nonce 0, as no contract does. */
        await this.#both((node) => node.rpc.call("anvil_setNonce", [FACTORY, "0x1"]));
    }

    /* What the call would give on top of the head. */
    async call(item: Item): Promise<void> {
        const answers = await this.#both(async (node) => {
            const [answer] = await node.rpc.batch([["eth_call", [item.call, "latest"]]]);
            return answer instanceof RpcError
                ? { failed: true, data: typeof answer.data === "string" && answer.data !== "0x" ? answer.data : null, code: answer.code === 3 }
                : answer;
        });
        this.#same(`eth_call of ${item.kind}`, answers);
    }

    /* Sends what both must refuse. */
    async refused({ what, raw }: Refusal): Promise<void> {
        const taken = steady.anvilTakes(what);
        for (const node of this.nodes.filter(({ kind }) => !taken || kind !== "anvil")) {
            const [answer] = await node.rpc.batch([["eth_sendRawTransaction", [raw]]]);
            if (!(answer instanceof RpcError)) {
                throw new Difference(`${what}: taken by ${node.command}`);
            }
        }
    }

    async send(item: Item): Promise<void> {
        const answers = await this.#both(async (node) => {
            const [answer] = await node.rpc.batch([["eth_sendRawTransaction", [item.raw]]]);
            return answer instanceof RpcError ? answer.message : answer;
        });
        this.#same(`sending ${item.kind}`, answers);
        if (answers[0] !== item.hash) {
            throw new Difference(`sending ${item.kind}: ${answers[0]} instead of ${item.hash}`);
        }
    }

    async #mineOn(node: Node): Promise<Block> {
        await node.rpc.call("evm_setNextBlockTimestamp", [this.time]);
        await node.rpc.call("evm_mine");
        return node.rpc.call<Block>("eth_getBlockByNumber", ["latest", false]);
    }

    /* One block on each, and all that it did. */
    async mine(items: readonly Item[]): Promise<Mined[]> {
        const [subject, oracle] = this.nodes;
        this.time += 1 + items.length;
        const first = await this.#mineOn(subject);
        if (this.#coinbase !== first.miner) {
            await oracle.rpc.call("anvil_setCoinbase", [first.miner]);
            this.#coinbase = first.miner;
        }
        const second = await this.#mineOn(oracle);
        const parts = ({ number, timestamp, miner, baseFeePerGas, gasUsed, gasLimit, logsBloom, receiptsRoot, transactionsRoot,
                         transactions }: Block): unknown =>
            ({ number, timestamp, miner, baseFeePerGas, gasUsed, gasLimit, logsBloom, receiptsRoot, transactionsRoot, transactions });
        const mined = await this.#compare(items);
        this.#same(`block ${Number(first.number)}`, [parts(first), parts(second)]);
        const [fees, fees2] = await this.#both((node) => this.#fees(node));
        this.#same("next base fee", [fees, fees2]);
        this.baseFee = BigInt(fees[1] as Hex);
        return mined;
    }

    /* The newest block's base fee and the next one's.  Anvil writes its history beside its blocks, a moment later. */
    #fees(node: Node): Promise<Hex[]> {
        return until("the newest block's fees", async () => {
            const { baseFeePerGas } = await node.rpc.call<{ baseFeePerGas: Hex[] }>("eth_feeHistory", ["0x1", "latest", []]);
            return baseFeePerGas.length === 2 ? baseFeePerGas : undefined;
        });
    }

    async #compare(items: readonly Item[]): Promise<Mined[]> {
        const calls: Calls = items.flatMap(({ hash }): Calls => [
            ["eth_getTransactionReceipt", [hash]],
            ["debug_traceTransaction", [hash, { tracer: "callTracer", tracerConfig: { withLog: true } }]],
        ]);
        const [subject, oracle] = await this.#both((node) => node.rpc.all<RpcReceipt | Frame>(calls));
        const touched = new Set<Hex>([this.#coinbase as Hex]);
        const mined = items.map((item, i): Mined => {
            const [receipt, other] = [subject[2 * i] as RpcReceipt, oracle[2 * i] as RpcReceipt];
            this.#same(`receipt of ${item.kind} ${item.hash}`, [receiptOf(receipt), receiptOf(other)]);
            const sides: [Frame, Frame] = [subject[2 * i + 1] as Frame, oracle[2 * i + 1] as Frame];
            const traces = this.nodes[0].kind === "anvil" ? sides : steady.traces(sides, item, receipt);
            const trace = traces[0];
            this.#same(`trace of ${item.kind} ${item.hash}`, traces);
            [...frames(trace)].flatMap((frame) => [frame.from, frame.to]).forEach((address) => address && touched.add(address));
            item.body.authorizations?.forEach(({ address }) => touched.add(address.toLowerCase() as Hex));
            return { item, receipt, trace };
        });
        await this.#accounts([...touched]);
        return mined;
    }

    async #accounts(addresses: readonly Hex[]): Promise<void> {
        const calls: Calls = addresses.flatMap((address): Calls => [
            ["eth_getBalance", [address, "latest"]], ["eth_getTransactionCount", [address, "latest"]], ["eth_getCode", [address, "latest"]],
        ]);
        const [subject, oracle] = await this.#both((node) => node.rpc.all<Hex>(calls));
        addresses.forEach((address, i) => {
            const part = (all: Hex[]): unknown => ({ balance: all[3 * i], nonce: all[3 * i + 1], code: all[3 * i + 2] });
            this.#same(`account ${address}`, [part(subject), part(oracle)]);
            this.#seen.add(address);
        });
    }

    /* The whole state of the oracle, storage by its root, and all accounts ever touched.  Gives how many. */
    async check(): Promise<number> {
        const [subject, oracle] = this.nodes;
        const theirs = await dumpOf(oracle);
        const addresses = [...new Set([...theirs.keys(), ...this.#seen])].filter((address) => !steady.apart(address));
        const own = subject.kind === "anvil" ? await dumpOf(subject) : await provenOf(subject, addresses);
        for (const address of addresses) {
            this.#same(`state of ${address}`, [own.get(address) ?? NOTHING, theirs.get(address) ?? NOTHING]);
        }
        return addresses.length;
    }

    async nonces(addresses: readonly string[]): Promise<number[]> {
        const calls = addresses.map((address) => ["eth_getTransactionCount", [address, quantity("latest")]] as const);
        return (await this.nodes[0].rpc.all<Hex>(calls)).map(Number);
    }
}
