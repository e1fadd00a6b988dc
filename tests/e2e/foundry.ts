/* Theme foundry: forge and cast as people use them.
 *
 * Forge compiles with npm's solc through foundry/solc; nothing is downloaded. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HDNodeWallet, Mnemonic, Transaction, Wallet } from "ethers";
import { ETHER, MNEMONIC } from "./clients/client.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { HERE, type Node, toolPath } from "./lib/node.ts";
import { checkProof } from "./lib/proof.ts";
import { type Hex, type RpcBlock, type RpcLog, type RpcProof, type RpcReceipt, word } from "./lib/rpc.ts";
import { output, type Ran, run } from "./lib/tool.ts";

const TO = "0x00000000000000000000000000000000000000aa";
const GWEI = 10n ** 9n;
/* The factory that Forge sends CREATE2 through, and the transaction that makes it on any chain. */
const FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c";
const FACTORY_TX = "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffff"
    + "ffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222"
    + "222222222222222222222222222222222222222222222222222222222222a0222222222222222222222222222222222222222222222222"
    + "2222222222222222";

const signers = Array.from({ length: 10 }, (_, i) =>
    HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), `m/44'/60'/0'/0/${i}`));
const key = (i: number): string => (signers[i] as HDNodeWallet).privateKey;
const address = (i: number): string => (signers[i] as HDNodeWallet).address;

class Foundry {
    readonly node: Node;
    readonly project: string;
    env: Record<string, string>;

    constructor(node: Node, project: string) {
        this.node = node;
        this.project = project;
        this.env = { ETH_RPC_URL: node.url, FOUNDRY_OFFLINE: "true", FOUNDRY_DISABLE_NIGHTLY_WARNING: "1", SECOND_KEY: key(1) };
        cpSync(join(HERE, "foundry"), project, { recursive: true });
        writeFileSync(join(project, "foundry.toml"), [
            "[profile.default]",
            `solc = "${join(HERE, "foundry", "solc")}"`,
            "offline = true",
            "evm_version = \"osaka\"",
            "optimizer = true",
            "bytecode_hash = \"none\"",
            "libs = []",
            `allow_paths = ["${HERE}"]`,
            `remappings = ["@openzeppelin/=${join(HERE, "node_modules", "@openzeppelin")}/"]`,
        ].join("\n"));
    }

    cast(...args: string[]): Promise<string> {
        return output(toolPath("cast"), args, { cwd: this.project, env: this.env });
    }

    castFails(...args: string[]): Promise<Ran> {
        return this.#fails("cast", args);
    }

    forge(...args: string[]): Promise<string> {
        return output(toolPath("forge"), args, { cwd: this.project, env: this.env });
    }

    forgeFails(...args: string[]): Promise<Ran> {
        return this.#fails("forge", args);
    }

    async #fails(tool: "cast" | "forge", args: string[]): Promise<Ran> {
        const ran = await run(toolPath(tool), args, { cwd: this.project, env: this.env });
        assert.notEqual(ran.code, 0, `${tool} ${args.join(" ")} succeeded: ${ran.out}`);
        return ran;
    }

    async json<T>(...args: string[]): Promise<T> {
        return JSON.parse(await this.cast(...args, "--json")) as T;
    }

    async send(i: number, ...args: string[]): Promise<RpcReceipt> {
        const receipt = await this.json<RpcReceipt>("send", "--private-key", key(i), ...args);
        assert.equal(receipt.status, "0x1", args.join(" "));
        return receipt;
    }
}

interface Broadcast {
    transactions: { hash: Hex; transactionType: string; contractName: string | null; contractAddress: string | null;
                    transaction: { from: Hex } }[];
    receipts: RpcReceipt[];
    pending: Hex[];
    libraries: string[];
}

