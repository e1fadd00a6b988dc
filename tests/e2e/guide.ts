/* Theme guide: every command of docs/guide/network.md, as it stands there, on five machines that
 * are folders and addresses of loopback.  A command of keel that the page names and that was not
 * executed is a failure. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Theme, theme, until, within } from "./lib/harness.ts";
import { agree, freePorts, operatorOf, PATIENCE_MS, signed, type Status } from "./lib/network.ts";
import { HERE } from "./lib/node.ts";
import { type Hex, Rpc } from "./lib/rpc.ts";
import { output } from "./lib/tool.ts";

const PAGE = join(HERE, "..", "..", "docs", "guide", "network.md");
const MAKER = 0;
/* The machines of each block of commands, in order; what leaves a file for the others is last. */
const PLAN: readonly { what: string; on: readonly number[] }[] = [
    { what: "keel devnet -n 4", on: [MAKER] },
    { what: "keel init", on: [MAKER] },
    { what: "scp", on: [MAKER] },
    { what: "keel node", on: [1, 2, 3] },
    { what: "--max-memory", on: [4] },
    { what: "curl", on: [1, 2, 3, 4] },
    { what: "--delta", on: [MAKER] },
    { what: "keel devnet status", on: [MAKER] },
    { what: "cp", on: [1] },
    { what: "finalized", on: [1] },
    { what: "keel join", on: [5] },
    { what: "keel node", on: [5] },
    { what: "keel validator add", on: [1, 2, 3] },
    { what: "keel validator fund", on: [4] },
    { what: "keel validator ready", on: [5] },
    { what: "keel validator key", on: [1] },
    { what: "keel validator remove", on: [2, 3, 5] },
    { what: "--by-blocks", on: [2] },
    { what: "keel validator resume", on: [5] },
    { what: "keel light verify", on: [3] },
    { what: "keel verify", on: [1, 2, 3, 4, 5] },
];
/* What is left where data is lost. */
const KEPT = ["validator", "node.key", "network.json"];
/* What people send one another. */
const SENT = ["genesis.json", "address", "checkpoint", "account", "leaving"];

/* A machine has an address of its own, where its node is asked, too; a devnet has ports of its own. */
const KEEL = `#!/bin/sh
printf '%s\\n' "$*" >> "$EXECUTED"
[ -f validator/network.json ] && sed -i "s#/ip4/0.0.0.0/#/ip4/$ADDRESS/#" validator/network.json
case $1 in
node) exec "$PROGRAM" "$@" --host "$ADDRESS" ;;
devnet) case $2 in -n) exec "$PROGRAM" "$@" --base-port "$DEVNET" ;; esac
      exec "$PROGRAM" "$@" ;;
validator) case $2 in key | resume) exec "$PROGRAM" "$@" ;; esac
      exec "$PROGRAM" "$@" --rpc "http://$ADDRESS:8545" ;;
*) exec "$PROGRAM" "$@" ;;
esac
`;
const SCP = `#!/bin/sh
host=\${3%%:*}
exec cp -r "$2" "$MACHINES/\${host##*.}/\${3#*:}"
`;

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    const code = new Promise<number | null>((done) => child.once("exit", done));
    child.kill(signal);
    return within(PATIENCE_MS, "a process that was told to end", code);
}

