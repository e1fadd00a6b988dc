/* Theme soak: what befalls networks of validators, one thing at a time, under load.  After each:
 * the same blocks and states everywhere, every transaction that was taken, blocks again once there
 * is a quorum, and nobody has repaired anything.
 *
 *     --part short   only what is over within seconds: part of every `make test`
 *     --seed N       of whom it befalls (1)
 *     --other PATH   another build of Keel, for rolling restarts: without one these are left out */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
    cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statfsSync, statSync, writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { id, type Wallet, zeroPadValue } from "ethers";
import { sleep, type Theme, theme, until } from "./lib/harness.ts";
import { sameHistory } from "./lib/history.ts";
import { verify } from "./lib/keel.ts";
import {
    addressOf, agree, Devnet, freePorts, funded, Load, type Net, operatorOf, PATIENCE_MS, peerId, Processes, signed, type Status, THERE, transfer,
} from "./lib/network.ts";
import type { Node, Target } from "./lib/node.ts";
import { Random } from "./lib/random.ts";
import type { Hex, RpcReceipt } from "./lib/rpc.ts";
import { output, run } from "./lib/tool.ts";

const ROW_LIMIT_MS = 1_200_000;
/* Before anything happens and in the end. */
const BLOCKS = 20;
const PAUSE_MS = 100; /* between an account's transactions */
const MS_PER_S = 1000;
const GOES_ON = "blocks again";
/* Of one key in two places, until both have voted before one has noticed: one of two does it. */
const ROUNDS_MAX = 12;
const AWAY = 10_000; /* blocks */
const AWAY_LIMIT_MS = 500_000;
const BUSY_PAUSE_MS = 5;
const SAMPLES = 50;

const seconds = (ms: number): string => `${(ms / MS_PER_S).toFixed(1)} s`;
const tell = (what: string): void => console.log(`     ${what}`);

async function some(net: Net, when: string): Promise<void> {
    for (let n = 0; n < BLOCKS; n++) {
        await net.goesOn(when);
    }
}

/* A network under load, and what must hold of it in the end. */
async function under<N extends Net>(net: N, row: (net: N) => Promise<void>): Promise<void> {
    /* From accounts of its own: those of operators are theirs. */
    const load = new Load(net, PAUSE_MS, await Promise.all(net.all.map((i) => funded(net, i))));
    try {
        await some(net, "before anything happens");
        await row(net);
        await some(net, "in the end");
    } finally {
        await load.stop();
    }
    for (const [why, times] of load.refused) {
        tell(`refused ${times} times: ${why}`);
    }
    const members = net.members();
    const height = await agree(members, load.taken);
    tell(`${load.taken.length} transactions, ${height} blocks, the same on ${members.length} nodes`);
}

async function processes(t: Theme, count: number, row: (net: Processes) => Promise<void>,
                         prepare: (net: Processes) => Promise<void> = async () => undefined,
                         options: readonly string[] = []): Promise<void> {
    const net = await Processes.make(t, count, options);
    await prepare(net);
    await net.startAll();
    await under(net, row);
    for (const i of net.up) {
        await net.node(i).stop();
        await verify(t, net.folder(i));
    }
}

async function devnet(t: Theme, count: number, row: (net: Devnet) => Promise<void>): Promise<void> {
    const net = await Devnet.start(t, count, ["--block-time", "0.05"]);
    try {
        await under(net, row);
    } finally {
        assert.equal(await net.end(), 0);
    }
    assert.doesNotMatch(net.said, /Alarm/);
    for (const i of net.all) {
        await verify(t, net.folder(i));
    }
}

/* As many as can be gone while blocks are made. */
const spare = (net: Net): number => Math.floor((net.count - 1) / 3);

async function caughtUp(net: Net, who: readonly number[]): Promise<void> {
    for (const i of who) {
        tell(`node ${i} has all after ${seconds(await net.hasAll(i))}`);
    }
}

/* Where it stands: what was on its way when something happened may still make a block. */
async function settled(net: Net): Promise<number> {
    let height = await net.top();
    await until("no more blocks", async () => {
        await sleep(3_000);
        const before = height;
        height = await net.top();
        return height === before || undefined;
    }, PATIENCE_MS);
    return height;
}

/* --- one by one --- */

async function killed(net: Processes, random: Random): Promise<void> {
    for (let round = 0; round < 5; round++) {
        const dead = random.below(net.count);
        await net.kill(dead);
        tell(`node ${dead} killed: ${GOES_ON} after ${seconds(await net.goesOn("one is dead"))}`);
        await sleep(random.below(2000));
        await net.start(dead);
        await caughtUp(net, [dead]);
    }
}

