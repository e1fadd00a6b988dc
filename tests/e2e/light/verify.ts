/* verify: judges bundles as docs/formats/finality-proof.md says, on its own: it knows npm's curves
 * and a hash, and nothing of Keel. */
import { bytesOf, demand, fixed, hex, isZero, keccak, refuse, u256, u64 } from "./bytes.ts";
import { decode, decodeList, number, string } from "./rlp.ts";
import { EMPTY_ROOT, proven } from "./trie.ts";
import { checkCertificate, type ConsensusHeader, readConsensusHeader, readFinalization, readSet, type ValidatorSet } from "./votes.ts";

const HEADERS_MAX = 8192;
const EPOCHS_MAX = 65536;
const SLOTS_MAX = 1024;
const NODES_MAX = 66;
const U64_MAX = (1n << 64n) - 1n;
const EMPTY_CODE = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

interface Trust {
    chainId: bigint;
    genesisHash: Uint8Array;
    epoch: bigint;
    set: ValidatorSet;
    number: bigint;
    hash: string;
}

interface Header {
    parentHash: string;
    stateRoot: string;
    number: bigint;
    extraData: string;
    hash: string;
}

interface Signed {
    header: Uint8Array;
    consensusHeader: Uint8Array;
    finalization: Uint8Array;
    validators: Uint8Array;
}

interface Slot {
    key: bigint;
    value: bigint;
    proof: Uint8Array[];
}

interface Account {
    address: Uint8Array;
    proof: Uint8Array[];
    balance: bigint;
    nonce: bigint;
    codeHash: string;
    storageHash: string;
    slots: Slot[];
}

interface Bundle {
    chainId: bigint;
    genesis?: { hash: string; header: Uint8Array; consensusHeader: Uint8Array; validators: Uint8Array };
    epochs: Signed[];
    headers: Uint8Array[];
    consensusHeader?: Uint8Array;
    finalization?: Uint8Array;
    account?: Account;
}

export interface Proven {
    number: bigint;
    hash: string;
    stateRoot: string;
    epoch: bigint;
    finalHash: string;
    account?: { exists: boolean; balance: bigint; nonce: bigint; slots: [bigint, bigint][] };
}

/* The text's form. */

type Json = Record<string, unknown>;

const object = (value: unknown): Json =>
    typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : refuse("no object");

function array(value: unknown, most: number): unknown[] {
    if (!Array.isArray(value)) {
        return refuse("no list");
    }
    demand(value.length <= most, "a list too long");
    return value;
}

const nodesOf = (value: unknown): Uint8Array[] => array(value, NODES_MAX).map((node) => bytesOf(node));

function readAccount(value: unknown): Account {
    const json = object(value);
    return {
        address: bytesOf(json["address"], 20),
        proof: nodesOf(json["accountProof"]),
        balance: u256(json["balance"]),
        nonce: u64(json["nonce"]),
        codeHash: hex(bytesOf(json["codeHash"], 32)),
        storageHash: hex(bytesOf(json["storageHash"], 32)),
        slots: array(json["storageProof"], SLOTS_MAX).map(object).map((slot) => ({
            key: u256(slot["key"]), value: u256(slot["value"]), proof: nodesOf(slot["proof"]),
        })),
    };
}

function readGenesis(value: unknown): Bundle["genesis"] {
    const json = object(value);
    return {
        hash: hex(bytesOf(json["hash"], 32)),
        header: bytesOf(json["header"]),
        consensusHeader: bytesOf(json["consensusHeader"]),
        validators: bytesOf(json["validators"]),
    };
}

const maybe = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
    value === undefined || value === null ? undefined : read(value);

/* Bytes that may be missing; none are as good as missing. */
function maybeBytes(value: unknown): Uint8Array | undefined {
    const bytes = maybe(value, (text) => bytesOf(text));
    return bytes?.length === 0 ? undefined : bytes;
}

