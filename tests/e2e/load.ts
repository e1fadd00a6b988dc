/* Theme load: many clients at once.  What one is told, all can read at once; who listens hears of
 * everything, once, in order.
 *
 *     --count N   transactions of each sender (150)
 *     --seed N    (1) */
import assert from "node:assert/strict";
import { HDNodeWallet, Mnemonic, Transaction, Wallet } from "ethers";
import { WebSocket } from "ws";
import { CHAIN_ID, MNEMONIC } from "./clients/client.ts";
import { robotCode, Script } from "./differential/robot.ts";
import { type Theme, theme, until } from "./lib/harness.ts";
import type { Node, NodeOptions } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import { type Hex, quantity, type RpcBlock, type RpcLog, type RpcReceipt } from "./lib/rpc.ts";

const SENDERS = 6;
const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");
const wallets = Array.from({ length: SENDERS + 1 }, (_, i) => new Wallet(root.deriveChild(i).privateKey));

function signed(wallet: Wallet, nonce: number, fields: object): Hex {
    const tx = Transaction.from({ type: 2, chainId: CHAIN_ID, nonce, gasLimit: 300_000, maxFeePerGas: 10n ** 11n,
                                  maxPriorityFeePerGas: 1n, ...fields });
    tx.signature = wallet.signingKey.sign(tx.unsignedHash);
    return tx.serialized as Hex;
}

const keyOf = ({ blockHash, logIndex }: RpcLog): string => `${blockHash}/${Number(logIndex)}`;

/* Everything that one connection is told. */
class Listener {
    readonly heads: RpcBlock[] = [];
    readonly logs: RpcLog[] = [];
    readonly pending: Hex[] = [];
    readonly #socket: WebSocket;
    #wanted = new Map<string, unknown[]>();

    private constructor(socket: WebSocket) {
        this.#socket = socket;
    }

    static async open(node: Node, address: Hex): Promise<Listener> {
        const socket = new WebSocket(node.ws);
        const listener = new Listener(socket);
        await new Promise((done, fail) => socket.once("open", done).once("error", fail));
        const kinds: [unknown[], unknown[]][] = [[["newHeads"], listener.heads], [["logs", { address }], listener.logs],
                                                 [["newPendingTransactions"], listener.pending]];
        const confirmed = new Promise<void>((done) => socket.on("message", (data) => {
            const message = JSON.parse(String(data)) as { id?: number; result?: string;
                                                          params?: { subscription: string; result: unknown } };
            if (message.id !== undefined) {
                listener.#wanted.set(message.result as string, (kinds[message.id] as [unknown[], unknown[]])[1]);
                if (listener.#wanted.size === kinds.length) {
                    done();
                }
            } else {
                listener.#wanted.get(message.params?.subscription as string)?.push(message.params?.result);
            }
        }));
        kinds.forEach(([params], id) => socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "eth_subscribe", params })));
        await confirmed;
        return listener;
    }

    close(): void {
        this.#socket.close();
    }
}

class Load {
    readonly receipts: RpcReceipt[] = [];
    readonly polled: RpcLog[] = [];
    readonly node: Node;
    readonly robot: Hex;
    readonly count: number;
    readonly random: Random;
    sending = true;

    constructor(node: Node, robot: Hex, count: number, random: Random) {
        this.node = node;
        this.robot = robot;
        this.count = count;
        this.random = random;
    }

    /* Each of its own transactions, and whether all that it did can be read. */
    async sender(index: number, atOnce: boolean): Promise<void> {
        const { rpc } = this.node;
        const wallet = wallets[index] as Wallet;
        const address = wallet.address.toLowerCase() as Hex;
        for (let nonce = 0; nonce < this.count; nonce++) {
            const to = this.random.hex(20);
            const isLog = this.random.chance(60);
            const raw = signed(wallet, nonce, isLog ? { to: this.robot, data: new Script().log(2, 32).store(index, nonce & 0xff).log(1, 0).hex }
                                                    : { to, value: nonce + 1 });
            const hash = await rpc.call("eth_sendRawTransaction", [raw]);
            const receipt = atOnce ? await rpc.call<RpcReceipt>("eth_getTransactionReceipt", [hash]) : await rpc.receipt(hash);
            assert.ok(receipt !== null, `${hash} was taken, and has no receipt`);
            assert.equal(receipt.status, "0x1");
            const [count, block, logs, balance] = await rpc.all<unknown>([
                ["eth_getTransactionCount", [address, "latest"]], ["eth_getBlockByHash", [receipt.blockHash, false]],
                ["eth_getLogs", [{ blockHash: receipt.blockHash, address: this.robot }]], ["eth_getBalance", [to, "latest"]],
            ]) as [Hex, RpcBlock, RpcLog[], Hex];
            assert.equal(Number(count), nonce + 1);
            assert.equal(block.transactions[Number(receipt.transactionIndex)], hash);
            assert.deepEqual(logs.filter((log) => log.transactionHash === hash), receipt.logs);
            assert.equal(Number(balance), isLog ? 0 : nonce + 1);
            this.receipts.push(receipt);
        }
    }

