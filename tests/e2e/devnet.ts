/* Theme devnet: a network from one terminal, and from a second one what is done to it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, theme, until } from "./lib/harness.ts";
import { verify } from "./lib/keel.ts";
import { agree, Devnet, freePorts, Load, PATIENCE_MS } from "./lib/network.ts";
import { run } from "./lib/tool.ts";

const COUNT = 4;

await theme("devnet", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no devnet" : undefined),
}, async (t) => {
    const net = await Devnet.start(t, COUNT, ["--block-time", "0.05"]);
    const load = new Load(net);

    await t.test("RPC of node i is at the base port + i, and all make the same blocks", async () => {
        await net.goesOn("four validators");
        await agree(net.members(), [...load.taken]);
    });

    await t.test("one that is killed, stopped or started again", async () => {
        net.up.delete(2);
        await net.order("kill", "2");
        await net.says(2, /is not running/);
        assert.match((await net.asked("kill", "2")).err, /node 2 is not running/);
        net.up.delete(1);
        await net.order("stop", "1");
        await net.says(1, /stands still/);
        await net.order("cont", "1");
        net.up.add(1);
        await net.order("restart", "2");
        await net.whole();
        net.up.add(2);
        await net.goesOn("all again");
    });

    await t.test("cut in two no block is made, and one says why; healed it goes on", async () => {
        await net.order("partition", "0,1");
        await net.says(0, /validator +\d+ +\d+ +\d+ +1 /);
        const status = await until("who is silent", async () => {
            const told = await net.status(0);
            return told.silent?.length === 2 ? told : undefined;
        }, PATIENCE_MS);
        assert.equal(status.need, "0x3");
        assert.equal(status.have, "0x2");
        assert.match(await net.order("status"), /^network: 0,1 cut off from 2,3$/m);
        const height = await net.top();
        await sleep(1000);
        assert.equal(await net.top(), height);
        await net.order("heal");
        await net.goesOn("healed");
        await net.whole();
    });

    await t.test("one that is not heard is no leader; the others go on", async () => {
        await net.order("partition", "3", "--one-way");
        assert.match(await net.order("status"), /^network: what 3 say does not reach 0,1,2$/m);
        for (let n = 0; n < 3; n++) {
            await net.goesOn("three of four");
        }
        await net.order("heal");
        await net.whole();
        await net.hasAll(3);
    });

    await t.test("a bad line slows it down, and no more", async () => {
        await net.order("latency", "50");
        await net.order("loss", "5");
        assert.match(await net.order("status"), /^network: latency 50 ms each way, loss 5 %$/m);
        for (let n = 0; n < 5; n++) {
            await net.goesOn("a bad line");
        }
        await net.order("latency", "0");
        await net.order("loss", "0");
    });

    await t.test("an order that makes no sense is refused, and says why", async () => {
        for (const [words, why] of [[["kill", "4"], /'4' is no node; there are 0 to 3/], [["latency", "x"], /0 to 60000 ms/],
                                    [["partition", "0,1,2,3"], /nobody is on the other side/], [["dance"], /not understood/]] as const) {
            const ran = await net.asked(...words);
            assert.equal(ran.code, 1);
            assert.match(ran.err, why);
        }
        const twice = await run(t.target.command, ["devnet", "--dir", net.dir, "--base-port", String(await freePorts())],
                                { cwd: t.folder() });
        assert.equal(twice.code, 1);
        assert.match(twice.err, /its network is running already/);
    });

    await t.test("nothing is lost; Ctrl-C ends all of them in good order", async () => {
        await load.stop();
        await agree(net.members(), load.taken);
        assert.equal(await net.end(), 0);
        for (const i of net.all) {
            assert.match(net.said, new RegExp(`^node-${i} \\| Listening on`, "m"));
            assert.match(net.said, new RegExp(`^node-${i} \\| \\(ended\\)$`, "m"));
            await assert.rejects(net.rpc(i).number());
            await verify(t, net.folder(i));
        }
        assert.doesNotMatch(net.said, /\x1b/);
        assert.match((await net.asked("kill", "0")).err, /no network is running/);
    });

    await t.test("a terminal shows a table in place, in colours; with NO_COLOR without", async () => {
        if ((await run("script", ["--version"], { cwd: t.folder() }).catch(() => undefined))?.code !== 0) {
            t.skip("devnet on a terminal", "there is no script(1)");
            return;
        }
        for (const colours of [true, false]) {
            const file = join(t.folder(), "screen");
            const port = await freePorts();
            const command = `stty rows 30 cols 100; exec timeout -s INT 6 ${t.target.command} devnet -n 2 --dir net --base-port ${port}`;
            await run("script", ["-qfec", command, file],
                      { cwd: t.folder(), env: { TERM: "xterm", NO_COLOR: colours ? "" : "1" } });
            const screen = readFileSync(file, "utf8");
            assert.match(screen, /\x1b\[\d+A\r\x1b\[J/);
            assert.match(screen, /\nnode +role +height +epoch +view +peers +RPC\r\n0 +validator /);
            assert.equal(/\x1b\[\d+mnode-0 \|\x1b\[0m/.test(screen), colours);
            assert.match(screen, /node-1 \|(?:\x1b\[0m)? \(ended\)/);
        }
    });
});
