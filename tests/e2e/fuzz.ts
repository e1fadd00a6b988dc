/* Theme fuzz: state tests that Keel makes up and computes, computed again by EthereumJS.
 *
 *     --seed N    of the first test (1)
 *     --file F    the tests of this file instead, known faults of EthereumJS not excused: what
 *                 `keel fuzz shrink --judge` wants
 *     --cases N   about how many, of all forks together (480): a test has up to a dozen
 *     --forks F   which ones, between commas (osaka,prague,cancun,shanghai) */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Faults, runState, type StateTest } from "./lib/evm.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { output } from "./lib/tool.ts";

const FORKS = ["osaka", "prague", "cancun", "shanghai"];
const CASES_PER_TEST = 6;
/* Under these a refused transaction leaves an empty account of the coinbase or nothing at all, as the
 * one who runs the test likes it; the official tests have nothing. */
const EMPTY_STAYS = ["Frontier", "Homestead", "EIP150"];

/* How many cases differ for which fault of EthereumJS. */
const known = new Map<string, number>();

async function judge(name: string, test: StateTest, excuse: boolean): Promise<{ cases: number; differ: string[] }> {
    const differ: string[] = [];
    let cases = 0;
    for (const [fork, posts] of Object.entries(test.post)) {
        for (const [i, post] of posts.entries()) {
            const got = await runState(test, fork, post.txbytes);
            cases++;
            if (EMPTY_STAYS.includes(fork) && got.refused !== undefined && post.expectException !== undefined) {
                continue;
            }
            if (got.root !== post.hash || got.logs !== post.logs || (got.refused !== undefined) !== (post.expectException !== undefined)) {
                const faults = new Faults();
                await runState(test, fork, post.txbytes, faults);
                faults.seen.forEach((fault) => known.set(fault, (known.get(fault) ?? 0) + 1));
                if (excuse && faults.seen.size > 0) {
                    continue;
                }
                differ.push(`${name} case ${i}: Keel ${post.hash} ${post.expectException ?? ""}, EthereumJS ${got.root} ${got.refused ?? ""}`);
            }
        }
    }
    return { cases, differ };
}

async function judgeFork(t: Theme, fork: string, seed: number, count: number): Promise<number> {
    const out = t.folder();
    await output(t.target.command, ["fuzz", "state", "--seed", String(seed), "--count", String(count), "--fork", fork, "--out", out],
                 { cwd: t.folder() });
    return judgeFiles(readdirSync(out).map((file) => join(out, file)), true);
}

async function judgeFiles(files: readonly string[], excuse: boolean): Promise<number> {
    const differ: string[] = [];
    let cases = 0;
    for (const file of files) {
        const tests = JSON.parse(readFileSync(file, "utf8")) as Record<string, StateTest>;
        for (const [name, test] of Object.entries(tests)) {
            const judged = await judge(name, test, excuse);
            cases += judged.cases;
            differ.push(...judged.differ);
        }
    }
    assert.deepEqual(differ, [], `${differ.length} of ${cases} cases differ`);
    return cases;
}

await theme("fuzz", {
    noNode: true,
    unsuited: (target) => (target.kind === "keel" ? undefined : "the generator is Keel's own"),
    limit_ms: 24 * 3600_000,
}, async (t) => {
    const seed = Number(t.args.get("seed") ?? "1");
    const forks = t.args.get("forks")?.split(",") ?? FORKS;
    const count = Math.ceil(Number(t.args.get("cases") ?? "480") / forks.length / CASES_PER_TEST);
    const file = t.args.get("file");
    let cases = 0;
    if (file !== undefined) {
        await t.test(file, async () => {
            cases += await judgeFiles([file], false);
        });
    }
    for (const fork of file === undefined ? forks : []) {
        await t.test(`${count} tests under ${fork}`, async () => {
            cases += await judgeFork(t, fork, seed, count);
        }, 6 * 3600_000);
    }
    console.log(`${cases} cases`);
    known.forEach((count, fault) => console.log(`     ${count} differ by a fault of EthereumJS: ${fault}`));
});
