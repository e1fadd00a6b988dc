/* Theme dev: the chain on a developer's desk: what it prints, its options, and its whole life. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HDNodeWallet, Mnemonic } from "ethers";
import { artifact } from "./lib/contracts.ts";
import { sleep, type Theme, theme, until } from "./lib/harness.ts";
import { type Node, targetOf } from "./lib/node.ts";
import { type Hex, quantity, type RpcReceipt } from "./lib/rpc.ts";

const WORDS = "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat";
const TO = "0x00000000000000000000000000000000000000aa";

/* Headings, and the lines below each.  Anvil may name requests before it says that it listens. */
function sections(log: string): Map<string, string[]> {
    const found = new Map<string, string[]>();
    let heading = "";
    const lines = (log.split("Listening on")[0] as string).split("\n").map((line) => line.trim())
        .filter((line) => !/^(eth|web3|net)_\w+$/.test(line));
    lines.forEach((line, i) => {
        if (/^=+$/.test(lines[i + 1] ?? "")) {
            heading = line;
            found.set(heading, []);
        } else if (heading !== "" && line !== "" && !/^=+$/.test(line)) {
            found.get(heading)?.push(line);
        }
    });
    return found;
}

async function words(t: Theme): Promise<void> {
    await t.test("the banner: Anvil's sections in Anvil's order, with the same accounts and keys", async () => {
        const extra = ["--accounts", "3", "--balance", "7", "--mnemonic", WORDS, "--chain-id", "99", "--gas-limit", "20000000",
                       "--timestamp", "1700000000"];
        const [own, theirs] = [await t.start({ extra }), await t.start({ extra }, targetOf("anvil"))];
        for (const node of [own, theirs]) {
            await until("the banner", () => (node.log.includes("Listening on") ? true : undefined));
        }
        const [a, b] = [sections(own.log), sections(theirs.log)];
        assert.deepEqual([...a.keys()], [...b.keys()]);
        for (const heading of ["Private Keys", "Wallet", "Chain ID", "Base Fee", "Gas Limit", "Genesis Timestamp", "Genesis Number"]) {
            const plain = (lines: string[] | undefined): string[] | undefined => lines?.map((line) => line.replace(/\s+/g, " "));
            assert.deepEqual(plain(a.get(heading)), plain(b.get(heading)), heading);
        }
        const addresses = (lines: string[] | undefined): (string | undefined)[] => lines?.map((line) => /0x\w{40}/.exec(line)?.[0]) ?? [];
        assert.deepEqual(addresses(a.get("Available Accounts")), addresses(b.get("Available Accounts")));
        const first = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(WORDS), "m/44'/60'/0'/0/0");
        assert.equal(addresses(a.get("Available Accounts"))[0], first.address);
        assert.match(own.log, new RegExp(`Listening on 127\\.0\\.0\\.1:${own.port}`));
    });

    await t.test("a transaction is told as it happens, with the reason when it fails", async () => {
        const node = await t.start({});
        const from = (await node.rpc.call<Hex[]>("eth_accounts"))[0] as Hex;
        const send = async (fields: object): Promise<RpcReceipt> =>
            node.rpc.receipt(await node.rpc.call("eth_sendTransaction", [{ from, gas: "0x200000", ...fields }]));
        const made = await send({ data: artifact("Failing").bytecode });
        await until("the creation", () => (node.log.includes(made.transactionHash) && /Contract created: 0x/.test(node.log) ? true : undefined));
        const failed = await send({ to: made.contractAddress, data: `0x3ccfd60b${"00".repeat(32)}` });
        assert.equal(failed.status, "0x0");
        await until("the failure", () => (node.log.includes(failed.transactionHash) && /Error: .*revert/i.test(node.log) ? true : undefined));
    });

    await t.test("--silent says nothing, --json an object a line", async () => {
        const silent = await t.start({ extra: ["--silent"] });
        await silent.rpc.call("evm_mine");
        await silent.stop();
        assert.equal(silent.log, "");
        const json = await t.start({ extra: ["--json"] });
        await json.rpc.call("evm_mine");
        await json.stop();
        const lines = json.log.trim().split("\n").map((line) => JSON.parse(line) as object);
        assert.ok(lines.length > 0 && lines.every((line) => typeof line === "object"));
    });
}

