/* Theme hostile: four validators, and a peer that means harm (build/keel-evil), one attack after the
 * other.  Under each: blocks go on, a transaction at the node that is attacked becomes final, its
 * memory stays bounded, and its log says by which rule the attacker was dropped.  Node 1 is not
 * open: it is the one that guests attack.
 *
 *     --evil PATH    the attacker (keel-evil beside the target)
 *     --seconds N    of each attack (2)
 *     --cpu N        percent of one processor that the attacker may take (50) */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { randomBytes } from "node:crypto";
import { Wallet } from "ethers";
import { type Theme, theme, until } from "./lib/harness.ts";
import { freePorts } from "./lib/network.ts";
import { freePort, type Node } from "./lib/node.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const CHAIN_ID = 31337n;
const COUNT = 4;
const IDENTITIES = 16;
/* Connections that one address is good for, and then some. */
const WIRES_OF_ADDRESS = 1000;
const KNOCKS = 600; /* that one is listened to for, in a minute */
const THERE = `0x${"22".repeat(20)}`;
const PATIENCE_MS = 60_000;
/* What one attack may leave behind (transactions in the pool; blocks of large ones are mapped until
 * they are on disk), and all of them together. */
const GROWTH_BYTES = 256 << 20;
const RSS_BYTES = 512 << 20;
/* A handshake may take ten seconds, a peer may open no window for up to thirty-five, and be silent
 * for four, before they are ended. */
const WAIT_S = 12;
const DEAF_S = 40;
const SILENCE_S = 6;
const WAITING = ["SWARM_HANDSHAKE", "SWARM_HELLO", "SWARM_DEAF"];
const WAITING_GUESTS = ["guest-silent", "guest-half"];
/* So that all of those who only wait are let in together. */
const slow = (attack: Attack): string[] => ["--wires", String(Math.min(4, attack.wires)), "--dials", "20"];
const waits = (attack: Attack): boolean => WAITING.includes(attack.rule) || WAITING_GUESTS.includes(attack.attack);
/* A build that is slow may not be attacked as fast as that, which then is no flood. */
const FLOODS = ["SWARM_NUISANCE", "SWARM_KNOCKS"];
/* Who is attacked. */
const OPEN = 0;
const CLOSED = 1;
/* Of a flood of drops the last line comes when there is room for it in the log. */
const LINE_MS = 10_000;
const TRIES = 4;
/* Whether blocks that take about as long as a view waits are notarized is up to the machine. */
const AS_SLOW_AS_A_VIEW = "lead-slow";

interface Attack {
    attack: string;
    wires: number;
    votes: boolean;
    leads: boolean; /* proposes blocks, which the rule refuses */
    rule: string; /* or several: "A|B" */
    why: string; /* without a rule */
    text: string;
}

const victimOf = (name: string): number => (name.startsWith("guest-") ? CLOSED : OPEN);
const isFlood = (attack: Attack): boolean => FLOODS.includes(attack.rule);

interface Report {
    dials: number;
    refused: number;
    reached: number;
    dropped: number;
    steps: number;
    certified: number;
    bytesOut: number;
}

/* Bytes of memory that a process has taken; pages of its files do not count, which the kernel takes
 * back when it needs them. */
function rss(pid: number): number {
    const line = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    assert.ok(line);
    return Number(line[1]) * 1024;
}

class Net {
    readonly nodes: Node[] = [];
    readonly t: Theme;
    readonly dir: string;
    readonly evil: string;
    readonly identities: string[] = []; /* one for each that waits, at least */
    readonly wallet: Wallet;
    readonly reporter: string;
    readonly attacker: Hex;
    count = COUNT; /* of those who run */
    targets: string[] = []; /* OPEN, CLOSED */
    others: string[] = []; /* who must hear a leader too, as options */
    digest = "";
    #nonce = 0;
    #attacks = 0;

    constructor(t: Theme, dir: string, evil: string) {
        const keyOf = (i: number): Hex =>
            (JSON.parse(readFileSync(join(dir, `node-${i}`, "validator", "key.json"), "utf8")) as { operator: Hex }).operator;
        this.t = t;
        this.dir = dir;
        this.evil = evil;
        this.wallet = new Wallet(keyOf(COUNT - 1)); /* whose node says nothing by itself once it is down */
        this.reporter = new Wallet(keyOf(0)).address;
        this.attacker = keyOf(1);
    }

