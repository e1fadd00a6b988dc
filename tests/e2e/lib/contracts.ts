/* contracts: the test contracts, compiled by the locked solc, and artifacts published in packages.
 *
 * The compiler takes seconds, so its output is kept beside the packages under the hash of what went
 * in. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { HERE } from "./node.ts";
import type { Hex } from "./rpc.ts";

/* An ABI is data: each library has a type of its own for it. */
export type Abi = readonly any[];

export interface Artifact {
    name: string;
    abi: Abi;
    bytecode: Hex;
    deployedBytecode: Hex;
}

interface SolcContract {
    abi: Abi;
    evm: { bytecode: { object: string }; deployedBytecode: { object: string } };
}

interface SolcOutput {
    errors?: { severity: string; formattedMessage: string }[];
    contracts?: Record<string, Record<string, SolcContract>>;
}

interface Solc {
    version(): string;
    compile(input: string, readers: { import: (path: string) => { contents: string } | { error: string } }): string;
}

const require = createRequire(import.meta.url);
const SOURCES = join(HERE, "contracts");
const KEPT = join(HERE, "node_modules", ".cache", "keel");
const SETTINGS = {
    evmVersion: "osaka",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

/* Compiles Solidity or Yul sources (name -> text) and gives the contracts by name; settings differ
 * from the usual ones by what is given. */
export function compile(language: "Solidity" | "Yul", sources: Record<string, string>,
                        settings: object = {}): Record<string, Artifact> {
    const input = JSON.stringify({
        language,
        sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
        settings: { ...SETTINGS, ...settings },
    });
    const lock = readFileSync(join(HERE, "package-lock.json"));
    const file = join(KEPT, `${createHash("sha256").update(input).update(lock).digest("hex").slice(0, 32)}.json`);
    if (existsSync(file)) {
        return JSON.parse(readFileSync(file, "utf8")) as Record<string, Artifact>;
    }
    const solc = require("solc") as Solc;
    const output = JSON.parse(solc.compile(input, { import: importFile })) as SolcOutput;
    const errors = (output.errors ?? []).filter((error) => error.severity === "error");
    if (errors.length > 0) {
        throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
    }
    const found: Record<string, Artifact> = {};
    for (const contracts of Object.values(output.contracts ?? {})) {
        for (const [name, contract] of Object.entries(contracts)) {
            found[name] = {
                name,
                abi: contract.abi,
                bytecode: `0x${contract.evm.bytecode.object}`,
                deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
            };
        }
    }
    mkdirSync(KEPT, { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(found));
    renameSync(`${file}.${process.pid}`, file);
    return found;
}

function importFile(path: string): { contents: string } | { error: string } {
    try {
        return { contents: readFileSync(join(HERE, "node_modules", path), "utf8") };
    } catch {
        return { error: `no ${path}` };
    }
}

let own: Record<string, Artifact> | undefined;

/* A contract of tests/e2e/contracts. */
export function artifact(name: string): Artifact {
    own ??= compile("Solidity", Object.fromEntries(
        readdirSync(SOURCES).sort().map((file) => [file, readFileSync(join(SOURCES, file), "utf8")])));
    const hit = own[name];
    if (hit === undefined) {
        throw new Error(`no contract ${name}`);
    }
    return hit;
}

/* A contract as published: the path of a build file in a package. */
export function published(path: string): Artifact {
    const file = JSON.parse(readFileSync(join(HERE, "node_modules", path), "utf8")) as {
        contractName?: string;
        abi: Abi;
        bytecode: string | { object: string };
        deployedBytecode?: string;
        evm?: { bytecode: { object: string }; deployedBytecode: { object: string } };
    };
    const prefixed = (code: string | undefined): Hex =>
        (code?.startsWith("0x") ? code : `0x${code ?? ""}`) as Hex;
    const bytecode = typeof file.bytecode === "string" ? file.bytecode : file.bytecode.object;
    return {
        name: file.contractName ?? path,
        abi: file.abi,
        bytecode: prefixed(bytecode),
        deployedBytecode: prefixed(file.deployedBytecode),
    };
}

export const openzeppelin = (name: string): Artifact =>
    published(`@openzeppelin/contracts/build/contracts/${name}.json`);
