/* Theme groth16: proofs made by snarkjs, verified on the chain by the verifiers it exports. */
import assert from "node:assert/strict";
import { JsonRpcProvider } from "ethers";
import { type Client, type Contract, ETHER } from "./clients/client.ts";
import { EthersClient } from "./clients/ethers.ts";
import { type Artifact, artifact, compile } from "./lib/contracts.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { type Circuit, compileCircuit, powers, type Proof, type Setup, setupGroth16, setupPlonk, snarkjs } from "./lib/snark.ts";

const P = 4294967311n;
const Q = 18446744073709551557n;
/* The order of the curve's groups, and of the field they lie over. */
const ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

type Point = [bigint, bigint];

interface Call {
    a: Point;
    b: [Point, Point];
    c: Point;
    publics: bigint[];
}

const numbers = (texts: string[] | undefined): Point => [BigInt(texts?.[0] ?? 0), BigInt(texts?.[1] ?? 0)];

/* The arguments of verifyProof: in the second group the chain puts the imaginary part first. */
function callOf(proof: Proof, publics: string[]): Call {
    const swap = ([x, y]: Point): Point => [y, x];
    return {
        a: numbers(proof.pi_a),
        b: [swap(numbers(proof.pi_b[0])), swap(numbers(proof.pi_b[1]))],
        c: numbers(proof.pi_c),
        publics: publics.map(BigInt),
    };
}

const verifies = (verifier: Contract, { a, b, c, publics }: Call): Promise<boolean> =>
    verifier.read<boolean>("verifyProof", [a, b, c, publics]);

const proofFor = (circuit: Circuit, setup: Setup, name: string) =>
    snarkjs.groth16.fullProve({ product: String(P * Q), name: String(BigInt(name)), p: String(P), q: String(Q) },
                              circuit.wasm, setup.key);

function verifierOf(setup: Setup, name: string): Artifact {
    return compile("Solidity", { "Verifier.sol": setup.verifier })[name] as Artifact;
}

async function groth16(t: Theme, client: Client, circuit: Circuit, setup: Setup): Promise<void> {
    const [alice, bob] = client.accounts as [string, string];
    const verifier = await client.deploy(verifierOf(setup, "Groth16Verifier"));
    const { proof, publicSignals } = await proofFor(circuit, setup, alice);
    const good = callOf(proof, publicSignals);

    await t.test("Groth16: the chain and snarkjs agree about a good proof", async () => {
        const key = await snarkjs.zKey.exportVerificationKey(setup.key);
        assert.equal(await snarkjs.groth16.verify(key, publicSignals, proof), true);
        assert.equal(await verifies(verifier, good), true);
        assert.deepEqual(good.publics.slice(1), [P * Q, BigInt(alice)]);
    });

    await t.test("Groth16: another statement, point, or number is refused", async () => {
        const key = await snarkjs.zKey.exportVerificationKey(setup.key);
        for (const i of good.publics.keys()) {
            const publics = good.publics.map((value, j) => (i === j ? value + 1n : value));
            assert.equal(await verifies(verifier, { ...good, publics }), false, `public ${i}`);
            assert.equal(await snarkjs.groth16.verify(key, publics.map(String), proof), false);
            const large = good.publics.map((value, j) => (i === j ? value + ORDER : value));
            assert.equal(await verifies(verifier, { ...good, publics: large }), false, `public ${i} above the order`);
        }
        const bad: Record<string, Partial<Call>> = {
            "the negative of a": { a: [good.a[0], FIELD - good.a[1]] },
            "another point of the curve": { a: [1n, 2n] },
            "not on the curve": { a: [good.a[0], good.a[1] + 1n] },
            "not below the field's order": { c: [good.c[0] + FIELD, good.c[1]] },
            "infinity": { a: [0n, 0n] },
            "a and c changed over": { a: good.c, c: good.a },
            "b's parts changed over": { b: [[good.b[0][1], good.b[0][0]], [good.b[1][1], good.b[1][0]]] },
            "b is not on the curve": { b: [good.b[0], [good.b[1][0], good.b[1][1] + 1n]] },
        };
        for (const [what, part] of Object.entries(bad)) {
            assert.equal(await verifies(verifier, { ...good, ...part }), false, what);
        }
        assert.equal(await verifies(verifier, good), true);
    });

    await t.test("Groth16: a contract pays for a proof, once, and its owner alone", async () => {
        const prize = await client.deploy(artifact("Prize"), [verifier.address, P * Q], { value: 3n * ETHER });
        const claim = [good.a, good.b, good.c, good.publics[0]];
        assert.deepEqual(await prize.fails("claim", claim, { from: 1 }), { kind: "custom", what: "NotProven", args: [] });
        const stolen = await prize.send("claim", claim, { from: 1, gas: 1_000_000n });
        assert.deepEqual([stolen.ok, stolen.logCount], [false, 0]);
        const won = await prize.send("claim", claim);
        assert.deepEqual(won.events.map((event) => [event.name, event.args["winner"], event.args["tag"]]),
                         [["Won", alice, good.publics[0]]]);
        assert.ok(won.gasUsed > 200_000n && won.gasUsed < 400_000n, String(won.gasUsed));
        assert.deepEqual(await prize.fails("claim", claim), { kind: "custom", what: "Used", args: [good.publics[0]] });
        const other = await proofFor(circuit, setup, bob);
        const theirs = callOf(other.proof, other.publicSignals);
        assert.notEqual(theirs.publics[0], good.publics[0]);
        await prize.send("claim", [theirs.a, theirs.b, theirs.c, theirs.publics[0]], { from: 1 });
        assert.equal(await client.balance(prize.address), ETHER);
    });
}

async function plonk(t: Theme, client: Client, circuit: Circuit, setup: Setup): Promise<void> {
    await t.test("PLONK: a good proof is verified, a bent one is not", async () => {
        const verifier = await client.deploy(verifierOf(setup, "PlonkVerifier"));
        const { proof, publicSignals } = await snarkjs.plonk.fullProve(
            { product: String(P * Q), name: "5", p: String(P), q: String(Q) }, circuit.wasm, setup.key);
        const text = await snarkjs.plonk.exportSolidityCallData(proof, publicSignals);
        const [words, publics] = JSON.parse(`[${text.replace("][", "],[")}]`) as [string[], string[]];
        assert.equal(await verifier.read("verifyProof", [words, publics]), true);
        assert.equal(await verifier.read("verifyProof", [words, [...publics].reverse()]), false);
        const bent = [...words];
        [bent[0], bent[1], bent[2], bent[3]] = words.slice(2, 4).concat(words.slice(0, 2)) as [string, string, string, string];
        assert.equal(await verifier.read("verifyProof", [bent, publics]), false);
    });
}

await theme("groth16", {}, async (t, node) => {
    const client = new EthersClient(new JsonRpcProvider(node.url, undefined, { pollingInterval: 10, cacheTimeout: -1 }));
    const folder = t.folder();
    const circuit = await compileCircuit("factors", folder);
    const tau = await powers(9);
    await groth16(t, client, circuit, await setupGroth16(circuit, tau));
    await plonk(t, client, circuit, await setupPlonk(circuit, tau));
    await client.close();
});