function readBundle(value: unknown): Bundle {
    const json = object(value);
    return {
        chainId: u64(json["chainId"]),
        genesis: maybe(json["genesis"], readGenesis),
        epochs: array(json["epochs"], EPOCHS_MAX).map(object).map((epoch) => ({
            header: bytesOf(epoch["header"]),
            consensusHeader: bytesOf(epoch["consensusHeader"]),
            finalization: bytesOf(epoch["finalization"]),
            validators: bytesOf(epoch["validators"]),
        })),
        headers: array(json["headers"], HEADERS_MAX).map((header) => bytesOf(header)),
        consensusHeader: maybeBytes(json["consensusHeader"]),
        finalization: maybeBytes(json["finalization"]),
        account: maybe(json["account"], readAccount),
    };
}

/* Headers. */

const HEADER_ITEMS = [15, 16, 17, 20, 21];
const HASHES = [0, 1, 3, 4, 5, 13, 16, 19, 20];
const NUMBERS: readonly (readonly [number, number])[] = [[7, 256], [8, 64], [9, 64], [10, 64], [11, 64], [15, 256], [17, 64], [18, 64]];

function readHeader(bytes: Uint8Array): Header {
    const items = decodeList(bytes);
    demand(HEADER_ITEMS.includes(items.length), "header: another number of items");
    HASHES.filter((at) => at < items.length).forEach((at) => string(items[at], 32));
    NUMBERS.filter(([at]) => at < items.length).forEach(([at, bits]) => number(items[at], bits));
    string(items[2], 20);
    string(items[6], 256);
    string(items[14], 8);
    demand(string(items[12]).length <= 32, "header: extra data too long");
    return {
        parentHash: hex(string(items[0])),
        stateRoot: hex(string(items[3])),
        number: number(items[8]),
        extraData: hex(string(items[12])),
        hash: keccak(bytes),
    };
}

function readNamed(header: Header, bytes: Uint8Array): ConsensusHeader {
    const consensus = readConsensusHeader(bytes);
    demand(header.extraData === keccak(bytes), "another consensus header than the header's");
    return consensus;
}

/* Finality. */

function checkFinal(trust: Trust, header: Header, consensusBytes: Uint8Array, finalization: Uint8Array): ConsensusHeader {
    const consensus = readNamed(header, consensusBytes);
    demand(!consensus.genesis, "a genesis is not finalized");
    const c = readFinalization(finalization);
    demand(c.epoch === trust.epoch && consensus.epoch === trust.epoch, "of another epoch");
    demand(c.height === header.number && hex(c.blockHash) === header.hash, "for another block");
    if (hex(c.parentHash) === header.hash) {
        demand(!isZero(consensus.nextSet), "proposed again, and not its epoch's last");
        demand(c.parentView >= consensus.view, "proposed again in an earlier view");
    } else {
        demand(hex(c.parentHash) === header.parentHash, "for another parent");
        demand(c.view === consensus.view && c.parentView === consensus.parentView, "of another view");
    }
    demand(header.number > trust.number || (header.number === trust.number && header.hash === trust.hash), "not above the trusted block");
    checkCertificate(c, trust.set, trust.chainId, trust.genesisHash);
    return consensus;
}

function startGenesis(bundle: Bundle, hash: Uint8Array): Trust {
    const genesis = bundle.genesis ?? refuse("no genesis");
    const header = readHeader(genesis.header);
    demand(genesis.hash === hex(hash) && header.hash === genesis.hash, "another genesis");
    const consensus = readNamed(header, genesis.consensusHeader);
    demand(header.number === 0n && consensus.genesis, "no genesis of a chain that votes");
    const set = readSet(genesis.validators);
    demand(set.hash === hex(consensus.nextSet), "another set than the genesis names");
    return { chainId: bundle.chainId, genesisHash: hash, epoch: 0n, set, number: 0n, hash: header.hash };
}

