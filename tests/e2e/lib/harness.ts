/* harness: one program is one theme: some named tests against one node.
 *
 *     theme("name", {}, async (t, node) => {
 *         await t.test("what must hold", async () => { ... assert ... });
 *     });
 *
 * Usage: ./run THEME [--target anvil | PATH-OF-KEEL] [--run NAME-PART] [--KEY VALUE]
 *
 * A test that fails does not stop the others.  The last line says 'N passed, N failed, N skipped';
 * lines 'skipped: WHAT: WHY' name what was left out.  Every process started is ended by its pid and
 * every temporary folder is removed, also after a failure. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Node, type NodeOptions, type Target, targetOf, unready } from "./node.ts";

const TEST_LIMIT_MS = 180_000;
const THEME_LIMIT_MS = 1_500_000;
/* Nodes of which a failed theme shows what they said. */
const LAST_WORDS = 3;

export interface Theme {
    readonly target: Target;
    readonly args: ReadonlyMap<string, string>;
    test(name: string, body: () => Promise<void> | void, limit_ms?: number): Promise<void>;
    /* Leaves a test out, or a whole theme. */
    skip(name: string, why: string): void;
    /* A further node, ended with the theme. */
    start(options?: NodeOptions, target?: Target): Promise<Node>;
    /* The same, without waiting for its first answer. */
    launch(options: NodeOptions): Promise<Node>;
    /* A new temporary folder, removed with the theme. */
    folder(): string;
}

export interface ThemeOptions extends NodeOptions {
    /* The body starts its nodes itself. */
    noNode?: boolean;
    /* The theme does not need the target. */
    anyTarget?: boolean;
    /* The theme cannot run on this target: why. */
    unsuited?: (target: Target) => string | undefined;
    limit_ms?: number;
}

function argumentsOf(argv: readonly string[]): Map<string, string> {
    const args = new Map<string, string>();
    for (let i = 0; i < argv.length; i += 2) {
        const key = argv[i] ?? "";
        const value = argv[i + 1];
        if (!key.startsWith("--") || value === undefined) {
            throw new Error(`expected --KEY VALUE, not ${argv.slice(i).join(" ")}`);
        }
        args.set(key.slice(2), value);
    }
    return args;
}

export function within<T>(limit_ms: number, what: string, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: nothing after ${limit_ms} ms`)), limit_ms);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/* Asks again until the answer is not undefined. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined,
                               limit_ms = 60_000): Promise<T> {
    const end = Date.now() + limit_ms;
    for (;;) {
        const got = await ask();
        if (got !== undefined) {
            return got;
        }
        if (Date.now() > end) {
            throw new Error(`${what}: not after ${limit_ms} ms`);
        }
        await sleep(20);
    }
}

class Run implements Theme {
    passed = 0;
    failed = 0;
    skipped = 0;
    nodes: Node[] = [];
    folders: string[] = [];
    readonly name: string;
    readonly target: Target;
    readonly args: Map<string, string>;

    constructor(name: string, args: Map<string, string>) {
        this.name = name;
        this.args = args;
        this.target = targetOf(args.get("target") ?? "anvil");
    }

    async test(name: string, body: () => Promise<void> | void, limit_ms = TEST_LIMIT_MS): Promise<void> {
        const wanted = this.args.get("run");
        if (wanted !== undefined && !name.includes(wanted)) {
            return;
        }
        const start = Date.now();
        try {
            await within(limit_ms, name, Promise.resolve().then(body));
            this.passed++;
            console.log(` ok  ${name} (${Date.now() - start} ms)`);
        } catch (error) {
            this.failed++;
            console.log(`FAIL ${name}`);
            console.log(indent(textOf(error)));
        }
    }

    skip(name: string, why: string): void {
        this.skipped++;
        console.log(`skipped: ${name}: ${why}`);
    }

    async start(options: NodeOptions = {}, target: Target = this.target): Promise<Node> {
        const node = await Node.start(target, options, this.folder());
        this.nodes.push(node);
        return node;
    }

    async launch(options: NodeOptions): Promise<Node> {
        const node = await Node.launch(this.target, options, this.folder());
        this.nodes.push(node);
        return node;
    }

    folder(): string {
        const folder = mkdtempSync(join(tmpdir(), "keel-e2e-"));
        this.folders.push(folder);
        return folder;
    }

    /* What cannot wait: called when the process ends. */
    sweep(): void {
        for (const node of this.nodes) {
            node.killNow();
        }
        for (const folder of this.folders) {
            rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
        }
    }

    async end(): Promise<never> {
        if (this.failed > 0) {
            for (const node of this.nodes.slice(-LAST_WORDS)) {
                console.log(`-- last words of ${node.command}\n${indent(node.log.slice(-2000))}`);
            }
        }
        for (const node of this.nodes) {
            await node.stop().catch((error) => {
                this.failed++;
                console.log(`FAIL stopping ${node.command}: ${textOf(error)}`);
            });
        }
        this.finish();
    }

    finish(): never {
        this.sweep();
        console.log(`${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`);
        process.exit(this.failed === 0 ? 0 : 1);
    }
}

const indent = (text: string): string => text.replace(/^/gm, "     ");

function textOf(error: unknown): string {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const lines = text.split("\n").map((line) => (line.length > 400 ? `${line.slice(0, 400)} ...` : line));
    return lines.slice(0, 60).join("\n");
}

export async function theme(name: string, options: ThemeOptions,
                            body: (t: Theme, node: Node) => Promise<void>): Promise<never> {
    const run = new Run(name, argumentsOf(process.argv.slice(2)));
    const why = options.unsuited?.(run.target) ?? (options.anyTarget ? undefined : unready(run.target));
    if (why !== undefined) {
        run.skip(`e2e/${name}`, why);
        return run.finish();
    }
    process.on("exit", () => run.sweep());
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        process.on(signal, () => process.exit(1));
    }
    process.on("unhandledRejection", (error) => {
        run.failed++;
        console.log(`FAIL ${name}: a promise nobody waited for\n${indent(textOf(error))}`);
    });
    setTimeout(() => {
        run.failed++;
        console.log(`FAIL ${name}: ran past its limit`);
        run.finish();
    }, options.limit_ms ?? THEME_LIMIT_MS).unref();
    try {
        const node = options.noNode ? undefined : await run.start(options);
        await body(run, node as Node);
    } catch (error) {
        run.failed++;
        console.log(`FAIL ${name}, outside its tests\n${indent(textOf(error))}`);
    }
    return run.end();
}
