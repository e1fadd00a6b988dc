/* Theme badinput: whatever comes in, the answer is the one a geth user expects, and the node goes on.
 *
 * After each test the node must answer as before; at the end its memory must have stayed bounded. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { readFileSync } from "node:fs";
import { concat, encodeRlp, HDNodeWallet, Mnemonic, Transaction, toBeArray, Wallet } from "ethers";
import { WebSocket } from "ws";
import { answers, type Asked, CALLS, HTTP } from "./badinput/requests.ts";
import { commandLines, folders, genesisFiles } from "./badinput/start.ts";
import { CHAIN_ID, MNEMONIC } from "./clients/client.ts";
import { sleep, type Theme, theme, until, within } from "./lib/harness.ts";
import type { Node } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import { type Hex, RpcError, type RpcTx } from "./lib/rpc.ts";

/* Resident at most, whatever clients send: 256 MiB held for slow ones, and an answer a thread. */
const MEMORY_KIB = 640 << 10;
const MIB = 1 << 20;

const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), "m/44'/60'/0'/0");
const rich = new Wallet(root.deriveChild(0).privateKey);

const peakKib = (node: Node): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.pid}/status`, "utf8"))?.[1]);

async function lives(node: Node): Promise<void> {
    assert.ok(node.running, node.log);
    assert.equal(await node.rpc.call("eth_chainId"), "0x7a69");
}

/* A connection of bytes. */
function raw(node: Node, ...parts: (string | Buffer)[]): Promise<{ socket: Socket; text: () => string; ended: Promise<void> }> {
    return new Promise((done, fail) => {
        const socket = connect(node.port, "127.0.0.1");
        let got = "";
        socket.on("data", (part) => {
            got += part.toString("latin1");
        });
        const ended = new Promise<void>((over) => {
            socket.once("close", () => over());
            socket.once("error", () => over());
        });
        socket.once("error", fail);
        socket.once("connect", () => {
            parts.forEach((part) => socket.write(part));
            done({ socket, text: () => got, ended });
        });
    });
}

async function requests(t: Theme, node: Node): Promise<void> {
    await t.test("bodies that are no request: geth's codes and words", async () => {
        for (const asked of HTTP) {
            await answers(node, asked);
        }
        await lives(node);
    });

    await t.test("calls with bad parameters: which argument, and what is wrong with it", async () => {
        for (const [method, params, code, message] of CALLS) {
            const error = await node.rpc.fails(method, params);
            assert.deepEqual([error.code, message.test(error.message)], [code, true],
                             `${method} ${JSON.stringify(params)}: ${error.code} ${error.message}`);
        }
        await lives(node);
    });

    await t.test("deep nesting, long strings and numbers, and a batch with bad ones among good ones", async () => {
        for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
            for (const depth of [60, 1_000, 1_000_000]) {
                const body = `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":${open.repeat(depth)}1${close.repeat(depth)}}`;
                const { text } = await node.rpc.post(body.slice(0, 4 * MIB));
                assert.match(text, /"error":\{"code":-32(700|602),/, `${open} ${depth}`);
            }
        }
        const long: Asked = { what: "a megabyte of digits", body: `{"jsonrpc":"2.0","id":${"9".repeat(MIB)},"method":"eth_chainId"}`,
                              status: 200, text: /"id":9{10}|-32700|-32600/ };
        await answers(node, long);
        const error = await node.rpc.fails("eth_getBalance", [`0x${"1".repeat(MIB)}`, "latest"]);
        assert.equal(error.code, -32602);
        assert.ok(error.message.length < 1_000, "the message repeats what it was sent");
        const mixed = await node.rpc.batch([["eth_chainId", []], ["nothing", []], ["eth_getBalance", ["0x1"]], ["eth_blockNumber", []]]);
        assert.deepEqual(mixed.map((answer) => (answer instanceof RpcError ? answer.code : answer)), ["0x7a69", -32601, -32602, "0x0"]);
        await lives(node);
    });

    await t.test("random bytes instead of JSON, and JSON with random bytes in it", async () => {
        const random = new Random(1);
        const good = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_getBalance", params: [rich.address, "latest"] });
        for (let i = 0; i < 300; i++) {
            const body = random.chance(30) ? Buffer.from(random.bytes(random.below(200))) : Buffer.from(good);
            for (let j = random.below(4); j >= 0 && body.length > 0; j--) {
                body[random.below(body.length)] = random.below(256);
            }
            const answer = await node.rpc.post(body);
            assert.equal(answer.status, 200);
            assert.ok(answer.text.length < 10_000);
        }
        await lives(node);
    });
}

