/* Theme network: four validators as processes on loopback.
 *
 *     --rounds N   of killing one (2)
 *     --seed N     (1) */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Wallet } from "ethers";
import { theme, until } from "./lib/harness.ts";
import { verify, verifyState } from "./lib/keel.ts";
import { addressOf, agree, operatorOf, PATIENCE_MS, Processes, transfer } from "./lib/network.ts";
import { Random } from "./lib/random.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const COUNT = 4;

/* One account's transfers, one behind another, to whom one likes. */
class Transfers {
    readonly receipts: RpcReceipt[] = [];
    readonly #net: Processes;
    readonly #wallet: Wallet;

    constructor(net: Processes) {
        this.#net = net;
        this.#wallet = operatorOf(net.folder(0));
    }

    async send(i: number): Promise<Hex> {
        return this.#net.rpc(i).call("eth_sendRawTransaction", [await transfer(this.#wallet, this.receipts.length)]);
    }

    async final(i: number, hash: Hex): Promise<void> {
        const receipt = await until(`a receipt of transaction ${this.receipts.length}`, async () =>
            (await this.#net.rpc(i).call<RpcReceipt | null>("eth_getTransactionReceipt", [hash])) ?? undefined, PATIENCE_MS);
        assert.equal(receipt.status, "0x1");
        this.receipts.push(receipt);
    }

    async transfer(i: number): Promise<void> {
        await this.final(i, await this.send(i));
    }

    async agree(who: readonly number[]): Promise<void> {
        await agree(this.#net.members(who), this.receipts.map((receipt) => receipt.transactionHash));
    }
}

await theme("network", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const net = await Processes.make(t, COUNT);
    const transfers = new Transfers(net);
    const random = new Random(Number(t.args.get("seed") ?? 1));
    const all = [0, 1, 2, 3];

    await t.test("one of four answers, and waits", async () => {
        await net.start(0);
        assert.equal(await net.node(0).rpc.call("net_peerCount", []), "0x0");
        assert.equal(await net.height(0), 0);
        const status = await net.status(0);
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
            await transfers.transfer(n % COUNT);
        }
        await transfers.agree(all);
    });

    await t.test("a fifth joins from the genesis file and one address, follows, and passes transactions on", async () => {
        const address = await addressOf(net.node(0));
        await output(t.target.command, ["join", join(net.dir, "genesis.json"), address, "--dir", net.folder(COUNT),
                                        "--listen", "/ip4/127.0.0.1/tcp/0"], { cwd: t.folder() });
        await net.start(COUNT);
        const status = await net.status(COUNT);
        assert.equal(status.signing, false);
        await transfers.agree([...all, COUNT]);
        for (let n = 0; n < 3; n++) {
            await transfers.transfer(COUNT);
        }
        await transfers.agree([...all, COUNT]);
        /* From the announcements of validators it knows the others too, and needs the first no more. */
        await until("peers besides the first", async () =>
            Number(await net.node(COUNT).rpc.call("net_peerCount", [])) >= 3 || undefined, PATIENCE_MS);
        await net.node(0).kill();
        await transfers.transfer(COUNT);
        await transfers.agree([1, 2, 3, COUNT]);
        await net.start(0);
        await transfers.agree(all);
        await net.node(COUNT).stop();
        await verifyState(t, net.folder(COUNT));
    });

    await t.test("with one killed three go on; it comes back and has all", async () => {
        for (let round = 0; round < Number(t.args.get("rounds") ?? 2); round++) {
            const dead = random.below(COUNT);
            await net.node(dead).kill();
            const others = all.filter((i) => i !== dead);
            for (let n = 0; n < 6; n++) {
                await transfers.transfer(random.pick(others));
            }
            await transfers.agree(others);
            await net.start(dead);
            await transfers.transfer(dead);
            await transfers.agree(all);
        }
    });

    await t.test("with two killed nothing is final; when they are back it goes on by itself", async () => {
        await Promise.all([net.node(1).kill(), net.node(2).kill()]);
        const hash = await transfers.send(0);
        const status = await until("a reason why no block is made", async () => {
            const told = await net.status(0);
            return told.missing?.length === 2 ? told : undefined;
        }, PATIENCE_MS);
        assert.equal(status.need, "0x3");
        assert.equal(status.have, "0x2");
        assert.match(status.why, /^votes .* are missing: need 3 of 4, have 2/);
        const silent = await until("who is silent, and for how long", async () => {
            const told = await net.status(0);
            return told.silent?.length === 2 && told.stalledSeconds !== undefined ? told : undefined;
        }, PATIENCE_MS);
        assert.match(silent.why, /need 3 of 4, have 2; silent for \d+(?: to \d+)? s: 0x[0-9a-f]{8}\.\., 0x[0-9a-f]{8}\.\.$/);
        assert.deepEqual(silent.silent?.map((one) => one.operator).sort(), [...status.missing ?? []].sort());
        await until("a line that says so too", () =>
            /^ {4}No block for \d+ s: .* need 3 of 4, have 2; silent for/m.test(net.node(0).log) || undefined, PATIENCE_MS);
        await net.start(1);
        await transfers.final(0, hash);
        await until("a line that says that it goes on", () =>
            /^ {4}Blocks are made again, after \d+ s without$/m.test(net.node(0).log) || undefined, PATIENCE_MS);
        await net.start(2);
        await transfers.agree(all);
    });

    await t.test("all killed at once come back and go on", async () => {
        await Promise.all(all.map((i) => net.node(i).kill()));
        for (const i of all) {
            await net.start(i);
        }
        await transfers.transfer(3);
        await transfers.agree(all);
    });

    await t.test("what one has taken from a user lives through its kill, though nobody else has heard of it", async () => {
        await Promise.all(all.map((i) => net.node(i).kill()));
        await net.start(1);
        const hash = await transfers.send(1);
        await net.node(1).kill();
        await net.start(1);
        const waits = await net.node(1).rpc.call("eth_getTransactionByHash", [hash]) as { blockHash: Hex | null } | null;
        assert.ok(waits);
        assert.equal(waits.blockHash, null);
        for (const i of [0, 2, 3]) {
            await net.start(i);
        }
        await transfers.final(0, hash);
        await transfers.agree(all);
    });

    await t.test("every ledger is good, and every state", async () => {
        for (const i of all) {
            await net.node(i).stop();
            await verify(t, net.folder(i));
            await verifyState(t, net.folder(i));
        }
    });
});
