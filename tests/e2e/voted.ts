/* Theme voted: a chain whose one validator votes: the engine of a network, alone.
 *
 *     --kills N   kills (4)
 *     --seed N    of instants (1) */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keccak256, Wallet } from "ethers";
import { sleep, type Theme, theme, until } from "./lib/harness.ts";
import { copyOf, verify, verifyState } from "./lib/keel.ts";
import type { Node } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output, run } from "./lib/tool.ts";

const CHAIN_ID = 31337n;
const THERE = `0x${"11".repeat(20)}`;

interface Header {
    number: Hex;
    hash: Hex;
    parentHash: Hex;
    extraData: Hex;
    mixHash: Hex;
    parentBeaconBlockRoot: Hex;
    stateRoot: Hex;
}

async function transfer(node: Node, wallet: Wallet, nonce: number): Promise<RpcReceipt> {
    const raw = await wallet.signTransaction({
        chainId: CHAIN_ID, type: 2, nonce, to: THERE, value: 1n, gasLimit: 21_000n,
        maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
    });
    return await node.rpc.call("eth_sendRawTransactionSync", [raw]) as RpcReceipt;
}

const header = async (node: Node, number: string): Promise<Header> =>
    await node.rpc.call("eth_getBlockByNumber", [number, false]) as Header;

async function judge(t: Theme, bundle: unknown, genesis: string): Promise<string> {
    const file = join(t.folder(), "bundle.json");
    writeFileSync(file, JSON.stringify(bundle));
    return await output(t.target.command, ["light", "verify", file, "--genesis-hash", genesis], { cwd: t.folder() });
}

await theme("voted", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil does not vote" : undefined),
}, async (t) => {
    const net = join(t.folder(), "net");
    const dir = join(net, "node-0");
    const random = new Random(Number(t.args.get("seed") ?? 1));
    await output(t.target.command, ["init", "--validators", "1", "--epoch", "5", "--period", "50", "--dir", net],
                 { cwd: t.folder() });
    const key = JSON.parse(readFileSync(join(dir, "validator", "key.json"), "utf8")) as { operator: Hex };
    const wallet = new Wallet(key.operator);
    const receipts: RpcReceipt[] = [];
    let node = await t.start({ dir, plain: true });
    const genesis = (await header(node, "0x0")).hash;

    await t.test("a transaction is in a block at once, and the chain runs through epochs", async () => {
        while (receipts.length < 12) {
            receipts.push(await transfer(node, wallet, receipts.length));
        }
        for (const receipt of receipts) {
            assert.equal(receipt.status, "0x1");
        }
    });

    await t.test("latest, safe and finalized are one block", async () => {
        const [finalized, safe, latest] = await Promise.all(["finalized", "safe", "latest"].map((tag) => header(node, tag)));
        assert.ok(Number(finalized?.number) >= receipts.length);
        assert.ok(Number(safe?.number) >= Number(finalized?.number) && Number(latest?.number) >= Number(safe?.number));
    });

    await t.test("each header binds its consensus header, and the next one repeats that", async () => {
        const head = Number((await header(node, "latest")).number);
        for (let number = 1; number <= head; number++) {
            const [parent, child] = await Promise.all([number - 1, number].map((n) => header(node, `0x${n.toString(16)}`)));
            assert.equal(child?.parentHash, parent?.hash);
            assert.equal(child?.parentBeaconBlockRoot, parent?.extraData);
            assert.notEqual(child?.mixHash, parent?.mixHash);
        }
    });

    await t.test("keel_getFinalityProof gives what keel light verify believes", async () => {
        for (const receipt of receipts) {
            const bundle = await node.rpc.call("keel_getFinalityProof", [receipt.blockNumber, THERE, []]);
            const said = await judge(t, bundle, genesis);
            assert.match(said, new RegExp(receipt.blockHash));
            await assert.rejects(judge(t, bundle, keccak256("0x01")));
        }
    });

    await t.test("what was acknowledged stays when the process is killed", async () => {
        for (let kill = 0; kill < Number(t.args.get("kills") ?? 4); kill++) {
            const flow = (async () => {
                for (;;) {
                    receipts.push(await transfer(node, wallet, receipts.length));
                }
            })().catch(() => undefined);
            await sleep(random.below(400));
            await node.kill();
            await flow;
            node = await t.start({ dir, plain: true });
            /* One more may be in a block than was acknowledged, or come into one yet: it was written down. */
            const sent = await until("a block with what was pending", async () => {
                const [latest, pending] = await Promise.all(["latest", "pending"].map((tag) =>
                    node.rpc.call("eth_getTransactionCount", [wallet.address, tag])));
                return latest === pending ? { count: Number(latest) } : undefined;
            }).then(({ count }) => count);
            assert.ok(sent === receipts.length || sent === receipts.length + 1, `${sent} of ${receipts.length}`);
            for (const receipt of receipts) {
                const found = await node.rpc.call("eth_getTransactionReceipt", [receipt.transactionHash]) as RpcReceipt;
                assert.equal(found.blockHash, receipt.blockHash);
            }
            if (sent > receipts.length) {
                const block = await until("the block with it", async () => {
                    const head = await header(node, "latest");
                    return Number(head.number) > 0 ? head : undefined;
                });
                const txs = (await node.rpc.call("eth_getBlockByNumber", [block.number, true]) as { transactions: { hash: Hex }[] })
                    .transactions;
                for (const { hash } of txs) {
                    if (receipts.every((receipt) => receipt.transactionHash !== hash)) {
                        receipts.push(await node.rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt);
                    }
                }
            }
        }
    });

    await t.test("the ledger is good, and its state", async () => {
        await node.stop();
        const verdict = await verify(t, dir);
        assert.equal(verdict.transactions, receipts.length);
        await verifyState(t, dir);
    });

    await t.test("without its guard it answers and does not vote; with its guard again it goes on", async () => {
        const guard = join(dir, "validator", "sign.guard");
        renameSync(guard, `${guard}.away`);
        node = await t.start({ dir, plain: true });
        assert.match(node.log, /does not vote: sign guard: there is none beside the key/);
        const before = await header(node, "latest");
        const waits = await node.rpc.call("eth_sendRawTransaction", [await wallet.signTransaction({
            chainId: CHAIN_ID, type: 2, nonce: receipts.length, to: THERE, value: 1n, gasLimit: 21_000n,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
        })]);
        await sleep(500);
        assert.equal((await header(node, "latest")).hash, before.hash);
        await node.stop();
        renameSync(`${guard}.away`, guard);
        node = await t.start({ dir, plain: true });
        receipts.push(await until("the receipt of what waited", async () =>
            (await node.rpc.call("eth_getTransactionReceipt", [waits]) as RpcReceipt | null) ?? undefined));
        receipts.push(await transfer(node, wallet, receipts.length));
        await node.stop();
    });

    await t.test("a key that others may read is not used", async () => {
        const copy = copyOf(t, dir);
        chmodSync(join(copy, "validator", "key.json"), 0o644);
        const ran = await run(t.target.command, ["node", "--dir", copy, "--port", "0"], { cwd: t.folder() });
        assert.notEqual(ran.code, 0);
    });
});