async function stopped(net: Processes, random: Random): Promise<void> {
    const first = random.below(net.count);
    const who = Array.from({ length: spare(net) }, (_, k) => (first + k) % net.count);
    who.forEach((i) => net.signal(i, "SIGSTOP"));
    tell(`${who.length} stopped: ${GOES_ON} after ${seconds(await net.goesOn("some stand still"))}`);
    await sleep(30_000);
    who.forEach((i) => net.signal(i, "SIGCONT"));
    await caughtUp(net, who);
}

/* One stands still for so many blocks that it is no longer a matter of what is on its way. */
async function away(net: Processes): Promise<void> {
    const gone = net.count - 1;
    const before = await net.height(gone);
    const begun = Date.now();
    net.signal(gone, "SIGSTOP");
    const busy = new Load(net, BUSY_PAUSE_MS, net.all.map((i) => operatorOf(net.folder(i))));
    await until(`${AWAY} blocks`, async () => (await net.top()) >= before + AWAY || undefined, AWAY_LIMIT_MS);
    tell(`node ${gone} stands still at block ${before}: the others made ${AWAY} blocks in ${seconds(Date.now() - begun)}`);
    await busy.stop();
    net.rpc(gone).close(); /* connections that have stood still as long are dropped when it wakes */
    net.signal(gone, "SIGCONT");
    const back_ms = await net.hasAll(gone, AWAY_LIMIT_MS);
    const head = await net.height(gone);
    tell(`it has block ${head} after ${seconds(back_ms)}: ${Math.round(((head - before) * MS_PER_S) / back_ms)} blocks a second`);
    await until("it signs", async () => (await net.status(gone)).signing || undefined, PATIENCE_MS);
    assert.doesNotMatch(net.node(gone).log, /filling/);
    const account = operatorOf(net.folder(0)).address;
    tell(`${await sameHistory(net.members([0, gone]), head, SAMPLES, { account, contract: THERE })} answers about history are the same`);
    await agree(net.members(), busy.taken);
    await net.kill(0); /* three of four, with it, make blocks */
    tell(`another one killed: ${GOES_ON} after ${seconds(await net.goesOn("with the one that was away"))}`);
    await net.start(0);
    await caughtUp(net, [0]);
}

async function noQuorum(net: Processes, random: Random): Promise<void> {
    const first = random.below(net.count);
    const who = Array.from({ length: spare(net) + 1 }, (_, k) => (first + k) % net.count);
    who.forEach((i) => net.signal(i, "SIGSTOP"));
    await sleep(30_000);
    const height = await net.top();
    who.forEach((i) => net.signal(i, "SIGCONT"));
    tell(`${who.length} stopped for 30 s at block ${height}: ${GOES_ON} after ${seconds(await net.goesOn("they go on"))}`);
    await caughtUp(net, who);
}

async function allKilled(net: Processes): Promise<void> {
    for (let round = 0; round < 3; round++) {
        const height = await net.top();
        await Promise.all(net.all.map((i) => net.kill(i)));
        await net.startAll();
        assert.ok(await net.top() >= height, "a final block is lost");
        tell(`all killed: ${GOES_ON} after ${seconds(await net.goesOn("all were killed"))}`);
    }
}

async function parted(net: Devnet): Promise<void> {
    const half = net.all.slice(0, Math.floor(net.count / 2));
    for (let round = 0; round < 2; round++) {
        await net.order("partition", half.join(","));
        const height = await settled(net);
        await sleep(10_000);
        assert.equal(await net.top(), height, "a block without a quorum");
        const status = await net.status(0);
        assert.match(status.why, /need \d of \d, have \d; silent for/);
        await net.order("heal");
        tell(`${half.length} of ${net.count} cut off: ${GOES_ON} after ${seconds(await net.goesOn("healed"))}`);
        await caughtUp(net, net.all);
    }
}

async function badLine(net: Devnet): Promise<void> {
    for (const [latency, loss] of [[100, 0], [0, 5], [100, 5], [300, 0]] as const) {
        await net.order("latency", String(latency));
        await net.order("loss", String(loss));
        const before = await net.top();
        await sleep(20_000);
        const blocks = await net.top() - before;
        tell(`latency ${latency} ms, loss ${loss} %: ${blocks} blocks in 20 s`);
        assert.ok(blocks > 0);
    }
    await net.order("latency", "0");
    await net.order("loss", "0");
}

