/* Theme ledger: a long chain of real transactions of every kind, verified from disk.
 *
 *     --seed N    of the stream (1)
 *     --count N   transactions (10000) */
import assert from "node:assert/strict";
import { openSync, readdirSync, readSync, rmSync, statSync, writeSync, closeSync } from "node:fs";
import { join } from "node:path";
import { type Item, Stream } from "./differential/stream.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { copyOf, verify, verifyState } from "./lib/keel.ts";
import type { Node, NodeOptions } from "./lib/node.ts";
import { checkProof } from "./lib/proof.ts";
import { Random } from "./lib/random.ts";
import { type Hex, quantity, type RpcBlock, type RpcProof, type RpcReceipt } from "./lib/rpc.ts";
import { run } from "./lib/tool.ts";

const BLOCK_MAX = 40;
const GWEI = 10n ** 9n;
const TIME_LIMIT_MS = 600_000;

class Chain {
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

    async open(): Promise<void> {
        for (const body of this.stream.opening()) {
            await this.#block([body]);
        }
    }

    /* Dev operations stand in the ledger too. */
    async #operate(): Promise<void> {
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

    async upTo(count: number): Promise<void> {
        const { random } = this.stream;
        while (this.receipts.length < count) {
            const size = Math.min(random.between(1, BLOCK_MAX), count - this.receipts.length);
            await this.#block(Array.from({ length: size }, () => this.stream.next()));
            if (random.chance(10)) {
                await this.#operate();
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

/* The same folder with one byte another. */
function flipped(t: Theme, dir: string, random: Random): { dir: string; file: string; at: number } {
    const copy = copyOf(t, dir);
    const segments = readdirSync(join(copy, "ledger")).filter((name) => name.endsWith(".seg"));
    const file = join(copy, "ledger", random.pick(segments));
    const handle = openSync(file, "r+");
    const byte = Buffer.alloc(1);
    let at = 0;
    do {
        at = random.below(statSync(file).size);
        readSync(handle, byte, 0, 1, at);
    } while (byte[0] === 0);
    writeSync(handle, Buffer.of((byte[0] as number) ^ (1 << random.below(8))), 0, 1, at);
    closeSync(handle);
    return { dir: copy, file, at };
}

await theme("ledger", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil keeps nothing" : undefined),
}, async (t) => {
    const seed = Number(t.args.get("seed") ?? 1);
    const count = Number(t.args.get("count") ?? 10_000);
    const dir = t.folder();
    const options: NodeOptions = { dir, noMining: true, extra: ["--silent", "--gas-limit", "400000000"] };
    const random = new Random(seed);
    const chain = new Chain(new Stream(random), await t.start(options));

    await t.test(`${count} transactions of every kind, dev operations between them`, async () => {
        await chain.open();
        await chain.upTo(count);
        await chain.check();
        await chain.node.stop();
    }, TIME_LIMIT_MS);

    await t.test("keel verify: every record executed again, and the state database looked through", async () => {
        const verdict = await verify(t, dir);
        assert.equal(verdict.transactions, chain.receipts.length);
        assert.equal(verdict.head.hash, chain.receipts.at(-1)?.blockHash);
        await verifyState(t, dir);
    }, TIME_LIMIT_MS);

    await t.test("the next start has it all, also without the state database", async () => {
        chain.node = await t.start(options);
        await chain.check();
        await chain.node.stop();
        rmSync(join(dir, "state"), { recursive: true });
        chain.node = await t.start(options);
        await chain.check();
        await chain.node.stop();
        await verifyState(t, dir);
    }, TIME_LIMIT_MS);

    await t.test("a flipped bit anywhere in the ledger is found and named", async () => {
        for (let i = 0; i < 5; i++) {
            const bad = flipped(t, dir, random);
            const ran = await run(t.target.command, ["verify", "--dir", bad.dir, "--silent"], { cwd: t.folder() });
            assert.equal(ran.code, 1, `${bad.file}: ${bad.at}: ${ran.out}${ran.err}`);
            assert.match(ran.out + ran.err, /\.seg/);
        }
    }, TIME_LIMIT_MS);
});
