/* Theme sentries: who is connected with whom, as network.json says: a validator behind two sentries,
 * names as addresses, nodes that are not open, and what was learned of others over a restart. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Wallet } from "ethers";
import { theme, until } from "./lib/harness.ts";
import { agree, freePorts, funded, Load, operatorOf, PATIENCE_MS, Processes, type Status, transfer } from "./lib/network.ts";
import type { Hex } from "./lib/rpc.ts";
import { output, run } from "./lib/tool.ts";

const COUNT = 4;
const SENTRIES = [4, 5];
const HIDDEN = 0;

interface Roster {
    version: number;
    listen: string;
    announce?: string[];
    peers: string[];
    open: boolean;
    allow?: string[];
    sentries?: string[];
    guards?: string[];
}

const idOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1);
const portOf = (address: string): string => /\/tcp\/(\d+)/.exec(address)?.[1] ?? "";

class Nodes extends Processes {
    readonly taken: Hex[] = [];
    readonly wallet: Wallet;

    constructor(net: Processes) {
        super(net.t, net.dir, net.count);
        this.wallet = operatorOf(this.folder(0));
    }

    roster(i: number): Roster {
        return JSON.parse(readFileSync(join(this.folder(i), "network.json"), "utf8")) as Roster;
    }

    edit(i: number, change: Partial<Roster>): void {
        writeFileSync(join(this.folder(i), "network.json"), JSON.stringify({ ...this.roster(i), ...change }));
    }

    /* The id that a node has, of a folder that keel join makes. */
    async join(i: number, address: string, port: number): Promise<string> {
        const said = await output(this.t.target.command, ["join", join(this.dir, "genesis.json"), address, "--dir", this.folder(i),
                                                          "--listen", `/ip4/127.0.0.1/tcp/${port}`], { cwd: this.t.folder() });
        const id = /^It is (12D3KooW\w+) to its peers$/m.exec(said)?.[1];
        assert.ok(id);
        return id;
    }

    async transfer(i: number): Promise<void> {
        const hash = await this.rpc(i).call<Hex>("eth_sendRawTransaction", [await transfer(this.wallet, this.taken.length)]);
        await until(`a receipt of transaction ${this.taken.length}`, async () =>
            (await this.rpc(i).call("eth_getTransactionReceipt", [hash])) ?? undefined, PATIENCE_MS);
        this.taken.push(hash);
    }

    peers(i: number): Promise<number> {
        return this.rpc(i).call<Hex>("net_peerCount").then(Number);
    }
}

