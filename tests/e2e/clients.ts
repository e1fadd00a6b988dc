/* Theme clients: a chain of Keel's, block by block, judged by another implementation of Ethereum.
 *
 *     --seed N     of the transactions (1)
 *     --count N    blocks (1000) */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Stream } from "./differential/stream.ts";
import { Chain } from "./ledger/chain.ts";
import { type BlockTest, type Judged, KnownFault, runBlocks } from "./lib/evm.ts";
import { type Theme, theme } from "./lib/harness.ts";
import type { NodeOptions } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import { type Hex, quantity, type RpcBlock } from "./lib/rpc.ts";
import { type Ran, run } from "./lib/tool.ts";

const TIME_LIMIT_MS = 1_200_000;

interface Excerpts {
    ran: Ran;
    file: string;
    tests: Record<string, BlockTest>;
}

async function excerpts(t: Theme, dir: string, first: number, last: number): Promise<Excerpts> {
    const file = join(t.folder(), "chain.json");
    const ran = await run(t.target.command, ["db", "fixture", String(first), String(last), "--dir", dir, "--out", file],
                          { cwd: t.folder() });
    return { ran, file, tests: JSON.parse(readFileSync(file, "utf8")) as Record<string, BlockTest> };
}

interface Sum extends Judged {
    faults: string[];
}

/* Judged by EthereumJS and read back by Keel.  Behind a block that EthereumJS gets wrong for a known
 * reason, judging goes on from an excerpt of its own. */
async function judge(t: Theme, dir: string, { file, tests }: Excerpts): Promise<Sum> {
    const read = await run(t.target.command, ["blocktest", file], { cwd: t.folder() });
    assert.match(read.out, new RegExp(`\\b${Object.keys(tests).length} passed, 0 failed, 0 skipped\\n$`));
    const sum: Sum = { hashes: [], transactions: 0, faults: [] };
    const take = ({ hashes, transactions }: Judged): void => {
        sum.hashes.push(...hashes);
        sum.transactions += transactions;
    };
    for (const [name, test] of Object.entries(tests)) {
        try {
            take(await runBlocks(test));
        } catch (error) {
            if (!(error instanceof KnownFault)) {
                throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
            }
            const judged = error.cause as Judged;
            take(judged);
            const [first, last] = name.match(/\d+/g)?.map(Number) as [number, number];
            const bad = first + judged.hashes.length;
            sum.faults.push(`block ${bad}: ${error.message}`);
            if (bad < last) {
                const rest = await judge(t, dir, await excerpts(t, dir, bad + 1, last));
                take(rest);
                sum.faults.push(...rest.faults);
            }
        }
    }
    return sum;
}

const hashesOf = async (chain: Chain, first: number, last: number): Promise<Hex[]> => {
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => quantity(BigInt(first + i)));
    const blocks = await chain.node.rpc.all<RpcBlock>(numbers.map((number) => ["eth_getBlockByNumber", [number, false]] as const));
    return blocks.map(({ hash }) => hash as Hex);
};

const height = async (chain: Chain): Promise<number> => Number(await chain.node.rpc.call<Hex>("eth_blockNumber"));

await theme("clients", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil keeps nothing" : undefined),
}, async (t) => {
    const count = Number(t.args.get("count") ?? "1000");
    const dir = t.folder();
    const options: NodeOptions = { dir, noMining: true, extra: ["--silent", "--gas-limit", "400000000"] };
    const chain = new Chain(new Stream(new Random(Number(t.args.get("seed") ?? "1"))), await t.start(options));
    let last = 0;

    await t.test(`${count} blocks of transactions of every kind, with their very hashes`, async () => {
        await chain.open();
        await chain.blocks(count);
        last = await height(chain);
        const hashes = await hashesOf(chain, 1, last);
        await chain.node.stop();
        const got = await excerpts(t, dir, 1, last);
        assert.equal(got.ran.code, 0, got.ran.err);
        assert.deepEqual(Object.keys(got.tests), [`blocks_1_to_${last}`]);
        const judged = await judge(t, dir, got);
        const passed = new Set(judged.faults.map((fault) => Number(fault.match(/\d+/)?.[0]) - 1));
        assert.deepEqual(judged.hashes, hashes.filter((_, i) => !passed.has(i)));
        assert.ok(judged.hashes.length >= count && passed.size <= last / 100);
        console.log(`     ${judged.hashes.length} of ${last} blocks, ${judged.transactions} of ${chain.receipts.length} transactions`);
        judged.faults.forEach((fault) => console.log(`     EthereumJS is wrong at ${fault}`));
    }, TIME_LIMIT_MS);

    await t.test("any block alone", async () => {
        for (const number of [1, 2, Math.trunc(last / 2), last]) {
            const got = await excerpts(t, dir, number, number);
            assert.equal(got.ran.code, 0, got.ran.err);
            assert.deepEqual(Object.keys(got.tests), [`blocks_${number}_to_${number}`]);
            const judged = await judge(t, dir, got);
            assert.equal(judged.hashes.length + judged.faults.length, 1);
        }
    }, TIME_LIMIT_MS);

    await t.test("blocks on states that dev operations made", async () => {
        chain.node = await t.start(options);
        for (let i = 0; i < 3; i++) {
            await chain.operate();
            await chain.blocks(3);
            await chain.setBaseFee(10n ** 9n * BigInt(i + 2));
            await chain.blocks(1);
        }
        const end = await height(chain);
        await chain.node.stop();
        const got = await excerpts(t, dir, last + 1, end);
        assert.equal(got.ran.code, 0, got.ran.err);
        assert.ok(Object.keys(got.tests).length >= 6, Object.keys(got.tests).join(" "));
        const judged = await judge(t, dir, got);
        assert.equal(judged.hashes.length + judged.faults.length, end - last);
        last = end;
    }, TIME_LIMIT_MS);

    await t.test("a block that nobody else can judge is left out by name", async () => {
        chain.node = await t.start(options);
        const from = "0x00000000000000000000000000000000000beef0";
        await chain.node.rpc.call("anvil_setBalance", [from, quantity(10n ** 18n)]);
        await chain.node.rpc.call("anvil_impersonateAccount", [from]);
        await chain.node.rpc.call("eth_sendTransaction", [{ from, to: from, value: "0x1" }]);
        await chain.node.rpc.call("evm_mine");
        await chain.blocks(2);
        await chain.node.stop();
        const got = await excerpts(t, dir, last + 1, last + 3);
        assert.equal(got.ran.code, 1);
        assert.match(got.ran.err, new RegExp(`block ${last + 1} is left out: a transaction in it names its sender`));
        const judged = await judge(t, dir, got);
        assert.equal(judged.hashes.length + judged.faults.length, 2);
    }, TIME_LIMIT_MS);
});