async function oneWay(net: Devnet, random: Random): Promise<void> {
    for (let round = 0; round < 3; round++) {
        const mute = random.below(net.count);
        await net.order("partition", String(mute), "--one-way");
        tell(`node ${mute} is not heard: ${GOES_ON} after ${seconds(await net.goesOn("one is not heard"))}`);
        await sleep(8_000);
        await net.goesOn("one is not heard");
        await net.order("heal");
        await caughtUp(net, [mute]);
    }
    await net.order("partition", net.all.slice(0, spare(net) + 1).join(","), "--one-way");
    await sleep(10_000);
    await net.order("heal");
    tell(`too many were not heard: ${GOES_ON} after ${seconds(await net.goesOn("healed"))}`);
}

/* --- folders, keys, disks --- */

async function wiped(net: Processes): Promise<void> {
    await net.stop(2);
    await net.wipe(2);
    await net.start(2);
    await caughtUp(net, [2]);
    await until("it signs", async () => (await net.status(2)).signing || undefined, PATIENCE_MS);
}

async function twice(net: Processes): Promise<void> {
    const ran = await run(net.t.target.command, ["node", "--dir", net.folder(1), "--port", "0"], { cwd: net.t.folder() });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /another keel is running on/);
    tell(`the second one: ${ran.err.trim()}`);
    assert.equal((await net.status(1)).signing, true);
}

async function withoutGuard(net: Processes): Promise<void> {
    const guard = join(net.folder(3), "validator", "sign.guard");
    await net.stop(3);
    renameSync(guard, `${guard}.away`);
    await net.start(3);
    assert.match(net.node(3).log, /does not vote: sign guard: there is none beside the key/);
    await caughtUp(net, [3]);
    await net.goesOn("three of four");
    assert.equal((await net.status(3)).signing, false);
    await net.stop(3);
    renameSync(`${guard}.away`, guard);
    await net.start(3);
    assert.equal((await net.status(3)).signing, true);
}

/* Events of the validator contract that name somebody who has signed both ways. */
async function equivocations(net: Net, operator: string): Promise<number> {
    const genesis = JSON.parse(readFileSync(join(net.dir, "genesis.json"), "utf8")) as { config: { keel: { policy: Hex } } };
    const topics = [id("Equivocated(address,uint64,uint64,uint8)"), zeroPadValue(operator, 32)];
    const logs = await net.rpc(0).call<unknown[]>("eth_getLogs", [{ fromBlock: "0x0", address: genesis.config.keel.policy, topics }]);
    return logs.length;
}

/* A machine with a validator's key. */
interface Machine {
    readonly name: string;
    readonly dir: string;
    node: Node;
}

/* The fourth validator's machine, and one elsewhere with its key, both started. */
async function machinesOf(net: Processes, elsewhere: string): Promise<Machine[]> {
    await net.start(3);
    net.up.delete(3);
    return [{ name: "the first", dir: net.folder(3), node: net.node(3) },
            { name: "the copy", dir: elsewhere, node: await net.t.start({ dir: elsewhere, plain: true }) }];
}

const KEY_IS_USED = /this node does not sign: its key is used elsewhere .*'keel validator resume'/;

async function signsNothing(machine: Machine): Promise<boolean> {
    const status = await machine.node.rpc.call<Status>("keel_status");
    return !status.signing && KEY_IS_USED.test(status.why);
}

/* Of machines with one key, the first that has heard of another and says so. */
async function barred(machines: readonly Machine[]): Promise<Machine> {
    const start = Date.now();
    const one = await until("one of them signs nothing any more", async () => {
        const done = await Promise.all(machines.map(signsNothing));
        return machines[done.indexOf(true)];
    }, PATIENCE_MS);
    tell(`${one.name} signs nothing any more after ${seconds(Date.now() - start)}`);
    await until("its log says so", () => one.node.log.includes("Alarm: somebody else signs with this node's key") || undefined, PATIENCE_MS);
    return one;
}

const resume = (t: Theme, folder: string): ReturnType<typeof run> =>
    run(t.target.command, ["validator", "resume", "--dir", folder], { cwd: t.folder() });

/* Both are stopped, and only the first comes back, by the word of its owner. */
async function resumed(net: Processes, machines: readonly Machine[]): Promise<void> {
    await Promise.all(machines.map(({ node }) => node.stop()));
    assert.equal((await resume(net.t, net.folder(3))).code, 0);
    await net.start(3);
}

/* A validator's whole folder is copied while it stands still, and both are started: they have one
 * place in everybody's connections. */
