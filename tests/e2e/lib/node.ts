/* node: a node process under test, on a free loopback port. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Rpc } from "./rpc.ts";

export const HERE = dirname(dirname(fileURLToPath(import.meta.url)));
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 60_000;
const LOG_MAX = 1 << 20;

export interface Target {
    kind: "anvil" | "keel";
    command: string;
}

export interface NodeOptions {
    hardfork?: string;
    noMining?: boolean;
    blockTime?: number;
    /* Kept across starts (Keel only); without it the node forgets all when it ends. */
    dir?: string;
    /* keel node on that folder instead of keel dev. */
    plain?: boolean;
    extra?: readonly string[];
}

export const toolPath = (tool: "anvil" | "cast" | "forge"): string =>
    join(HERE, "node_modules", "@foundry-rs", `${tool}-linux-amd64`, "bin", tool);

export function targetOf(text: string): Target {
    return text === "anvil" ? { kind: "anvil", command: toolPath("anvil") }
                            : { kind: "keel", command: resolve(text) };
}

/* Why the target cannot be started at all. */
export function unready(target: Target): string | undefined {
    if (!existsSync(target.command)) {
        return `no ${target.command}`;
    }
    if (target.kind === "keel") {
        try {
            execFileSync(target.command, ["dev", "--help"], { stdio: "ignore", timeout: 60_000 });
        } catch {
            return `${target.command} has no command dev`;
        }
    }
    return undefined;
}

export function freePort(): Promise<number> {
    return new Promise((done, fail) => {
        const server = createServer();
        server.once("error", fail);
        server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            server.close(() => {
                if (address !== null && typeof address === "object") {
                    done(address.port);
                } else {
                    fail(new Error("no port"));
                }
            });
        });
    });
}

function commandLine(target: Target, options: NodeOptions, port: number): string[] {
    const common = ["--host", "127.0.0.1", "--port", String(port)];
    if (!options.plain) {
        common.push("--hardfork", options.hardfork ?? "osaka");
    }
    if (options.noMining) {
        common.push("--no-mining");
    }
    if (options.blockTime !== undefined) {
        common.push("--block-time", String(options.blockTime));
    }
    common.push(...(options.extra ?? []));
    if (target.kind === "anvil") {
        return [...common, "--enable-tx-gas-limit", "--order", "fees"];
    }
    return [options.plain ? "node" : "dev", ...common, ...(options.dir === undefined ? ["--ephemeral"] : ["--dir", options.dir])];
}

export class Node {
    readonly kind: Target["kind"];
    readonly command: string;
    readonly port: number;
    readonly url: string;
    readonly ws: string;
    readonly rpc: Rpc;
    /* The end of what it has said, and how much that is in all. */
    log = "";
    said = 0;
    readonly #child: ChildProcess;
    readonly #ended: Promise<void>;
    #gone = false;

    private constructor(target: Target, args: string[], port: number, folder: string) {
        this.kind = target.kind;
        this.command = `${target.command} ${args.join(" ")}`;
        this.port = port;
        this.url = `http://127.0.0.1:${port}`;
        this.ws = `ws://127.0.0.1:${port}`;
        this.rpc = new Rpc(this.url);
        this.#child = spawn(target.command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
        const keep = (text: Buffer): void => {
            const words = text.toString();
            this.log = (this.log + words).slice(-LOG_MAX);
            this.said += words.length;
        };
        this.#child.stdout?.on("data", keep);
        this.#child.stderr?.on("data", keep);
        this.#ended = new Promise((done) => {
            const over = (): void => {
                this.#gone = true;
                done();
            };
            this.#child.once("exit", over);
            this.#child.once("error", (error) => {
                this.log += String(error);
                over();
            });
        });
    }

    /* What it has said since it had said so much, as far as it is kept. */
    saidSince(mark: number): string {
        return mark < this.said ? this.log.slice(mark - this.said) : "";
    }

    /* Starts it and waits for its first answer; folder is where it runs. */
    static async start(target: Target, options: NodeOptions, folder: string): Promise<Node> {
        for (let attempt = 1;; attempt++) {
            const node = await Node.launch(target, options, folder);
            if (await node.answers()) {
                return node;
            }
            node.killNow();
            await node.#ended;
            if (attempt === 3) {
                throw new Error(`${node.command}: no answer\n${node.log}`);
            }
        }
    }

    static async launch(target: Target, options: NodeOptions, folder: string): Promise<Node> {
        const port = await freePort();
        return new Node(target, commandLine(target, options, port), port, folder);
    }

    /* Waits for its first answer; false: it ended, or gives none. */
    async answers(): Promise<boolean> {
        const end = Date.now() + READY_LIMIT_MS;
        while (!this.#gone && Date.now() < end) {
            try {
                await this.rpc.call("eth_chainId");
                return !this.#gone;
            } catch {
                await new Promise((done) => setTimeout(done, 10));
            }
        }
        return false;
    }

    get pid(): number | undefined {
        return this.#child.pid;
    }

    get exitCode(): number | null {
        return this.#child.exitCode;
    }

    get running(): boolean {
        return !this.#gone;
    }

    /* Asks it to end, and waits until it has. */
    async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
        this.rpc.close();
        if (this.#gone) {
            return;
        }
        this.#child.kill(signal);
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<boolean>((done) => {
            timer = setTimeout(() => done(true), STOP_LIMIT_MS);
        });
        const stuck = await Promise.race([this.#ended.then(() => false), late]);
        clearTimeout(timer);
        if (stuck) {
            this.killNow();
            await this.#ended;
            throw new Error(`${this.command} went on for ${STOP_LIMIT_MS} ms after ${signal}`);
        }
    }

    /* kill -9, and waits until it is gone. */
    async kill(): Promise<void> {
        this.killNow();
        await this.#ended;
        this.rpc.close();
    }

    killNow(): void {
        if (!this.#gone) {
            this.#child.kill("SIGKILL");
        }
    }
}
