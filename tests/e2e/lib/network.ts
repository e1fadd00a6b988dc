/* network: validators as processes, transactions that flow, and what must hold of all in the end. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TransactionRequest, Wallet } from "ethers";
import { sleep, type Theme, until, within } from "./harness.ts";
import { init } from "./keel.ts";
import { freePort, type Node, type Target } from "./node.ts";
import { type Hex, quantity, Rpc, type RpcReceipt, type RpcTx, RpcError } from "./rpc.ts";
import { output, type Ran, run } from "./tool.ts";

export const CHAIN_ID = 31337n;
export const THERE = `0x${"22".repeat(20)}`;
/* What is promised is 10 s; a machine that is busy with other things may take longer. */
export const PATIENCE_MS = 60_000;

const ANSWER_LIMIT_MS = 5_000;
const OUTSTANDING_MAX = 12;

export interface Status {
    number: Hex;
    engine: string;
    health: string;
    healthReason?: string;
    validators: Hex;
    signing: boolean;
    why: string;
    peers: Hex;
    dropped: Record<string, Hex>;
    memory: Hex;
    maxMemory: Hex;
    refusesPeers: boolean;
    need?: Hex;
    have?: Hex;
    missing?: Hex[];
    silent?: { operator: Hex; seconds: Hex }[];
    stalledSeconds?: Hex;
}

export const operatorOf = (folder: string): Wallet =>
    new Wallet((JSON.parse(readFileSync(join(folder, "validator", "key.json"), "utf8")) as { operator: Hex }).operator);

/* A transaction, signed, that is worth its gas on any of these networks. */
export const signed = (from: Wallet, fields: TransactionRequest): Promise<Hex> =>
    from.signTransaction({
        chainId: CHAIN_ID, type: 2, maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n, ...fields,
    }) as Promise<Hex>;

export const transfer = (from: Wallet, nonce: number, to: string = THERE, value = 1n): Promise<Hex> =>
    signed(from, { nonce, to, value, gasLimit: 21_000n });

/* Where a node's peers find it, as it says itself. */
export const addressOf = (node: Node): Promise<string> => until("where the node is", () =>
    /^Peers: +(\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+)$/m.exec(node.log)?.[1]);

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* The peer id of a node.key: its public key in the clear [libp2p peer ids]. */
export function peerId(secret: Buffer): string {
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]);
    const key = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).export({ format: "der", type: "spki" });
    let number = BigInt(`0x${Buffer.concat([Buffer.from("002408011220", "hex"), key.subarray(-32)]).toString("hex")}`);
    let text = "";
    for (; number > 0n; number /= 58n) {
        text = `${BASE58[Number(number % 58n)]}${text}`;
    }
    return `1${text}`;
}

/* A port with so many behind it that are free, most likely. */
export const freePorts = async (): Promise<number> => 10_000 + (await freePort()) % 20_000;

/* What can be asked, and is expected to answer. */
export interface Member {
    readonly name: string;
    readonly rpc: Rpc;
}

/* Nodes of which some answer. */
export abstract class Net {
    readonly dir: string;
    readonly count: number;
    readonly all: readonly number[];
    /* Who is expected to answer. */
    readonly up = new Set<number>();

    constructor(dir: string, count: number) {
        this.dir = dir;
        this.count = count;
        this.all = Array.from({ length: count }, (_, i) => i);
    }

    abstract rpc(i: number): Rpc;

    folder(i: number): string {
        return join(this.dir, `node-${i}`);
    }

    members(who: readonly number[] = this.all): Member[] {
        return who.map((i) => ({ name: `node ${i}`, rpc: this.rpc(i) }));
    }

    height(i: number): Promise<number> {
        return this.rpc(i).number();
    }

    status(i: number): Promise<Status> {
        return this.rpc(i).call<Status>("keel_status");
    }

