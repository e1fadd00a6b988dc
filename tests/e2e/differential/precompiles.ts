/* precompiles: inputs for every precompiled contract, good ones and bad ones. */
import { p256 } from "@noble/curves/p256";
import { createHash } from "node:crypto";
import { SigningKey } from "ethers";
import type { Random } from "../lib/random.ts";
import type { Hex } from "../lib/rpc.ts";

const w = (value: bigint | number): string => value.toString(16).padStart(64, "0");
const bls = (value: string): string => value.padStart(128, "0");
const raw = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const BN_FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
const BN_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const BN_G1 = w(1) + w(2);
const BN_G1_NEGATIVE = w(1) + w(BN_FIELD - 2n);
const BN_G2 = w(0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2n)
    + w(0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6edn)
    + w(0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975bn)
    + w(0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daan);

const BLS_G1 = bls("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb")
    + bls("08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1");
const BLS_G1_NEGATIVE = BLS_G1.slice(0, 128)
    + bls("114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca");
const BLS_G2 = bls("024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8")
    + bls("13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e")
    + bls("0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801")
    + bls("0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be");
const G1_ZERO = "00".repeat(128);
const G2_ZERO = "00".repeat(256);

function recovery(random: Random): string {
    const key = new SigningKey(random.hex(32));
    const digest = random.hex(32);
    const { v, r, s } = key.sign(digest);
    return digest.slice(2) + w(v) + r.slice(2) + s.slice(2);
}

function modexp(random: Random): string {
    const [base, exponent, modulus] = [random.below(40), random.below(10), random.below(40)];
    return w(base) + w(exponent) + w(modulus) + raw(random.bytes(base + exponent + modulus));
}

function blake(random: Random): string {
    return random.below(40).toString(16).padStart(8, "0") + raw(random.bytes(208)) + `0${random.below(2)}`;
}

/* The zero polynomial: commitment and proof are the point at infinity, and y is 0. */
function kzg(random: Random): string {
    const infinity = `c0${"00".repeat(47)}`;
    const hash = createHash("sha256").update(Buffer.from(infinity, "hex")).digest("hex");
    return `01${hash.slice(2)}` + w(BigInt(random.below(1 << 30))) + w(random.chance(80) ? 0 : 1) + infinity + infinity;
}

function p256Verify(random: Random): string {
    const key = p256.utils.normPrivateKeyToScalar(random.hex(32).slice(2));
    const digest = random.bytes(32);
    const signature = p256.sign(digest, key, { lowS: random.chance(50) });
    const point = p256.ProjectivePoint.fromPrivateKey(key).toAffine();
    return raw(digest) + w(signature.r) + w(signature.s) + w(point.x) + w(point.y);
}

type Maker = (random: Random) => string;

const G1S = [BLS_G1, BLS_G1_NEGATIVE, G1_ZERO] as const;
const G2S = [BLS_G2, G2_ZERO] as const;
const repeat = (random: Random, make: () => string): string =>
    Array.from({ length: random.below(4) }, make).join("");

const GOOD: readonly (readonly [number, Maker])[] = [
    [0x01, recovery],
    [0x02, (random) => raw(random.bytes(random.below(200)))],
    [0x03, (random) => raw(random.bytes(random.below(200)))],
    [0x04, (random) => raw(random.bytes(random.below(200)))],
    [0x05, modexp],
    [0x06, (random) => random.pick([BN_G1 + BN_G1, BN_G1 + BN_G1_NEGATIVE, BN_G1, "", BN_G1 + w(0) + w(0)])],
    [0x07, (random) => BN_G1 + w(random.pick([0n, 1n, 2n, BN_ORDER - 1n, BN_ORDER, (1n << 256n) - 1n]))],
    [0x08, (random) => random.pick([BN_G1 + BN_G2 + BN_G1_NEGATIVE + BN_G2, BN_G1 + BN_G2, "", w(0) + w(0) + BN_G2])],
    [0x09, blake],
    [0x0a, kzg],
    [0x0b, (random) => random.pick(G1S) + random.pick(G1S)],
    [0x0c, (random) => repeat(random, () => random.pick(G1S) + raw(random.bytes(32)))],
    [0x0d, (random) => random.pick(G2S) + random.pick(G2S)],
    [0x0e, (random) => repeat(random, () => random.pick(G2S) + raw(random.bytes(32)))],
    [0x0f, (random) => repeat(random, () => random.pick(G1S) + random.pick(G2S))],
    [0x10, (random) => bls(raw(random.bytes(47)))],
    [0x11, (random) => bls(raw(random.bytes(47))) + bls(raw(random.bytes(47)))],
    [0x100, p256Verify],
];

export interface Question {
    address: Hex;
    input: Hex;
}

const addressOf = (number: number): Hex => `0x${number.toString(16).padStart(40, "0")}`;

export const PRECOMPILES: readonly Hex[] = GOOD.map(([number]) => addressOf(number));

/* Mostly as it should be; else cut, longer, or with a byte changed. */
export function question(random: Random): Question {
    const [number, make] = random.pick(GOOD);
    let input = make(random);
    const at = 2 * random.below(Math.max(1, input.length / 2));
    switch (random.below(8)) {
        case 0: input = input.slice(0, at); break;
        case 1: input += raw(random.bytes(random.below(64))); break;
        case 2: input = input.slice(0, at) + raw(random.bytes(1)) + input.slice(at + 2); break;
        default: break;
    }
    return { address: addressOf(number), input: `0x${input}` };
}