    /* The attacker becomes peers of all, who hold no validator's key. */
    async invite(): Promise<void> {
        const peers: string[] = [];
        const port = await freePort();
        for (let i = 0; i < IDENTITIES; i++) {
            const identity = join(this.dir, `evil-${i}.key`);
            writeFileSync(identity, randomBytes(32).toString("hex"), { mode: 0o600 });
            this.identities.push(identity);
            peers.push(`/ip4/127.0.0.1/tcp/${port}/p2p/${(await output(this.evil, ["id", identity], { cwd: this.dir })).trim()}`);
        }
        for (let i = 0; i < COUNT; i++) {
            const file = join(this.dir, `node-${i}`, "network.json");
            const roster = JSON.parse(readFileSync(file, "utf8")) as { peers: string[]; open: boolean };
            this.targets = roster.peers.slice(OPEN, CLOSED + 1);
            roster.peers.push(...peers);
            roster.open = i !== CLOSED;
            writeFileSync(file, JSON.stringify(roster));
        }
    }

    /* Addresses of this machine that nobody has come from: those of one that comes too often are
     * refused for a while. */
    addresses(wires: number): string {
        const turn = this.#attacks;
        return `127.${1 + (turn >> 8)}.${turn & 255}.1/${Math.ceil(wires / WIRES_OF_ADDRESS)}`;
    }

    /* What makes the attacker the last validator, which must not run. */
    async asLast(): Promise<string[]> {
        const dir = join(this.dir, `node-${COUNT - 1}`);
        const genesis = await this.node(0).rpc.call("eth_getBlockByNumber", ["0x0", false]) as { hash: Hex };
        const key = JSON.parse(readFileSync(join(dir, "validator", "key.json"), "utf8")) as { vote: Hex; randao: Hex };
        const roster = JSON.parse(readFileSync(join(dir, "network.json"), "utf8")) as { peers: string[] };
        this.others = roster.peers.filter((peer) => peer !== this.targets[OPEN]).slice(0, COUNT - 2)
            .flatMap((peer) => ["--target", peer]);
        await this.node(COUNT - 1).stop();
        this.count = COUNT - 1;
        return ["--identity", join(dir, "node.key"), "--vote-key", key.vote, "--signer", String(COUNT - 1),
                "--genesis", genesis.hash, "--randao-key", key.randao, "--genesis-file", join(dir, "genesis.json")];
    }

    async start(): Promise<void> {
        for (let i = 0; i < COUNT; i++) {
            this.nodes.push(await this.t.start({ dir: join(this.dir, `node-${i}`), plain: true }));
        }
        const genesis = await this.node(0).rpc.call("eth_getBlockByNumber", ["0x0", false]) as { hash: Hex };
        this.digest = genesis.hash.slice(2, 10);
    }

    node(i: number): Node {
        const node = this.nodes[i];
        assert.ok(node);
        return node;
    }

    async height(i: number): Promise<number> {
        return Number(await this.node(i).rpc.call("eth_blockNumber", []));
    }

    /* By which rules peers were dropped and blocks refused, as a node counts it. */
    async rules(i: number): Promise<Set<string>> {
        const status = await this.node(i).rpc.call("keel_status", []) as Record<"dropped" | "refusedBlocks", object>;
        return new Set([...Object.keys(status.dropped), ...Object.keys(status.refusedBlocks)]);
    }

    async transfer(i: number): Promise<void> {
        const raw = await this.wallet.signTransaction({
            chainId: CHAIN_ID, type: 2, nonce: this.#nonce++, to: THERE, value: 1n, gasLimit: 21_000n,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n,
        });
        const hash = await this.node(i).rpc.call("eth_sendRawTransaction", [raw]) as Hex;
        await until(`a receipt of ${hash}`, async () =>
            (await this.node(i).rpc.call("eth_getTransactionReceipt", [hash]) as RpcReceipt | null) ?? undefined, PATIENCE_MS);
    }