/* Each time that the page names a command of keel: its words up to the first option, and its options. */
function commandsOf(page: string): { text: string; words: string; options: string[] }[] {
    const texts = [...page.matchAll(/`(keel [^`]*)`/g), ...page.matchAll(/^ *(?:\$ )?(keel [a-z].*)$/gm)].map((match) => match[1] ?? "");
    return texts.map((text) => {
        const words = text.split(" ").slice(1);
        const end = words.findIndex((word) => !/^[a-z]+$/.test(word));
        return { text, words: words.slice(0, end < 0 ? undefined : end).join(" "), options: words.filter((word) => /^--?[a-z]/.test(word)) };
    });
}

class Machines {
    readonly nodes: ChildProcess[] = [];
    readonly #children: ChildProcess[] = [];
    #devnet: ChildProcess | undefined;
    #port = 0;
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
        process.on("exit", () => this.#children.forEach((child) => child.kill("SIGKILL")));
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
                 PROGRAM: this.#t.target.command, MACHINES: this.#root, DEVNET: String(this.#port), EXECUTED: this.#executed };
    }

    get #executed(): string {
        return join(this.#bin, "executed");
    }

    /* The words behind "keel" of all that was executed, a command a line. */
    executed(): string[] {
        return readFileSync(this.#executed, "utf8").trim().split("\n");
    }

    #start(i: number, text: string): ChildProcess {
        const child = spawn("sh", ["-c", `exec ${text}`], { cwd: this.folder(i), env: this.#env(i), stdio: "ignore" });
        this.#children.push(child);
        return child;
    }

    async stop(i: number): Promise<void> {
        const node = this.nodes[i];
        assert.ok(node);
        assert.equal(await ended(node, "SIGTERM"), 0);
    }

    async endDevnet(): Promise<void> {
        assert.ok(this.#devnet);
        assert.equal(await ended(this.#devnet, "SIGINT"), 0);
    }

    async run(i: number, block: string): Promise<string> {
        const text = block.replaceAll("192.0.2", this.#net).replaceAll("127.0.0.1:8545", `${this.#net}.${10 + i}:8545`);
        /* What goes on until it is ended is the last line of its block. */
        const [, before = "", lasting] = /^(.*?)((?:keel node|keel devnet -n) [^\n]*\n)?$/s.exec(text) ?? [];
        const said = before === "" ? "" : await this.#commands(i, before);
        if (lasting?.startsWith("keel devnet")) {
            this.#port = await freePorts();
            this.#devnet = this.#start(i, lasting);
            for (let k = 0; k < 4; k++) {
                const rpc = new Rpc(`http://127.0.0.1:${this.#port + k}`);
                await until(`node ${k} of the devnet answers`, async () => rpc.number().catch(() => undefined), PATIENCE_MS);
                rpc.close();
            }
        } else if (lasting !== undefined) {
            this.nodes[i] = this.#start(i, lasting);
            await until(`machine ${i} answers`, async () => this.rpc(i).number().catch(() => undefined), PATIENCE_MS);
        }
        return said;
    }

    async #commands(i: number, text: string): Promise<string> {
        const said = await output("sh", ["-ec", text], { cwd: this.folder(i), env: this.#env(i) });
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
    const page = readFileSync(PAGE, "utf8");
    const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
    const machines = new Machines(t);
    let nonce = 0;

    /* Blocks are made while there are transactions. */
    const untilStatus = async (what: string, i: number, holds: (status: Status) => boolean): Promise<void> => {
        const wallet = operatorOf(join(machines.folder(3), "validator"));
        const rpc = machines.rpc(3);
        await until(what, async () => {
            nonce = Number(await rpc.call("eth_getTransactionCount", [wallet.address, "latest"]));
            const raw = await signed(wallet, { chainId: 4242, nonce, to: wallet.address, gasLimit: 21_000n });
            await rpc.call("eth_sendRawTransaction", [raw]).catch(() => undefined);
            return holds(await machines.status(i)) || undefined;
        }, 2 * PATIENCE_MS);
    };

    const first: Record<string, (i: number) => Promise<void>> = {
        "--by-blocks": async (i) => {
            await machines.stop(i);
            const folder = join(machines.folder(i), "validator");
            for (const name of readdirSync(folder).filter((name) => !KEPT.includes(name))) {
                rmSync(join(folder, name), { recursive: true });
            }
        },
        "keel validator resume": (i) => machines.stop(i),
        "keel verify": (i) => machines.stop(i),
    };
    const votes = (i: number, count: Hex): Promise<void> =>
        untilStatus(`machine ${i} votes`, i, (status) => status.signing && status.validators === count);
    const checks: Record<string, (said: string) => Promise<void>> = {
        "keel devnet -n 4": () => machines.endDevnet(),
        "keel devnet status": async (said) => {
            assert.match(said, /^network: latency 100 ms each way, loss 5 %$/m);
            await machines.endDevnet();
        },
        "curl": () => untilStatus("a block", 1, (status) => Number(status.number) > 0),
        "keel validator ready": () => votes(5, "0x5"),
        "keel validator remove": () =>
            untilStatus("the first does not", 1, (status) => !status.signing && status.validators === "0x4"),
        "--by-blocks": () => votes(2, "0x4"),
        "keel validator resume": async () => {
            await machines.run(5, "keel node --dir validator\n");
            await votes(5, "0x4");
        },
        "keel light verify": async (said) => {
            assert.match(said, /^block \d+ is final$/m);
            await same();
        },
        "keel verify": async (said) => assert.match(said, /the ledger is good/),
    };
    const same = async (): Promise<void> => {
        const members = [1, 2, 3, 4, 5].map((i) => ({ name: `machine ${i}`, rpc: machines.rpc(i) }));
        const head = await members[0]?.rpc.number() ?? 0;
        for (const { name, rpc } of members) {
            await until(`${name} at ${head}`, async () => (await rpc.number()) >= head || undefined, PATIENCE_MS);
        }
        assert.ok(await agree(members, [] as Hex[]) >= head);
    };

    await t.test("the page has the blocks that are planned for", () => {
        assert.equal(blocks.length, PLAN.length);
        PLAN.forEach(({ what }, i) => assert.ok(blocks[i]?.includes(what), `${what}: ${blocks[i]}`));
    });

    for (const [i, { what, on }] of PLAN.entries()) {
        await t.test(`${i + 1}: ${what}`, async () => {
            let said = "";
            for (const machine of on) {
                await first[what]?.(machine);
                said = await machines.run(machine, blocks[i] ?? "");
                if (what === "curl") {
                    assert.match(said, /"why":/);
                    assert.equal(said.match(/^0x[0-9a-fA-F]{40} /gm)?.length, 4);
                }
            }
            await checks[what]?.(said);
        });
    }

    await t.test("every command of keel that the page names was executed", () => {
        const executed = machines.executed();
        const named = commandsOf(page);
        assert.ok(named.length > blocks.length);
        assert.deepEqual(named.filter(({ words, options }) => !executed.some((line) =>
            `${line} `.startsWith(`${words} `) && options.every((one) => ` ${line} `.includes(` ${one} `)))), []);
    });
});
