/* Theme fill: a validator that has lost its data takes the state of the others, within one life of
 * its process, and is killed meanwhile; others join with a checkpoint, a right one and a wrong one.
 * What it says of history is what the others say; the states before the one that it took it makes
 * behind the chain, killed meanwhile too, and then it has every one, without anybody's doing.
 *
 *     --blocks N   that it lacks (300) */
import assert from "node:assert/strict";
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { sleep, theme, until } from "./lib/harness.ts";
import { verify, verifyState } from "./lib/keel.ts";
import { lacksStates, lowestState, sameHistory, type Subject } from "./lib/history.ts";
import { addressOf, agree, CHAIN_ID, funded, Load, type Member, operatorOf, PATIENCE_MS, Processes, signed } from "./lib/network.ts";
import type { Node } from "./lib/node.ts";
import { type Hex, quantity, type RpcLog } from "./lib/rpc.ts";
import { output, run } from "./lib/tool.ts";

const LOST = 3;
/* Slot 1 is set.  Called, it puts the block's number into slot 0 and into a log, and gives back what
 * was in slot 0. */
const CONTRACT = "0x600160015560156011600039601560" + "00f3" + "600054600052436000554360006000a160206000f3";
const CALLS = 10;
/* Blocks that are executed before they are kept. */
const STEP = 256;
const SAMPLES = 25;

interface Checkpoint {
    number: Hex;
    hash: Hex;
    reached: boolean;
    found?: Hex;
}

interface History {
    from: Hex;
    before?: { number: Hex; target: Hex; secondsToGo?: Hex; waitsForRoom: boolean };
}

interface Syncing {
    startingBlock: Hex;
    currentBlock: Hex;
    highestBlock: Hex;
    stage?: "records" | "state";
    secondsToGo?: Hex;
}

