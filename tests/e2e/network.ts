/* Theme network: four validators as processes on loopback.
 *
 *     --rounds N   of killing one (2)
 *     --seed N     (1) */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Wallet } from "ethers";
import { type Theme, theme, until } from "./lib/harness.ts";
import { verify, verifyState } from "./lib/keel.ts";
import { freePort, type Node } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const CHAIN_ID = 31337n;
const COUNT = 4;
const THERE = `0x${"22".repeat(20)}`;
/* What is promised is 10 s; a machine that is busy with other things may take longer. */
const PATIENCE_MS = 60_000;

interface Status {
    engine: string;
    health: string;
    validators: Hex;
    signing: boolean;
    why: string;
    need?: Hex;
    have?: Hex;
    missing?: Hex[];
    silent?: { operator: Hex; seconds: Hex }[];
    stalledSeconds?: Hex;
}

class Network {
    readonly nodes: Node[] = [];
    readonly receipts: RpcReceipt[] = [];
    readonly t: Theme;
    readonly dir: string;
    readonly wallet: Wallet;

    constructor(t: Theme, dir: string) {
        this.t = t;
        this.dir = dir;
        const key = JSON.parse(readFileSync(join(this.folder(0), "validator", "key.json"), "utf8")) as { operator: Hex };
        this.wallet = new Wallet(key.operator);
    }

    folder(i: number): string {
        return join(this.dir, `node-${i}`);
    }

    async start(i: number): Promise<void> {
        this.nodes[i] = await this.t.start({ dir: this.folder(i), plain: true });
    }

    node(i: number): Node {
        const node = this.nodes[i];
        assert.ok(node);
        return node;
    }

    async transfer(i: number): Promise<void> {
        const raw = await this.wallet.signTransaction({
            chainId: CHAIN_ID, type: 2, nonce: this.receipts.length, to: THERE, value: 1n, gasLimit: 21_000n,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
        });
        const hash = await this.node(i).rpc.call("eth_sendRawTransaction", [raw]) as Hex;
        const receipt = await until(`a receipt of transaction ${this.receipts.length}`, async () =>
            (await this.node(i).rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt | null) ?? undefined, PATIENCE_MS);
        assert.equal(receipt.status, "0x1");
        this.receipts.push(receipt);
    }

    async height(i: number): Promise<number> {
        return Number(await this.node(i).rpc.call("eth_blockNumber", []));
    }

    /* All that are named have the same blocks, and every receipt. */
    async agree(who: readonly number[]): Promise<void> {
        const least = Number(this.receipts.at(-1)?.blockNumber ?? 0);
        for (const i of who) {
            await until(`node ${i} at height ${least}`, async () => (await this.height(i)) >= least || undefined, PATIENCE_MS);
        }
        for (let number = 1; number <= least; number++) {
            const blocks = await Promise.all(who.map((i) =>
                this.node(i).rpc.call("eth_getBlockByNumber", [`0x${number.toString(16)}`, false]) as Promise<{ hash: Hex; stateRoot: Hex }>));
            for (const block of blocks) {
                assert.equal(block.hash, blocks[0]?.hash, `block ${number}`);
            }
        }
        for (const receipt of this.receipts) {
            for (const i of who) {
                const found = await this.node(i).rpc.call("eth_getTransactionReceipt", [receipt.transactionHash]) as RpcReceipt;
                assert.equal(found.blockHash, receipt.blockHash);
            }
        }
    }
}

/* Ports behind one that is free are free, most likely. */
async function make(t: Theme): Promise<Network> {
    const dir = join(t.folder(), "net");
    const port = await freePort();
    await output(t.target.command, ["init", "--validators", String(COUNT), "--epoch", "8", "--period", "50", "--base-port",
                                    String(Math.min(port, 64_000)), "--dir", dir], { cwd: t.folder() });
    return new Network(t, dir);
}