    /* A leader builds its blocks in time, as the others do: it has as much of the machine as they. */
    async attack({ attack, leads, wires }: Attack, seconds: number, more: readonly string[]): Promise<Report> {
        /* What one is charged with stays for some seconds. */
        const identity = this.identities[++this.#attacks % IDENTITIES] ?? "";
        const percent = leads ? "100" : this.t.args.get("cpu") ?? "50";
        return JSON.parse(await output("nice", [
            "-n", leads ? "0" : "19", this.evil, attack, "--target", this.targets[victimOf(attack)] ?? "", "--digest", this.digest,
            "--chain-id", String(CHAIN_ID), "--from", this.addresses(wires), "--identity", identity, "--key", this.attacker, "--seconds", String(seconds),
            "--cpu", percent, ...more], { cwd: this.dir })) as Report;
    }
}

async function make(t: Theme, evil: string): Promise<Net> {
    const dir = join(t.folder(), "net");
    const port = await freePorts();
    await output(t.target.command, ["init", "--validators", String(COUNT), "--epoch", "64", "--period", "50", "--base-port",
                                    String(port), "--dir", dir], { cwd: t.folder() });
    const net = new Net(t, dir, evil);
    await net.invite();
    return net;
}

/* By which rules peers were dropped, or blocks refused. */
const rulesIn = (log: string): string[] =>
    [...log.matchAll(/(?:Peer dropped: \w+ at|Block \d+ of view \d+, of 0x\w+, refused:) [^\n]+ \((\w+)\)/g)]
        .map((match) => match[1] ?? "");

/* One attack, while transfers go on; what it did to the node. */
async function under(net: Net, attack: Attack, seconds: number, more: readonly string[] = []): Promise<string> {
    const at = victimOf(attack.attack);
    const victim = net.node(at);
    assert.ok(victim.pid);
    const before = { height: await net.height(at), rss: rss(victim.pid), said: victim.said };
    const told = (): string[] => rulesIn(victim.saidSince(before.said));
    const isTold = (): boolean => told().some((rule) => attack.rule.split("|").some((part) => rule.startsWith(part)));
    let over = false;
    let most = before.rss;
    let transfers = 0;
    const work = (async () => {
        while (!over) {
            await net.transfer(transfers++ % net.count);
            most = Math.max(most, rss(victim.pid as number));
        }
    })();
    /* Of whoever hangs up by itself nothing is dropped, and the log says that it was refused. */
    const isEnded = (one: Report): boolean => (attack.rule === "SWARM_KNOCKS" ? one.dials > KNOCKS : one.dropped + one.refused > 0);
    const attempt = async (): Promise<Report> => {
        /* An attacker that gets little of a busy machine may not have come to the point; one that
         * leads executes the whole chain first. */
        for (let tries = 1; ; tries++) {
            const one = await net.attack(attack, seconds * tries, more);
            const came = attack.leads ? one.steps > 1 && (attack.rule === "" ? one.certified > 0 : isTold())
                : attack.rule === "" || (isEnded(one) && one.dials >= attack.wires * Number(more.length === 0));
            if (came || tries === TRIES) {
                return one;
            }
        }
    };
    const report = await attempt().finally(() => {
        over = true;
    });
    await work;
    await net.transfer(at);
    assert.ok(victim.running, "the node that was attacked runs");
    assert.ok((await net.height(at)) > before.height, "blocks go on");
    assert.ok(transfers > 0);
    if (!net.t.args.has("sanitized")) { /* such a build is slow, and has shadows in memory */
        /* A leader may cost what its views last. */
        assert.ok(transfers >= (attack.leads ? seconds / 2 : seconds), `${transfers} transfers became final in ${seconds} s`);
        assert.ok(most - before.rss <= GROWTH_BYTES, `memory grew by ${most - before.rss} bytes`);
        assert.ok(most <= RSS_BYTES, `${most} bytes in memory`);
    }
    assert.ok(report.reached > 0, `no connection got as far as the attack: ${JSON.stringify(report)}`);
    if (attack.leads) {
        assert.ok(report.steps > 1, `it did not lead: ${JSON.stringify(report)}`);
        const good = attack.rule === "";
        if (!good || !(net.t.args.has("sanitized") || attack.attack === AS_SLOW_AS_A_VIEW)) {
            assert.ok(good === report.certified > 0, `its blocks: ${JSON.stringify(report)}`);
        }
    }
    assert.ok((attack.rule === "") === (attack.why !== ""), "it is dropped, or there is a reason");
    if (attack.rule !== "" && !(isFlood(attack) && net.t.args.has("sanitized"))) {
        assert.ok(attack.leads || isEnded(report), `it was not dropped: ${JSON.stringify(report)}`);
        const isIt = async (): Promise<true | undefined> => {
            await net.transfer(at); /* the log is written when something happens */
            return isTold() || undefined;
        };
        await until(`a line of the log that says ${attack.rule}`, isIt, LINE_MS).catch((error: Error) => {
            throw new Error(`${error.message}; it says ${told().join(", ")}; ${JSON.stringify(report)}`);
        });
    }
    const counted = await net.rules(at);
    for (const rule of told()) {
        assert.ok(counted.has(rule), `keel_status counts ${rule}`);
    }
    const blocks = (await net.height(at)) - before.height;
    const led = attack.leads ? `${report.certified} of ${report.steps} blocks certified, ` : "";
    return `${transfers} transfers, ${blocks} blocks, ${led}${report.reached} connections, ${report.dropped} dropped, ${report.steps} steps, `
        + `${[...new Set(told())].join(" ") || "no rule"}, ${((most - before.rss) / (1 << 20)).toFixed(1)} MiB more`;
}

const evilOf = (args: ReadonlyMap<string, string>, command: string): string =>
    args.get("evil") ?? join(dirname(command), "keel-evil");

await theme("hostile", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const evil = evilOf(t.args, t.target.command);
    assert.ok(existsSync(evil), `no ${evil}`);
    const net = await make(t, evil);
    const seconds = Number(t.args.get("seconds") ?? 2);
    const list = (await output(evil, ["list"], { cwd: net.dir })).trim().split("\n").map((line) => JSON.parse(line) as Attack);
    await net.start();
    for (let i = 0; i < 20; i++) {
        await net.transfer(i % COUNT);
    }
    assert.ok(list.filter(waits).length <= IDENTITIES);
    for (const attack of list.filter((a) => !waits(a) && !a.votes)) {
        await t.test(`${attack.attack}: ${attack.text}`, async () => {
            const what = await under(net, attack, attack.rule === "SWARM_SILENT" ? SILENCE_S : seconds);
            console.log(`     ${what}`);
        });
    }
    /* Those that only wait, all at once. */
    await t.test("handshakes that are not finished, and peers that take nothing", async () => {
        const work = list.filter(waits).map(async (attack, i) =>
            `${attack.attack}: ${await under(net, attack, attack.rule === "SWARM_DEAF" ? DEAF_S : WAIT_S, [...slow(attack), "--identity", net.identities[i] ?? ""])}`);
        for (const what of await Promise.all(work)) {
            console.log(`     ${what}`);
        }
    });
    await t.test("all have the same blocks", async () => {
        const least = await net.height(0);
        for (let i = 0; i < COUNT; i++) {
            await until(`node ${i} at height ${least}`, async () => (await net.height(i)) >= least || undefined, PATIENCE_MS);
        }
        const blocks = await Promise.all(net.nodes.map((node) =>
            node.rpc.call("eth_getBlockByNumber", [`0x${least.toString(16)}`, false]) as Promise<{ hash: Hex }>));
        for (const block of blocks) {
            assert.equal(block.hash, blocks[0]?.hash);
        }
    });
    /* One of four validators is the attacker: three are a quorum. */
    const validator = await net.asLast();
    for (const attack of list.filter((a) => a.leads)) {
        await t.test(`${attack.attack}: ${attack.text}`, async () => {
            console.log(`     ${await under(net, attack, 4 * seconds, [...validator, ...net.others])}`);
        });
    }
    for (const attack of list.filter((a) => a.votes && !a.leads)) {
        await t.test(`${attack.attack}: ${attack.text}`, async () => {
            console.log(`     ${await under(net, attack, 4 * seconds, validator)}`);
        });
    }
    await t.test("who votes twice is reported to the chain", async () => {
        await until("evidence by an operator", async () =>
            Number(await net.node(0).rpc.call("eth_getTransactionCount", [net.reporter, "latest"])) > 0 || undefined);
    });
});
