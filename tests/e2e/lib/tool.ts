/* tool: runs a program to its end, in a folder of its own and with an environment of its own. */
import { spawn } from "node:child_process";

const LIMIT_MS = 150_000;

export interface Ran {
    code: number | null;
    out: string;
    err: string;
}

export interface ToolOptions {
    cwd: string;
    env?: Record<string, string>;
    input?: string;
    limit_ms?: number;
}

/* The program sees no home, no proxy and no settings but those given. */
export function run(command: string, args: readonly string[], options: ToolOptions): Promise<Ran> {
    return new Promise((done, fail) => {
        const child = spawn(command, args, {
            cwd: options.cwd,
            env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd, NO_COLOR: "1", LANG: "C.UTF-8", ...options.env },
            stdio: ["pipe", "pipe", "pipe"],
            timeout: options.limit_ms ?? LIMIT_MS,
            killSignal: "SIGKILL",
        });
        const parts = { out: [] as Buffer[], err: [] as Buffer[] };
        child.stdout.on("data", (part: Buffer) => parts.out.push(part));
        child.stderr.on("data", (part: Buffer) => parts.err.push(part));
        child.stdin.on("error", () => undefined);
        child.once("error", fail);
        child.once("close", (code) => done({
            code,
            out: Buffer.concat(parts.out).toString(),
            err: Buffer.concat(parts.err).toString(),
        }));
        child.stdin.end(options.input ?? "");
    });
}

/* Its output; throws when it fails. */
export async function output(command: string, args: readonly string[], options: ToolOptions): Promise<string> {
    const ran = await run(command, args, options);
    if (ran.code !== 0) {
        throw new Error(`${command} ${args.join(" ")}: exit code ${ran.code}\n${ran.out}\n${ran.err}`);
    }
    return ran.out.trim();
}
