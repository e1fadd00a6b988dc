/* history: what nodes answer of old blocks, and of the states behind them. */
import assert from "node:assert/strict";
import { type Member } from "./network.ts";
import { quantity, type RpcBlock, RpcError, type RpcTx } from "./rpc.ts";

type Ask = readonly [method: string, args: unknown[]];

/* Whom states are asked about. */
export interface Subject {
    account: string;
    contract: string;
}

/* All that needs a block and no state. */
function ofBlock(block: RpcBlock): Ask[] {
    const { number, hash } = block;
    const first = quantity(Math.max(0, Number(number) - 20));
    const asks: Ask[] = [
        ["eth_getBlockByNumber", [number, true]], ["eth_getBlockByHash", [hash, true]], ["eth_getHeaderByNumber", [number]],
        ["eth_getBlockTransactionCountByHash", [hash]], ["eth_getBlockReceipts", [number]],
        ["eth_getLogs", [{ blockHash: hash }]], ["eth_getLogs", [{ fromBlock: first, toBlock: number }]],
        ["eth_feeHistory", ["0x14", number, [10, 50, 90]]],
        ["debug_getRawBlock", [number]], ["debug_getRawHeader", [number]], ["debug_getRawReceipts", [number]],
        ["keel_getConsensusHeader", [number]],
    ];
    for (const tx of block.transactions as RpcTx[]) {
        asks.push(["eth_getTransactionByHash", [tx.hash]], ["eth_getTransactionReceipt", [tx.hash]],
                  ["eth_getRawTransactionByHash", [tx.hash]],
                  ["eth_getTransactionByBlockNumberAndIndex", [number, tx.transactionIndex]]);
    }
    return asks;
}

/* All that needs the state behind a block. */
function ofState(number: string, { account, contract }: Subject): Ask[] {
    const call = { from: account, to: contract };
    return [
        ["eth_getBalance", [account, number]], ["eth_getTransactionCount", [account, number]], ["eth_getCode", [contract, number]],
        ["eth_getStorageAt", [contract, "0x0", number]], ["eth_getProof", [contract, ["0x0", "0x1"], number]],
        ["eth_call", [call, number]], ["eth_estimateGas", [call, number]], ["debug_traceCall", [call, number, {}]],
    ];
}

/* What needs the state before a block. */
const ofExecution = (block: RpcBlock): Ask[] => [
    ["debug_traceBlockByNumber", [block.number, { tracer: "callTracer" }]],
    ...(block.transactions as RpcTx[]).slice(0, 1).map((tx): Ask => ["debug_traceTransaction", [tx.hash, {}]]),
];

/* Any quorum of votes makes a block final: each node keeps the one that it heard of first. */
const said = (answer: unknown): unknown =>
    typeof answer === "object" && answer !== null && "finalization" in answer ? { ...answer, finalization: null } : answer;

async function same(members: readonly Member[], asks: readonly Ask[]): Promise<number> {
    const answers = await Promise.all(members.map(({ rpc }) => rpc.all(asks)));
    asks.forEach(([method, args], k) => answers.forEach((one, i) =>
        assert.deepEqual(said(one[k]), said(answers[0]?.[k]), `${method} ${JSON.stringify(args)} by ${members[i]?.name}`)));
    return asks.length;
}

/* The lowest block whose state a node has; it has all above, too. */
export async function lowestState({ rpc }: Member, account: string): Promise<number> {
    let below = -1;
    let has = await rpc.number();
    while (has - below > 1) {
        const middle = below + Math.ceil((has - below) / 2);
        if (await rpc.call("eth_getBalance", [account, quantity(middle)]).then(() => true, () => false)) {
            has = middle;
        } else {
            below = middle;
        }
    }
    return has;
}

/* Of so many blocks up to the head: all say the same of each, and of the states from the height
 * `from` on.  Gives how many questions that were. */
export async function sameHistory(members: readonly Member[], head: number, samples: number, subject: Subject,
                                  from = 0): Promise<number> {
    let asked = 0;
    for (let k = 0; k <= samples; k++) {
        const n = Math.floor((head * k) / samples);
        const block = await members[0]?.rpc.call<RpcBlock>("eth_getBlockByNumber", [quantity(n), true]);
        assert.ok(block);
        asked += await same(members, [...ofBlock(block), ...(n >= from ? ofState(block.number, subject) : []),
                                      ...(n > from ? ofExecution(block) : [])]);
    }
    return asked;
}

/* A node says of each of so many states below a height that it does not have it, and which. */
export async function lacksStates({ name, rpc }: Member, below: number, samples: number, subject: Subject): Promise<void> {
    for (let k = 0; k < samples; k++) {
        const n = Math.floor((below * k) / samples);
        const next = await rpc.call<RpcBlock>("eth_getBlockByNumber", [quantity(n + 1), true]);
        for (const [method, args] of [...ofState(quantity(n), subject), ...ofExecution(next)]) {
            await assert.rejects(rpc.call(method, args), (error: unknown) =>
                error instanceof RpcError && error.message === `historical state of block ${n} is not available`,
                `${method} ${JSON.stringify(args)} by ${name}`);
        }
    }
}