async function broadcast(foundry: Foundry, count: number): Promise<Broadcast> {
    const file = join(foundry.project, "broadcast", "Deploy.s.sol", "31337", "run-latest.json");
    const log = JSON.parse(readFileSync(file, "utf8")) as Broadcast;
    assert.deepEqual([log.pending, log.transactions.length, log.receipts.length], [[], count, count]);
    for (const told of log.receipts) {
        const own = await foundry.node.rpc.receipt(told.transactionHash);
        assert.deepEqual([told.status, told.blockHash, told.gasUsed], ["0x1", own.blockHash, own.gasUsed]);
    }
    return log;
}

/* The factory stands on a dev chain of Anvil from the start; elsewhere its own transaction makes it. */
async function factory(foundry: Foundry): Promise<void> {
    if (await foundry.cast("code", FACTORY) === "0x") {
        const { from } = Transaction.from(FACTORY_TX);
        await foundry.send(9, from as string, "--value", "0.01ether");
        await foundry.cast("publish", FACTORY_TX);
    }
    assert.notEqual(await foundry.cast("code", FACTORY), "0x");
}

async function scripts(t: Theme, foundry: Foundry): Promise<void> {
    const { node } = foundry;

    await t.test("forge script --broadcast: a library, several contracts, two accounts, CREATE2, payments", async () => {
        await factory(foundry);
        const before = BigInt(await foundry.cast("nonce", address(1)));
        await foundry.forge("script", "script/Deploy.s.sol:Deploy", "--rpc-url", node.url, "--broadcast",
                            "--private-key", key(0), "--sender", address(0));
        const log = await broadcast(foundry, 28);
        const created = Object.fromEntries(log.transactions.map((tx) => [tx.contractName, tx.contractAddress as Hex]));
        assert.equal(log.libraries.length, 1);
        assert.equal(BigInt(await foundry.cast("nonce", address(1))), before + 4n);
        const shop = created["Shop"] as Hex;
        foundry.env["SHOP"] = shop;
        assert.equal(await foundry.cast("call", shop, "orders()(uint256)"), "22");
        assert.equal(await foundry.cast("call", shop, "bought(address)(uint256)", address(0)), "213");
        const marker = await foundry.cast("call", created["Marker"] as Hex, "mark()(bytes32)");
        assert.equal(marker, await foundry.cast("format-bytes32-string", "here"));
        assert.equal(await foundry.cast("call", created["Greeter"] as Hex, "last()(string)"), "\"hello\"");
        assert.equal(BigInt(await foundry.cast("balance", shop)), ETHER + 212n * GWEI);
    });

    await t.test("forge script --slow --legacy: on top of what stands, one after another", async () => {
        await foundry.forge("script", "script/Deploy.s.sol:Again", "--rpc-url", node.url, "--private-key", key(2), "--broadcast",
                            "--slow", "--legacy");
        const log = await broadcast(foundry, 2);
        assert.deepEqual(log.receipts.map((receipt) => receipt.type), ["0x0", "0x0"]);
        assert.ok(Number(log.receipts[0]?.blockNumber) < Number(log.receipts[1]?.blockNumber));
        assert.equal(await foundry.cast("call", foundry.env["SHOP"] as Hex, "orders()(uint256)"), "24");
    });

    await t.test("forge script: one that fails sends nothing and says why", async () => {
        const nonce = await foundry.cast("nonce", address(3));
        const ran = await foundry.forgeFails("script", "script/Deploy.s.sol:Short", "--rpc-url", node.url, "--private-key", key(3),
                                             "--broadcast");
        assert.match(ran.err + ran.out, /TooLittle\(1000000000 \[1e9\], 2000000000 \[2e9\]\)/);
        assert.equal(await foundry.cast("nonce", address(3)), nonce);
        assert.equal(await foundry.cast("call", foundry.env["SHOP"] as Hex, "orders()(uint256)"), "24");
    });

    await t.test("forge create, and forge test on a fork of the chain", async () => {
        const made = JSON.parse(await foundry.forge("create", "src/Shop.sol:Marker", "--rpc-url", node.url, "--private-key", key(4),
                                                    "--broadcast", "--json", "--constructor-args", word(9))) as
                     { deployedTo: Hex; transactionHash: Hex };
        const receipt = await foundry.json<RpcReceipt>("receipt", made.transactionHash);
        assert.equal(receipt.contractAddress, made.deployedTo.toLowerCase());
        assert.equal(await foundry.cast("call", made.deployedTo, "mark()(bytes32)"), word(9));

        const shop = foundry.env["SHOP"] as Hex;
        Object.assign(foundry.env, { ORDERS: "24", TILL: await foundry.cast("balance", shop), NUMBER: await foundry.cast("block-number") });
        const ran = JSON.parse(await foundry.forge("test", "--fork-url", node.url, "--json")) as
                    Record<string, { test_results: Record<string, { status: string; reason: string | null }> }>;
        const results = Object.values(ran).flatMap((suite) => Object.entries(suite.test_results));
        assert.deepEqual(results.map(([name, result]) => [name, result.status, result.reason]),
                         [["testRefusal()", "Success", null], ["testState()", "Success", null]]);
        assert.equal(await foundry.cast("call", shop, "orders()(uint256)"), "24");
    });
}

