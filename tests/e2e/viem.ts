/* Theme viem: viem as people use it. */
import assert from "node:assert/strict";
import {
    createTestClient, createWalletClient, formatEther, type Hex, http, parseTransaction, publicActions, type PublicClient,
    recoverTransactionAddress, type TransactionSerializableEIP1559, type TransactionSerialized, walletActions, webSocket, zeroAddress,
    createPublicClient, getContract, serializeTransaction, keccak256,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { anvil } from "viem/chains";
import { ETHER } from "./clients/client.ts";
import { ViemClient } from "./clients/viem.ts";
import { artifact } from "./lib/contracts.ts";
import { type Theme, theme, until } from "./lib/harness.ts";
import type { Node } from "./lib/node.ts";
import { checkProof } from "./lib/proof.ts";
import { type RpcProof, word } from "./lib/rpc.ts";
import { failures } from "./scenarios/errors.ts";
import { govern } from "./scenarios/govern.ts";
import { tokens } from "./scenarios/tokens.ts";
import { upgrade } from "./scenarios/upgrade.ts";

const TO = "0x00000000000000000000000000000000000000aa";

async function types(t: Theme, node: Node, client: ViemClient): Promise<void> {
    await t.test("accounts: of the node and of the mnemonic are the same", async () => {
        const wallet = createWalletClient({ chain: anvil, transport: http(node.url) });
        const known = await wallet.getAddresses();
        assert.deepEqual(known, client.accounts);
        assert.equal(await client.node.getChainId(), 31337);
        assert.equal(formatEther(await client.balance(known[9] as Hex)), "10000");
        const hash = await wallet.sendTransaction({ account: known[8] as Hex, to: TO, value: 3n });
        const receipt = await client.node.waitForTransactionReceipt({ hash });
        assert.equal(receipt.status, "success");
        const message = await wallet.signMessage({ account: known[8] as Hex, message: "hello" });
        assert.equal(message, await client.account(8).signMessage({ message: "hello" }));
    });

    await t.test("transactions of types 0, 1 and 2: fields, prices, receipts", async () => {
        const wallet = client.wallet(5);
        const base = (await client.node.getBlock()).baseFeePerGas as bigint;
        const accessList = [{ address: TO, storageKeys: [word(1)] }] as const;
        const sent: [string, bigint | undefined, Promise<Hex>][] = [];
        const nonce = await client.node.getTransactionCount({ address: wallet.account.address });
        const common = { to: TO, value: 1n, gas: 50_000n } as const;
        sent.push(["legacy", 2n * base, wallet.sendTransaction({ ...common, nonce, type: "legacy", gasPrice: 2n * base })]);
        await sent[0]?.[2];
        sent.push(["eip2930", 2n * base, wallet.sendTransaction(
            { ...common, nonce: nonce + 1, type: "eip2930", gasPrice: 2n * base, accessList })]);
        await sent[1]?.[2];
        sent.push(["eip1559", undefined, wallet.sendTransaction(
            { ...common, nonce: nonce + 2, type: "eip1559", maxFeePerGas: 3n * base, maxPriorityFeePerGas: 5n, accessList })]);
        for (const [type, price, sending] of sent) {
            const hash = await sending;
            const receipt = await client.node.waitForTransactionReceipt({ hash });
            const tx = await client.node.getTransaction({ hash });
            const block = await client.node.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });
            assert.equal(receipt.type, type);
            assert.equal(tx.type, type);
            assert.equal(receipt.gasUsed, type === "legacy" ? 21_000n : 21_000n + 2400n + 1900n);
            assert.equal(receipt.effectiveGasPrice, price ?? (block.baseFeePerGas as bigint) + 5n);
            assert.deepEqual(block.transactions, [tx]);
            assert.deepEqual(tx.accessList ?? [], type === "legacy" ? [] : accessList);
        }
    });

    await t.test("type 4: a sponsored delegation, and the account's own batch", async () => {
        const code = await client.deploy(artifact("Account"));
        const owner = privateKeyToAccount(generatePrivateKey());
        await client.transfer(owner.address, ETHER);
        const wallet = createWalletClient({ chain: anvil, transport: http(node.url), account: owner });
        const sponsor = client.wallet(6);
        const authorization = await wallet.signAuthorization({ contractAddress: code.address as Hex });
        const hash = await sponsor.sendTransaction({ to: owner.address, authorizationList: [authorization], value: 5n });
        const receipt = await client.node.waitForTransactionReceipt({ hash });
        assert.equal(receipt.type, "eip7702");
        assert.equal(receipt.status, "success");
        assert.equal(await client.node.getCode({ address: owner.address }), `0xef0100${code.address.slice(2).toLowerCase()}`);
        assert.equal(await client.node.getTransactionCount({ address: owner.address }), 1);
        const tx = await client.node.getTransaction({ hash });
        assert.equal(tx.authorizationList?.[0]?.address, code.address.toLowerCase());
        const batch = await wallet.writeContract({
            address: owner.address, abi: artifact("Account").abi, functionName: "run",
            args: [[{ to: TO, value: 2n, data: "0x" }, { to: client.accounts[1] as Hex, value: 1n, data: "0x" }]],
        });
        const ran = await client.node.waitForTransactionReceipt({ hash: batch });
        assert.equal(ran.status, "success");
        assert.equal(ran.logs[0]?.address, owner.address.toLowerCase());
        const back = await wallet.signAuthorization({ contractAddress: zeroAddress, executor: "self" });
        await client.node.waitForTransactionReceipt({
            hash: await wallet.sendTransaction({ to: owner.address, authorizationList: [back] }),
        });
        assert.equal(await client.node.getCode({ address: owner.address }), undefined);
    });

    await t.test("raw transactions: what was signed is what the node says", async () => {
        const account = client.account(7);
        const nonce = await client.node.getTransactionCount({ address: account.address });
        const raw = await account.signTransaction({
            chainId: 31337, type: "eip1559", to: TO, value: 1n, nonce, gas: 30_000n, maxFeePerGas: 10n ** 10n,
            maxPriorityFeePerGas: 1n, data: "0x1234",
        });
        assert.equal(await recoverTransactionAddress({ serializedTransaction: raw as TransactionSerialized }), account.address);
        const hash = await client.node.sendRawTransaction({ serializedTransaction: raw });
        assert.equal(hash, keccak256(raw));
        await client.node.waitForTransactionReceipt({ hash });
        const tx = await client.node.getTransaction({ hash });
        const parsed = parseTransaction(raw) as TransactionSerializableEIP1559;
        const again = serializeTransaction({ ...parsed, r: tx.r, s: tx.s, yParity: tx.yParity as number });
        assert.equal(again, raw);
    });
}