function startCheckpoint(bundle: Bundle, json: Json): Trust {
    const trust = {
        chainId: u64(json["chainId"]),
        genesisHash: bytesOf(json["genesisHash"], 32),
        epoch: u64(json["epoch"]),
        set: readSet(bytesOf(json["validators"])),
        number: u64(json["number"]),
        hash: hex(bytesOf(json["hash"], 32)),
    };
    demand(bundle.chainId === trust.chainId, "another chain");
    demand(bundle.genesis === undefined || bundle.genesis.hash === hex(trust.genesisHash), "another genesis");
    return trust;
}

function follow(trust: Trust, epochs: Signed[]): void {
    const first = trust.epoch;
    for (const end of epochs) {
        if (readConsensusHeader(end.consensusHeader).epoch < first) {
            continue;
        }
        const header = readHeader(end.header);
        const consensus = checkFinal(trust, header, end.consensusHeader, end.finalization);
        demand(!isZero(consensus.nextSet), "not its epoch's last");
        const set = readSet(end.validators);
        demand(set.hash === hex(consensus.nextSet), "another set than the block names");
        demand(trust.epoch < U64_MAX, "no epoch behind the last");
        Object.assign(trust, { epoch: trust.epoch + 1n, set, number: header.number, hash: header.hash });
    }
}

function checkHeaders(trust: Trust, bundle: Bundle): { first: Header; last: Header } {
    const headers = bundle.headers.map(readHeader);
    headers.slice(1).forEach((header, i) => {
        const parent = headers[i];
        demand(parent !== undefined && header.parentHash === parent.hash && header.number === parent.number + 1n, "headers that are no chain");
    });
    const first = headers[0] ?? refuse("no headers");
    const last = headers[headers.length - 1] ?? first;
    if (bundle.finalization === undefined && bundle.consensusHeader === undefined) {
        demand(last.hash === trust.hash, "nothing says that the block is final");
    } else {
        const nothing = new Uint8Array();
        checkFinal(trust, last, bundle.consensusHeader ?? nothing, bundle.finalization ?? nothing);
    }
    return { first, last };
}

/* The account. */

function checkSlot(slot: Slot, root: string): void {
    const found = proven(root, bytesOf(keccak(fixed(slot.key, 32))), slot.proof);
    const value = found === undefined ? 0n : number(decode(found), 256);
    demand(found === undefined || value !== 0n, "a slot that holds nothing");
    demand(value === slot.value, "another value");
}

function checkAccount(account: Account, root: string): boolean {
    const found = proven(root, bytesOf(keccak(account.address)), account.proof);
    const items = found === undefined ? undefined : decodeList(found);
    demand(items === undefined || items.length === 4, "no account");
    demand(account.nonce === (items ? number(items[0]) : 0n), "another nonce");
    demand(account.balance === (items ? number(items[1], 256) : 0n), "another balance");
    demand(account.storageHash === (items ? hex(string(items[2], 32)) : EMPTY_ROOT), "another storage");
    demand(account.codeHash === (items ? hex(string(items[3], 32)) : EMPTY_CODE), "another code");
    account.slots.forEach((slot) => checkSlot(slot, account.storageHash));
    return items !== undefined;
}

/* Throws Refused.  anchor: {"genesisHash"} or a checkpoint, as they come out of JSON. */
export function verify(text: string, anchor: Json): Proven {
    const bundle = readBundle(JSON.parse(text));
    const trust = anchor["validators"] === undefined ? startGenesis(bundle, bytesOf(anchor["genesisHash"], 32)) : startCheckpoint(bundle, anchor);
    follow(trust, bundle.epochs);
    const { first, last } = checkHeaders(trust, bundle);
    const { account } = bundle;
    return {
        number: first.number,
        hash: first.hash,
        stateRoot: first.stateRoot,
        epoch: trust.epoch,
        finalHash: last.hash,
        account: account && {
            exists: checkAccount(account, first.stateRoot),
            balance: account.balance,
            nonce: account.nonce,
            slots: account.slots.map(({ key, value }) => [key, value]),
        },
    };
}