async function transactions(t: Theme, node: Node): Promise<void> {
    const sign = (fields: object, wallet = rich): Hex => {
        const tx = Transaction.from({ type: 2, chainId: CHAIN_ID, nonce: 0, gasLimit: 21_000, maxFeePerGas: 3n * 10n ** 9n,
                                      maxPriorityFeePerGas: 1n, to: rich.address, ...fields });
        tx.signature = wallet.signingKey.sign(tx.unsignedHash);
        return tx.serialized as Hex;
    };
    const legacy = { type: 0, gasPrice: 3n * 10n ** 9n, maxFeePerGas: null, maxPriorityFeePerGas: null };
    const good = sign({});
    const refused = async (what: string, bytes: string, message: RegExp, code = -32000): Promise<void> => {
        const error = await node.rpc.fails("eth_sendRawTransaction", [bytes]);
        assert.deepEqual([error.code, message.test(error.message)], [code, true], `${what}: ${error.code} ${error.message}`);
    };

    await t.test("transactions that are none: encodings", async () => {
        await refused("nothing", "0x", /^typed transaction too short/);
        await refused("a type alone", "0x02", /^typed transaction too short/);
        await refused("no hex", "hello", /^invalid argument 0: .*without 0x prefix/, -32602);
        await refused("an odd digit", "0x123", /^invalid argument 0: .*odd length/, -32602);
        await refused("an unknown type", `0x05${good.slice(4)}`, /^transaction type not supported/);
        await refused("blobs", `0x03${good.slice(4)}`, /^blob transactions are not carried/);
        await refused("no items", "0xc0", /^rlp: /);
        await refused("a length beyond all", "0xffffffffffffffffff", /^rlp: /);
        await refused("a byte less", good.slice(0, -2), /^rlp: /);
        await refused("a byte more", `${good}00`, /^rlp: /);
        const zeroes = concat(["0x02", encodeRlp([toBeArray(CHAIN_ID), "0x00", "0x", "0x", "0x", rich.address, "0x", "0x", [], "0x", "0x01", "0x01"])]);
        await refused("a number with a zero in front", zeroes, /^rlp: /);
        const short = concat(["0x02", encodeRlp([toBeArray(CHAIN_ID), "0x", "0x", "0x", "0x", "0x1234", "0x", "0x", [], "0x", "0x01", "0x01"])]);
        await refused("an address of two bytes", short, /^rlp: /);
        const nobody = concat(["0x02", encodeRlp([toBeArray(CHAIN_ID), "0x", "0x", "0x01", "0x5208", rich.address, "0x", "0x", [], "0x", "0x", "0x"])]);
        await refused("no signature", nobody, /^invalid sender|^invalid transaction v, r, s values/);
        const random = new Random(2);
        for (let i = 0; i < 300; i++) {
            const bytes = Buffer.from(good.slice(2), "hex");
            bytes[random.below(bytes.length)] = random.below(256);
            const [answer] = await node.rpc.batch([["eth_sendRawTransaction", [`0x${bytes.toString("hex")}`]]]);
            assert.ok(!(answer instanceof RpcError) || answer.code === -32000, String(answer));
        }
        await node.rpc.call("anvil_dropAllTransactions");
        await lives(node);
    });

    await t.test("transactions that break a rule: geth's words", async () => {
        await refused("another chain", sign({ chainId: 1 }), /invalid chain id for signer: have 1 want 31337/);
        await refused("another chain, legacy", sign({ ...legacy, chainId: 1 }), /invalid chain id for signer: have 1 want 31337/);
        await refused("too little gas", sign({ gasLimit: 20_999 }), /^intrinsic gas too low: gas 20999, minimum needed 21000/);
        await refused("too little gas for the data", sign({ gasLimit: 36_999, data: `0x${"11".repeat(400)}` }),
                      /^insufficient gas for floor data gas cost: gas 36999, minimum needed 37000/);
        await refused("too much gas", sign({ gasLimit: 2 ** 24 + 1 }), /^transaction gas limit too high \(cap: 16777216, tx: 16777217\)/);
        await refused("more than there is", sign({ value: 10n ** 30n }), /^insufficient funds for gas \* price \+ value: balance 10000000000000000000000, tx cost /);
        await refused("a poor account", sign({}, new Wallet(Wallet.createRandom().privateKey)), /^insufficient funds for gas \* price \+ value: balance 0/);
        await refused("long init code", sign({ to: null, gasLimit: 10 ** 7, data: `0x${"00".repeat(49_153)}` }),
                      /^max initcode size exceeded: code size 49153,? limit 49152/);
        await refused("much data", sign({ gasLimit: 16_000_000, data: `0x${"00".repeat(200_000)}` }), /^oversized data/);
        await refused("nothing to delegate", sign({ type: 4, authorizationList: [] }), /^EIP-7702 transaction with empty auth list/);
        await refused("blobs", sign({ type: 3, maxFeePerBlobGas: 1, blobVersionedHashes: [`0x01${"11".repeat(31)}`] }),
                      /^blob transactions are not carried by this node/);
        const error = await node.rpc.fails("eth_sendTransaction", [{ from: `0x${"aa".repeat(20)}`, to: rich.address }]);
        assert.match(error.message, /^unknown account/);
        await lives(node);
    });

    await t.test("nonces: too low, known, replaced too cheaply, with a gap that is filled later", async () => {
        assert.equal(await node.rpc.call("eth_sendRawTransaction", [good]), Transaction.from(good).hash);
        await refused("again", good, /^already known/);
        await refused("for hardly more", sign({ maxFeePerGas: 3n * 10n ** 9n + 1n }), /^replacement transaction underpriced/);
        const later = sign({ nonce: 2, value: 5n });
        await node.rpc.call("eth_sendRawTransaction", [later]);
        await node.rpc.call("evm_mine");
        const waiting = await node.rpc.call<RpcTx>("eth_getTransactionByHash", [Transaction.from(later).hash]);
        assert.equal(waiting.blockHash, null);
        await refused("a nonce that is used", sign({ value: 1n }), /^nonce too low: next nonce 1, tx nonce 0/);
        await refused("what is mined", good, /^nonce too low|^already known/);
        await node.rpc.call("eth_sendRawTransaction", [sign({ nonce: 1 })]);
        await node.rpc.call("evm_mine");
        assert.equal((await node.rpc.receipt(Transaction.from(later).hash as Hex)).status, "0x1");
        const [, price, replaced] = [sign({ nonce: 3 }), 4n * 10n ** 9n, sign({ nonce: 3, maxFeePerGas: 4n * 10n ** 9n, maxPriorityFeePerGas: 2n })];
        await node.rpc.call("eth_sendRawTransaction", [sign({ nonce: 3 })]);
        await node.rpc.call("eth_sendRawTransaction", [replaced]);
        await node.rpc.call("evm_mine");
        const mined = await node.rpc.call<RpcTx>("eth_getTransactionByHash", [Transaction.from(replaced).hash]);
        assert.deepEqual([mined.maxFeePerGas, mined.blockHash !== null], [`0x${price.toString(16)}`, true]);
        await lives(node);
    });

    await t.test("transactions beyond what one account may have waiting: refused, the others stay", async () => {
        const wallet = new Wallet(root.deriveChild(1).privateKey);
        await refused("a nonce far ahead", sign({ nonce: 1_000_000 }, wallet), /^nonce too high/);
        const answers: unknown[] = [];
        for (let nonce = 1; nonce < 1_100; nonce += 100) {
            answers.push(...await node.rpc.batch(Array.from({ length: 100 }, (_, i) =>
                ["eth_sendRawTransaction", [sign({ nonce: nonce + i }, wallet)]] as const)));
        }
        const refusals = answers.filter((answer) => answer instanceof RpcError);
        refusals.forEach(({ code, message }) => assert.deepEqual([code, message], [-32000, "account limit exceeded"]));
        const { pending, queued } = await node.rpc.call<{ pending: Hex; queued: Hex }>("txpool_status");
        assert.deepEqual([Number(pending), Number(queued), refusals.length], [0, 1_000, 100]);
        await node.rpc.call("eth_sendRawTransaction", [sign({ nonce: 0 }, wallet)]);
        await node.rpc.call("evm_mine");
        assert.equal(Number(await node.rpc.call("eth_getTransactionCount", [wallet.address, "latest"])), 1_001);
        await lives(node);
    });
}

