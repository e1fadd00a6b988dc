/* Theme light: bundles, good ones and corrupt ones, judged by `keel light verify` and by the verifier
 * of light/, which shares nothing with Keel.  Both believe every good one and say the same of it, and
 * neither believes a corrupt one.  Some come from Keel's code, others from light/make.ts, and some
 * from a node: what keel_getFinalityProof answers.
 *
 *     --generator PATH   of the program that makes bundles of Keel's
 *     --seed N           of the first chain (1)
 *     --chains N         how many of Keel's (60), and half as many of ours, each with
 *     --bundles N        so many (60) */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Wallet } from "ethers";
import { type Theme, theme } from "./lib/harness.ts";
import type { Node } from "./lib/node.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output, run } from "./lib/tool.ts";
import { Refused } from "./light/bytes.ts";
import { Chain, Dice } from "./light/make.ts";
import { type Proven, verify } from "./light/verify.ts";

interface Verdict {
    file: string;
    good: boolean;
    rule?: string;
    number?: string;
    hash?: string;
    stateRoot?: string;
    epoch?: string;
    finalHash?: string;
    account?: { exists: boolean; balance: string; nonce: string; slots: { key: string; value: string }[] };
}

/* Keel's verdicts on a folder of bundles, by name. */
async function ofKeel(t: Theme, folder: string, anchor: Record<string, unknown>): Promise<Map<string, Verdict>> {
    const trust = anchor["validators"] === undefined ? ["--genesis-hash", String(anchor["genesisHash"])]
        : ["--checkpoint", join(folder, "anchor.json")];
    const ran = await run(t.target.command, ["light", "verify", "--json", ...trust, "bundles"], { cwd: folder });
    assert.equal(ran.err, "");
    const verdicts = ran.out.trim().split("\n").map((line) => JSON.parse(line) as Verdict);
    assert.equal(ran.code, verdicts.every((verdict) => verdict.good) ? 0 : 1);
    return new Map(verdicts.map((verdict) => [verdict.file, verdict]));
}

function ofOurs(text: string, anchor: Record<string, unknown>): Proven | string {
    try {
        return verify(text, anchor);
    } catch (error) {
        if (error instanceof Refused) {
            return error.message;
        }
        throw error;
    }
}

/* What both say of a good one, in one spelling. */
const plain = (p: Proven): unknown => [p.number, p.hash, p.stateRoot, p.epoch, p.finalHash,
    p.account && [p.account.exists, p.account.balance, p.account.nonce, p.account.slots]];
const plainKeel = (v: Verdict): unknown => [BigInt(v.number ?? ""), v.hash, v.stateRoot, BigInt(v.epoch ?? ""), v.finalHash,
    v.account && [v.account.exists, BigInt(v.account.balance), BigInt(v.account.nonce),
                  v.account.slots.map(({ key, value }) => [BigInt(key), BigInt(value)])]];

const done = new Map<string, number>();

async function judgeChain(t: Theme, folder: string): Promise<void> {
    const anchor = JSON.parse(readFileSync(join(folder, "anchor.json"), "utf8")) as Record<string, unknown>;
    const keel = await ofKeel(t, folder, anchor);
    for (const line of readFileSync(join(folder, "intents"), "utf8").trim().split("\n")) {
        const [file = "", intent = ""] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
        const theirs = keel.get(file);
        const ours = ofOurs(readFileSync(join(folder, file), "utf8"), anchor);
        const what = `${join(folder, file)}, ${intent}: Keel ${JSON.stringify(theirs)}, we ${typeof ours === "string" ? ours : "believe it"}`;
        assert.equal(theirs?.good, intent === "good", what);
        assert.equal(typeof ours !== "string", intent === "good", what);
        if (theirs !== undefined && typeof ours !== "string") {
            assert.deepEqual(plain(ours), plainKeel(theirs), what);
        }
        done.set(intent, (done.get(intent) ?? 0) + 1);
    }
}

/* A chain of our own making, laid down as the generator does it. */
function makeChain(folder: string, dice: Dice, scheme: number, bundles: number): void {
    const chain = new Chain(dice, scheme);
    mkdirSync(join(folder, "bundles"), { recursive: true });
    writeFileSync(join(folder, "anchor.json"), JSON.stringify(chain.anchor));
    const intents = Array.from({ length: bundles }, (_, i) => {
        const { text, intent } = chain.make();
        writeFileSync(join(folder, "bundles", `${i}.json`), text);
        return `bundles/${i}.json ${intent}\n`;
    });
    writeFileSync(join(folder, "intents"), intents.join(""));
}

const BLS_EVERY = 9;

/* A node. */

const CHAIN_ID = 31337n;
/* Stores 7 in slot 1 and 0xabcd in slot 0xff..ff; has no code. */
const CONSTRUCTOR = "0x6007600155" + "61abcd" + "5f19" + "55" + "5f5ff3";
const LAST_SLOT = `0x${"ff".repeat(32)}`;
const NOBODY = `0x${"de".repeat(20)}`;

