/* Theme guide: every command of docs/guide/network.md, as it stands there, on five machines that
 * are folders and addresses of loopback. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Theme, theme, until } from "./lib/harness.ts";
import { agree, operatorOf, PATIENCE_MS, type Status } from "./lib/network.ts";
import { HERE } from "./lib/node.ts";
import { type Hex, Rpc } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const PAGE = join(HERE, "..", "..", "docs", "guide", "network.md");
const MAKER = 0;
/* The machines of each block of commands, in order; what leaves a file for the others is last. */
const PLAN: readonly { what: string; on: readonly number[] }[] = [
    { what: "keel init", on: [MAKER] },
    { what: "scp", on: [MAKER] },
    { what: "keel node", on: [1, 2, 3, 4] },
    { what: "curl", on: [1, 2, 3, 4] },
    { what: "cp", on: [1] },
    { what: "finalized", on: [1] },
    { what: "keel join", on: [5] },
    { what: "keel node", on: [5] },
    { what: "keel validator add", on: [1, 2, 3] },
    { what: "keel validator fund", on: [4] },
    { what: "keel validator ready", on: [5] },
    { what: "keel validator key", on: [1] },
    { what: "keel validator remove", on: [2, 3, 5] },
];
/* What people send one another. */
const SENT = ["genesis.json", "address", "checkpoint", "account", "leaving"];

/* A machine has an address of its own, where its node is asked, too. */
const KEEL = `#!/bin/sh
[ -f validator/network.json ] && sed -i "s#/ip4/0.0.0.0/#/ip4/$ADDRESS/#" validator/network.json
case $1 in
node) exec "$PROGRAM" "$@" --host "$ADDRESS" ;;
validator) case $2 in key) exec "$PROGRAM" "$@" ;; esac
      exec "$PROGRAM" "$@" --rpc "http://$ADDRESS:8545" ;;
*) exec "$PROGRAM" "$@" ;;
esac
`;
const SCP = `#!/bin/sh
host=\${3%%:*}
exec cp -r "$2" "$MACHINES/\${host##*.}/\${3#*:}"
`;

class Machines {
    readonly nodes: ChildProcess[] = [];
    readonly #t: Theme;
    readonly #root: string;
    readonly #bin: string;
    /* Of this run, so that two may go on at once. */
    readonly #net = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;

    constructor(t: Theme) {
        this.#t = t;
        this.#root = t.folder();
        this.#bin = t.folder();
        for (const [name, text] of [["keel", KEEL], ["scp", SCP]] as const) {
            writeFileSync(join(this.#bin, name), text);
            chmodSync(join(this.#bin, name), 0o755);
        }
        for (let i = MAKER; i <= 5; i++) {
            mkdirSync(this.folder(i));
        }
    }

    folder(i: number): string {
        return join(this.#root, String(10 + i));
    }

    rpc(i: number): Rpc {
        return new Rpc(`http://${this.#net}.${10 + i}:8545`);
    }

    status(i: number): Promise<Status> {
        return this.rpc(i).call<Status>("keel_status");
    }

    #env(i: number): Record<string, string> {
        return { PATH: `${this.#bin}:${process.env["PATH"] ?? ""}`, ADDRESS: `${this.#net}.${10 + i}`,
                 PROGRAM: this.#t.target.command, MACHINES: this.#root };
    }

    async run(i: number, block: string): Promise<string> {
        const text = block.replaceAll("192.0.2", this.#net).replaceAll("127.0.0.1:8545", `${this.#net}.${10 + i}:8545`);
        const options = { cwd: this.folder(i), env: this.#env(i) };
        if (text.startsWith("keel node")) {
            const node = spawn("sh", ["-c", `exec ${text}`], { ...options, stdio: "ignore" });
            process.on("exit", () => node.kill("SIGKILL"));
            this.nodes[i] = node;
            await until(`machine ${i} answers`, async () => this.rpc(i).number().catch(() => undefined), PATIENCE_MS);
            return "";
        }
        const said = await output("sh", ["-ec", text], options);
        for (const file of SENT) {
            if (existsSync(join(this.folder(i), file))) {
                for (let k = 1; k <= 5; k++) {
                    if (k !== i) {
                        copyFileSync(join(this.folder(i), file), join(this.folder(k), file));
                    }
                }
            }
        }
        return said;
    }
}

await theme("guide", {
    noNode: true,
    unsuited: (target) => (target.kind === "anvil" ? "Anvil has no peers" : undefined),
}, async (t) => {
    const blocks = [...readFileSync(PAGE, "utf8").matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
    const machines = new Machines(t);
    let nonce = 0;

    /* Blocks are made while there are transactions. */
    const untilStatus = async (what: string, i: number, holds: (status: Status) => boolean): Promise<void> => {
        const wallet = operatorOf(join(machines.folder(3), "validator"));
        const rpc = machines.rpc(3);
        await until(what, async () => {
            nonce = Number(await rpc.call("eth_getTransactionCount", [wallet.address, "latest"]));
            const raw = await wallet.signTransaction({ chainId: 4242, type: 2, nonce, to: wallet.address, gasLimit: 21_000n,
                                                       maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1n });
            await rpc.call("eth_sendRawTransaction", [raw]).catch(() => undefined);
            return holds(await machines.status(i)) || undefined;
        }, 2 * PATIENCE_MS);
    };

    const checks: Record<string, () => Promise<void>> = {
        "curl": () => untilStatus("a block", 1, (status) => Number(status.number) > 0),
        "keel validator ready": () =>
            untilStatus("the fifth votes", 5, (status) => status.signing && status.validators === "0x5"),
        "keel validator remove": () =>
            untilStatus("the first does not", 1, (status) => !status.signing && status.validators === "0x4"),
    };

    await t.test("the page has the blocks that are planned for", () => {
        assert.equal(blocks.length, PLAN.length);
        PLAN.forEach(({ what }, i) => assert.ok(blocks[i]?.includes(what), `${what}: ${blocks[i]}`));
    });

    for (const [i, { what, on }] of PLAN.entries()) {
        await t.test(`${i + 1}: ${what}`, async () => {
            for (const machine of on) {
                const said = await machines.run(machine, blocks[i] ?? "");
                if (what === "curl") {
                    assert.match(said, /"why":/);
                    assert.equal(said.match(/^0x[0-9a-fA-F]{40} /gm)?.length, 4);
                }
            }
            await checks[what]?.();
        });
    }

    await t.test("all five have the same blocks", async () => {
        const members = [1, 2, 3, 4, 5].map((i) => ({ name: `machine ${i}`, rpc: machines.rpc(i) }));
        const head = await members[0]?.rpc.number() ?? 0;
        for (const { name, rpc } of members) {
            await until(`${name} at ${head}`, async () => (await rpc.number()) >= head || undefined, PATIENCE_MS);
        }
        assert.ok(await agree(members, [] as Hex[]) >= head);
        for (const node of machines.nodes) {
            node?.kill("SIGTERM");
        }
    });
});