async function sends(t: Theme, foundry: Foundry): Promise<void> {
    const { node } = foundry;
    const shop = foundry.env["SHOP"] as Hex;

    await t.test("cast send: ether, calls, creations, each type of transaction", async () => {
        const plain = await foundry.send(5, TO, "--value", "1ether");
        assert.deepEqual([plain.type, plain.gasUsed, plain.to], ["0x2", "0x5208", TO]);
        const legacy = await foundry.send(5, shop, "buy(uint256)", "4", "--value", "4gwei", "--legacy");
        assert.deepEqual([legacy.type, legacy.logs.length], ["0x0", 2]);
        const listed = await foundry.send(5, shop, "buy(uint256)", "4", "--value", "4gwei", "--access-list");
        const tx = await node.rpc.call<{ accessList: { address: Hex }[] }>("eth_getTransactionByHash", [listed.transactionHash]);
        assert.ok(tx.accessList.some((entry) => entry.address === shop.toLowerCase()));
        const code = "0x6001600c60003960016000f300";
        const created = await foundry.send(5, "--create", code);
        assert.equal(await foundry.cast("code", created.contractAddress as Hex), "0x00");
        const failed = await foundry.castFails("send", "--private-key", key(5), shop, "buy(uint256)", "4", "--value", "3gwei");
        assert.match(failed.err, /TooLittle|0x[0-9a-f]{8}/);
        const reverted = await foundry.json<RpcReceipt>("send", "--private-key", key(5), "--gas-limit", "100000", shop,
                                                        "buy(uint256)", "4", "--value", "3gwei");
        assert.equal(reverted.status, "0x0");
        const unlocked = await foundry.json<RpcReceipt>("send", "--unlocked", "--from", address(6), TO, "--value", "1");
        assert.deepEqual([unlocked.status, unlocked.from], ["0x1", address(6).toLowerCase()]);
    });

    await t.test("cast wallet: a keystore of its own signs sends, messages and delegations", async () => {
        const made = Wallet.createRandom();
        await foundry.cast("wallet", "import", "mine", "--keystore-dir", foundry.project, "--private-key", made.privateKey,
                           "--unsafe-password", "secret");
        const keystore = ["--keystore", join(foundry.project, "mine"), "--password", "secret"];
        assert.equal(await foundry.cast("wallet", "address", ...keystore), made.address);
        await foundry.send(5, made.address, "--value", "1ether");
        const bought = await foundry.json<RpcReceipt>("send", ...keystore, shop, "buy(uint256)", "5", "--value", "5gwei");
        assert.deepEqual([bought.status, bought.from], ["0x1", made.address.toLowerCase()]);
        assert.equal(await foundry.cast("call", shop, "bought(address)(uint256)", made.address), "5");
        const signature = await foundry.cast("wallet", "sign", ...keystore, "hello");
        assert.equal(signature, await made.signMessage("hello"));

        const raw = await foundry.cast("mktx", ...keystore, TO, "--value", "7");
        const { hash } = Transaction.from(raw);
        const sent = await foundry.cast("publish", raw, "--async");
        assert.match(sent, new RegExp(hash as string));
        assert.equal((await node.rpc.receipt(hash as Hex)).status, "0x1");

        const greeter = (await foundry.forge("create", "src/Shop.sol:Greeter", "--rpc-url", node.url, "--private-key", key(4),
                                             "--broadcast", "--json"));
        const { deployedTo } = JSON.parse(greeter) as { deployedTo: Hex };
        const auth = await foundry.cast("wallet", "sign-auth", deployedTo, ...keystore, "--nonce", "2", "--chain", "31337");
        const delegated = await foundry.send(5, made.address, "greet(string)", "from within", "--auth", auth);
        assert.equal(delegated.type, "0x4");
        assert.equal(delegated.logs[0]?.address, made.address.toLowerCase());
        assert.equal(await foundry.cast("code", made.address), `0xef0100${deployedTo.slice(2).toLowerCase()}`);
        assert.equal(await foundry.cast("call", made.address, "last()(string)"), "\"from within\"");
    });
}

