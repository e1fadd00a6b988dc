/* authority: the validator contract of contracts/, compiled by the locked solc as its artifact is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Artifact, compile } from "./contracts.ts";
import { HERE } from "./node.ts";

export const CONTRACTS = join(HERE, "..", "..", "contracts");

/* The built-in contracts of EIP-2537 come with Prague. */
const SETTINGS = { evmVersion: "prague", viaIR: true };

export function authority(): Artifact {
    const files = readdirSync(CONTRACTS).filter((file) => file.endsWith(".sol")).sort();
    const sources = Object.fromEntries(files.map((file) => [file, readFileSync(join(CONTRACTS, file), "utf8")]));
    const made = compile("Solidity", sources, SETTINGS)["Authority"];
    if (made === undefined) {
        throw new Error("no contract Authority");
    }
    return made;
}

/* The two files of the artifact, by name. */
export function artifactFiles(): Record<string, string> {
    const made = authority();
    return {
        "authority.hex": `${made.deployedBytecode}\n`,
        "authority.abi.json": `${JSON.stringify(made.abi, null, 2)}\n`,
    };
}