async function copied(net: Processes): Promise<void> {
    const { t } = net;
    const elsewhere = join(net.dir, "elsewhere");
    const operator = operatorOf(net.folder(3)).address;
    await net.stop(3);
    cpSync(net.folder(3), elsewhere, { recursive: true });
    const roster = join(elsewhere, "network.json");
    writeFileSync(roster, JSON.stringify({
        ...JSON.parse(readFileSync(roster, "utf8")) as object, listen: `/ip4/127.0.0.1/tcp/${await freePorts()}`,
    }));
    const machines = await machinesOf(net, elsewhere);
    const one = await barred(machines);
    const early = await resume(t, one.dir);
    assert.equal(early.code, 1);
    assert.match(early.err, /its node is running: stop it first/);
    await some(net, "one key in two places");
    await one.node.stop();
    one.node = await t.start({ dir: one.dir, plain: true });
    assert.match(one.node.log, /does not vote: sign guard: somebody else has signed with this key/);
    await some(net, "one of them is started again");
    assert.ok(await signsNothing(one));
    await resumed(net, machines);
    await until("it signs, or what both had signed by then has cost it its seat", async () =>
        ((await net.status(3)).signing || await equivocations(net, operator) === 1) || undefined, PATIENCE_MS);
}

/* A key and its guard are copied into the folder of a node that follows.  Both machines come while
 * there is no quorum without them, and see each view begin: often both have proposed, each its own
 * block, before one has noticed. */
async function bothVote(net: Processes): Promise<void> {
    const { t } = net;
    const elsewhere = join(net.dir, "fifth");
    const operator = operatorOf(net.folder(3)).address;
    const follower = await t.start({ dir: elsewhere, plain: true });
    await some(net, "a fifth follows");
    await follower.stop();
    let rounds = 0;
    while (await equivocations(net, operator) === 0) {
        assert.ok(++rounds <= ROUNDS_MAX);
        await net.stop(3);
        rmSync(join(elsewhere, "validator"), { recursive: true, force: true });
        cpSync(join(net.folder(3), "validator"), join(elsewhere, "validator"), { recursive: true });
        await Promise.all([net.stop(1), net.stop(2)]);
        const machines = await machinesOf(net, elsewhere);
        await settled(net);
        await Promise.all([net.start(1), net.start(2)]);
        await barred(machines);
        await some(net, "one key in two places");
        await resumed(net, machines);
        await caughtUp(net, [3]);
    }
    tell(`evidence on chain in round ${rounds}`);
    await until("three validators", async () => (await net.status(0)).validators === "0x3" || undefined, PATIENCE_MS);
    assert.equal((await net.status(3)).signing, false);
    assert.equal(await equivocations(net, operator), 1);
}

/* --- who validates --- */

/* The folder of a fifth node, whom the others know. */
async function makeFifth(net: Processes): Promise<void> {
    const folder = join(net.dir, "fifth");
    const key = randomBytes(32);
    const listen = `/ip4/127.0.0.1/tcp/${await freePorts()}`;
    await output(net.t.target.command, ["init", "--genesis", join(net.dir, "genesis.json"), "--dir", folder], { cwd: net.t.folder() });
    writeFileSync(join(folder, "node.key"), `${key.toString("hex")}\n`, { mode: 0o600 });
    for (const file of net.all.map((i) => join(net.folder(i), "network.json"))) {
        const roster = JSON.parse(readFileSync(file, "utf8")) as { peers: string[] };
        roster.peers.push(`${listen}/p2p/${peerId(key)}`);
        writeFileSync(file, JSON.stringify(roster));
        writeFileSync(join(folder, "network.json"), JSON.stringify({ ...roster, listen }));
    }
}

/* The fifth one is voted in, and the first voted out. */
async function voted(net: Processes): Promise<void> {
    const { t } = net;
    const keel = (...words: string[]): Promise<string> =>
        output(t.target.command, ["validator", ...words, "--rpc", net.node(1).url], { cwd: t.folder() });
    const folder = join(net.dir, "fifth");
    const account = await keel("key", "--dir", folder);
    const fifth = await t.start({ dir: folder, plain: true });
    for (const i of [0, 1, 2]) {
        await keel("add", account, "--dir", net.folder(i));
    }
    await keel("fund", account, "--dir", net.folder(0));
    await keel("ready", "--dir", folder);
    const start = Date.now();
    const signs = async (): Promise<Status> => fifth.rpc.call<Status>("keel_status");
    await until("five validators, of whom the fifth signs", async () => {
        const status = await signs();
        return (status.validators === "0x5" && status.signing) || undefined;
    }, PATIENCE_MS);
    tell(`voted in: it signs after ${seconds(Date.now() - start)}`);
    const first = operatorOf(net.folder(0)).address;
    for (const i of [1, 2, 3]) {
        await keel("remove", first, "--dir", net.folder(i));
    }
    await until("four validators, and the first is none", async () =>
        ((await signs()).validators === "0x4" && !(await net.status(0)).signing) || undefined, PATIENCE_MS);
    assert.doesNotMatch(await keel("list"), new RegExp(first));
    /* Three of the four must be up: the fifth counts. */
    await net.kill(3);
    tell(`voted out, and one killed: ${GOES_ON} after ${seconds(await net.goesOn("with the fifth"))}`);
    await net.start(3);
    await caughtUp(net, [0, 3]);
    await agree([...net.members(), { name: "the fifth", rpc: fifth.rpc }], []);
    await fifth.stop();
    await verify(t, folder);
    await net.goesOn("without the fifth again");
}