    /* The highest block that anybody up has. */
    async top(): Promise<number> {
        const heights = await Promise.all([...this.up].map((i) => within(ANSWER_LIMIT_MS, `node ${i}`, this.height(i)).catch(() => 0)));
        return Math.max(0, ...heights);
    }

    /* Waits for a block above all there are; gives the time it took, in ms. */
    async goesOn(what: string, limit_ms = PATIENCE_MS): Promise<number> {
        const start = Date.now();
        const before = await this.top();
        await until(`${what}: a block above ${before}`, async () => (await this.top()) > before || undefined, limit_ms);
        return Date.now() - start;
    }

    /* Waits until a node has what the others have; gives the time it took, in ms. */
    async hasAll(i: number, limit_ms = PATIENCE_MS): Promise<number> {
        const start = Date.now();
        const least = await this.top();
        await until(`node ${i} at height ${least}`, async () => (await this.height(i)) >= least || undefined, limit_ms);
        return Date.now() - start;
    }
}

/* What is no data: who a node is, and whom it knows. */
const KEPT = ["validator", "node.key", "network.json"];

/* Each node a process of the test. */
export class Processes extends Net {
    readonly nodes: Node[] = [];
    readonly t: Theme;

    constructor(t: Theme, dir: string, count: number) {
        super(dir, count);
        this.t = t;
    }

    static async make(t: Theme, count: number, options: readonly string[] = []): Promise<Processes> {
        const dir = join(t.folder(), "net");
        await output(t.target.command, ["init", "--validators", String(count), "--epoch", "8", "--period", "50", "--base-port",
                                        String(await freePorts()), "--out", dir, ...options], { cwd: t.folder() });
        return new Processes(t, dir, count);
    }

    async start(i: number, extra: readonly string[] = [], target: Target = this.t.target): Promise<Node> {
        const node = await this.t.start({ dir: this.folder(i), plain: true, extra }, target);
        this.nodes[i] = node;
        this.up.add(i);
        return node;
    }

    /* A node that is stopped loses its data, and its chain begins anew. */
    async wipe(i: number, genesis = join(this.dir, "genesis.json")): Promise<void> {
        const folder = this.folder(i);
        for (const name of readdirSync(folder).filter((name) => !KEPT.includes(name))) {
            rmSync(join(folder, name), { recursive: true });
        }
        await init(this.t, genesis, folder);
    }

    async startAll(): Promise<void> {
        await Promise.all(this.all.map((i) => this.start(i)));
    }

    async kill(i: number): Promise<void> {
        this.up.delete(i);
        await this.node(i).kill();
    }

    async stop(i: number): Promise<void> {
        this.up.delete(i);
        await this.node(i).stop();
    }

    signal(i: number, signal: "SIGSTOP" | "SIGCONT"): void {
        const pid = this.node(i).pid;
        assert.ok(pid !== undefined && this.node(i).running);
        if (signal === "SIGSTOP") {
            this.up.delete(i);
        } else {
            this.up.add(i);
        }
        process.kill(pid, signal);
    }

    node(i: number): Node {
        const node = this.nodes[i];
        assert.ok(node, `node ${i} was never started`);
        return node;
    }

    rpc(i: number): Rpc {
        return this.node(i).rpc;
    }
}

/* keel devnet, and the orders of a second terminal. */
export class Devnet extends Net {
    readonly t: Theme;
    readonly port: number;
    readonly parent: ChildProcess;
    said = "";
    readonly #over: Promise<number | null>;
    readonly #rpcs: Rpc[];

    constructor(t: Theme, dir: string, count: number, port: number, options: readonly string[]) {
        super(dir, count);
        this.t = t;
        this.port = port;
        this.#rpcs = this.all.map((i) => new Rpc(`http://127.0.0.1:${port + i}`));
        this.parent = spawn(t.target.command, ["devnet", "-n", String(count), "--dir", dir, "--base-port", String(port), ...options],
                            { stdio: ["ignore", "pipe", "inherit"], cwd: t.folder() });
        this.parent.stdout?.on("data", (text: Buffer) => (this.said += text.toString()));
        this.#over = new Promise((done) => this.parent.once("exit", (code) => done(code)));
        process.on("exit", () => this.parent.kill("SIGKILL"));
        for (const i of this.all) {
            this.up.add(i);
        }
    }

