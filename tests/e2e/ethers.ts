/* Theme ethers: ethers v6 as people use it. */
import assert from "node:assert/strict";
import {
    Contract as EthersContract, type ContractEventPayload, formatEther, HDNodeWallet, type EventLog, JsonRpcProvider, Transaction, Wallet,
    WebSocketProvider, ZeroAddress,
} from "ethers";
import { type Contract, ETHER, MNEMONIC } from "./clients/client.ts";
import { EthersClient } from "./clients/ethers.ts";
import { artifact } from "./lib/contracts.ts";
import { type Theme, theme, until } from "./lib/harness.ts";
import type { Node } from "./lib/node.ts";
import { checkProof } from "./lib/proof.ts";
import { type RpcProof, word } from "./lib/rpc.ts";
import { failures } from "./scenarios/errors.ts";
import { govern } from "./scenarios/govern.ts";
import { tokens } from "./scenarios/tokens.ts";
import { upgrade } from "./scenarios/upgrade.ts";

const wallet = (client: EthersClient, i: number): Wallet => client.signers[i] as Wallet;

async function accounts(t: Theme, client: EthersClient): Promise<void> {
    await t.test("accounts of the test mnemonic are funded and known to the node", async () => {
        const { provider } = client;
        assert.equal((await provider.getNetwork()).chainId, 31337n);
        const known = await provider.listAccounts();
        assert.deepEqual(known.map((signer) => signer.address), client.accounts);
        for (const address of client.accounts) {
            assert.equal(formatEther(await provider.getBalance(address)), "10000.0");
            assert.equal(await provider.getTransactionCount(address), 0);
        }
    });

    await t.test("an account of the node signs: transactions and messages", async () => {
        const signer = await client.provider.getSigner(3);
        const tx = await signer.sendTransaction({ to: client.accounts[4] as string, value: 5n });
        const receipt = await tx.wait();
        assert.equal(receipt?.status, 1);
        assert.equal(receipt?.from, client.accounts[3]);
        const signature = await signer.signMessage("hello");
        assert.equal(signature, await wallet(client, 3).signMessage("hello"));
    });
}

async function types(t: Theme, client: EthersClient): Promise<void> {
    const to = "0x00000000000000000000000000000000000000aa";

    await t.test("transactions of types 0, 1 and 2: fields, prices, receipts", async () => {
        const from = wallet(client, 5);
        const base = (await client.provider.getBlock("latest"))?.baseFeePerGas as bigint;
        const accessList = [{ address: to, storageKeys: [word(1), word(2)] }];
        const shapes = [
            { type: 0, gasPrice: 2n * base },
            { type: 1, gasPrice: 2n * base, accessList },
            { type: 2, maxFeePerGas: 3n * base, maxPriorityFeePerGas: 7n, accessList },
        ];
        for (const shape of shapes) {
            const sent = await from.sendTransaction({ to, value: 1n, gasLimit: 40_000n, ...shape });
            const receipt = await sent.wait();
            const tx = await client.provider.getTransaction(sent.hash);
            assert.ok(receipt !== null && tx !== null);
            assert.equal(receipt.status, 1);
            assert.equal(receipt.type, shape.type);
            assert.equal(tx.type, shape.type);
            assert.equal(tx.from, from.address);
            assert.equal(Transaction.from(sent).hash, tx.hash);
            assert.equal(receipt.gasUsed, 21_000n + (shape.type === 0 ? 0n : 2400n + 2n * 1900n));
            const block = await receipt.getBlock();
            const price = shape.gasPrice ?? (block.baseFeePerGas as bigint) + 7n;
            assert.equal(receipt.gasPrice, price);
            assert.deepEqual(tx.accessList?.map((e) => [e.address.toLowerCase(), [...e.storageKeys]]) ?? [],
                             shape.type === 0 ? [] : [[to, [word(1), word(2)]]]);
            assert.equal(await client.provider.getBalance(from.address, receipt.blockNumber),
                         await client.provider.getBalance(from.address, receipt.blockNumber - 1) - 1n
                             - receipt.gasUsed * price);
        }
    });

    await t.test("transactions without a chain id (before EIP-155)", async () => {
        const from = wallet(client, 5);
        const tx = Transaction.from({
            type: 0, to, value: 1n, gasLimit: 21_000n, gasPrice: 10n ** 10n, nonce: await from.getNonce(),
        });
        tx.signature = from.signingKey.sign(tx.unsignedHash);
        assert.equal(tx.isLegacy() && tx.chainId, 0n);
        const sent = await client.provider.broadcastTransaction(tx.serialized);
        const receipt = await sent.wait();
        assert.equal(receipt?.from, from.address);
        assert.equal(receipt?.status, 1);
    });

    await t.test("type 4: an account delegates, acts in batches, and takes the delegation back", async () => {
        const code = await client.deploy(artifact("Account"));
        const coin = await client.deploy(artifact("Coin"), [100n]);
        const owner = Wallet.createRandom(client.provider);
        await client.transfer(owner.address, ETHER);
        const { chainId } = await client.provider.getNetwork();
        const nonce = await owner.getNonce();
        const authorization = await owner.authorize({ address: code.address, chainId, nonce: nonce + 1 });
        const self = new EthersContract(owner.address, artifact("Account").abi, owner);
        const calls = [[client.accounts[1], 1n, "0x"], [coin.address, 0n, coin.data("approve", [client.accounts[2], 9n])]];
        const sent = await self.getFunction("run")(calls, { type: 4, authorizationList: [authorization], nonce });
        const receipt = await sent.wait();
        assert.equal(receipt.type, 4);
        assert.equal(receipt.status, 1);
        assert.equal(await client.provider.getCode(owner.address), `0xef0100${code.address.slice(2).toLowerCase()}`);
        assert.equal(await coin.read("allowance", [owner.address, client.accounts[2]]), 9n);
        assert.equal(await owner.getNonce(), nonce + 2);
        const ran = receipt.logs.find((log: EventLog) => log.eventName === "Ran") as EventLog;
        assert.deepEqual([...ran.args], [owner.address, owner.address, 2n]);
        assert.deepEqual(await client.at(artifact("Account"), owner.address).fails("run", [[]]),
                         { kind: "custom", what: "NotOwner", args: [client.accounts[0]] });
        assert.equal(await client.at(artifact("Account"), owner.address).read("self"), owner.address);

        const tx = await client.provider.getTransaction(sent.hash);
        assert.equal(tx?.authorizationList?.[0]?.address, code.address);
        assert.equal(tx?.authorizationList?.[0]?.nonce, BigInt(nonce + 1));

        const back = await owner.authorize({ address: ZeroAddress, chainId, nonce: nonce + 3 });
        await (await owner.sendTransaction({ type: 4, to: owner.address, authorizationList: [back], nonce: nonce + 2 }))
            .wait();
        assert.equal(await client.provider.getCode(owner.address), "0x");
    });
}

