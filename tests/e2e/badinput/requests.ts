/* requests: what is wrong with a request, and what geth says to it. */
import assert from "node:assert/strict";
import type { Node } from "../lib/node.ts";

export interface Asked {
    what: string;
    body: string | Buffer;
    status: number;
    text: RegExp;
    headers?: Record<string, string>;
    method?: string;
}

export async function answers(node: Node, { what, body, status, text, headers, method }: Asked): Promise<void> {
    const answer = await node.rpc.post(body, headers, method);
    assert.deepEqual([answer.status, text.test(answer.text)], [status, true], `${what}: ${answer.status} ${answer.text.slice(0, 300)}`);
}

const failure = (code: number, message: string, id = "null"): RegExp =>
    new RegExp(`^\\{"jsonrpc":"2.0","id":${id},"error":\\{"code":${code},"message":"${message}`);

const call = (method: string, params: unknown, id: unknown = 1): string =>
    JSON.stringify({ jsonrpc: "2.0", id, method, params });

export const HTTP: readonly Asked[] = [
    { what: "nothing", body: "", status: 200, text: failure(-32700, "parse error") },
    { what: "words", body: "hello", status: 200, text: failure(-32700, "parse error") },
    { what: "half a request", body: '{"jsonrpc":"2.0","id":1,"meth', status: 200, text: failure(-32700, "parse error") },
    { what: "two requests", body: call("eth_chainId", []).repeat(2), status: 200, text: failure(-32700, "parse error") },
    { what: "no UTF-8", body: Buffer.from([0x22, 0xff, 0xfe, 0x22]), status: 200, text: failure(-32700, "parse error") },
    { what: "a number", body: "5", status: 200, text: failure(-32600, "invalid request") },
    { what: "null", body: "null", status: 200, text: failure(-32600, "invalid request") },
    { what: "an empty object", body: "{}", status: 200, text: failure(-32600, "invalid request") },
    { what: "an empty batch", body: "[]", status: 200, text: failure(-32600, "empty batch") },
    { what: "a batch of numbers", body: "[1,2]", status: 200,
      text: /^\[\{"jsonrpc":"2.0","id":null,"error":\{"code":-32600,.*\},\{.*"code":-32600,.*\}\]$/ },
    { what: "no method", body: '{"jsonrpc":"2.0","id":1}', status: 200, text: failure(-32600, "invalid request", "1") },
    { what: "an old version", body: '{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', status: 200,
      text: failure(-32600, "invalid request", "1") },
    { what: "a method that is a number", body: '{"jsonrpc":"2.0","id":1,"method":7}', status: 200,
      text: failure(-32600, "invalid request", "1") },
    { what: "parameters that are text", body: call("eth_chainId", "x"), status: 200, text: failure(-32602, "", "1") },
    { what: "a notification", body: '{"jsonrpc":"2.0","method":"eth_chainId"}', status: 200, text: /^$/ },
    { what: "an unknown method", body: call("eth_foo", []), status: 200,
      text: failure(-32601, "the method eth_foo does not exist/is not available", "1") },
    { what: "a text as id", body: call("eth_foo", [], "seven"), status: 200, text: failure(-32601, "", '"seven"') },
    { what: "a batch of 1,001", body: `[${Array(1001).fill(call("eth_chainId", [])).join()}]`, status: 200,
      text: failure(-32600, "batch too large") },
    { what: "PUT", body: call("eth_chainId", []), method: "PUT", status: 405, text: /method not allowed/i },
    { what: "DELETE", body: "", method: "DELETE", status: 405, text: /method not allowed/i },
];

const A = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const HASH = `0x${"11".repeat(32)}`;

/* [method, parameters, code, message] */
export const CALLS: readonly (readonly [string, unknown[], number, RegExp])[] = [
    ["eth_getBalance", [], -32602, /^missing value for required argument 0$/],
    ["eth_getBalance", [A, "latest", 1], -32602, /^too many arguments, want at most 2$/],
    ["eth_getBalance", ["0x12", "latest"], -32602, /^invalid argument 0: hex string has length 2, want 40 for common.Address$/],
    ["eth_getBalance", [A.slice(2), "latest"], -32602, /^invalid argument 0: .*hex string without 0x prefix/],
    ["eth_getBalance", [`0xzz${A.slice(4)}`, "latest"], -32602, /^invalid argument 0: .*invalid hex string/],
    ["eth_getBalance", [5, "latest"], -32602, /^invalid argument 0: /],
    ["eth_getBalance", [null, "latest"], -32602, /^(invalid|missing value for required) argument 0/],
    ["eth_getBalance", [A, "newest"], -32602, /^invalid argument 1: hex string without 0x prefix$/],
    ["eth_getBalance", [A, "0xffff"], -32000, /^header not found$/],
    ["eth_getBalance", [A, `0x${"f".repeat(18)}`], -32602, /^invalid argument 1: hex number > 64 bits$/],
    ["eth_getBalance", [A, { blockHash: HASH }], -32000, /^header for hash not found$/],
    ["eth_getBalance", [A, { blockHash: HASH, blockNumber: "0x0" }], -32602, /^(invalid argument 1: )?cannot specify both BlockHash and BlockNumber/],
    ["eth_getBlockByNumber", ["0x0", "yes"], -32602, /^invalid argument 1: /],
    ["eth_getBlockByHash", ["0x1", false], -32602, /^invalid argument 0: .*odd length.*common.Hash$/],
    ["eth_getTransactionByHash", [`0x${"zz".repeat(32)}`], -32602, /^invalid argument 0: /],
    ["eth_getStorageAt", [A, "zz", "latest"], -32602, /^invalid hex in storage key/],
    ["eth_getProof", [A, [`0x${"11".repeat(33)}`], "latest"], -32602, /storage key too long/],
    ["eth_call", ["x", "latest"], -32602, /^invalid argument 0: /],
    ["eth_call", [{ to: "0x1" }, "latest"], -32602, /^invalid argument 0: /],
    ["eth_call", [{ gas: "0x" }, "latest"], -32602, /^invalid argument 0: /],
    ["eth_call", [{ gas: 1.5 }, "latest"], -32602, /^invalid argument 0: /],
    ["eth_call", [{ value: `0x${"f".repeat(65)}` }, "latest"], -32602, /^invalid argument 0: /],
    ["eth_call", [{ data: "0x11", input: "0x12" }, "latest"], -32602, /both "data" and "input" are set and not equal/],
    ["eth_call", [{ gasPrice: "0x1", maxFeePerGas: "0x1" }, "latest"], -32602, /both gasPrice and \(maxFeePerGas or maxPriorityFeePerGas\) specified/],
    ["eth_call", [{ from: `0x${"aa".repeat(20)}`, to: A, value: "0x1" }, "latest"], -32000, /insufficient funds/],
    ["eth_estimateGas", [{ from: `0x${"aa".repeat(20)}`, to: A, value: "0x1" }], -32000, /insufficient funds/],
    ["eth_call", [{ data: "0xfe" }, "latest"], -32000, /invalid opcode/],
    ["eth_call", [{ data: "0x5b5f56" }, "latest"], -32000, /out of gas/],
    ["eth_getLogs", [{ blockHash: HASH, fromBlock: "0x1" }], -32602, /cannot specify both BlockHash and FromBlock\/ToBlock/],
    ["eth_getLogs", [{ address: "0x1" }], -32602, /^invalid argument 0: /],
    ["eth_getLogs", [{ topics: ["0x1"] }], -32602, /^invalid argument 0: /],
    ["eth_getLogs", [{ topics: [[], [], [], [], []] }], -32000, /^exceed max topics$/],
    ["eth_getFilterChanges", ["0x1"], -32000, /^filter not found$/],
    ["eth_subscribe", ["newHeads"], -32601, /^notifications not supported$/],
    ["eth_feeHistory", ["0x1", "latest", [101]], -32000, /^invalid reward percentile/],
    ["eth_feeHistory", ["0x1", "latest", [50, 10]], -32000, /^invalid reward percentile/],
    ["eth_sign", [`0x${"aa".repeat(20)}`, "0x12"], -32000, /^unknown account$/],
    ["debug_traceTransaction", [HASH], -32000, /^transaction not found$/],
    ["debug_traceCall", [{}, "latest", { tracer: "nothing" }], -32602, /tracer/],
    ["evm_setNextBlockTimestamp", [1], -32602, /lower than previous block's timestamp/],
    ["anvil_setCode", [A, "0x1"], -32602, /^invalid argument 1: .*odd length/],
];
