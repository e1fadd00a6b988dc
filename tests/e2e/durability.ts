/* Theme durability: kill -9 at any instant while transactions flow, and what was acknowledged stays.
 *
 *     --kills N   kills (20); half of them of keel dev, half of keel node
 *     --seed N    of instants and transactions (the clock's by default)
 *
 * The oracle is the client's own list: receipts seen, balances set, heads told, and on dev chains
 * transactions that a revert has taken back.  kill -9 keeps what the system has written into its
 * page cache; power cuts are tested where files can be simulated. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { HDNodeWallet, Mnemonic, Transaction, Wallet } from "ethers";
import { CHAIN_ID, MNEMONIC } from "./clients/client.ts";
import { plainSteps, proxyOf, robotCode, Script } from "./differential/robot.ts";
import { sleep, type Theme, theme } from "./lib/harness.ts";
import { genesisOf, init, verify, verifyState } from "./lib/keel.ts";
import type { Node, NodeOptions } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import { type Hex, quantity, type RpcReceipt } from "./lib/rpc.ts";

const WORKERS = 4;
const FLOW_MS = 500;
const START_MS = 60;

const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");

/* What the client was told. */
class Oracle {
    readonly receipts = new Map<Hex, RpcReceipt>();
    readonly balances = new Map<Hex, bigint>();
    readonly gone = new Set<Hex>();
    head: { number: number; hash: Hex } = { number: -1, hash: "0x" };
    /* Of receipts: from here on not yet looked for after a kill. */
    #checked = 0;

    see(receipt: RpcReceipt): void {
        this.receipts.set(receipt.transactionHash, receipt);
        const number = Number(receipt.blockNumber);
        if (number >= this.head.number) {
            this.head = { number, hash: receipt.blockHash };
        }
    }

    /* A revert has taken these back. */
    forget(receipts: readonly RpcReceipt[]): void {
        for (const { transactionHash } of receipts) {
            this.receipts.delete(transactionHash);
            this.gone.add(transactionHash);
        }
        this.#checked = 0;
        this.head = { number: -1, hash: "0x" };
        for (const receipt of this.receipts.values()) {
            this.see(receipt);
        }
    }

