/* Theme web3: web3.js 4 as people use it. */
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { Wallet } from "ethers";
import { Web3, WebSocketProvider } from "web3";
import { ETHER } from "./clients/client.ts";
import { Web3Client } from "./clients/web3.ts";
import { artifact } from "./lib/contracts.ts";
import { type Theme, theme, until } from "./lib/harness.ts";
import type { Node } from "./lib/node.ts";
import { checkProof } from "./lib/proof.ts";
import { type Hex, type RpcProof, word } from "./lib/rpc.ts";
import { failures } from "./scenarios/errors.ts";
import { govern } from "./scenarios/govern.ts";
import { tokens } from "./scenarios/tokens.ts";
import { upgrade } from "./scenarios/upgrade.ts";

const TO = "0x00000000000000000000000000000000000000aa";

async function types(t: Theme, client: Web3Client): Promise<void> {
    const { eth } = client.web3;

    await t.test("the node: chain, network, version, accounts", async () => {
        assert.equal(await eth.getChainId(), 31337n);
        assert.equal(await eth.net.getId(), 31337n);
        assert.equal(await eth.net.isListening(), true);
        assert.equal(await eth.isSyncing(), false);
        assert.match(await eth.getNodeInfo(), /^(anvil|keel)\/v?\d+\.\d+/i);
        assert.deepEqual((await eth.getAccounts()).map((a) => client.web3.utils.toChecksumAddress(a)), client.accounts);
        assert.equal(await client.balance(client.accounts[9] as string), 10_000n * ETHER);
    });

    await t.test("an account of the node signs", async () => {
        const bare = new Web3(client.web3.provider);
        bare.eth.transactionReceiptPollingInterval = 10;
        const receipt = await bare.eth.sendTransaction({ from: client.accounts[8] as string, to: TO, value: "3" });
        assert.equal(receipt.status, 1n);
        const signature = await bare.eth.sign(bare.utils.utf8ToHex("hello"), client.accounts[8] as string);
        const own = eth.accounts.wallet[8]?.sign("hello");
        assert.equal(signature, own?.signature);
    });

    await t.test("transactions of types 0, 1 and 2: fields, prices, receipts", async () => {
        const from = client.accounts[5] as string;
        const base = (await eth.getBlock()).baseFeePerGas as bigint;
        const accessList = [{ address: TO, storageKeys: [word(1)] }];
        const shapes = [
            { type: "0x0", gasPrice: String(2n * base) },
            { type: "0x1", gasPrice: String(2n * base), accessList },
            { type: "0x2", maxFeePerGas: String(3n * base), maxPriorityFeePerGas: "5", accessList },
        ];
        for (const shape of shapes) {
            const receipt = await eth.sendTransaction({ from, to: TO, value: "1", gas: "50000", ...shape });
            const tx = await eth.getTransaction(receipt.transactionHash);
            const block = await eth.getBlock(receipt.blockNumber, true);
            assert.equal(receipt.status, 1n);
            assert.equal(tx.type, BigInt(shape.type));
            assert.equal(receipt.gasUsed, shape.type === "0x0" ? 21_000n : 21_000n + 2400n + 1900n);
            assert.equal(receipt.effectiveGasPrice,
                         shape.gasPrice === undefined ? (block.baseFeePerGas as bigint) + 5n : BigInt(shape.gasPrice));
            assert.equal((block.transactions?.[0] as { hash: string }).hash, receipt.transactionHash);
            assert.deepEqual(await eth.getTransactionFromBlock(receipt.blockNumber, 0n), tx);
        }
        assert.equal(await eth.getTransactionCount(from), 3n);
        assert.equal(await eth.getBlockTransactionCount("latest"), 1n);
    });

    await t.test("type 4, signed elsewhere: its receipt, transaction and effect", async () => {
        const code = await client.deploy(artifact("Account"));
        const owner = Wallet.createRandom();
        await client.transfer(owner.address, ETHER);
        const authorization = owner.authorizeSync({ address: code.address, chainId: 31337n, nonce: 1n });
        const data = client.at(artifact("Account"), owner.address).data("run", [[[TO, 2, "0x"]]]);
        const raw = await owner.signTransaction({
            type: 4, chainId: 31337n, nonce: 0, to: owner.address, data, gasLimit: 200_000n,
            maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n, authorizationList: [authorization],
        });
        const hash = await client.rpc<Hex>("eth_sendRawTransaction", [raw]);
        const receipt = await until("the receipt", () => eth.getTransactionReceipt(hash).catch(() => undefined));
        assert.equal(receipt.status, 1n);
        assert.equal(receipt.type, 4n);
        assert.equal(receipt.logs[0]?.address?.toLowerCase(), owner.address.toLowerCase());
        assert.equal(await eth.getCode(owner.address), `0xef0100${code.address.slice(2).toLowerCase()}`);
        assert.equal((await eth.getTransaction(receipt.transactionHash)).type, 4n);
        assert.equal(await client.at(artifact("Account"), owner.address).read("self"), owner.address);
    });
}