async function questions(t: Theme, client: ViemClient): Promise<void> {
    await t.test("the past: reads, balances, storage and proofs at old blocks", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        const address = ledger.address as Hex;
        const first = await ledger.send("put", [1n, 100n], { value: 1n });
        const second = await ledger.send("put", [2n, 200n], { value: 2n });
        for (const [blockNumber, last, balance] of [[first.block - 1n, 0n, 0n], [first.block, 100n, 1n], [second.block, 200n, 3n]] as const) {
            assert.equal(await ledger.read("last", [], { block: blockNumber }), last);
            assert.equal(await client.balance(address, blockNumber), balance);
            assert.equal(await client.node.getStorageAt({ address, slot: word(1), blockNumber }), word(last));
            const proof = await client.node.getProof({ address, storageKeys: [word(1)], blockNumber });
            assert.equal(proof.balance, balance);
            assert.equal(proof.storageProof[0]?.value, last);
            const raw = await client.rpc<RpcProof>("eth_getProof", [address, [word(1)], `0x${blockNumber.toString(16)}`]);
            await checkProof((await client.node.getBlock({ blockNumber })).stateRoot, raw);
        }
        const block = await client.node.getBlock({ blockNumber: first.block });
        const [number, time, , chain] = await ledger.read<bigint[]>("block_", [], { block: first.block }) as bigint[];
        assert.deepEqual([number, time, chain], [block.number, block.timestamp, 31337n]);
    });

    await t.test("fees: history, estimate, priority fee, blob base fee", async () => {
        for (let i = 0; i < 3; i++) {
            await client.transfer(TO, 1n);
        }
        const history = await client.node.getFeeHistory({ blockCount: 3, rewardPercentiles: [25, 75] });
        assert.equal(history.baseFeePerGas.length, 4);
        assert.equal(history.gasUsedRatio.length, 3);
        assert.equal(history.reward?.length, 3);
        const head = await client.node.getBlock();
        assert.equal(history.oldestBlock, head.number - 2n);
        assert.equal(history.baseFeePerGas[2], head.baseFeePerGas);
        assert.ok(Math.abs((history.gasUsedRatio[2] as number) - 21_000 / Number(head.gasLimit)) < 1e-6);
        for (let i = 0n; i < 3n; i++) {
            const block = await client.node.getBlock({ blockNumber: history.oldestBlock + i });
            assert.equal(history.baseFeePerGas[Number(i)], block.baseFeePerGas);
        }
        const fees = await client.node.estimateFeesPerGas();
        assert.ok(fees.maxFeePerGas >= (head.baseFeePerGas as bigint));
        assert.ok((await client.node.estimateMaxPriorityFeePerGas()) >= 0n);
        assert.ok((await client.node.getGasPrice()) >= (history.baseFeePerGas[3] as bigint));
        assert.equal(await client.node.getBlobBaseFee(), 1n);
    });

    await t.test("access list: what createAccessList names makes the call cheaper, never wrong", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        await ledger.send("put", [1n, 1n]);
        const data = ledger.data("put", [1n, 2n]);
        const account = client.account(0);
        const { accessList, gasUsed } = await client.node.createAccessList({ account, to: ledger.address as Hex, data });
        const own = accessList.find((entry) => entry.address === ledger.address.toLowerCase());
        assert.equal(own?.storageKeys.length, 2);
        const hash = await client.wallet(0).sendTransaction({ to: ledger.address as Hex, data, accessList });
        const receipt = await client.node.waitForTransactionReceipt({ hash });
        assert.equal(receipt.status, "success");
        assert.equal(receipt.gasUsed, gasUsed);
    });

    await t.test("calls with overrides: balance, code, storage, nothing kept", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        const address = ledger.address as Hex;
        const read = { address, abi: artifact("Ledger").abi, account: zeroAddress };
        const [, rich] = await client.node.readContract({
            ...read, functionName: "sender", stateOverride: [{ address: zeroAddress, balance: 12345n }],
        }) as [string, bigint];
        assert.equal(rich, 12345n);
        const last = await client.node.readContract({
            ...read, functionName: "last", stateOverride: [{ address, stateDiff: [{ slot: word(1), value: word(77) }] }],
        });
        assert.equal(last, 77n);
        const nowhere = "0x1111111111111111111111111111111111111111";
        const self = await client.node.readContract({
            address: nowhere, abi: artifact("Account").abi, functionName: "self",
            stateOverride: [{ address: nowhere, code: artifact("Account").deployedBytecode }],
        });
        assert.equal(self, nowhere);
        assert.equal(await ledger.read("last"), 0n);
        assert.equal(await client.node.getCode({ address: nowhere }), undefined);
    });

    await t.test("deployless calls, and reading through a contract object", async () => {
        const { data } = await client.node.call({
            code: artifact("Account").bytecode, data: client.at(artifact("Account"), TO).data("self"),
        });
        assert.equal(data?.length, 66);
        const coin = await client.deploy(artifact("Coin"), [5n]);
        const bound = getContract({ address: coin.address as Hex, abi: artifact("Coin").abi, client: client.node });
        assert.deepEqual(await Promise.all([bound.read["symbol"]?.([]), bound.read["totalSupply"]?.([])]), ["COIN", 5n]);
        assert.equal(await client.node.getTransactionCount({ address: coin.address as Hex }), 1);
    });
}