async function history(t: Theme, client: EthersClient): Promise<void> {
    await t.test("the past: balances, nonces, code, storage, calls and proofs at old blocks", async () => {
        const { provider } = client;
        const before = BigInt(await provider.getBlockNumber());
        const ledger = await client.deploy(artifact("Ledger"));
        const blocks: bigint[] = [];
        for (let i = 1n; i <= 5n; i++) {
            blocks.push((await ledger.send("put", [i, i * 100n], { value: i })).block);
        }
        assert.equal(await provider.getCode(ledger.address, before), "0x");
        for (const [i, block] of blocks.entries()) {
            const paid = [1n, 3n, 6n, 10n, 15n][i] as bigint;
            assert.equal(await ledger.read("last", [], { block }), BigInt(i + 1) * 100n);
            assert.equal(await provider.getBalance(ledger.address, block), paid);
            assert.equal(await ledger.read("values", [BigInt(i + 2)], { block }), 0n);
            assert.equal(await provider.getStorage(ledger.address, 1, block), word((i + 1) * 100));
            const proof = await client.rpc<RpcProof>("eth_getProof", [ledger.address, [word(1), word(77)], `0x${block.toString(16)}`]);
            const header = await provider.getBlock(block);
            await checkProof(header?.stateRoot as `0x${string}`, proof);
            assert.equal(BigInt(proof.storageProof[0]?.value ?? 0), BigInt(i + 1) * 100n);
            assert.equal(BigInt(proof.balance), paid);
        }
    });

    await t.test("blocks: by number and hash, with transactions, and their receipts", async () => {
        const { provider } = client;
        const receipt = await client.transfer(client.accounts[9] as string, 1n);
        const byNumber = await provider.getBlock(receipt.block, true);
        const byHash = await provider.getBlock(byNumber?.hash as string, true);
        assert.deepEqual(byHash?.toJSON(), byNumber?.toJSON());
        assert.equal(byNumber?.prefetchedTransactions[0]?.hash, receipt.hash);
        assert.equal(byNumber?.gasUsed, 21_000n);
        const parent = await provider.getBlock(receipt.block - 1n);
        assert.equal(byNumber?.parentHash, parent?.hash);
        const found = await provider.getTransactionReceipt(receipt.hash);
        assert.equal(found?.index, 0);
        assert.equal(found?.blockHash, byNumber?.hash);
        assert.equal(await provider.getBlock("finalized").then((block) => (block?.number ?? -1) >= 0), true);
        assert.equal(await provider.getTransactionReceipt(word(1)), null);
        assert.equal(await provider.getBlock(1_000_000), null);
    });

    await t.test("many questions at once go as batches and come back in order", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        await ledger.send("putMany", [0n, 40n]);
        const values = await Promise.all(Array.from({ length: 40 }, (_, i) => ledger.read<bigint>("values", [BigInt(i)])));
        assert.deepEqual(values, Array.from({ length: 40 }, (_, i) => BigInt(i + 1)));
    });

    await t.test("fees: fee data, the estimate is enough and not generous", async () => {
        const { provider } = client;
        const data = await provider.getFeeData();
        const block = await provider.getBlock("latest");
        assert.ok((data.maxFeePerGas as bigint) > (block?.baseFeePerGas as bigint));
        assert.ok((data.gasPrice as bigint) >= (data.maxPriorityFeePerGas as bigint));
        const ledger = await client.deploy(artifact("Ledger"));
        const gas = await provider.estimateGas({ from: client.accounts[0] as string, to: ledger.address,
                                                 data: ledger.data("put", [1n, 2n]) });
        const sent = await ledger.send("put", [1n, 2n], { gas });
        assert.equal(sent.ok, true);
        assert.ok(gas >= sent.gasUsed && gas < sent.gasUsed * 12n / 10n, `${gas} for ${sent.gasUsed}`);
        assert.equal(await provider.estimateGas({ to: client.accounts[1] as string, value: 1n }), 21_000n);
    });
}