await theme("fill", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const blocks = Number(t.args.get("blocks") ?? 300);
    const net = await Processes.make(t, 4, ["--period", "10"]);
    const taken: Hex[] = [];
    const subject: Subject = { account: operatorOf(net.folder(0)).address, contract: "" };

    /* So much room is asked for that the chain has it, and work behind the chain has not. */
    const waits = (): string[] => {
        const { bavail, bsize } = statfsSync(net.dir);
        return ["--min-free-disk", String(Math.floor(bavail * bsize * 0.6))];
    };
    /* Undefined while the chain is opened again. */
    const history = async (i: number): Promise<History | undefined> =>
        net.rpc(i).call<{ history: History }>("keel_status").then((status) => status.history, () => undefined);
    const syncing = (): Promise<Syncing | false> => net.rpc(LOST).call<Syncing | false>("eth_syncing");
    /* The server stands still for a moment when the chain is opened again. */
    const isFilling = async (): Promise<Syncing | undefined> => {
        const told = await syncing().catch(() => false as const);
        return told !== false && told.stage !== undefined ? told : undefined;
    };
    const filled = (): Promise<boolean> => until("the state of the others", () =>
        /^ {4}filled: the state of block \d+ is here: \d+ blocks in /m.test(net.node(LOST).log) || undefined, 4 * PATIENCE_MS);

    await t.test("four make blocks, with storage and code", async () => {
        await net.startAll();
        const raw = await signed(operatorOf(net.folder(0)), { nonce: 0, data: CONTRACT, gasLimit: 200_000n });
        const { contractAddress, transactionHash } = await net.rpc(0).sent(raw, PATIENCE_MS);
        subject.contract = contractAddress ?? "";
        taken.push(transactionHash);
        const caller = await funded(net, 1);
        const load = new Load(net, 2);
        for (let nonce = 0; nonce < CALLS; nonce++) {
            const least = (blocks * nonce) / CALLS;
            await until(`block ${least}`, async () => (await net.height(0)) >= least || undefined, 4 * PATIENCE_MS);
            taken.push(await net.rpc(0).call<Hex>("eth_sendRawTransaction", [
                await signed(caller, { nonce, to: subject.contract, gasLimit: 100_000n })]));
        }
        await until(`${blocks} blocks`, async () => (await net.height(0)) >= blocks || undefined, 4 * PATIENCE_MS);
        await load.stop();
        taken.push(...load.taken);
    });

    await t.test("without its data one takes no transaction, and says how far it is", async () => {
        await net.stop(LOST);
        await net.wipe(LOST);
        await net.start(LOST, waits());
        /* It may be over between two questions. */
        const isFilled = (): null | undefined => /filled: /.test(net.node(LOST).log) ? null : undefined;
        const told = await until("that it is being filled", async () => await isFilling() ?? isFilled(), PATIENCE_MS);
        assert.ok(Number(told?.startingBlock ?? 0) < 100, `it began at ${told?.startingBlock}`);
        await until("how far the others are", async () => {
            const now = await isFilling();
            return now === undefined || Number(now.highestBlock) >= blocks || undefined;
        }, PATIENCE_MS);
        const wallet = operatorOf(net.folder(1));
        const raw = await wallet.signTransaction({ chainId: CHAIN_ID, type: 2, nonce: 100_000, to: wallet.address, gasLimit: 21_000n });
        const answer = await net.rpc(LOST).call("eth_sendRawTransaction", [raw]).then(() => "taken", String);
        if (await isFilling() !== undefined) {
            assert.match(answer, /try again/);
        }
    });

    await t.test("killed meanwhile, it goes on where it was", async () => {
        for (let kills = 0; kills < 2 && !/filled: /.test(net.node(LOST).log); kills++) {
            await net.kill(LOST);
            await net.start(LOST, waits());
            await sleep(300);
        }
        if (await isFilling() !== undefined) {
            await filled();
        }
        const begun = Date.now();
        const least = await net.height(0);
        await until(`node ${LOST} at height ${least}`, async () =>
            (await net.height(LOST).catch(() => 0)) >= least || undefined, 4 * PATIENCE_MS);
        console.log(`it was back after ${Date.now() - begun} ms`);
    });

    await t.test("it says the same of every block as the others, and of every state that it has", async () => {
        await agree(net.members(), taken);
        const head = await net.height(LOST);
        const whole = await net.rpc(LOST).call<RpcLog[]>("eth_getLogs", [{ fromBlock: "0x0", toBlock: quantity(head), address: subject.contract }]);
        assert.equal(whole.length, CALLS);
        for (const i of net.all) {
            const logs = await net.rpc(i).call("eth_getLogs", [{ fromBlock: "0x0", toBlock: quantity(head), address: subject.contract }]);
            assert.deepEqual(logs, whole);
        }
        const from = await lowestState(net.members([LOST])[0] as Member, subject.account);
        assert.ok(from >= blocks, `it has the state of block ${from}`);
        assert.ok(from <= head);
        console.log(`${await sameHistory(net.members(), head, SAMPLES, subject, from)} answers are the same; states from block ${from} on`);
        /* Every state that the others have, up to the head. */
        await sameHistory(net.members([0, 1, 2]), head, SAMPLES, subject);
        await lacksStates(net.members([LOST])[0] as Member, from, SAMPLES, subject);
        const told = await until("that it waits for room", async () => {
            const now = await history(LOST);
            return now?.before?.waitsForRoom === true ? now : undefined;
        }, PATIENCE_MS);
        assert.equal(Number(told.from), from);
        assert.equal(await syncing(), false);
        assert.deepEqual(await history(0), { from: "0x0" });
    });

    await t.test("under load, and killed meanwhile, it makes the states before those", async () => {
        const load = new Load(net, 20, [0, 1].map((i) => operatorOf(net.folder(i))));
        const isWhole = async (): Promise<boolean> => (await history(LOST))?.from === "0x0";
        const works = (): boolean => /history: the states of old blocks are made/.test(net.node(LOST).log);
        for (let kills = 0; kills < 3 && !await isWhole(); kills++) {
            await net.kill(LOST);
            await net.start(LOST);
            await until("that it makes them", async () => works() || await isWhole() || undefined, PATIENCE_MS);
            /* The last time behind what it keeps, if that is not over yet. */
            const told = await until("how far it is", async () => {
                const now = await history(LOST);
                return now === undefined || kills < 2 || now.from === "0x0" || Number(now.before?.number ?? 0) > STEP ? now : undefined;
            }, 4 * PATIENCE_MS);
            console.log(`killed at ${JSON.stringify(told)}`);
            if (kills === 2 && told?.before !== undefined) {
                await net.kill(LOST);
                await net.start(LOST);
                const begun = await until("where it goes on", async () => /behind the chain: block (\d+) of/.exec(net.node(LOST).log)?.[1]
                    ?? (await isWhole() ? String(STEP) : undefined), PATIENCE_MS);
                assert.ok(Number(begun) >= STEP - 1, `it began at ${begun}`);
            }
        }
        await until("every state", async () => await isWhole() || undefined, 4 * PATIENCE_MS);
        assert.equal(await syncing(), false);
        console.log(/history: every state is here.*/.exec(net.node(LOST).log)?.[0]);
        await net.hasAll(LOST);
        assert.equal(await lowestState(net.members([LOST])[0] as Member, subject.account), 0);
        console.log(`${await sameHistory(net.members(), await net.top(), SAMPLES, subject)} answers are the same`);
        await load.stop();
        await agree(net.members(), load.taken);
        const left = ["", "history"].flatMap((name) => readdirSync(join(net.folder(LOST), name))).filter((name) => /past/.test(name));
        assert.deepEqual(left, []);
    });

    await t.test("who joins takes a chain with its checkpoint, and no other", async () => {
        const height = Math.floor((await net.height(0)) / 2);
        const right = (await net.rpc(0).block(quantity(height))).hash;
        const address = await addressOf(net.node(0));
        const follow = async (hash: Hex, extra: readonly string[]): Promise<[Node, () => Promise<Checkpoint | undefined>, string]> => {
            const dir = join(t.folder(), "follower");
            await output(t.target.command, ["join", join(net.dir, "genesis.json"), address, "--dir", dir, "--listen",
                                            "/ip4/127.0.0.1/tcp/0", "--checkpoint", `${height}:${hash}`], { cwd: t.folder() });
            const node = await t.start({ dir, plain: true, extra });
            /* The server stands still while the chain is opened again. */
            return [node, () => node.rpc.call<{ checkpoint: Checkpoint }>("keel_status")
                .then(({ checkpoint }) => checkpoint, () => undefined), dir];
        };
        for (const extra of [[], ["--by-blocks"]]) {
            const [good, goodSays, folder] = await follow(right, extra);
            await until("the checkpoint", async () => (await goodSays())?.reached || undefined, 4 * PATIENCE_MS);
            await until("what the others have", async () =>
                (await good.rpc.number().catch(() => 0)) >= height + 1 || undefined, PATIENCE_MS);
            assert.equal((await good.rpc.block(quantity(height))).hash, right);
            await good.stop();
            assert.equal(good.exitCode, 0);

            const wrong = `0x${"ee".repeat(32)}` as Hex;
            const opened = await run(t.target.command, ["node", "--dir", folder, "--port", "0", "--checkpoint", `${height}:${wrong}`],
                                     { cwd: t.folder() });
            assert.equal(opened.code, 1);
            assert.match(opened.err, new RegExp(`has the block ${height}:${right} and not the checkpoint ${height}:${wrong}`));

            const [bad, badSays] = await follow(wrong, extra);
            const said = await until("that it is another chain", async () => {
                const now = await badSays();
                return now?.found === undefined ? undefined : now;
            }, 4 * PATIENCE_MS);
            assert.deepEqual(said, { number: quantity(height), hash: wrong, reached: false, found: right });
            assert.ok(await bad.rpc.number() < height);
            const { health } = await bad.rpc.call<{ health: string }>("keel_status");
            assert.notEqual(health, "good");
            assert.notEqual(await bad.rpc.call("eth_syncing"), false);
            await bad.stop();
            assert.equal(bad.exitCode, 1);
            assert.equal(/filling ended/.test(bad.log), extra.length === 0);
            assert.match(bad.log, new RegExp(`has the block ${height}:${right} and not the checkpoint ${height}:${wrong}`));
        }
    });

    await t.test("it votes: three of four with it make blocks", async () => {
        await net.stop(0);
        const load = new Load(net, 50, [1, 2].map((i) => operatorOf(net.folder(i))));
        const passed_ms = await net.goesOn("with the one that was filled");
        console.log(`a block after ${passed_ms} ms`);
        await load.stop();
        await agree(net.members([1, 2, LOST]), load.taken);
    });

    await t.test("its ledger is good, and its state", async () => {
        await net.stop(LOST);
        await verify(t, net.folder(LOST));
        await verifyState(t, net.folder(LOST));
    });

    await t.test("whose state and history are deleted executes its blocks, and says the same of every state", async () => {
        for (const cache of ["state", "history"]) {
            rmSync(join(net.folder(LOST), cache), { recursive: true });
        }
        await net.start(LOST);
        await net.start(0);
        await net.hasAll(0);
        await net.hasAll(LOST);
        assert.equal(await lowestState(net.members([LOST])[0] as Member, subject.account), 0);
        console.log(`${await sameHistory(net.members(), await net.top(), SAMPLES, subject)} answers are the same`);
    });
});