    async check(node: Node, random: Random, all: boolean): Promise<void> {
        const known = [...this.receipts.values()];
        const old = all ? known : known.slice(0, this.#checked).filter(() => random.chance(5));
        const wanted = all ? known : [...old, ...known.slice(this.#checked)];
        const got = await node.rpc.all<RpcReceipt | null>(
            wanted.map(({ transactionHash }) => ["eth_getTransactionReceipt", [transactionHash]] as const));
        wanted.forEach((receipt, i) => assert.deepEqual(got[i], receipt, `receipt of ${receipt.transactionHash}`));
        this.#checked = known.length;
        const gone = await node.rpc.all<RpcReceipt | null>(
            [...this.gone].map((hash) => ["eth_getTransactionReceipt", [hash]] as const));
        assert.ok(gone.every((receipt) => receipt === null), "what was reverted came back");
        const balances = [...this.balances];
        const now = await node.rpc.all<Hex>(balances.map(([address]) => ["eth_getBalance", [address, "latest"]] as const));
        balances.forEach(([address, balance], i) => assert.equal(BigInt(now[i] as Hex), balance, `balance of ${address}`));
        if (this.head.number >= 0) {
            const block = await node.rpc.block(this.head.number);
            assert.equal(block?.hash, this.head.hash, `block ${this.head.number}`);
        }
    }
}

class Flow {
    readonly oracle = new Oracle();
    readonly #random: Random;
    readonly #dev: boolean;
    #robot: Hex | undefined;
    #serial = 0;
    stopped = true;

    constructor(random: Random, dev: boolean) {
        this.#random = random;
        this.#dev = dev;
    }

    #sign(wallet: Wallet, nonce: number): Hex {
        const random = this.#random;
        const robot = this.#robot;
        const around = { random, robots: robot === undefined ? [] : [robot], addresses: [random.hex(20)] };
        const common = { type: 2, chainId: CHAIN_ID, nonce, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n, gasLimit: 1_000_000 };
        const tx = Transaction.from(robot === undefined || random.chance(40)
            ? { ...common, to: random.hex(20), value: ++this.#serial }
            : random.chance(80) ? { ...common, to: robot, data: plainSteps(around, new Script(), random.between(1, 6)).hex }
                                : { ...common, to: null, data: proxyOf(robot) });
        tx.signature = wallet.signingKey.sign(tx.unsignedHash);
        return tx.serialized as Hex;
    }

    async open(node: Node): Promise<void> {
        const wallet = new Wallet(root.deriveChild(9).privateKey);
        const tx = Transaction.from({ type: 2, chainId: CHAIN_ID, nonce: 0, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n,
                                      gasLimit: 3_000_000, to: null, data: robotCode() });
        tx.signature = wallet.signingKey.sign(tx.unsignedHash);
        const receipt = await node.rpc.sent(tx.serialized as Hex);
        this.#robot = receipt.contractAddress as Hex;
        this.oracle.see(receipt);
    }

    /* Sends and notes until the node is gone. */
    async #work(node: Node, index: number): Promise<void> {
        const wallet = new Wallet(root.deriveChild(index).privateKey);
        try {
            let nonce = Number(await node.rpc.call("eth_getTransactionCount", [wallet.address, "pending"]));
            while (!this.stopped) {
                if (this.#dev && this.#random.chance(15)) {
                    const [address, balance] = [this.#random.hex(20), BigInt(this.#random.below(1 << 30))];
                    await node.rpc.call("anvil_setBalance", [address, quantity(balance)]);
                    this.oracle.balances.set(address, balance);
                } else {
                    this.oracle.see(await node.rpc.sent(this.#sign(wallet, nonce++)));
                }
            }
        } catch (error) {
            /* The answer that does not come is how a client sees the kill. */
            if (!this.stopped) {
                throw error;
            }
        }
    }

    /* Lets transactions flow, and kills the node in the midst of them. */
    async until(node: Node, killed_ms: number): Promise<void> {
        this.stopped = false;
        const workers = Array.from({ length: WORKERS }, (_, i) => this.#work(node, i));
        await Promise.race([sleep(killed_ms), Promise.all(workers)]);
        this.stopped = true;
        await node.kill();
        await Promise.all(workers);
    }

    /* Some transactions that are then taken back, for good. */
    async takeBack(node: Node): Promise<void> {
        const id = await node.rpc.call("evm_snapshot");
        const wallet = new Wallet(root.deriveChild(8).privateKey);
        const nonce = Number(await node.rpc.call("eth_getTransactionCount", [wallet.address, "latest"]));
        const receipts: RpcReceipt[] = [];
        for (let i = 0; i < 3; i++) {
            receipts.push(await node.rpc.sent(this.#sign(wallet, nonce + i)));
        }
        assert.equal(await node.rpc.call("evm_revert", [id]), true);
        this.oracle.forget(receipts);
    }
}

interface Told {
    kills: number;
    starts: number;
    rebuilt: number;
    receipts: number;
}

async function rounds(t: Theme, random: Random, kills: number, options: NodeOptions & { dir: string }): Promise<Told> {
    const dev = !options.plain;
    const flow = new Flow(random, dev);
    const told: Told = { kills: 0, starts: 0, rebuilt: 0, receipts: 0 };
    while (told.kills < kills) {
        if (told.kills > 0 && random.chance(20)) {
            rmSync(join(options.dir, "state"), { recursive: true });
            told.rebuilt++;
        }
        for (; random.chance(30); told.starts++) {
            const node = await t.launch(options);
            await sleep(random.below(START_MS));
            await node.kill();
        }
        const node = await t.launch(options);
        assert.ok(await node.answers(), `it does not start: ${node.log}`);
        await flow.oracle.check(node, random, false);
        if (told.kills === 0) {
            await flow.open(node);
        }
        if (dev && random.chance(20)) {
            await flow.takeBack(node);
        }
        await flow.until(node, random.below(FLOW_MS));
        told.kills++;
    }
    const node = await t.launch(options);
    assert.ok(await node.answers(), `it does not start: ${node.log}`);
    await flow.oracle.check(node, random, true);
    await node.stop();
    told.receipts = flow.oracle.receipts.size;
    const least = t.args.has("sanitized") ? 1 : 5; /* a kill: slow is no fault of such a build */
    assert.ok(told.receipts >= least * kills, `hardly anything flowed: ${told.receipts} receipts`);
    const verdict = await verify(t, options.dir);
    assert.ok(verdict.head.number >= flow.oracle.head.number);
    assert.ok(verdict.transactions >= told.receipts);
    await verifyState(t, options.dir);
    return told;
}

await theme("durability", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil keeps nothing" : undefined),
}, async (t) => {
    const kills = Number(t.args.get("kills") ?? 20);
    const seed = Number(t.args.get("seed") ?? Date.now() % 1_000_000);
    const limit_ms = 60_000 + 6_000 * kills;
    const random = new Random(seed);
    console.log(`     --kills ${kills} --seed ${seed}`);
    const say = ({ kills, starts, rebuilt, receipts }: Told): void =>
        console.log(`     ${kills} kills, ${starts} more in start-up, state removed ${rebuilt} times, ${receipts} receipts kept`);

    await t.test("keel dev: killed again and again, nothing acknowledged is lost", async () => {
        const extra = ["--silent", ...(random.chance(50) ? ["--durable"] : [])];
        say(await rounds(t, random, Math.ceil(kills / 2), { dir: t.folder(), extra }));
    }, limit_ms);

    await t.test("keel node: the same, on a chain without dev operations", async () => {
        const dir = t.folder();
        const genesis = await genesisOf(t, ({ config }) => {
            config.keel = { repeatTimestamp: true };
        });
        await init(t, genesis, dir);
        say(await rounds(t, random, Math.floor(kills / 2), {
            dir, plain: true, extra: ["--silent", "--block-time", "0.02", "--on-demand"],
        }));
    }, limit_ms);
});