/* --- a full disk --- */

const MIB = 1 << 20;
const FLOOR_BYTES = 16 * MIB;

interface Disk {
    /* Fills it but for so many bytes; with what there was no room for at 0. */
    fill(but: number): Promise<void>;
    free(): Promise<void>;
    remove(): Promise<void>;
}

/* The folder of a node, on a small file system of its own. */
async function smallDisk(net: Processes, i: number): Promise<Disk | undefined> {
    const folder = net.folder(i);
    const aside = `${folder}.aside`;
    const tool = (command: string, ...args: string[]) => run(command, args, { cwd: net.t.folder() });
    renameSync(folder, aside);
    mkdirSync(folder);
    const mounted = await tool("mount", "-t", "tmpfs", "-o", "size=96m", "keel", folder).catch(() => undefined);
    if (mounted?.code !== 0) {
        rmSync(folder, { recursive: true });
        renameSync(aside, folder);
        return undefined;
    }
    const unmount = (): Promise<unknown> => tool("umount", "-l", folder);
    process.on("exit", () => void unmount());
    cpSync(aside, folder, { recursive: true });
    const filler = join(folder, "filler");
    return {
        fill: async (but) => {
            const room = statfsSync(folder);
            const bytes = room.bavail * room.bsize - but;
            const dd = await tool("dd", "if=/dev/zero", `of=${filler}`, "bs=64k", "iflag=count_bytes",
                                  `count=${but ? bytes : bytes + MIB}`);
            assert.equal(/No space left/.test(dd.err), but === 0);
        },
        free: async () => rmSync(filler),
        remove: async () => {
            await unmount();
        },
    };
}

/* The disk of one is filled but for so many bytes, and emptied; nobody touches the node. */
async function fillUp(net: Processes, who: number, disk: Disk, but: number): Promise<void> {
    const { pid } = net.node(who);
    await disk.fill(but);
    tell(`a disk is full: ${GOES_ON} after ${seconds(await net.goesOn("a disk is full"))}`);
    await until("it knows", async () => (await net.status(who)).health !== "good" || undefined, PATIENCE_MS);
    const status = await net.status(who);
    tell(`it says: ${status.health}, ${status.healthReason ?? ""}`);
    assert.equal(status.signing, false);
    assert.match(status.healthReason ?? "", /free on the disk of the data folder/);
    assert.ok(await net.height(who) > 0);
    await assert.rejects(net.rpc(who).call("eth_sendRawTransaction", [await transfer(operatorOf(net.folder(who)), 1_000)]),
                         /disk full: nothing is taken until there is room again/);
    await net.goesOn("a disk is full");
    const start = Date.now();
    await disk.free();
    await until("it signs again", async () => {
        const now = await net.status(who).catch(() => undefined); /* connections are cut once */
        return (now?.signing && now.health === "good") || undefined;
    }, PATIENCE_MS);
    tell(`there is room: it signs again after ${seconds(Date.now() - start)}`);
    await caughtUp(net, [who]);
    assert.ok(net.node(who).running && net.node(who).pid === pid);
}

async function fullDisk(t: Theme, name: string, floor: number, but: number): Promise<void> {
    const net = await Processes.make(t, 4);
    const disk = await smallDisk(net, 3);
    if (!disk) {
        t.skip(name, "no right to mount a small file system");
        return;
    }
    try {
        await Promise.all(net.all.map((i) => net.start(i, i === 3 ? ["--min-free-disk", String(floor)] : [])));
        await under(net, async () => {
            for (let round = 0; round < 2; round++) {
                await fillUp(net, 3, disk, but);
                await some(net, "there is room again");
            }
        });
        for (const i of net.all) {
            await net.node(i).stop();
            await verify(t, net.folder(i));
        }
    } finally {
        await disk.remove();
    }
}

/* --- time, builds --- */

async function wrongClock(net: Processes): Promise<void> {
    for (const way of ["--clock-ahead", "--clock-behind"]) {
        await net.stop(1);
        await net.start(1, [way, "3600"]);
        for (let n = 0; n < 2 * net.count; n++) {
            await net.goesOn(`${way} of one`);
        }
        await caughtUp(net, [1]);
        const head = await net.rpc(0).block("latest");
        const late = Number(head.timestamp) - Math.floor(Date.now() / MS_PER_S);
        tell(`${way} 3600 of one: time of the newest block less the right one: ${late} s`);
        assert.ok(Math.abs(late) < 60);
    }
    await net.stop(1);
    await net.start(1);
}