async function events(t: Theme, node: Node, client: EthersClient): Promise<void> {
    await t.test("polling: a contract's events by filters", async () => {
        const ledger = await client.deploy(artifact("Ledger"));
        const contract = new EthersContract(ledger.address, artifact("Ledger").abi, client.provider);
        const seen: bigint[] = [];
        const blocks: number[] = [];
        await contract.on(contract.getEvent("Put")(null, 2n), (...got: unknown[]) => {
            seen.push((got.at(-1) as ContractEventPayload).args["value"] as bigint);
        });
        await client.provider.on("block", (number: number) => blocks.push(number));
        await put(ledger);
        await until("the event", () => (seen.length > 0 ? true : undefined));
        assert.deepEqual(seen, [20n]);
        await until("blocks", () => (blocks.length > 0 ? true : undefined));
        await contract.removeAllListeners();
        await client.provider.removeAllListeners();
    });

    await t.test("WebSocket: blocks, pending transactions and events as they happen", async () => {
        const provider = new WebSocketProvider(node.ws);
        const ledger = await client.deploy(artifact("Ledger"));
        const contract = new EthersContract(ledger.address, artifact("Ledger").abi, provider);
        const seen: unknown[][] = [];
        const blocks: number[] = [];
        const pending: string[] = [];
        await provider.on("block", (number: number) => blocks.push(number));
        await provider.on("pending", (hash: string) => pending.push(hash));
        await contract.on("Put", (who, key, value, payload) => seen.push([who, key, value, payload.log.blockNumber]));
        await provider.getBlockNumber();
        const sent = await put(ledger);
        await until("three events", () => (seen.length >= 3 && blocks.length >= 3 && pending.length >= 3 ? true : undefined));
        assert.deepEqual(seen.map((event) => event.slice(0, 3)),
                         [1n, 2n, 3n].map((key) => [client.accounts[0], key, key * 10n]));
        assert.deepEqual(seen.map((event) => BigInt(event[3] as number)), sent.map((receipt) => receipt.block));
        for (const { block, hash } of sent) {
            assert.ok(blocks.includes(Number(block)));
            assert.ok(pending.includes(hash));
        }
        await provider.destroy();
    });
}

async function put(ledger: Contract) {
    const sent = [];
    for (const key of [1n, 2n, 3n]) {
        sent.push(await ledger.send("put", [key, key * 10n]));
    }
    return sent;
}

await theme("ethers", {}, async (t, node) => {
    assert.equal(HDNodeWallet.fromPhrase(MNEMONIC).address, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    const client = new EthersClient(new JsonRpcProvider(node.url, undefined, { pollingInterval: 10, cacheTimeout: -1 }));
    await accounts(t, client);
    await types(t, client);
    await history(t, client);
    await events(t, node, client);
    await tokens(t, client);
    await failures(t, client);
    await upgrade(t, client);
    await govern(t, client);
    await client.close();
});