async function questions(t: Theme, foundry: Foundry): Promise<void> {
    const { node } = foundry;
    const shop = foundry.env["SHOP"] as Hex;

    await t.test("cast call, estimate, access-list: results, and errors with their data", async () => {
        assert.equal(await foundry.cast("call", shop, "buy(uint256)(uint256)", "1", "--value", "1gwei", "--from", address(7)),
                     String(1 + Number(await foundry.cast("call", shop, "orders()(uint256)"))));
        const failed = await foundry.castFails("call", shop, "buy(uint256)", "2", "--value", "1");
        assert.match(failed.err, /execution reverted/);
        const selector = await foundry.cast("sig", "TooLittle(uint256,uint256)");
        assert.match(failed.err, new RegExp(`${selector}0{63}1`));
        const estimate = BigInt(await foundry.cast("estimate", shop, "buy(uint256)", "3", "--value", "3gwei", "--from", address(7)));
        const used = BigInt((await foundry.send(7, shop, "buy(uint256)", "3", "--value", "3gwei")).gasUsed);
        assert.ok(estimate >= used && estimate < used + used / 3n, `${estimate} for ${used}`);
        assert.equal(await foundry.cast("estimate", TO, "--value", "1", "--from", address(7)), "21000");
        const list = await foundry.json<{ gasUsed: Hex; accessList: { address: Hex; storageKeys: Hex[] }[] }>(
            "access-list", shop, "buy(uint256)", "3", "--value", "3gwei", "--from", address(7));
        assert.ok(list.accessList.some((entry) => entry.address === shop.toLowerCase() && entry.storageKeys.length === 2));
    });

    await t.test("cast storage, index, proof: slots and their proofs", async () => {
        const orders = BigInt(await foundry.cast("call", shop, "orders()(uint256)"));
        assert.equal(await foundry.cast("storage", shop, "0"), word(orders));
        const slot = await foundry.cast("index", "address", address(0), "1") as Hex;
        assert.equal(await foundry.cast("storage", shop, slot), word(213));
        const block = await foundry.json<RpcBlock>("block", "latest");
        const proof = await foundry.json<RpcProof>("proof", shop, slot, "0x0", "--block", String(BigInt(block.number)));
        assert.deepEqual(proof.storageProof.map(({ value }) => BigInt(value)), [213n, orders]);
        await checkProof(block.stateRoot, proof);
        const old = String(BigInt(block.number) - 1n);
        assert.equal(await foundry.cast("storage", shop, "0", "--block", old), word(orders - 1n));
    });

    await t.test("cast logs: by event, argument, address and range", async () => {
        const event = "Sold(address indexed,uint256 indexed,uint256)";
        const all = await foundry.json<RpcLog[]>("logs", "--from-block", "0", "--address", shop, event);
        assert.equal(all.length, Number(await foundry.cast("call", shop, "orders()(uint256)")));
        const some = await foundry.json<RpcLog[]>("logs", "--from-block", "0", "--address", shop, event, address(2));
        assert.deepEqual(some.map((log) => BigInt(log.data)), [9n, 1n]);
        const at = String(Number(some[1]?.blockNumber));
        const one = await foundry.json<RpcLog[]>("logs", "--from-block", at, "--to-block", at, event);
        assert.deepEqual(one, [some[1]]);
    });

    await t.test("cast block, tx, receipt, balance, nonce, fees, rpc", async () => {
        const receipt = await foundry.send(8, TO, "--value", "3");
        const told = await foundry.json<RpcReceipt>("receipt", receipt.transactionHash);
        assert.deepEqual({ ...told, ...receipt }, told);
        assert.equal(await foundry.cast("receipt", receipt.transactionHash, "gasUsed"), "21000");
        const tx = await foundry.json<{ hash: Hex; blockHash: Hex; from: Hex; value: Hex }>("tx", receipt.transactionHash);
        assert.deepEqual([tx.blockHash, tx.value, tx.from], [receipt.blockHash, "0x3", address(8).toLowerCase()]);
        const block = await foundry.json<RpcBlock>("block", receipt.blockHash);
        assert.deepEqual(block.transactions, [receipt.transactionHash]);
        assert.equal(await foundry.cast("block", "latest", "--field", "hash"), block.hash);
        assert.equal(await foundry.cast("block-number"), String(BigInt(block.number)));
        assert.equal(await foundry.cast("age", "latest"), new Date(Number(block.timestamp) * 1000).toUTCString()
            .replace(/(\w+), (\d+) (\w+) (\d+) (\S+) GMT/, (_, day, date, month, year, time) =>
                `${day} ${month} ${date.replace(/^0/, " ")} ${time} ${year} UTC`));
        assert.equal(await foundry.cast("base-fee", "latest"), String(BigInt(block.baseFeePerGas)));
        assert.ok(BigInt(await foundry.cast("gas-price")) > 0n);
        assert.equal(await foundry.cast("chain-id"), "31337");
        assert.equal(await foundry.cast("nonce", address(8)), "1");
        const paid = 3n + BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice);
        assert.equal(BigInt(await foundry.cast("balance", address(8))), 10_000n * ETHER - paid);
        const past = ["--block", String(BigInt(receipt.blockNumber) - 1n)];
        assert.equal(BigInt(await foundry.cast("balance", address(8), ...past)), 10_000n * ETHER);
        assert.equal(await foundry.cast("rpc", "eth_getTransactionCount", address(8), "latest"), "\"0x1\"");
        assert.match(await foundry.cast("client"), /^(anvil|keel)\//i);
    });

    await t.test("cast run: a mined transaction again, with its trace", async () => {
        const receipt = await foundry.send(7, shop, "buy(uint256)", "6", "--value", "6gwei");
        const trace = await foundry.cast("run", receipt.transactionHash, "--quick");
        assert.match(trace, /Transaction successfully executed/);
        assert.match(trace, new RegExp(`Gas used: ${Number(receipt.gasUsed)}`));
        const told = JSON.parse(await foundry.cast("rpc", "debug_traceTransaction", receipt.transactionHash)) as
                     { failed: boolean; gas: number; structLogs: { op: string }[] };
        assert.deepEqual([told.failed, told.gas], [false, Number(receipt.gasUsed)]);
        /* Anvil keeps steps only when it is told so at its start. */
        assert.equal(node.kind === "anvil" ? 2 : told.structLogs.filter(({ op }) => op.startsWith("LOG")).length, 2);
    });
}

await theme("foundry", {}, async (t, node) => {
    const foundry = new Foundry(node, t.folder());
    await scripts(t, foundry);
    await sends(t, foundry);
    await questions(t, foundry);
});
