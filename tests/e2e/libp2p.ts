/* Theme libp2p: js-libp2p dials nodes of a network and is dialled by one: over a connection of
 * either direction who they are, identify, ping, and transactions that are gossiped each way; and
 * through js-libp2p from one node to the others.  At last it misbehaves, as far as its library lets
 * it: the node goes on, and drops it by a rule. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { decodeRlp, encodeRlp, keccak256 } from "ethers";
import { theme, until } from "./lib/harness.ts";
import { operatorOf, Processes, transfer } from "./lib/network.ts";
import { HERE, type Node } from "./lib/node.ts";
import type { Hex, RpcReceipt, RpcTx } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const COUNT = 4;
const TRANSACTIONS = 11; /* the first byte of a frame of them: docs/formats/wire.md */
const FOLDER = join(HERE, "libp2p");

/* The Node that js-libp2p asks for, or undefined. */
function nodeOf(folder: string): string | undefined {
    const packages = join(folder, "node_modules");
    const installed = join(packages, ".installed");
    if (!existsSync(installed) || readFileSync(installed, "utf8") !== readFileSync(join(folder, "package-lock.json"), "utf8")) {
        return undefined;
    }
    return readdirSync(packages).filter((name) => name.startsWith("node-linux-"))
        .map((name) => join(packages, name, "bin", "node")).find((path) => existsSync(path));
}

interface Said {
    event: string;
    peer?: string;
    [more: string]: unknown;
}

/* A js-libp2p in a process of its own. */
class Peer {
    readonly said: Said[] = [];
    readonly #child: ChildProcessWithoutNullStreams;
    #answers = 0;
    address = "";
    id = "";

