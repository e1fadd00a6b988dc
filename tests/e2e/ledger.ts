/* Theme ledger: a long chain of real transactions of every kind, verified from disk.
 *
 *     --seed N    of the stream (1)
 *     --count N   transactions (10000) */
import assert from "node:assert/strict";
import { openSync, readdirSync, readSync, rmSync, statSync, writeSync, closeSync } from "node:fs";
import { join } from "node:path";
import { Stream } from "./differential/stream.ts";
import { Chain } from "./ledger/chain.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { copyOf, verify, verifyState } from "./lib/keel.ts";
import type { NodeOptions } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import { run } from "./lib/tool.ts";

const TIME_LIMIT_MS = 600_000;

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