    static async start(t: Theme, count: number, options: readonly string[] = []): Promise<Devnet> {
        const net = new Devnet(t, join(t.folder(), "net"), count, await freePorts(), options);
        await net.whole();
        return net;
    }

    rpc(i: number): Rpc {
        const rpc = this.#rpcs[i];
        assert.ok(rpc);
        return rpc;
    }

    asked(...words: string[]): Promise<Ran> {
        return run(this.t.target.command, ["devnet", ...words, "--dir", this.dir], { cwd: this.t.folder() });
    }

    async order(...words: string[]): Promise<string> {
        const ran = await this.asked(...words);
        assert.equal(ran.code, 0, `keel devnet ${words.join(" ")}: ${ran.err}`);
        return ran.out;
    }

    /* Waits until the table says so of one node. */
    async says(i: number, what: RegExp): Promise<void> {
        let row = "";
        await until(`node ${i}: ${what.source}`, async () => {
            row = (await this.asked("status")).out.split("\n").find((line) => line.startsWith(`${i} `)) ?? "";
            return what.test(row) || undefined;
        }, PATIENCE_MS).catch((error: unknown) => {
            throw new Error(`${String(error)}: ${row}`);
        });
    }

    /* Everybody answers, votes and hears everybody. */
    async whole(): Promise<void> {
        for (const i of this.all) {
            await this.says(i, new RegExp(`validator +\\d+ +\\d+ +\\d+ +${this.count - 1} `));
        }
    }

    async end(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
        this.parent.kill(signal);
        const code = await this.#over;
        this.#rpcs.forEach((rpc) => rpc.close());
        return code;
    }
}

/* A new account, with ether from an operator that has sent so many transactions. */
export async function funded(net: Net, i: number, nonce = 0): Promise<Wallet> {
    const wallet = new Wallet(Wallet.createRandom().privateKey);
    await net.rpc(i).sent(await transfer(operatorOf(net.folder(i)), nonce, wallet.address, 10n ** 20n));
    return wallet;
}

/* Transfers from the operators' accounts, one behind another, to whoever is up.  A node answers once
 * it has written a transaction down: what it took is never sent again, whatever happens to it. */
export class Load {
    /* What a node has taken, and so must not be lost. */
    readonly taken: Hex[] = [];
    /* Why a node did not take something, and how often. */
    readonly refused = new Map<string, number>();
    readonly #net: Net;
    readonly #flows: Promise<void>[];
    #over = false;

    constructor(net: Net, pause_ms = 100, wallets: readonly Wallet[] = net.all.map((i) => operatorOf(net.folder(i)))) {
        this.#net = net;
        this.#flows = wallets.map((wallet, i) => this.#flow(wallet, i, pause_ms));
    }