async function options(t: Theme): Promise<void> {
    await t.test("options mean what they say", async () => {
        const node = await t.start({ extra: [
            "--accounts", "3", "--balance", "7.5", "--mnemonic", WORDS, "--chain-id", "99", "--gas-limit", "20000000",
            "--base-fee", "5000", "--timestamp", "1700000000", "--coinbase", TO] });
        const { rpc } = node;
        assert.equal(await rpc.call("eth_chainId"), quantity(99));
        assert.equal(await rpc.call("net_version"), "99");
        const accounts = await rpc.call<Hex[]>("eth_accounts");
        assert.equal(accounts.length, 3);
        assert.equal(BigInt(await rpc.call("eth_getBalance", [accounts[2], "latest"])), 75n * 10n ** 17n);
        const genesis = await rpc.block(0);
        assert.deepEqual([genesis.baseFeePerGas, genesis.gasLimit, genesis.timestamp], [5000, 20_000_000, 1_700_000_000].map(quantity));
        await rpc.call("evm_mine");
        assert.equal((await rpc.block(1)).miner, TO);
    });

    await t.test("--hardfork: what an older fork lacks", async () => {
        const push0 = { data: "0x5f5ff3" };
        for (const [hardfork, works] of [["paris", false], ["shanghai", true]] as const) {
            const node = await t.start({ hardfork });
            const [answer] = await node.rpc.batch([["eth_call", [push0, "latest"]]]);
            assert.equal(typeof answer === "string", works, hardfork);
        }
    });

    await t.test("blocks by the clock, by hand, and for each transaction", async () => {
        const clock = await t.start({ blockTime: 0.1 });
        await until("blocks", async () => ((await clock.rpc.number()) >= 5 ? true : undefined));
        const [a, b] = [await clock.rpc.block(2), await clock.rpc.block(3)];
        assert.ok(Number(b.timestamp) > Number(a.timestamp));
        await clock.rpc.call("evm_setIntervalMining", [0]);
        const still = await until("an end of blocks", async () => {
            const before = await clock.rpc.number();
            await sleep(400);
            return (await clock.rpc.number()) === before ? before : undefined;
        });

        const hand = await t.start({ noMining: true });
        const from = (await hand.rpc.call<Hex[]>("eth_accounts"))[0] as Hex;
        const hash = await hand.rpc.call("eth_sendTransaction", [{ from, to: TO, value: "0x1" }]);
        assert.equal(await hand.rpc.call<null>("eth_getTransactionReceipt", [hash]), null);
        assert.equal(await hand.rpc.number(), 0);
        assert.equal(await hand.rpc.call("eth_getTransactionCount", [from, "pending"]), "0x1");
        assert.equal(await hand.rpc.call("eth_getTransactionCount", [from, "latest"]), "0x0");
        await hand.rpc.call("evm_mine");
        assert.equal((await hand.rpc.receipt(hash)).blockNumber, "0x1");
        await hand.rpc.call("evm_setAutomine", [true]);
        await hand.rpc.receipt(await hand.rpc.call("eth_sendTransaction", [{ from, to: TO, value: "0x1" }]));
        assert.equal(await hand.rpc.number(), 2);
        assert.ok(still >= 5);
    });
}

async function life(t: Theme): Promise<void> {
    const send = async ({ rpc }: Node): Promise<RpcReceipt> => {
        const from = (await rpc.call<Hex[]>("eth_accounts"))[0] as Hex;
        return rpc.receipt(await rpc.call("eth_sendTransaction", [{ from, to: TO, value: "0x1" }]));
    };

    await t.test("it ends when asked to, with 0, and goes on where it stopped", async () => {
        const dir = join(t.folder(), "chain");
        const first = await t.start({ dir });
        const receipt = await send(first);
        await first.rpc.call("anvil_setBalance", [TO, "0x1234"]);
        await first.rpc.call("evm_increaseTime", [1_000_000]);
        const id = await first.rpc.call("evm_snapshot");
        await first.stop("SIGTERM");
        assert.equal(first.exitCode, 0);

        const second = await t.start({ dir });
        assert.deepEqual(await second.rpc.receipt(receipt.transactionHash), receipt);
        assert.equal(await second.rpc.call("eth_getBalance", [TO, "latest"]), "0x1234");
        const later = await send(second);
        const [before, after] = [await second.rpc.block(receipt.blockNumber), await second.rpc.block(later.blockNumber)];
        assert.ok(Number(after.timestamp) - Number(before.timestamp) >= 1_000_000, "time that was moved stays moved");
        assert.equal(await second.rpc.call("evm_revert", [id]), true, "a snapshot outlives the process");
        assert.equal(await second.rpc.call<null>("eth_getTransactionReceipt", [later.transactionHash]), null);
        await second.stop("SIGINT");
        assert.equal(second.exitCode, 0);

        const third = await t.start({ dir, extra: ["--reset"] });
        assert.equal(await third.rpc.number(), 0);
        assert.equal(await third.rpc.call<null>("eth_getTransactionReceipt", [receipt.transactionHash]), null);
        await third.stop();
    });

    await t.test("--keep-history: what is kept is right, also after a restart", async () => {
        const dir = join(t.folder(), "chain");
        const node = await t.start({ dir, extra: ["--keep-history", "20"] });
        for (let i = 0; i < 60; i++) {
            await send(node);
        }
        for (const back of [0, 5, 15]) {
            assert.equal(Number(await node.rpc.call("eth_getBalance", [TO, quantity(60 - back)])), 60 - back);
        }
        await node.stop();
        const again = await t.start({ dir, extra: ["--keep-history", "20"] });
        assert.equal(Number(await again.rpc.call("eth_getBalance", [TO, quantity(50)])), 50);
        assert.equal((await again.rpc.block(3)).transactions.length, 1);
        await again.stop();
        assert.ok(existsSync(join(dir, "ledger")));
    });
}

await theme("dev", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "it is Keel's own" : undefined),
}, async (t) => {
    await words(t);
    await options(t);
    await life(t);
});