/* One after another gets another build, and then this one again. */
async function rolling(net: Processes, path: string): Promise<void> {
    const other: Target = { kind: "keel", command: path };
    for (const target of [other, net.t.target]) {
        for (const i of net.all) {
            await net.stop(i);
            tell(`node ${i} down: ${GOES_ON} after ${seconds(await net.goesOn("one is restarted"))}`);
            await net.start(i, [], target);
            assert.equal(readlinkSync(`/proc/${net.node(i).pid}/exe`), realpathSync(target.command));
            await caughtUp(net, [i]);
        }
    }
}

async function otherBuild(t: Theme, count: number): Promise<void> {
    const given = t.args.get("other");
    const path = given === undefined ? undefined : resolve(given);
    const why = path === undefined ? "no other build is given (--other)"
        : !existsSync(path) ? `${path} is not there`
        : readFileSync(path).equals(readFileSync(t.target.command)) ? `${path} is this very build` : undefined;
    if (path === undefined || why !== undefined) {
        t.skip("another build, one after another", why ?? "");
        return;
    }
    const said = (await output(path, ["--version"], { cwd: t.folder() })).trim();
    tell(`the other build: ${path}, ${said}, ${statSync(path).size} bytes; this one has ${statSync(t.target.command).size}`);
    await processes(t, count, (net) => rolling(net, path));
}

/* --- memory, and what a long life leaves --- */

const LITTLE_MEMORY = 1_000_000; /* less than a node takes at its start */

/* A node that has taken what memory it may: strangers stay out, validators do not notice. */
async function noMemory(net: Processes): Promise<void> {
    const folder = join(net.dir, "stranger");
    await net.stop(0);
    await net.start(0, ["--max-memory", String(LITTLE_MEMORY)]);
    await caughtUp(net, [0]);
    const address = await addressOf(net.node(0));
    await output(net.t.target.command, ["join", join(net.dir, "genesis.json"), address, "--dir", folder, "--listen", "/ip4/127.0.0.1/tcp/0"],
                 { cwd: net.t.folder() });
    const stranger = await net.t.start({ dir: folder, plain: true });
    const turnedAway = async (more: number): Promise<number> => until("a stranger is turned away", async () => {
        const { dropped } = await net.status(0);
        return Number(dropped["SWARM_MEMORY"] ?? 0) >= more ? Number(dropped["SWARM_MEMORY"]) : undefined;
    }, PATIENCE_MS);
    const times = await turnedAway(1);
    assert.match(net.node(0).log, /\(SWARM_MEMORY\)/);
    /* Blocks need it, and whoever comes back is let in, since it is a validator. */
    for (const dead of [1, 2]) {
        await net.kill(dead);
        tell(`node ${dead} killed: ${GOES_ON} after ${seconds(await net.goesOn("one is dead"))}`);
        await net.start(dead);
        await caughtUp(net, [dead]);
        await until("it has all validators again", async () => Number((await net.status(0)).peers) === net.count - 1 || undefined, PATIENCE_MS);
    }
    await turnedAway(times + 1);
    const status = await net.status(0);
    assert.ok(status.refusesPeers && status.signing && status.health === "good");
    assert.equal(Number(status.maxMemory), LITTLE_MEMORY);
    assert.equal(await stranger.rpc.number(), 0);
    await net.stop(0);
    await net.start(0);
    const least = await net.top();
    await until("a stranger is let in, and follows", async () =>
        (await stranger.rpc.number().catch(() => 0)) >= least || undefined, PATIENCE_MS);
    assert.equal((await net.status(0)).refusesPeers, false);
    await stranger.stop();
}

const KEPT_BLOCKS = 64;
/* Its code puts 1 MiB of zeros into a log: PUSH3 2^20 PUSH1 0 LOG0 STOP. */
const LOGS = "0x6007600c60003960076000f3621000006000a000";
const SENDERS = 2; /* each has one call on its way, about as much as a block may have for long */
/* Rounds: in each as much is written as had been when the first file of the ledger went. */
const ROUNDS = 8;
const LOOKS = 8; /* in a round */
const SPREAD = 1.25; /* a file of the ledger comes and goes */

/* Bytes that a folder has on its disk. */
async function taken(t: Theme, folder: string): Promise<number> {
    return Number((await output("du", ["-s", "--block-size=1", folder], { cwd: t.folder() })).split(/\s/)[0]);
}

interface Size {
    height: number;
    disk: number;
    memory: number;
}

/* A validator that keeps little, under a load of large blocks.  Once files of its ledger go, it has
 * what it needs: what it takes at most, of disk and of memory, is the same in each round. */