async function questions(t: Theme, client: Web3Client): Promise<void> {
    const { eth } = client.web3;

    await t.test("the past: reads, balances, storage and proofs at old blocks", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        const first = await ledger.send("put", [1n, 100n], { value: 1n });
        const second = await ledger.send("put", [2n, 200n], { value: 2n });
        for (const [block, last, balance] of [[first.block - 1n, 0n, 0n], [first.block, 100n, 1n], [second.block, 200n, 3n]] as const) {
            assert.equal(await ledger.read("last", [], { block }), last);
            assert.equal(await client.balance(ledger.address, block), balance);
            assert.equal(BigInt(await eth.getStorageAt(ledger.address, 1n, block)), last);
            const seen = await eth.getProof(ledger.address, [word(1)], block);
            assert.equal(seen.balance, balance);
            assert.equal(seen.storageProof[0]?.value, last);
            const raw = await client.rpc<RpcProof>("eth_getProof", [ledger.address, [word(1)], `0x${block.toString(16)}`]);
            await checkProof((await eth.getBlock(block)).stateRoot as Hex, raw);
        }
    });

    await t.test("fees: history, gas price, estimate", async () => {
        await client.transfer(TO, 1n);
        await client.transfer(TO, 1n);
        const history = await eth.getFeeHistory(2n, "latest", [10, 90]) as unknown as { baseFeePerGas: bigint[]; reward: bigint[][]; oldestBlock: bigint };
        const head = await eth.getBlock();
        assert.equal(history.baseFeePerGas.length, 3);
        assert.equal(history.reward.length, 2);
        assert.equal(history.baseFeePerGas[1], head.baseFeePerGas);
        assert.ok((await eth.getGasPrice()) >= (history.baseFeePerGas[2] as bigint));
        assert.equal(await eth.estimateGas({ from: client.accounts[0] as string, to: TO, value: "1" }), 21_000n);
        const fees = await eth.calculateFeeData();
        assert.ok((fees.maxFeePerGas as bigint) > (head.baseFeePerGas as bigint));
    });

    await t.test("access list: of a call, and its effect", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        await ledger.send("put", [1n, 1n]);
        const data = ledger.data("put", [1n, 2n]);
        const from = client.accounts[0] as string;
        const made = await eth.createAccessList({ from, to: ledger.address, data }) as unknown as
            { accessList: { address: string; storageKeys: string[] }[]; gasUsed: bigint };
        const own = made.accessList.find((entry) => entry.address.toLowerCase() === ledger.address.toLowerCase());
        assert.equal(own?.storageKeys.length, 2);
        const receipt = await eth.sendTransaction({ from, to: ledger.address, data, gas: "100000", accessList: made.accessList as never });
        assert.equal(receipt.gasUsed, BigInt(made.gasUsed));
    });

    await t.test("a batch of requests in one go", async () => {
        const batch = new client.web3.BatchRequest();
        const asked = [1, 2, 3].map((id) => batch.add<string>({ jsonrpc: "2.0", id, method: "eth_getBalance",
                                                                params: [client.accounts[id] as string, "latest"] }));
        const number = batch.add<string>({ jsonrpc: "2.0", id: 9, method: "eth_blockNumber", params: [] });
        await batch.execute();
        for (const [i, balance] of (await Promise.all(asked)).entries()) {
            assert.equal(BigInt(balance), await client.balance(client.accounts[i + 1] as string));
        }
        assert.equal(BigInt(await number), await eth.getBlockNumber());
    });
}

async function news(t: Theme, node: Node, client: Web3Client): Promise<void> {
    await t.test("WebSocket: blocks, pending transactions and a contract's events", async () => {
        const provider = new WebSocketProvider(node.ws, {}, { autoReconnect: false });
        const web3 = new Web3(provider);
        const ledger = await client.deploy(artifact("Ledger"));
        const blocks: bigint[] = [];
        const pending: string[] = [];
        const logs: bigint[] = [];
        const events: unknown[] = [];
        const heads = await web3.eth.subscribe("newBlockHeaders");
        heads.on("data", (head) => void blocks.push(BigInt(head.number as bigint)));
        const waiting = await web3.eth.subscribe("pendingTransactions");
        waiting.on("data", (hash) => void pending.push(String(hash)));
        const raw = await web3.eth.subscribe("logs", { address: ledger.address });
        raw.on("data", (log) => void logs.push(BigInt((log as { blockNumber: bigint }).blockNumber)));
        const contract = new web3.eth.Contract(artifact("Ledger").abi, ledger.address);
        const put = (contract.events as unknown as Record<string, (options: object) => EventEmitter>)["Put"];
        const subscription = put?.({ filter: { key: 2n } }) as EventEmitter;
        subscription.on("data", (event) => events.push(event.returnValues["value"]));
        await once(subscription, "connected");
        const sent = [];
        for (const key of [1n, 2n, 3n]) {
            sent.push(await ledger.send("put", [key, key * 10n]));
        }
        await until("the news", () => (blocks.length >= 3 && pending.length >= 3 && logs.length >= 3 && events.length >= 1 ? true : undefined));
        assert.deepEqual(logs, sent.map((receipt) => receipt.block));
        assert.deepEqual(events, [20n]);
        for (const { block, hash } of sent) {
            assert.ok(blocks.includes(block));
            assert.ok(pending.includes(hash));
        }
        await heads.unsubscribe();
        provider.disconnect();
    });
}

await theme("web3", {}, async (t, node) => {
    const client = new Web3Client(node.url);
    await types(t, client);
    await questions(t, client);
    await news(t, node, client);
    await tokens(t, client);
    await failures(t, client);
    await upgrade(t, client);
    await govern(t, client);
});
