/* chain: real transactions of every kind, sent to a node and mined in blocks. */
import assert from "node:assert/strict";
import { type Item, Stream } from "../differential/stream.ts";
import type { Node } from "../lib/node.ts";
import { checkProof } from "../lib/proof.ts";
import { type Hex, quantity, type RpcBlock, type RpcProof, type RpcReceipt } from "../lib/rpc.ts";

const BLOCK_MAX = 40;
const GWEI = 10n ** 9n;

export class Chain {
    readonly stream: Stream;
    readonly receipts: RpcReceipt[] = [];
    #baseFee = GWEI;
    node: Node;

    constructor(stream: Stream, node: Node) {
        this.stream = stream;
        this.node = node;
    }

    /* One block of these, highest tip first. */
    async #block(bodies: readonly Omit<Item, "raw" | "hash" | "call" | "from">[]): Promise<void> {
        const { stream, node: { rpc } } = this;
        const ahead = new Map<number, number>();
        const items = bodies.map((body, i) => {
            const step = ahead.get(body.sender) ?? 0;
            ahead.set(body.sender, step + 1);
            return stream.sign(body, { baseFee: this.#baseFee, tip: BigInt(bodies.length - i) * GWEI }, step);
        });
        const hashes = await rpc.all<Hex>(items.map(({ raw }) => ["eth_sendRawTransaction", [raw]] as const));
        await rpc.call("evm_mine");
        const wallets = [...stream.senders, ...stream.authorities].map((wallet) => wallet.address.toLowerCase());
        const answers = await rpc.all<RpcReceipt | Hex | RpcBlock>([
            ...hashes.map((hash) => ["eth_getTransactionReceipt", [hash]] as const),
            ...wallets.map((address) => ["eth_getTransactionCount", [address, "latest"]] as const),
        ]);
        const receipts = answers.slice(0, hashes.length) as RpcReceipt[];
        receipts.forEach((receipt, i) => {
            assert.ok(receipt !== null, `${items[i]?.kind} is not in its block`);
            if (receipt.contractAddress !== null && receipt.status === "0x1") {
                stream.learn("create", receipt.contractAddress, items[i]?.body.data as Hex);
            }
        });
        wallets.forEach((address, i) => stream.nonces.set(address, Number(answers[hashes.length + i])));
        this.receipts.push(...receipts);
        const { baseFeePerGas } = await rpc.call<{ baseFeePerGas: Hex[] }>("eth_feeHistory", ["0x1", "latest", []]);
        this.#baseFee = BigInt(baseFeePerGas[1] as Hex);
    }

    /* The next block's base fee, whatever the last one would have made it. */
    async setBaseFee(fee: bigint): Promise<void> {
        await this.node.rpc.call("anvil_setNextBlockBaseFeePerGas", [quantity(fee)]);
        this.#baseFee = fee;
    }

    async open(): Promise<void> {
        for (const body of this.stream.opening()) {
            await this.#block([body]);
        }
    }

    /* Dev operations stand in the ledger too. */
    async operate(): Promise<void> {
        const { random } = this.stream;
        const { rpc } = this.node;
        const address = random.hex(20);
        await rpc.call("anvil_setBalance", [address, quantity(BigInt(random.below(1 << 30)))]);
        await rpc.call("anvil_setNonce", [address, quantity(BigInt(random.below(1 << 30)))]);
        await rpc.call("anvil_setCode", [address, random.hex(random.below(60))]);
        await rpc.call("anvil_setStorageAt", [address, quantity(BigInt(random.below(10))), `0x${random.hex(32).slice(2)}`]);
        await rpc.call("evm_increaseTime", [random.below(100)]);
        const snapshot = await rpc.call("evm_snapshot");
        await rpc.call("evm_mine");
        await rpc.call("anvil_setBalance", [address, "0x0"]);
        assert.equal(await rpc.call("evm_revert", [snapshot]), true);
    }

    /* That many blocks of a few transactions each. */
    async blocks(count: number): Promise<void> {
        for (let i = 0; i < count; i++) {
            const size = this.stream.random.between(1, 4);
            await this.#block(Array.from({ length: size }, () => this.stream.next()));
        }
    }

    async upTo(count: number): Promise<void> {
        const { random } = this.stream;
        while (this.receipts.length < count) {
            const size = Math.min(random.between(1, BLOCK_MAX), count - this.receipts.length);
            await this.#block(Array.from({ length: size }, () => this.stream.next()));
            if (random.chance(10)) {
                await this.operate();
            }
        }
    }

    /* What was told once is told again. */
    async check(): Promise<void> {
        const { rpc } = this.node;
        assert.deepEqual(await rpc.all<RpcReceipt>(
            this.receipts.map(({ transactionHash }) => ["eth_getTransactionReceipt", [transactionHash]] as const)), this.receipts);
        for (const address of this.stream.robots.slice(0, 5)) {
            const head = await rpc.block("latest");
            for (const number of [head.number, quantity(BigInt(head.number) / 2n)]) {
                const proof = await rpc.call<RpcProof>("eth_getProof", [address, ["0x1", "0x2"], number]);
                await checkProof((await rpc.block(number)).stateRoot, proof);
            }
        }
    }
}