async function longLife(t: Theme): Promise<void> {
    const net = await Processes.make(t, 1, ["--period", "20"]);
    await net.start(0, ["--keep-blocks", String(KEPT_BLOCKS), "--keep-history", String(KEPT_BLOCKS)]);
    const wallets: Wallet[] = [];
    while (wallets.length < SENDERS) {
        wallets.push(await funded(net, 0, wallets.length));
    }
    let over = false;
    let bytes = 0;
    const make = async (wallet: Wallet, nonce: number, to: string | null, data: string): Promise<RpcReceipt> =>
        net.rpc(0).sent(await signed(wallet, { nonce, to, data, gasLimit: 14_000_000n }));
    const { contractAddress } = await make(await funded(net, 0, SENDERS), 0, null, LOGS);
    const flow = async (wallet: Wallet): Promise<void> => {
        for (let nonce = 0; !over; nonce++) {
            assert.equal((await make(wallet, nonce, contractAddress, "0x")).status, "0x1");
            bytes += MIB;
        }
    };
    const ledger = (): string => readdirSync(join(net.folder(0), "ledger")).sort()[0] ?? "";
    const round = async (length: number): Promise<Size> => {
        const begun = bytes;
        const most = { height: 0, disk: 0, memory: 0 };
        for (let k = 1; k <= LOOKS; k++) {
            await until("more data", () => bytes >= begun + (length * k) / LOOKS || undefined, ROW_LIMIT_MS);
            most.height = await net.height(0);
            most.disk = Math.max(most.disk, await taken(t, net.folder(0)));
            most.memory = Math.max(most.memory, Number((await net.status(0)).memory));
        }
        tell(`${Math.round(bytes / MIB)} MiB of data, block ${most.height}: ${Math.round(most.disk / MIB)} MiB of disk, ${Math.round(most.memory / MIB)} of memory at most`);
        return most;
    };
    const first = ledger();
    const flows = Promise.all(wallets.map(flow));
    const rows = (async () => {
        await until("the ledger's first file is gone", () => ledger() !== first || undefined, ROW_LIMIT_MS);
        const length = bytes;
        tell(`${Math.round(length / MIB)} MiB of data: the first file of the ledger is gone`);
        const usual = await round(length);
        for (let k = 1; k < ROUNDS; k++) {
            const now = await round(length);
            assert.ok(now.disk <= usual.disk * SPREAD, `disk: ${now.disk} bytes after ${usual.disk}`);
            assert.ok(now.memory <= usual.memory * SPREAD, `memory: ${now.memory} bytes after ${usual.memory}`);
        }
    })();
    try {
        await Promise.race([rows, flows]);
    } finally {
        over = true;
        await flows;
    }
    await net.stop(0);
    await verify(t, net.folder(0));
}

/* --- forks --- */

const FORK_IN_S = 15;
/* Its code is PUSH1 1 CLZ PUSH1 0 SSTORE; without Osaka a call of it fails [EIP-7939]. */
const CLZ = "0x6006600c60003960066000f360011e600055";

const nowS = (): number => Math.floor(Date.now() / MS_PER_S);

/* The network's genesis file with Osaka at a time, and no fork behind it. */
function withOsaka(net: Processes, time: number, name: string): string {
    const genesis = JSON.parse(readFileSync(join(net.dir, "genesis.json"), "utf8")) as { config: Record<string, unknown> };
    for (const fork of Object.keys(genesis.config).filter((key) => /^bpo\dTime$/.test(key))) {
        delete genesis.config[fork];
    }
    genesis.config["osakaTime"] = time;
    const file = join(net.dir, name);
    writeFileSync(file, JSON.stringify(genesis, null, 2));
    return file;
}