async function send(node: Node, wallet: Wallet, nonce: number, to: string | null, data: string): Promise<RpcReceipt> {
    const raw = await wallet.signTransaction({
        chainId: CHAIN_ID, type: 2, nonce, to, value: 1n, data, gasLimit: 200_000n, maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n,
    });
    return await node.rpc.call("eth_sendRawTransactionSync", [raw]) as RpcReceipt;
}

async function judgeNode(t: Theme, scheme: string): Promise<void> {
    const net = join(t.folder(), "net");
    const folder = t.folder();
    const init = ["init", "--validators", "1", "--scheme", scheme, "--epoch", "3", "--period", "20", "--dir", net];
    await output(t.target.command, init, { cwd: folder });
    const dir = join(net, "node-0");
    const { operator } = JSON.parse(readFileSync(join(dir, "validator", "key.json"), "utf8")) as { operator: Hex };
    const wallet = new Wallet(operator);
    const node = await t.start({ dir, plain: true });
    const { contractAddress: contract } = await send(node, wallet, 0, null, CONSTRUCTOR);
    for (let nonce = 1; nonce <= 8; nonce++) {
        await send(node, wallet, nonce, NOBODY, "0x");
    }
    const genesis = (await node.rpc.call("eth_getBlockByNumber", ["0x0", false]) as { hash: Hex }).hash;
    const asked: [number, unknown[]][] = [[0, []], [0, [contract, ["0x1"]]], [9, [NOBODY]], [9, [wallet.address, ["0x0"]]]];
    for (let number = 1; number <= 9; number++) {
        asked.push([number, [contract, ["0x1", LAST_SLOT, "0x2"]]]);
    }
    const file = join(folder, "bundle.json");
    const saved = join(folder, "seen.json");
    const judge = async (trust: string[]): Promise<Verdict> => JSON.parse(
        await output(t.target.command, ["light", "verify", "--json", ...trust, file], { cwd: folder })) as Verdict;
    for (const [number, rest] of asked) {
        const text = JSON.stringify(await node.rpc.call("keel_getFinalityProof", [`0x${number.toString(16)}`, ...rest]));
        writeFileSync(file, text);
        const theirs = await judge(["--genesis", join(dir, "genesis.json"), "--save", saved]);
        assert.deepEqual(plain(verify(text, { genesisHash: genesis })), plainKeel(theirs));
        assert.equal(Number(theirs.number), number);
    }
    assert.equal(verify(readFileSync(file, "utf8"), { genesisHash: genesis }).account?.slots[0]?.[1], 7n);
    assert.equal(verify(readFileSync(file, "utf8"), { genesisHash: genesis }).account?.slots[1]?.[1], 0xabcdn);

    const seen = JSON.parse(readFileSync(saved, "utf8")) as Record<string, unknown>;
    const next = await send(node, wallet, 9, NOBODY, "0x");
    const text = JSON.stringify(await node.rpc.call("keel_getFinalityProof", [next.blockNumber, NOBODY, [], seen["epoch"]]));
    writeFileSync(file, text);
    assert.ok(!text.includes("genesis"));
    assert.deepEqual(plain(verify(text, seen)), plainKeel(await judge(["--checkpoint", saved])));
    await node.stop();
}

await theme("light", {
    noNode: true,
    unsuited: (target) => (target.kind === "keel" ? undefined : "it is Keel's validators that sign"),
}, async (t) => {
    const generator = resolve(t.args.get("generator") ?? "");
    const seed = Number(t.args.get("seed") ?? "1");
    const chains = Number(t.args.get("chains") ?? "60");
    const bundles = Number(t.args.get("bundles") ?? "60");
    const theirs = t.folder();
    await output(generator, [theirs, String(seed), String(chains), String(bundles)], { cwd: theirs });
    for (const chain of readdirSync(theirs).sort()) {
        await t.test(`chain ${chain}`, () => judgeChain(t, join(theirs, chain)));
    }
    const ours = t.folder();
    for (let i = 0; i < chains / 2; i++) {
        const folder = join(ours, String(i));
        makeChain(folder, new Dice(seed * 1000 + i), i % BLS_EVERY === 0 ? 2 : 1, bundles);
        await t.test(`chain ${i} of our making`, () => judgeChain(t, folder));
    }
    for (const scheme of ["secp256k1", "bls12-381"]) {
        await t.test(`a node whose validator signs with ${scheme}`, () => judgeNode(t, scheme));
    }
    const good = done.get("good") ?? 0;
    const all = [...done.values()].reduce((sum, count) => sum + count, 0);
    await t.test(`${good} good bundles, ${all - good} corrupt ones of ${done.size - 1} kinds`, () => {
        assert.ok(good >= 1 && done.size >= 2);
    });
});
