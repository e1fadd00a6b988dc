/* kzg: the one thing of EIP-4844's commitments that an EVM needs, on noble's curve:
 *     e(C - y G1, G2) = e(P, tau G2 - z G2) */
import { bls12_381 as bls } from "@noble/curves/bls12-381";

/* The first power of tau in G2 of the ceremony's output. */
const TAU_G2 = "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72" +
    "185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2";

const { ProjectivePoint: G1 } = bls.G1;
const { ProjectivePoint: G2 } = bls.G2;
const { Fp12, Fr } = bls.fields;
type P1 = InstanceType<typeof G1>;
type P2 = InstanceType<typeof G2>;

const bare = (hex: string): string => hex.replace(/^0x/, "");

const point = (hex: string): P1 => {
    const p = G1.fromHex(bare(hex));
    if (!p.equals(G1.ZERO)) {
        p.assertValidity();
    }
    return p;
};

function scalar(hex: string): bigint {
    const n = BigInt(hex);
    if (n >= Fr.ORDER) {
        throw new Error("not a field element");
    }
    return n;
}

const times = (p: P1, n: bigint): P1 => (n === 0n ? G1.ZERO : p.multiply(n));
const times2 = (p: P2, n: bigint): P2 => (n === 0n ? G2.ZERO : p.multiply(n));

const pair = (p: P1, q: P2): ReturnType<typeof bls.pairing> =>
    p.equals(G1.ZERO) || q.equals(G2.ZERO) ? Fp12.ONE : bls.pairing(p, q);

export function verifyProof(commitment: string, z: string, y: string, proof: string): boolean {
    const c = point(commitment);
    const p = point(proof);
    const left = pair(c.subtract(times(G1.BASE, scalar(y))), G2.BASE);
    const right = pair(p, G2.fromHex(TAU_G2).subtract(times2(G2.BASE, scalar(z))));
    return Fp12.eql(left, right);
}