await theme("network", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const net = await make(t);
    const random = new Random(Number(t.args.get("seed") ?? 1));
    const all = [0, 1, 2, 3];

    await t.test("one of four answers, and waits", async () => {
        await net.start(0);
        assert.equal(await net.node(0).rpc.call("net_peerCount", []), "0x0");
        assert.equal(await net.height(0), 0);
        const status = await net.node(0).rpc.call("keel_status", []) as Status;
        assert.equal(status.engine, "simplex");
        assert.equal(status.health, "good");
        assert.equal(status.validators, "0x4");
        assert.equal(status.signing, true);
    });

    await t.test("four find one another and make blocks, whoever is asked", async () => {
        for (const i of [1, 2, 3]) {
            await net.start(i);
        }
        for (const i of all) {
            await until("three peers", async () =>
                (await net.node(i).rpc.call("net_peerCount", [])) === "0x3" || undefined, PATIENCE_MS);
        }
        for (let n = 0; n < 20; n++) {
            await net.transfer(n % COUNT);
        }
        await net.agree(all);
    });

    await t.test("a fifth joins from the genesis file and one address, follows, and passes transactions on", async () => {
        const address = /^Peers: +(\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+)$/m.exec(net.node(0).log)?.[1];
        assert.ok(address, "node 0 says where it is");
        await output(t.target.command, ["join", join(net.dir, "genesis.json"), address, "--dir", net.folder(COUNT),
                                        "--listen", "/ip4/127.0.0.1/tcp/0"], { cwd: t.folder() });
        await net.start(COUNT);
        const status = await net.node(COUNT).rpc.call("keel_status", []) as Status;
        assert.equal(status.signing, false);
        await net.agree([...all, COUNT]);
        for (let n = 0; n < 3; n++) {
            await net.transfer(COUNT);
        }
        await net.agree([...all, COUNT]);
        /* From the announcements of validators it knows the others too, and needs the first no more. */
        await until("peers besides the first", async () =>
            Number(await net.node(COUNT).rpc.call("net_peerCount", [])) >= 3 || undefined, PATIENCE_MS);
        await net.node(0).kill();
        await net.transfer(COUNT);
        await net.agree([1, 2, 3, COUNT]);
        await net.start(0);
        await net.agree(all);
        await net.node(COUNT).stop();
        await verifyState(t, net.folder(COUNT));
    });

    await t.test("with one killed three go on; it comes back and has all", async () => {
        for (let round = 0; round < Number(t.args.get("rounds") ?? 2); round++) {
            const dead = random.below(COUNT);
            await net.node(dead).kill();
            const others = all.filter((i) => i !== dead);
            for (let n = 0; n < 6; n++) {
                await net.transfer(random.pick(others));
            }
            await net.agree(others);
            await net.start(dead);
            await net.transfer(dead);
            await net.agree(all);
        }
    });

    await t.test("with two killed nothing is final; when they are back it goes on by itself", async () => {
        await Promise.all([net.node(1).kill(), net.node(2).kill()]);
        const raw = await net.wallet.signTransaction({
            chainId: CHAIN_ID, type: 2, nonce: net.receipts.length, to: THERE, value: 1n, gasLimit: 21_000n,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
        });
        const hash = await net.node(0).rpc.call("eth_sendRawTransaction", [raw]) as Hex;
        const status = await until("a reason why no block is made", async () => {
            const told = await net.node(0).rpc.call("keel_status", []) as Status;
            return told.missing?.length === 2 ? told : undefined;
        }, PATIENCE_MS);
        assert.equal(status.need, "0x3");
        assert.equal(status.have, "0x2");
        assert.match(status.why, /^votes .* are missing: need 3 of 4, have 2/);
        const silent = await until("who is silent, and for how long", async () => {
            const told = await net.node(0).rpc.call("keel_status", []) as Status;
            return told.silent?.length === 2 && told.stalledSeconds !== undefined ? told : undefined;
        }, PATIENCE_MS);
        assert.match(silent.why, /need 3 of 4, have 2; silent for \d+(?: to \d+)? s: 0x[0-9a-f]{8}\.\., 0x[0-9a-f]{8}\.\.$/);
        assert.deepEqual(silent.silent?.map((one) => one.operator).sort(), [...status.missing ?? []].sort());
        assert.match(net.node(0).log, /^ {4}No block for \d+ s: .* need 3 of 4, have 2; silent for/m);
        await net.start(1);
        const receipt = await until("its receipt", async () =>
            (await net.node(0).rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt | null) ?? undefined, PATIENCE_MS);
        net.receipts.push(receipt);
        await until("a line that says that it goes on", () =>
            /^ {4}Blocks are made again, after \d+ s without$/m.test(net.node(0).log) || undefined, PATIENCE_MS);
        await net.start(2);
        await net.agree(all);
    });

    await t.test("all killed at once come back and go on", async () => {
        await Promise.all(all.map((i) => net.node(i).kill()));
        for (const i of all) {
            await net.start(i);
        }
        await net.transfer(3);
        await net.agree(all);
    });

    await t.test("what one has taken from a user lives through its kill, though nobody else has heard of it", async () => {
        await Promise.all(all.map((i) => net.node(i).kill()));
        await net.start(1);
        const raw = await net.wallet.signTransaction({
            chainId: CHAIN_ID, type: 2, nonce: net.receipts.length, to: THERE, value: 1n, gasLimit: 21_000n,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
        });
        const hash = await net.node(1).rpc.call("eth_sendRawTransaction", [raw]) as Hex;
        await net.node(1).kill();
        await net.start(1);
        const waits = await net.node(1).rpc.call("eth_getTransactionByHash", [hash]) as { blockHash: Hex | null } | null;
        assert.ok(waits);
        assert.equal(waits.blockHash, null);
        for (const i of [0, 2, 3]) {
            await net.start(i);
        }
        const receipt = await until("its receipt", async () =>
            (await net.node(0).rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt | null) ?? undefined, PATIENCE_MS);
        net.receipts.push(receipt);
        await net.agree(all);
    });

    await t.test("every ledger is good, and every state", async () => {
        for (const i of all) {
            await net.node(i).stop();
            await verify(t, net.folder(i));
            await verifyState(t, net.folder(i));
        }
    });
});
