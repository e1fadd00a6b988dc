/* keel: the commands of keel beside those that run a node. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Theme } from "./harness.ts";
import { output, run } from "./tool.ts";

export interface Verdict {
    good: boolean;
    blocks: number;
    transactions: number;
    head: { number: number; hash: string; stateRoot: string };
}

export async function verify(t: Theme, dir: string): Promise<Verdict> {
    const ran = await run(t.target.command, ["verify", "--dir", dir, "--json", "--silent"], { cwd: t.folder() });
    assert.equal(ran.code, 0, `keel verify: ${ran.out}${ran.err}`);
    const verdict = JSON.parse(ran.out) as Verdict;
    assert.equal(verdict.good, true);
    return verdict;
}

export async function verifyState(t: Theme, dir: string): Promise<void> {
    const ran = await run(t.target.command, ["verify", "--state", "--dir", dir, "--silent"], { cwd: t.folder() });
    assert.equal(ran.code, 0, `keel verify --state: ${ran.out}${ran.err}`);
}

/* A genesis as keel dev makes it, changed by edit, in a file; gives the path. */
export async function genesisOf(t: Theme, edit: (genesis: Genesis) => void): Promise<string> {
    const dir = t.folder();
    const node = await t.start({ dir });
    await node.stop();
    const genesis = JSON.parse(readFileSync(join(dir, "genesis.json"), "utf8")) as Genesis;
    edit(genesis);
    const file = join(t.folder(), "genesis.json");
    writeFileSync(file, JSON.stringify(genesis, null, 2));
    return file;
}

export interface Genesis {
    config: Record<string, unknown> & { keel: Record<string, unknown> };
    alloc: Record<string, { balance: string }>;
    [member: string]: unknown;
}

export async function init(t: Theme, genesis: string, dir: string): Promise<void> {
    await output(t.target.command, ["init", "--genesis", genesis, "--dir", dir], { cwd: t.folder() });
}

export function copyOf(t: Theme, dir: string): string {
    const copy = t.folder();
    cpSync(dir, copy, { recursive: true });
    return copy;
}