    /* The head never goes back, and what is asked at a number is that number's. */
    async reader(): Promise<void> {
        const { rpc } = this.node;
        let last = 0;
        while (this.sending) {
            const head = await rpc.block("latest", true);
            assert.ok(Number(head.number) >= last, `the head went from ${last} back to ${Number(head.number)}`);
            last = Number(head.number);
            const [again, slot, number] = await rpc.all<unknown>([
                ["eth_getBlockByNumber", [head.number, true]],
                ["eth_call", [{ to: this.robot, data: new Script().load(1).hex }, head.number]], ["eth_blockNumber", []],
            ]) as [RpcBlock, Hex, Hex];
            assert.deepEqual(again, head);
            assert.equal(slot.length, 66);
            assert.ok(Number(number) >= last);
        }
    }

    async poller(filter: Hex): Promise<void> {
        const { rpc } = this.node;
        while (this.sending) {
            this.polled.push(...await rpc.call<RpcLog[]>("eth_getFilterChanges", [filter]));
        }
        this.polled.push(...await rpc.call<RpcLog[]>("eth_getFilterChanges", [filter]));
    }
}

async function loaded(t: Theme, options: NodeOptions, atOnce: boolean): Promise<void> {
    const node = await t.start(options);
    const { rpc } = node;
    const owner = wallets[SENDERS] as Wallet;
    const { contractAddress } = await rpc.sent(signed(owner, 0, { to: null, data: robotCode(), gasLimit: 2_000_000 }));
    const robot = contractAddress as Hex;
    const load = new Load(node, robot, Number(t.args.get("count") ?? 150), new Random(Number(t.args.get("seed") ?? 1)));
    const start = await rpc.number();
    const listeners = await Promise.all(Array.from({ length: 5 }, () => Listener.open(node, robot)));
    const filter = await rpc.call("eth_newFilter", [{ address: robot }]);
    const others = [load.reader(), load.reader(), load.poller(filter)];
    await Promise.all(Array.from({ length: SENDERS }, (_, i) => load.sender(i, atOnce))).finally(() => {
        load.sending = false;
    });
    await Promise.all(others);

    const end = Math.max(...load.receipts.map((receipt) => Number(receipt.blockNumber)));
    const logs = load.receipts.flatMap((receipt) => receipt.logs);
    const all = await rpc.call<RpcLog[]>("eth_getLogs", [{ address: robot, fromBlock: quantity(start), toBlock: quantity(end) }]);
    assert.deepEqual(all.map(keyOf).sort(), logs.map(keyOf).sort());
    assert.deepEqual(load.polled, all, "a polled filter gives each log once, in order");
    for (const listener of listeners) {
        await until("all news", () => (listener.heads.length >= end - start && listener.logs.length >= all.length
            && listener.pending.length >= load.receipts.length ? true : undefined), 20_000).catch((error) => {
            const got = [listener.heads.length, listener.logs.length, listener.pending.length].join();
            throw new Error(`${(error as Error).message}: ${got} instead of ${[end - start, all.length, load.receipts.length].join()}`);
        });
        assert.deepEqual(listener.heads.slice(0, end - start).map(({ number }) => Number(number)),
                         Array.from({ length: end - start }, (_, i) => start + 1 + i));
        listener.heads.forEach((head, i) => assert.ok(i === 0 || head.parentHash === listener.heads[i - 1]?.hash, `head ${i}`));
        assert.deepEqual(listener.logs, all);
        assert.deepEqual([...listener.pending].sort(), load.receipts.map((receipt) => receipt.transactionHash).sort());
        listener.close();
    }
    await node.stop();
}

await theme("load", { noNode: true }, async (t) => {
    await t.test("a block for each transaction: what is taken can be read at once", () => loaded(t, {}, t.target.kind === "keel"));

    await t.test("a block every now and then", () => loaded(t, { blockTime: 0.05 }, false));
});