    constructor(runtime: string, topics: readonly string[]) {
        this.#child = spawn(runtime, ["--disable-warning=ExperimentalWarning", join(FOLDER, "peer.ts"), ...topics], { stdio: "pipe" });
        createInterface({ input: this.#child.stdout }).on("line", (line) => this.said.push(JSON.parse(line) as Said));
        this.#child.stderr.on("data", (text: Buffer) => this.said.push({ event: "error", why: text.toString() }));
    }

    async listens(): Promise<void> {
        const heard = await this.hears("that it listens", (said) => said.event === "listening");
        this.address = String(heard["address"]);
        this.id = String(heard["id"]);
    }

    hears(what: string, is: (said: Said) => boolean): Promise<Said> {
        return until(`js-libp2p: ${what}`, () => this.said.find(is));
    }

    /* Answers come in the order of commands. */
    async tell(command: Record<string, string>): Promise<Said> {
        const place = this.#answers++;
        this.#child.stdin.write(`${JSON.stringify(command)}\n`);
        return until(`js-libp2p: an answer to ${command["do"]}`, () =>
            this.said.filter((said) => said.event === "done" || said.event === "failed")[place]);
    }

    async does(command: Record<string, string>): Promise<Said> {
        const answer = await this.tell(command);
        assert.equal(answer.event, "done", JSON.stringify(answer));
        return answer;
    }

    end(): void {
        this.#child.kill("SIGKILL");
    }
}

const frameOf = (envelopes: readonly string[]): string =>
    TRANSACTIONS.toString(16).padStart(2, "0") + encodeRlp([envelopes.slice()]).slice(2);

/* The envelopes in a frame. */
function envelopesOf(data: string): string[] {
    assert.equal(parseInt(data.slice(0, 2), 16), TRANSACTIONS);
    const items = decodeRlp(`0x${data.slice(2)}`) as string[][];
    return items[0] ?? [];
}

const addressOf = (node: Node): Promise<string> =>
    until("where the node is", () => /^Peers: +(\S+)$/m.exec(node.log)?.[1]);

const idOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1);

const runtime = nodeOf(FOLDER);

await theme("libp2p", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers"
        : runtime === undefined ? "its packages are not installed (make e2e-packages)" : undefined),
}, async (t) => {
    const net = await Processes.make(t, COUNT);
    await net.startAll();
    const nodes = net.all.map((i) => net.node(i));
    const first = net.node(0);
    const home = await addressOf(first);
    const genesis = await first.rpc.call("eth_getBlockByNumber", ["0x0", false]) as { hash: Hex };
    const topic = `/keel/${genesis.hash.slice(2, 10)}/tx/1`;
    const wallet = operatorOf(net.folder(0));
    let nonce = 0;
    const signed = (): Promise<Hex> => transfer(wallet, nonce++);
    const receiptAt = (node: Node, hash: Hex): Promise<RpcReceipt> => until(`a receipt of ${hash}`, async () =>
        (await node.rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt | null) ?? undefined);
    const peer = new Peer(runtime as string, [topic]);
    process.on("exit", () => peer.end());
    await peer.listens();

    await t.test("js-libp2p dials a node, and it is who its address says", async () => {
        const answer = await peer.does({ do: "dial", address: home });
        assert.equal(answer.peer, idOf(home));
        const connect = await peer.hears("a connection", (said) => said.event === "connect" && said.peer === idOf(home));
        assert.equal(connect["encryption"], "/noise");
        assert.equal(connect["multiplexer"], "/yamux/1.0.0");
        assert.equal(connect["direction"], "outbound");
    });

    await t.test("a node that is somebody else is refused", async () => {
        const second = await addressOf(net.node(1));
        const wrong = second.slice(0, second.lastIndexOf("/") + 1) + idOf(await addressOf(net.node(2)));
        const answer = await peer.tell({ do: "dial", address: wrong });
        assert.equal(answer.event, "failed");
    });

    await t.test("identify says who, where and what is spoken", async () => {
        const said = await peer.hears("identify", (one) => one.event === "identify" && one.peer === idOf(home));
        assert.match(String(said["agent"]), /^keel/);
        const protocols = said["protocols"] as string[];
        for (const name of ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0", "/meshsub/1.2.0"]) {
            assert.ok(protocols.includes(name), `${name} of ${protocols.join(" ")}`);
        }
        const where = home.slice(0, home.indexOf("/p2p/"));
        assert.deepEqual(said["addresses"], [where]);
        assert.match(String(said["observed"]), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+/);
        assert.deepEqual(said["record"], [where]);
    });

    /* Over the one connection with a node, which was dialled by js-libp2p ("outbound") or by the node. */
    const pings = async (address: string, direction: string): Promise<void> => {
        for (let i = 0; i < 5; i++) {
            /* It allows itself one stream at a time, and the last one may not have ended yet. */
            const answer = await until("an answer", async () => {
                const one = await peer.tell({ do: "ping", address });
                return /Too many outbound/.test(String(one["why"])) ? undefined : one;
            });
            assert.ok(Number(answer["ms"]) >= 0, JSON.stringify(answer));
            assert.deepEqual(answer["over"], [direction]);
        }
    };
    const publishes = async (raw: Hex, to: number): Promise<Hex> => {
        const sent = await peer.does({ do: "publish", topic, data: frameOf([raw]) });
        assert.equal(sent["recipients"], to);
        return keccak256(raw) as Hex;
    };

    await t.test("pings are answered", () => pings(home, "outbound"));

    await t.test("a transaction gossiped by js-libp2p becomes final", async () => {
        await peer.hears("that the node listens to the topic", (said) =>
            said.event === "subscriptions" && said.peer === idOf(home) && (said["topics"] as string[]).includes(topic));
        const hash = await publishes(await signed(), 1);
        for (const node of nodes) {
            assert.equal((await receiptAt(node, hash)).status, "0x1");
        }
    });

    await t.test("a transaction sent to any node is heard by js-libp2p", async () => {
        for (const node of nodes) {
            const raw = await signed();
            await node.rpc.call("eth_sendRawTransaction", [raw]);
            await peer.hears("the transaction", (said) =>
                said.event === "message" && said["topic"] === topic && envelopesOf(String(said["data"])).includes(raw));
            assert.ok(peer.said.every((said) => said.event !== "message" || said["type"] === "unsigned"));
        }
    });

    await t.test("what is no transaction does not travel", async () => {
        const other = new Peer(runtime as string, [topic]);
        process.on("exit", () => other.end());
        await other.listens();
        const address = await addressOf(net.node(3));
        await other.does({ do: "dial", address });
        await other.hears("that the node listens", (said) => said.event === "subscriptions" && said.peer === idOf(address));
        await other.does({ do: "publish", topic, data: "0bc0" });
        await other.does({ do: "publish", topic, data: frameOf(["0x02c0"]) });
        const raw = await signed();
        await first.rpc.call("eth_sendRawTransaction", [raw]);
        await peer.hears("a good one", (said) =>
            said.event === "message" && envelopesOf(String(said["data"])).includes(raw));
        assert.ok(!peer.said.some((said) => said.event === "message" && (said["data"] === "0bc0" || said["data"] === frameOf(["0x02c0"]))));
        other.end();
    });

    let fifth: Node | undefined;
    let address = "";
    /* One whose only peer is js-libp2p: it has no block but the genesis. */
    const dialler = (): Node => {
        assert.ok(fifth);
        return fifth;
    };

    await t.test("a node dials js-libp2p, and it is who its address says", async () => {
        await output(t.target.command, ["join", join(net.dir, "genesis.json"), peer.address, "--dir", net.folder(COUNT),
                                        "--listen", "/ip4/127.0.0.1/tcp/0"], { cwd: t.folder() });
        fifth = await net.start(COUNT);
        address = await addressOf(fifth);
        const connect = await peer.hears("a connection", (said) => said.event === "connect" && said.peer === idOf(address));
        assert.equal(connect["encryption"], "/noise");
        assert.equal(connect["multiplexer"], "/yamux/1.0.0");
        assert.equal(connect["direction"], "inbound");
    });

    await t.test("who has dialled says who it is and what it speaks, and answers pings", async () => {
        const said = await peer.hears("identify", (one) => one.event === "identify" && one.peer === idOf(address));
        assert.match(String(said["agent"]), /^keel/);
        for (const name of ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0"]) {
            assert.ok((said["protocols"] as string[]).includes(name), name);
        }
        assert.deepEqual(said["record"], [address.slice(0, address.indexOf("/p2p/"))]);
        await pings(address, "inbound");
    });

    await t.test("through js-libp2p alone its transactions become final", async () => {
        await peer.hears("that it listens to the topic", (one) => one.event === "subscriptions" && one.peer === idOf(address));
        const raw = await signed();
        const hash = await dialler().rpc.call("eth_sendRawTransaction", [raw]) as Hex;
        await peer.hears("its transaction", (one) =>
            one.event === "message" && envelopesOf(String(one["data"])).includes(raw));
        assert.equal((await receiptAt(first, hash)).status, "0x1");
    });

    await t.test("it hears a transaction of js-libp2p", async () => {
        const hash = await publishes(await signed(), 2);
        const heard = await until("the transaction", async () =>
            (await dialler().rpc.call("eth_getTransactionByHash", [hash]) as RpcTx | null) ?? undefined);
        assert.equal(heard.hash, hash);
        assert.equal(heard.blockHash, null);
        assert.equal((await receiptAt(first, hash)).status, "0x1");
        assert.equal(await dialler().rpc.number(), 0);
    });

    peer.end();

    const victim = net.node(2);
    const at = await addressOf(victim);
    const dropped = async (rule: RegExp): Promise<number> => {
        const status = await victim.rpc.call("keel_status", []) as { dropped: Record<string, Hex> };
        return Object.entries(status.dropped).filter(([name]) => rule.test(name)).reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const isFinal = async (): Promise<void> => {
        const hash = await victim.rpc.call("eth_sendRawTransaction", [await signed()]) as Hex;
        assert.equal((await receiptAt(victim, hash)).status, "0x1");
    };
    const attacks: { what: string; command: Record<string, string>; rule?: RegExp }[] = [
        { what: "streams without end", command: { do: "streams", address: at, count: "2000" }, rule: /^SWARM_NUISANCE$/ },
        { what: "pushes of junk", command: { do: "push", address: at, count: "20" }, rule: /^(IDENTIFY|PB)_/ },
        { what: "messages that are no transactions", command: { do: "flood", topic, count: "2000", bytes: "200" }, rule: /^SWARM_GRAY$/ },
        { what: "messages that are too long", command: { do: "flood", topic, count: "200", bytes: "600000" }, rule: /^SWARM_GRAY$/ },
        { what: "thousands of topics", command: { do: "topics", count: "3000" } },
    ];
    for (const { what, command, rule } of attacks) {
        await t.test(`a js-libp2p that misbehaves: ${what}`, async () => {
            const other = new Peer(runtime as string, [topic]);
            process.on("exit", () => other.end());
            await other.listens();
            await other.does({ do: "dial", address: at });
            await other.hears("that the node listens", (said) => said.event === "subscriptions" && said.peer === idOf(at));
            const before = rule ? await dropped(rule) : 0;
            await Promise.all([other.does(command), isFinal()]);
            if (rule) {
                await other.hears("that it was dropped", (said) => said.event === "disconnect");
                await until(`one more drop by ${rule.source}`, async () => (await dropped(rule)) > before || undefined);
            } else {
                await other.does({ do: "ping", address: at });
                assert.ok(!other.said.some((said) => said.event === "disconnect"), "it is borne");
            }
            await isFinal();
            other.end();
        });
    }
});