async function connections(t: Theme, node: Node): Promise<void> {
    await t.test("oversize bodies are refused before they are read, and chunked ones too", async () => {
        const { status, text } = await node.rpc.post(" ".repeat(6 * MIB));
        assert.deepEqual([status, /too large/i.test(text)], [413, true]);
        const declared = await raw(node, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
        await until("413", () => (/^HTTP\/1.1 413/.test(declared.text()) ? true : undefined));
        declared.socket.destroy();
        const chunked = await raw(node, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (let i = 0; i < 7 && !chunked.socket.destroyed; i++) {
            chunked.socket.write(`100000\r\n${" ".repeat(MIB)}\r\n`);
        }
        await until("413", () => (/^HTTP\/1.1 413/.test(chunked.text()) ? true : undefined));
        chunked.socket.destroy();
        await lives(node);
    });

    await t.test("bytes that are no HTTP are answered with 4xx or an end", async () => {
        const random = new Random(3);
        const openings: (string | Buffer)[] = [
            "\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            `GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(100_000)}\r\n\r\n`,
            `GET /${"z".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
            `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(10_000)}\r\n`,
            "GET / HTTP/1.1\r\nHost: x\r\n folded: no\r\n\r\n", "GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
            Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
            ...Array.from({ length: 60 }, () => Buffer.from(random.bytes(random.between(1, 300)))),
        ];
        for (const opening of openings) {
            const { socket, text, ended } = await raw(node, opening);
            socket.end();
            await within(20_000, `an end of ${JSON.stringify(opening.toString("latin1").slice(0, 60))}`, ended);
            assert.match(text(), /^$|^HTTP\/1\.[01] [45]\d\d /, `${opening.toString("latin1").slice(0, 60)} -> ${text().slice(0, 100)}`);
        }
        await lives(node);
    });

    await t.test("slow clients hold nobody up", async () => {
        const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
        const text = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        const slow = await Promise.all(Array.from({ length: 300 }, (_, i) => raw(node, text.slice(0, 1 + (i * text.length) / 301))));
        for (let i = 0; i < 50; i++) {
            await lives(node);
        }
        slow.forEach(({ socket }, i) => socket.write(text.slice(Math.floor(1 + (i * text.length) / 301))));
        await until("all slow answers", () => (slow.every((one) => one.text().includes("0x7a69")) ? true : undefined));
        slow.forEach(({ socket }) => socket.destroy());
        await lives(node);
    });

    await t.test("clients that ask much and read nothing", async () => {
        const body = JSON.stringify(Array.from({ length: 900 }, (_, id) =>
            ({ jsonrpc: "2.0", id, method: "eth_getBlockByNumber", params: ["latest", true] })));
        const text = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        const deaf = await Promise.all(Array.from({ length: 40 }, async () => {
            const one = await raw(node);
            one.socket.pause();
            for (let i = 0; i < 10; i++) {
                one.socket.write(text);
            }
            return one;
        }));
        for (let i = 0; i < 50; i++) {
            await lives(node);
            await sleep(10);
        }
        deaf.forEach(({ socket }) => socket.destroy());
        await lives(node);
    });

    await t.test("WebSocket: bad frames end with the code the standard has for them", async () => {
        const frame = (first: number, payload: Buffer, masked = true): Buffer => {
            const mask = Buffer.from([1, 2, 3, 4]);
            const head = payload.length < 126 ? Buffer.from([first, (masked ? 0x80 : 0) | payload.length])
                : Buffer.from([first, (masked ? 0x80 : 0) | 126, payload.length >> 8, payload.length & 0xff]);
            const body = masked ? Buffer.concat([mask, payload.map((byte, i) => byte ^ (mask[i % 4] as number))]) : payload;
            return Buffer.concat([head, body]);
        };
        const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        const cases: [string, Buffer, number][] = [
            ["not masked", frame(0x81, Buffer.from("[]"), false), 1002],
            ["reserved bits", frame(0xf1, Buffer.from("[]")), 1002],
            ["an unknown kind", frame(0x83, Buffer.from("[]")), 1002],
            ["a ping in parts", frame(0x09, Buffer.from("[]")), 1002],
            ["a long ping", frame(0x89, Buffer.alloc(200)), 1002],
            ["a part of nothing", frame(0x80, Buffer.from("[]")), 1002],
            ["no UTF-8", frame(0x81, Buffer.from([0xff, 0xfe])), 1007],
            ["beyond the limit", Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]), 1009],
        ];
        for (const [what, bytes, code] of cases) {
            const { socket, text, ended } = await raw(node, upgrade);
            await until("the upgrade", () => (text().includes("\r\n\r\n") ? true : undefined));
            const before = text().length;
            socket.write(bytes);
            await within(20_000, `an end after ${what}`, ended);
            const end = Buffer.from(text().slice(before), "latin1");
            assert.deepEqual([end[0], end.readUInt16BE(2)], [0x88, code], what);
        }
        const socket = new WebSocket(node.ws);
        const got: string[] = [];
        socket.on("message", (data) => got.push(String(data)));
        await new Promise((done, fail) => socket.once("open", done).once("error", fail));
        ["no json", "{}", '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'].forEach((text) => socket.send(text));
        await until("three answers", () => (got.length === 3 ? true : undefined));
        assert.deepEqual(got.map((text) => /"code":(-\d+)|"result":"(0x7a69)"/.exec(text)?.slice(1).find((part) => part !== undefined)),
                         ["-32700", "-32600", "0x7a69"]);
        socket.close();
        await lives(node);
    });

    await t.test("many filters and subscriptions of one client have an end", async () => {
        let code: number | undefined;
        for (let i = 0; i < 30 && code === undefined; i++) {
            const part = await node.rpc.batch(Array.from({ length: 500 }, () => ["eth_newBlockFilter", []] as const));
            code = part.find((answer) => answer instanceof RpcError)?.code;
        }
        assert.equal(code, -32005);
        const socket = new WebSocket(node.ws);
        await new Promise((done, fail) => socket.once("open", done).once("error", fail));
        const refused = new Promise<number>((done) => socket.on("message", (data) => {
            const answer = JSON.parse(String(data)) as { error?: { code: number } };
            if (answer.error !== undefined) {
                done(answer.error.code);
            }
        }));
        for (let id = 0; id < 200; id++) {
            socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "eth_subscribe", params: ["newHeads"] }));
        }
        assert.equal(await within(20_000, "a refusal", refused), -32005);
        socket.terminate();
        await lives(node);
    });
}

await theme("badinput", {
    unsuited: (target) => (target.kind === "anvil" ? "the words are geth's, not Anvil's" : undefined), noMining: true,
}, async (t, node) => {
    await requests(t, node);
    await transactions(t, node);
    await connections(t, node);
    if (t.args.has("sanitized")) {
        t.skip("memory stayed bounded through all of this", "a sanitizer has memory of its own");
    } else {
        await t.test("memory stayed bounded through all of this", () => {
            console.log(`     at most ${(peakKib(node) / 1024).toFixed(0)} MiB resident`);
            assert.ok(peakKib(node) < MEMORY_KIB, `${peakKib(node)} KiB`);
        });
    }
    await commandLines(t);
    await genesisFiles(t);
    await folders(t);
});
