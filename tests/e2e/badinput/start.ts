/* start: what keel says to bad command lines, genesis files and folders, before it runs. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Theme } from "../lib/harness.ts";
import { copyOf, type Genesis, genesisOf, init } from "../lib/keel.ts";
import { type Ran, run } from "../lib/tool.ts";

const USAGE = 2;
const FAILED = 1;

async function says(t: Theme, args: readonly string[], code: number, text: RegExp): Promise<Ran> {
    const ran = await run(t.target.command, args, { cwd: t.folder(), limit_ms: 30_000 });
    assert.deepEqual([ran.code, text.test(ran.err)], [code, true], `keel ${args.join(" ")}: exit code ${ran.code}\n${ran.out}${ran.err}`);
    return ran;
}

export async function commandLines(t: Theme): Promise<void> {
    await t.test("flags: what is wrong, and what was perhaps meant", async () => {
        const cases: readonly (readonly [string, RegExp])[] = [
            ["dve", /unknown command dve; did you mean dev\?/],
            ["dev --prot 1", /unknown option --prot; did you mean --port\?/],
            ["dev --port 99999", /--port takes a number from 0 to 65535, not '99999'/],
            ["dev --port x", /--port takes a number from 0 to 65535, not 'x'/],
            ["dev --port", /--port needs a value/],
            ["dev --block-time abc", /--block-time takes seconds .*not 'abc'/],
            ["dev --accounts -1", /--accounts takes a number .*not '-1'/],
            ["dev --mnemonic word", /--mnemonic takes 12 to 24 words/],
            ["dev --hardfork oska", /did you mean osaka\?/],
            ["dev --balance 1e99", /--balance takes an amount of ether.*not '1e99'/],
            ["dev --chain-id 0", /--chain-id takes a number .*not '0'/],
            ["dev --gas-limit 1", /--gas-limit takes a number .*not '1'/],
            ["dev --coinbase 0x12", /--coinbase takes an address/],
            ["dev more", /one argument too many: more/],
            ["node", /--dir FOLDER is missing/],
            ["init", /--dir FOLDER is missing/],
            ["init --dir none", /--genesis FILE is missing/],
        ];
        for (const [line, text] of cases) {
            await says(t, line.split(" "), USAGE, text);
        }
        await says(t, ["dev", "--ephemeral", "--host", "999.1.1.1"], FAILED, /999\.1\.1\.1/);
        await says(t, ["node", "--dir", join(t.folder(), "none")], FAILED, /there is no chain in .*keel init --genesis/);
        await says(t, ["verify", "--dir", join(t.folder(), "none")], FAILED, /there is no ledger in/);
    });

    await t.test("a port and a folder that somebody else has", async () => {
        const dir = t.folder();
        const node = await t.start({ dir });
        await says(t, ["dev", "--ephemeral", "--port", String(node.port)], FAILED, new RegExp(`${node.port}`));
        await says(t, ["dev", "--dir", dir, "--port", "0"], FAILED, /in use|another|lock/);
        await node.stop();
    });
}

/* The file with an edit of its text, and what keel init says to it. */
type Edit = readonly [string, (genesis: Genesis) => void, RegExp];

export async function genesisFiles(t: Theme): Promise<void> {
    await t.test("genesis files: file, line and member", async () => {
        const good = JSON.parse(readFileSync(await genesisOf(t, () => undefined), "utf8")) as Genesis;
        const tried = async (text: string, wanted: RegExp): Promise<void> => {
            const file = join(t.folder(), "genesis.json");
            const dir = join(t.folder(), "chain");
            writeFileSync(file, text);
            const ran = await says(t, ["init", "--genesis", file, "--dir", dir], FAILED, wanted);
            assert.match(ran.err, /genesis\.json:\d+: /);
            assert.ok(!existsSync(dir) || readdirSync(dir).length === 0, "something was left behind");
        };
        const edits: readonly Edit[] = [
            ["no chain id", (g) => delete g.config["chainId"], /config\.chainId/],
            ["chain id 0", (g) => { g.config["chainId"] = 0; }, /config\.chainId/],
            ["forks out of order", (g) => { g.config["londonBlock"] = 5; g.config["berlinBlock"] = 7; }, /config\.\w+Block|config\.\w+Time/],
            ["a fork missing", (g) => delete g.config["berlinBlock"], /config\./],
            ["an unknown member of keel", (g) => { g.config.keel["speed"] = 5; }, /config\.keel\.speed/],
            ["a balance that is none", (g) => { g.alloc[`0x${"12".repeat(20)}`] = { balance: "much" }; }, /alloc\..*balance/],
            ["an address that is none", (g) => { g.alloc["0x1234"] = { balance: "0x1" }; }, /alloc/],
            ["a gas limit of text", (g) => { g["gasLimit"] = "x"; }, /gasLimit/],
            ["no allocation", (g) => { (g as Record<string, unknown>)["alloc"] = 5; }, /alloc/],
        ];
        for (const [what, edit, wanted] of edits) {
            const genesis = structuredClone(good);
            edit(genesis);
            await tried(JSON.stringify(genesis, null, 2), wanted).catch((error) => {
                throw new Error(`${what}: ${(error as Error).message}`);
            });
        }
        const text = JSON.stringify(good, null, 2);
        await tried(text.slice(0, text.length / 2), /: json: not well-formed/);
        await tried(text.replace("\"config\": {", "\"config\": {,"), /genesis\.json:2: json: not well-formed/);
        await tried("", /: the file is empty/);
        await tried("[".repeat(100_000), /: json: nested too deeply/);
        await says(t, ["init", "--genesis", join(t.folder(), "none.json"), "--dir", t.folder()], FAILED, /none\.json/);
    });
}

export async function folders(t: Theme): Promise<void> {
    await t.test("a chain's folder that was tampered with is refused, and says where", async () => {
        const genesis = await genesisOf(t, () => undefined);
        const dir = join(t.folder(), "chain");
        mkdirSync(dir);
        rmSync(dir, { recursive: true });
        await init(t, genesis, dir);
        const node = await t.start({ dir, plain: true });
        await node.stop();
        const segment = (copy: string): string => {
            const [name] = readdirSync(join(copy, "ledger")).filter((file) => file.endsWith(".seg"));
            return join(copy, "ledger", name as string);
        };
        const ruined = async (ruin: (copy: string) => void, wanted: RegExp): Promise<void> => {
            const copy = copyOf(t, dir);
            ruin(copy);
            await says(t, ["node", "--dir", copy, "--port", "0"], FAILED, wanted);
        };
        await ruined((copy) => truncateSync(segment(copy), 20), /ledger/);
        await ruined((copy) => writeFileSync(segment(copy), "no segment at all".repeat(1000)), /ledger/);
        await ruined((copy) => rmSync(segment(copy)), /ledger|there is no chain/);
        await says(t, ["init", "--genesis", await genesisOf(t, (g) => { g.config["chainId"] = 5; }), "--dir", dir], FAILED,
                   /another|already|--reset/);
    });
}