/* A fork begins; the last one's genesis file has another date for it. */
async function forkBegins(net: Processes): Promise<void> {
    const last = net.count - 1;
    const { command } = net.t.target;
    const time = nowS() + FORK_IN_S;
    const right = withOsaka(net, time, "right.json");
    const wrong = withOsaka(net, time + 86_400, "wrong.json");
    await Promise.all(net.all.map((i) => net.wipe(i, i === last ? wrong : right)));
    await net.startAll();
    await under(net, async () => {
        const caller = await funded(net, 0, 1);
        let nonce = 0;
        const send = async (to: string | null, data: string): Promise<RpcReceipt> =>
            net.rpc(0).sent(await signed(caller, { nonce: nonce++, to, data, gasLimit: 200_000n }), PATIENCE_MS);
        const { contractAddress } = await send(null, CLZ);
        const { status, blockNumber } = await until("the fork", async () => {
            const receipt = await send(contractAddress, "0x");
            const block = await net.rpc(0).block(receipt.blockNumber);
            assert.equal(receipt.status, Number(block.timestamp) < time ? "0x0" : "0x1");
            return receipt.status === "0x1" ? receipt : undefined;
        }, PATIENCE_MS);
        tell(`block ${Number(blockNumber)} is the first with status ${status}: ${GOES_ON} after ${seconds(await net.goesOn("three of four"))}`);
        const stands = await until("one stands still, and says why", async () => {
            const { why } = await net.status(last);
            return /^(?:catching up, .*: )?block \d+, which is final, is refused here: .* \([A-Z_]+\): this node has another genesis/.test(why) ? why : undefined;
        }, PATIENCE_MS);
        net.up.delete(last);
        tell(`it says: ${stands}`);
        assert.match(net.node(last).log, /This node stands still: block \d+, which is final, is refused here: /);
        const height = await net.height(last);
        assert.equal(height, Number(blockNumber) - 1);
        await agree(net.members(), []);
        await some(net, "three of four");
        assert.equal(await net.height(last), height);
        assert.ok(net.node(last).running);
        await net.stop(last);
        /* Started again it stands where it stood; the right file shows what is the matter. */
        await net.start(last);
        net.up.delete(last);
        assert.equal(await net.height(last), height);
        await net.stop(last);
        const told = await run(command, ["init", "--genesis", right, "--dir", net.folder(last)], { cwd: net.t.folder() });
        assert.equal(told.code, 1);
        assert.match(told.err, new RegExp(`has another genesis: it has "osakaTime": ${time + 86_400} where "osakaTime": ${time}`));
        await net.wipe(last, right);
        await net.start(last);
        net.up.delete(last);
        /* It may take the state of the others, and answers nothing while it opens that. */
        const least = await net.top();
        await until("what the others have", async () => (await net.height(last).catch(() => 0)) >= least || undefined, PATIENCE_MS);
        await until("it signs", async () => (await net.status(last).catch(() => undefined))?.signing || undefined, PATIENCE_MS);
        net.up.add(last);
        await caughtUp(net, [last]);
    });
    for (const i of net.up) {
        await net.node(i).stop();
        await verify(net.t, net.folder(i));
    }
}

/* --- all of it --- */

await theme("soak", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
    limit_ms: 3 * 3600 * MS_PER_S,
}, async (t) => {
    const random = new Random(Number(t.args.get("seed") ?? 1));
    const row = (name: string, body: () => Promise<void>): Promise<void> => t.test(name, body, ROW_LIMIT_MS);

    const isShort = t.args.get("part") === "short";

    for (const count of isShort ? [] : [4, 7]) {
        await row(`${count} validators, any killed`, () => processes(t, count, (net) => killed(net, random)));
        await row(`${count} validators, some stopped for 30 s`, () => processes(t, count, (net) => stopped(net, random)));
        await row(`${count} validators, too many stopped for 30 s`, () => processes(t, count, (net) => noQuorum(net, random)));
        await row(`${count} validators, cut in two`, () => devnet(t, count, parted));
        await row(`${count} validators, all killed at once`, () => processes(t, count, allKilled));
        await row(`${count} validators, latency and loss`, () => devnet(t, count, badLine));
        await row(`${count} validators, some not heard`, () => devnet(t, count, (net) => oneWay(net, random)));
        await row(`${count} validators, another build, one after another`, () => otherBuild(t, count));
    }
    if (isShort) {
        await row("another build, one after another", () => otherBuild(t, 4));
    }
    await row("a data folder wiped, its key kept", () => processes(t, 4, wiped));
    for (const [name, floor, but] of [["a full disk", FLOOR_BYTES, FLOOR_BYTES / 2], ["a disk full to the last byte", 0, 0]] as const) {
        await row(name, () => fullDisk(t, name, floor, but));
    }
    await row("no memory for strangers", () => processes(t, 4, noMemory));
    if (!isShort) {
        await row("a long life that keeps little", () => longLife(t));
    }
    await row("a fork begins, and one has another date for it", async () => forkBegins(await Processes.make(t, 4)));
    await row("one folder started twice", () => processes(t, 4, twice));
    await row("a key without its guard", () => processes(t, 4, withoutGuard));
    await row("a key copied with its guard", () => processes(t, 4, copied));
    await row("one voted in, one voted out", () => processes(t, 4, voted, makeFifth));
    if (!isShort) {
        await row("a key copied, and both vote", () => processes(t, 4, bothVote, makeFifth));
        await row(`one stopped for ${AWAY} blocks`, () => processes(t, 4, away, undefined, ["--period", "1", "--epoch", "1000"]));
        await row("a clock one hour wrong", () => processes(t, 4, wrongClock));
    }
});