    async #flow(wallet: Wallet, first: number, pause_ms: number): Promise<void> {
        let nonce = await until("a nonce to begin with", () => this.#nonceOf(wallet), PATIENCE_MS);
        let done = nonce;
        let moved = Date.now();
        for (let turn = first; !this.#over || done < nonce; turn++) {
            const up = [...this.#net.up];
            const to = up[turn % Math.max(up.length, 1)];
            const now = to === undefined ? undefined : await this.#nonceOf(wallet, to);
            if (now !== undefined && now > done) {
                done = now;
                moved = Date.now();
            }
            if (to !== undefined && now !== undefined && nonce - done < OUTSTANDING_MAX && !this.#over &&
                await this.#send(wallet, nonce, to)) {
                nonce++;
            }
            if (this.#over && Date.now() - moved > PATIENCE_MS) {
                return; /* whoever looks for them says what is missing */
            }
            await sleep(pause_ms);
        }
    }

    async #nonceOf(wallet: Wallet, who = [...this.#net.up][0]): Promise<number | undefined> {
        if (who === undefined) {
            return undefined;
        }
        return within(ANSWER_LIMIT_MS, "a nonce", this.#net.rpc(who).call("eth_getTransactionCount", [wallet.address, "latest"]))
            .then(Number, () => undefined);
    }

    async #send(wallet: Wallet, nonce: number, to: number): Promise<boolean> {
        const raw = await transfer(wallet, nonce);
        try {
            const hash = await within(ANSWER_LIMIT_MS, "a transaction", this.#net.rpc(to).call("eth_sendRawTransaction", [raw]));
            this.taken.push(hash);
            return true;
        } catch (error) {
            /* Whoever did not live to say so may have taken it. */
            const why = (error instanceof Error ? error.message : String(error)).replace(/\d+/g, "N");
            this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
            return error instanceof RpcError && /already known|nonce too low/.test(error.message);
        }
    }

    async stop(): Promise<void> {
        this.#over = true;
        await Promise.all(this.#flows);
    }
}

/* What a node knows of transactions that are in no block. */
async function sight({ name, rpc }: Member, hashes: readonly Hex[]): Promise<string> {
    const txs = await rpc.all<RpcTx | null>(hashes.map((hash) => ["eth_getTransactionByHash", [hash]] as const));
    const known = txs.filter((tx) => tx !== null).map((tx) => `${tx.from.slice(0, 6)} ${Number(tx.nonce)}`);
    const from = txs.find((tx) => tx !== null)?.from;
    const counts = from === undefined ? [] : await rpc.all<Hex>(["latest", "pending"].map((tag) =>
        ["eth_getTransactionCount", [from, tag]] as const));
    return `${name} at ${await rpc.number()}: ${known.length} of ${txs.length} known: ${known.join(", ")}; counts ${counts.map(Number).join(", ")}`;
}

/* Everybody has every transaction that was taken, in the same block, and the same blocks. */
export async function agree(members: readonly Member[], taken: readonly Hex[]): Promise<number> {
    const blockOf = new Map<Hex, Hex>();
    for (const { name, rpc } of members) {
        let left = [...taken];
        await until(`${name}: receipts of all of ${taken.length} transactions`, async () => {
            const receipts = await rpc.all<RpcReceipt | null>(left.map((hash) => ["eth_getTransactionReceipt", [hash]] as const));
            left = left.filter((hash, i) => {
                const receipt = receipts[i];
                if (!receipt) {
                    return true;
                }
                assert.equal(receipt.blockHash, blockOf.get(hash) ?? receipt.blockHash, `${name}: the block of ${hash}`);
                blockOf.set(hash, receipt.blockHash);
                return false;
            });
            return left.length === 0 || undefined;
        }, PATIENCE_MS).catch(async (error: unknown) => {
            const seen = await Promise.all(members.map((member) => sight(member, left)));
            throw new Error(`${String(error)}: ${left.length} are missing\n${seen.join("\n")}`);
        });
    }
    const heights = await Promise.all(members.map(({ rpc }) => rpc.number()));
    const least = Math.min(...heights);
    const ask = Array.from({ length: least + 1 }, (_, n) => ["eth_getBlockByNumber", [quantity(n), false]] as const);
    let first: { hash: Hex; stateRoot: Hex }[] | undefined;
    for (const { name, rpc } of members) {
        const blocks = await rpc.all<{ hash: Hex; stateRoot: Hex }>(ask);
        first ??= blocks;
        blocks.forEach((block, n) => {
            assert.equal(block.hash, first?.[n]?.hash, `${name}: block ${n}`);
            assert.equal(block.stateRoot, first?.[n]?.stateRoot, `${name}: the state of block ${n}`);
        });
    }
    return least;
}