await theme("sentries", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const net = new Nodes(await Processes.make(t, COUNT));
    const addresses = net.roster(0).peers;
    const [hidden, ...open] = addresses as [string, ...string[]];
    const port = await freePorts();
    const ids: string[] = [];

    await t.test("a validator behind sentries votes, and leads", async () => {
        for (const i of SENTRIES) {
            ids[i] = await net.join(i, open[0] as string, port + i);
            net.edit(i, { guards: [idOf(hidden)] });
        }
        net.edit(HIDDEN, {
            peers: [], open: false,
            sentries: SENTRIES.map((i) => `/dns${i === 4 ? "4" : ""}/localhost/tcp/${port + i}/p2p/${ids[i]}`),
        });
        /* Where the sentries are, the others hear from their ward. */
        for (const i of [1, 2, 3]) {
            net.edit(i, { peers: open });
        }
        for (const i of [1, 2, 3, ...SENTRIES, HIDDEN]) {
            await net.start(i);
        }
        /* Of four, one down: each of the others' votes is needed. */
        await until("both sentries", async () => (await net.peers(HIDDEN)) === SENTRIES.length || undefined, PATIENCE_MS);
        await until("sentries that know all", async () =>
            (await Promise.all(SENTRIES.map((i) => net.peers(i)))).every((peers) => peers >= COUNT) || undefined, PATIENCE_MS);
        await net.kill(3);
        for (let n = 0; n < 4; n++) {
            for (const i of [1, 2, HIDDEN, SENTRIES[0] as number]) {
                await net.transfer(i);
            }
        }
        const status = await net.status(HIDDEN);
        assert.equal(status.signing, true);
        assert.equal(await net.peers(HIDDEN), SENTRIES.length);
        await agree(net.members([...net.up]), net.taken);
    });

    await t.test("when one sentry dies the other is enough", async () => {
        await net.kill(4);
        for (const i of [1, HIDDEN, 2]) {
            await net.transfer(i);
        }
        await net.start(4);
        await net.kill(5);
        await until("the first sentry again", async () => (await net.peers(HIDDEN)) === 1 || undefined, PATIENCE_MS);
        for (const i of [1, HIDDEN, 2]) {
            await net.transfer(i);
        }
        await agree(net.members([...net.up]), net.taken);
    });

    await t.test("nobody else gets in to it, and nobody hears of it", async () => {
        const direct = `/ip4/127.0.0.1/tcp/${portOf(hidden)}/p2p/${idOf(hidden)}`;
        await net.join(6, direct, port + 6);
        await net.start(6);
        await until("a line that it was refused", () => /not one of ours/.test(net.node(HIDDEN).log) || undefined, PATIENCE_MS);
        assert.equal(await net.peers(6), 0);
        await net.stop(6);
        for (const i of [1, 2, 4]) {
            await net.stop(i);
            const book = join(net.folder(i), "peers.json");
            assert.ok(existsSync(book));
            assert.ok(!readFileSync(book, "utf8").includes(`tcp/${portOf(hidden)}`), `node ${i} knows where it is`);
        }
        await net.stop(HIDDEN);
    });

    await t.test("a node that is not open lets in whom its file allows, and others not", async () => {
        const friend = await net.join(7, open[0] as string, port + 7);
        await net.join(8, open[0] as string, port + 8);
        net.edit(1, { open: false, allow: [friend] });
        await net.start(1);
        await net.start(7);
        await net.start(8);
        await until("the friend", async () => (await net.peers(7)) > 0 || undefined, PATIENCE_MS);
        await until("a line that the other was refused", () => /not one of ours/.test(net.node(1).log) || undefined, PATIENCE_MS);
        assert.equal(await net.peers(8), 0);
    });

    await t.test("validators that know one address find one another, and again after a restart", async () => {
        for (const i of [...net.up]) {
            await net.stop(i);
        }
        const other = new Nodes(await Processes.make(t, COUNT));
        const [first] = other.roster(0).peers as [string];
        for (const i of other.all) {
            other.edit(i, { peers: [first] });
            await other.start(i);
        }
        const whole = (): Promise<unknown> => until("a full mesh", async () =>
            (await Promise.all(other.all.map((i) => other.peers(i)))).every((peers) => peers === COUNT - 1) || undefined, PATIENCE_MS);
        await whole();
        await other.transfer(2);
        /* Without the first: the others know where they are. */
        for (const i of other.all) {
            await other.stop(i);
        }
        for (const i of [1, 2, 3]) {
            await other.start(i);
        }
        await until("the others", async () =>
            (await Promise.all([1, 2, 3].map((i) => other.peers(i)))).every((peers) => peers === COUNT - 2) || undefined, PATIENCE_MS);
        await other.transfer(3);
        await other.start(0);
        await whole();
        await agree(other.members(), other.taken);
        for (const i of other.all) {
            await other.stop(i);
        }
    });

    await t.test("where no node is open, who is voted in is let in by all", async () => {
        const closed = new Nodes(await Processes.make(t, COUNT));
        const late = COUNT;
        const keel = (...words: string[]): Promise<string> =>
            output(t.target.command, ["validator", ...words, "--rpc", closed.node(1).url], { cwd: t.folder() });
        const status = (i: number): Promise<Status> => closed.rpc(i).call<Status>("keel_status");
        await closed.join(late, closed.roster(0).peers[0] as string, await freePorts());
        for (const i of [...closed.all, late]) {
            closed.edit(i, { open: false });
        }
        await closed.startAll();
        await closed.start(late);
        await until("a line that it was refused", () => /not one of ours/.test(closed.node(0).log) || undefined, PATIENCE_MS);
        assert.equal(await closed.peers(late), 0);
        await closed.stop(late);
        /* So that epochs end. */
        const load = new Load(closed, 100, [await funded(closed, 3)]);
        const account = (await keel("key", "--dir", closed.folder(late))).trim();
        for (const i of [0, 1, 2]) {
            await keel("add", account, "--dir", closed.folder(i));
        }
        await keel("fund", account, "--dir", closed.folder(0));
        await keel("ready", "--dir", closed.folder(late));
        await until("five validators", async () => (await status(0)).validators === "0x5" || undefined, PATIENCE_MS);
        /* It knows where one of them is, nothing of the vote, and none of them knows it. */
        await closed.start(late);
        await until("a full mesh", async () =>
            (await Promise.all([...closed.all, late].map((i) => closed.peers(i)))).every((peers) => peers === COUNT) || undefined,
                    PATIENCE_MS);
        await until("its votes", async () => (await status(late)).signing || undefined, PATIENCE_MS);
        await closed.kill(3); /* four of five: each counts */
        await closed.goesOn("the fifth votes");
        await closed.start(3);
        await load.stop();
        await agree(closed.members([...closed.all, late]), load.taken);
        for (const i of [...closed.all, late]) {
            await closed.stop(i);
        }
    });

    await t.test("a network.json with a mistake is refused with its reason", async () => {
        const refused = async (change: object, words: RegExp): Promise<void> => {
            await net.join(9, open[0] as string, port + 9).catch(() => undefined);
            net.edit(9, change);
            const ran = await run(t.target.command, ["node", "--dir", net.folder(9), "--port", "0"], { cwd: t.folder() });
            assert.equal(ran.code, 1);
            assert.match(ran.err, words);
        };
        await refused({ opne: true }, /network\.json: network: has a member that is none of this version's/);
        await refused({ opne: undefined, version: 3 }, /network\.json: network: its "version" is missing, or not 2/);
        await refused({ version: 2, allow: [idOf(hidden)] }, /"allow" is for a node that is not "open"/);
        await refused({ allow: undefined, sentries: [hidden] }, /behind "sentries" there are no/);
    });
});