async function watching(t: Theme, node: Node, client: ViemClient): Promise<void> {
    for (const [name, transport] of [["polling filters", http(node.url)], ["WebSocket", webSocket(node.ws)]] as const) {
        await t.test(`watching over ${name}: blocks, pending transactions, events`, async () => {
            const watcher = createPublicClient({ chain: anvil, transport, pollingInterval: 10 }) as PublicClient;
            const ledger = await client.deploy(artifact("Ledger"));
            const blocks: bigint[] = [];
            const pending: Hex[] = [];
            const seen: [bigint, bigint][] = [];
            const wrong: Error[] = [];
            const onError = (error: Error): void => void wrong.push(error);
            const poll = name !== "WebSocket" ? { poll: true as const } : {};
            const stop = [
                watcher.watchBlocks({ ...poll, onBlock: (block) => blocks.push(block.number as bigint), onError }),
                watcher.watchPendingTransactions({ ...poll, onTransactions: (hashes) => pending.push(...hashes), onError }),
                watcher.watchContractEvent({
                    ...poll, address: ledger.address as Hex, abi: artifact("Ledger").abi, eventName: "Put",
                    args: { key: [1n, 3n] }, onError,
                    onLogs: (logs) => seen.push(...logs.map((log) => {
                        const { args } = log as unknown as { args: { key: bigint; value: bigint } };
                        return [args.key, args.value] as [bigint, bigint];
                    })),
                }),
            ];
            /* A watcher says nothing about when it has begun. */
            let key = 0n;
            const all = await until("all kinds of news", async () => {
                const receipt = await ledger.send("put", [key % 4n, key]);
                key++;
                return blocks.includes(receipt.block) && pending.includes(receipt.hash) && seen.length >= 3 ? true : undefined;
            });
            assert.equal(all, true);
            assert.deepEqual(wrong, []);
            assert.ok(seen.every(([k, value]) => (k === 1n || k === 3n) && value % 4n === k), String(seen));
            stop.forEach((end) => end());
        });
    }
}

