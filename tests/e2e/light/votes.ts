/* votes: validator sets, consensus headers, certificates, as docs/formats/consensus.md has them. */
import { bls12_381 } from "@noble/curves/bls12-381";
import { secp256k1 } from "@noble/curves/secp256k1";
import { concat, demand, fixed, hex, isZero, keccak, refuse } from "./bytes.ts";
import { decodeList, type Item, list, number, string } from "./rlp.ts";

const VALIDATORS_MAX = 256;
const WEIGHT_MAX = 1n << 32n;

interface Scheme {
    id: number;
    key: number;
    signature: number;
    aggregates: boolean;
    holds(keys: Uint8Array[], preimage: Uint8Array, signatures: Uint8Array): boolean;
}

/* What has been found out about signatures before; bundles have many in common. */
const known = new Map<string, boolean>();

function remembered(what: string, ask: () => boolean): boolean {
    let answer = known.get(what);
    if (answer === undefined) {
        try {
            answer = ask();
        } catch {
            answer = false; /* bytes that are no point, no scalar */
        }
        known.set(what, answer);
    }
    return answer;
}

function recovers(key: Uint8Array, preimage: Uint8Array, signature: Uint8Array): boolean {
    const parity = signature[64] ?? 2;
    const parts = secp256k1.Signature.fromCompact(signature.subarray(0, 64));
    if (parity > 1 || parts.hasHighS()) {
        return false;
    }
    const point = parts.addRecoveryBit(parity).recoverPublicKey(keccak(preimage).slice(2)).toRawBytes(false);
    return keccak(point.subarray(1)).slice(26) === Buffer.from(key).toString("hex");
}

const POP = { DST: "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_" };

function sumHolds(keys: Uint8Array[], preimage: Uint8Array, signature: Uint8Array): boolean {
    const points = keys.map((key) => bls12_381.G1.ProjectivePoint.fromHex(key));
    const sum = bls12_381.aggregatePublicKeys(points);
    sum.assertValidity();
    const point = bls12_381.G2.ProjectivePoint.fromHex(signature);
    point.assertValidity();
    return bls12_381.verify(point, preimage, sum.toRawBytes(true), POP);
}

const SCHEMES: readonly Scheme[] = [
    {
        id: 1, key: 20, signature: 65, aggregates: false,
        holds: (keys, preimage, signatures) => keys.every((key, i) => {
            const one = signatures.subarray(65 * i, 65 * (i + 1));
            return remembered(hex(concat(key, preimage, one)), () => recovers(key, preimage, one));
        }),
    },
    {
        id: 2, key: 48, signature: 96, aggregates: true,
        holds: (keys, preimage, signature) =>
            remembered(hex(concat(...keys, preimage, signature)), () => sumHolds(keys, preimage, signature)),
    },
];

export interface ValidatorSet {
    scheme: Scheme;
    keys: Uint8Array[];
    weights: bigint[];
    total: bigint;
    hash: string;
}

export function readSet(bytes: Uint8Array): ValidatorSet {
    const items = decodeList(bytes);
    demand(items.length === 2, "set: not two items");
    const id = number(items[0]);
    const scheme = SCHEMES.find((one) => BigInt(one.id) === id) ?? refuse("set: unknown scheme");
    const rows = list(items[1]);
    demand(rows.length >= 1 && rows.length <= VALIDATORS_MAX, "set: empty, or too large");
    const operators = new Set<string>();
    const votes = new Set<string>();
    const set: ValidatorSet = { scheme, keys: [], weights: [], total: 0n, hash: keccak(bytes) };
    for (const row of rows.map(list)) {
        demand(row.length === 4, "set: no validator");
        operators.add(hex(string(row[0], 20)));
        const key = string(row[1], scheme.key);
        votes.add(hex(key));
        string(row[2], 48);
        const weight = number(row[3]);
        demand(weight > 0n, "set: no weight");
        set.keys.push(key);
        set.weights.push(weight);
        set.total += weight;
    }
    demand(set.total <= WEIGHT_MAX, "set: too much weight");
    demand(operators.size === rows.length && votes.size === rows.length, "set: somebody twice");
    return set;
}

export interface ConsensusHeader {
    genesis: boolean;
    epoch: bigint;
    view: bigint;
    parentView: bigint;
    timeMs: bigint;
    nextSet: Uint8Array;
}

export function readConsensusHeader(bytes: Uint8Array): ConsensusHeader {
    const items = decodeList(bytes);
    const genesis = items.length === 10;
    demand(genesis || items.length === 9, "consensus header: another number of items");
    demand(number(items[0]) === 1n, "consensus header: another version");
    const header = {
        genesis,
        epoch: number(items[1]),
        view: number(items[2]),
        parentView: number(items[3]),
        timeMs: number(items[4]),
        nextSet: string(items[5], 32),
    };
    const proof = string(items[6]);
    number(items[7]);
    string(items[8], 32);
    if (genesis) {
        string(items[9], 32);
        demand(header.epoch === 0n && header.view === 0n && header.parentView === 0n && proof.length === 0 && !isZero(header.nextSet),
               "consensus header: no genesis");
    } else {
        demand(header.parentView < header.view && proof.length === 96, "consensus header: no block's");
    }
    return header;
}

export interface Certificate {
    kind: bigint;
    epoch: bigint;
    view: bigint;
    parentView: bigint;
    height: bigint;
    parentHash: Uint8Array;
    blockHash: Uint8Array;
    signers: number[];
    signatures: Uint8Array;
}

function readSigners(item: Item | undefined): number[] {
    const bits = string(item);
    demand(bits.length >= 1 && bits.length <= 32 && bits[bits.length - 1] !== 0, "certificate: no set of signers");
    return [...bits].flatMap((byte, i) => [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * i + bit));
}

const FINALIZE = 3n;

/* A Finalization. */
export function readFinalization(bytes: Uint8Array): Certificate {
    const items = decodeList(bytes);
    const kind = number(items[0]);
    demand(kind === FINALIZE, "certificate: no Finalization");
    demand(items.length === 9, "certificate: another number of items");
    const certificate = {
        kind,
        epoch: number(items[1]),
        view: number(items[2]),
        parentView: number(items[3]),
        height: number(items[4]),
        parentHash: string(items[5], 32),
        blockHash: string(items[6], 32),
        signers: readSigners(items[7]),
        signatures: string(items[8]),
    };
    demand(certificate.parentView < certificate.view, "certificate: a parent that is not earlier");
    return certificate;
}

export function checkCertificate(c: Certificate, set: ValidatorSet, chainId: bigint, genesisHash: Uint8Array): void {
    const { scheme } = set;
    const keys = c.signers.map((signer) => set.keys[signer] ?? refuse("certificate: a signer of no place"));
    const weight = c.signers.reduce((sum, signer) => sum + (set.weights[signer] ?? 0n), 0n);
    demand(weight >= (2n * set.total) / 3n + 1n, "certificate: less than a quorum");
    demand(c.signatures.length === scheme.signature * (scheme.aggregates ? 1 : keys.length), "certificate: another number of signatures");
    const preimage = concat(Buffer.from("keel/1/vote"), fixed(BigInt(scheme.id), 1), fixed(chainId, 8), genesisHash, fixed(c.kind, 1),
                            fixed(c.epoch, 8), fixed(c.view, 8), fixed(c.parentView, 8), fixed(c.height, 8), c.parentHash, c.blockHash);
    demand(scheme.holds(keys, preimage, c.signatures), "certificate: a signature that does not hold");
}
