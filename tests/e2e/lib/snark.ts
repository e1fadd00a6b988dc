/* snark: a circuit of tests/e2e/circuits, compiled, set up and proven by circom and snarkjs.
 *
 * The set-up's secrets come from a public number, so that every run has the same keys: it is good
 * for tests alone. */
import { cpSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { HERE } from "./node.ts";
import { output } from "./tool.ts";

interface Memory {
    type: "mem";
    data?: Uint8Array;
}

type Place = Memory | string;

export interface Proof {
    pi_a: string[];
    pi_b: string[][];
    pi_c: string[];
}

interface Proven<P> {
    proof: P;
    publicSignals: string[];
}

type Inputs = Record<string, string>;

interface Snarkjs {
    curves: { getCurveFromName(name: string, options: { singleThread: boolean }): Promise<object> };
    powersOfTau: {
        newAccumulator(curve: object, power: number, file: Place): Promise<void>;
        beacon(old: Place, file: Place, name: string, hash: string, exponent: number): Promise<void>;
        preparePhase2(old: Place, file: Place): Promise<void>;
    };
    zKey: {
        newZKey(r1cs: Place, powers: Place, file: Place): Promise<void>;
        beacon(old: Place, file: Place, name: string, hash: string, exponent: number): Promise<void>;
        exportVerificationKey(key: Place): Promise<object>;
        exportSolidityVerifier(key: Place, templates: Record<string, string>): Promise<string>;
    };
    groth16: {
        fullProve(inputs: Inputs, wasm: Place, key: Place): Promise<Proven<Proof>>;
        verify(key: object, publics: string[], proof: Proof): Promise<boolean>;
    };
    plonk: {
        setup(r1cs: Place, powers: Place, file: Place): Promise<void>;
        fullProve(inputs: Inputs, wasm: Place, key: Place): Promise<Proven<object>>;
        exportSolidityCallData(proof: object, publics: string[]): Promise<string>;
    };
}

const BEACON = "4b65656c".repeat(8);

const require = createRequire(import.meta.url);
export const snarkjs = require("snarkjs") as Snarkjs;

const template = (system: string): Record<string, string> => ({
    [system]: readFileSync(join(HERE, "node_modules", "snarkjs", "templates", `verifier_${system}.sol.ejs`), "utf8"),
});

export interface Circuit {
    r1cs: string;
    wasm: string;
}

/* Compiles NAME.circom in folder.  circom's file system follows no links, so it gets a copy. */
export async function compileCircuit(name: string, folder: string): Promise<Circuit> {
    cpSync(join(HERE, "circuits", `${name}.circom`), join(folder, `${name}.circom`));
    await output(process.execPath, [join(HERE, "node_modules", "circom2", "cli.js"), `${name}.circom`, "--r1cs", "--wasm"],
                 { cwd: folder });
    return { r1cs: join(folder, `${name}.r1cs`), wasm: join(folder, `${name}_js`, `${name}.wasm`) };
}

/* Powers of tau for circuits of up to 2^power constraints. */
export async function powers(power: number): Promise<Place> {
    const curve = await snarkjs.curves.getCurveFromName("bn128", { singleThread: false });
    const [fresh, given, ready]: Memory[] = [{ type: "mem" }, { type: "mem" }, { type: "mem" }];
    await snarkjs.powersOfTau.newAccumulator(curve, power, fresh as Memory);
    await snarkjs.powersOfTau.beacon(fresh as Memory, given as Memory, "test", BEACON, 10);
    await snarkjs.powersOfTau.preparePhase2(given as Memory, ready as Memory);
    return ready as Memory;
}

export interface Setup {
    key: Place;
    /* Solidity. */
    verifier: string;
}

export async function setupGroth16(circuit: Circuit, tau: Place): Promise<Setup> {
    const [fresh, key]: Memory[] = [{ type: "mem" }, { type: "mem" }];
    await snarkjs.zKey.newZKey(circuit.r1cs, tau, fresh as Memory);
    await snarkjs.zKey.beacon(fresh as Memory, key as Memory, "test", BEACON, 10);
    return { key: key as Memory, verifier: await snarkjs.zKey.exportSolidityVerifier(key as Memory, template("groth16")) };
}

export async function setupPlonk(circuit: Circuit, tau: Place): Promise<Setup> {
    const key: Memory = { type: "mem" };
    await snarkjs.plonk.setup(circuit.r1cs, tau, key);
    return { key, verifier: await snarkjs.zKey.exportSolidityVerifier(key, template("plonk")) };
}