async function testActions(t: Theme, node: Node): Promise<void> {
    await t.test("test client: mine, time, balance, code, storage, snapshots, impersonation", async () => {
        const dev = createTestClient({ chain: anvil, mode: "anvil", transport: http(node.url) })
            .extend(publicActions).extend(walletActions);
        const id = await dev.snapshot();
        const before = await dev.getBlockNumber();
        await dev.mine({ blocks: 3 });
        assert.equal(await dev.getBlockNumber({ cacheTime: 0 }), before + 3n);
        const { timestamp } = await dev.getBlock();
        await dev.setNextBlockTimestamp({ timestamp: timestamp + 1000n });
        await dev.mine({ blocks: 1 });
        assert.equal((await dev.getBlock()).timestamp, timestamp + 1000n);
        await dev.setBalance({ address: TO, value: ETHER });
        await dev.setCode({ address: "0x00000000000000000000000000000000000000bb", bytecode: artifact("Ledger").deployedBytecode });
        await dev.setStorageAt({ address: "0x00000000000000000000000000000000000000bb", index: 1, value: word(9) });
        assert.equal(await dev.readContract({
            address: "0x00000000000000000000000000000000000000bb", abi: artifact("Ledger").abi, functionName: "last",
        }), 9n);
        await dev.impersonateAccount({ address: TO });
        const hash = await dev.sendTransaction({ account: TO, to: zeroAddress, value: 1n });
        assert.equal((await dev.waitForTransactionReceipt({ hash })).from, TO);
        await dev.stopImpersonatingAccount({ address: TO });
        await dev.revert({ id });
        assert.equal(await dev.getBlockNumber({ cacheTime: 0 }), before);
        assert.equal(await dev.getCode({ address: "0x00000000000000000000000000000000000000bb" }), undefined);
    });
}

await theme("viem", {}, async (t, node) => {
    const client = new ViemClient(node.url);
    await types(t, node, client);
    await questions(t, client);
    await watching(t, node, client);
    await tokens(t, client);
    await failures(t, client);
    await upgrade(t, client);
    await govern(t, client);
    await testActions(t, node);
});
