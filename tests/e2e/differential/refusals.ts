/* refusals: transactions that no node takes. */
import { concat, encodeRlp, keccak256, toBeArray, Transaction, type TransactionLike, Wallet } from "ethers";
import { CHAIN_ID } from "../clients/client.ts";
import type { Hex } from "../lib/rpc.ts";
import type { Stream } from "./stream.ts";

function signed(wallet: Wallet, like: TransactionLike): Hex {
    const tx = Transaction.from({ chainId: CHAIN_ID, gasLimit: 100_000, to: wallet.address, ...like });
    tx.signature = wallet.signingKey.sign(tx.unsignedHash);
    return tx.serialized as Hex;
}

/* As a library refuses to make it. */
function tipAboveFee(wallet: Wallet, nonce: number, fee: bigint): Hex {
    const fields = [CHAIN_ID, nonce, fee + 1n, fee, 100_000].map((n) => toBeArray(n));
    const body = [...fields, wallet.address, "0x", "0x", []];
    const { r, s, yParity } = wallet.signingKey.sign(keccak256(concat(["0x02", encodeRlp(body)])));
    return concat(["0x02", encodeRlp([...body, toBeArray(yParity), toBeArray(r), toBeArray(s)])]) as Hex;
}

/* Each with what is wrong with it. */
export interface Refusal {
    what: string;
    raw: Hex;
}

export function refusals(stream: Stream, baseFee: bigint): Refusal[] {
    const { random } = stream;
    const wallet = random.pick(stream.senders);
    const nonce = stream.nonce(wallet);
    const gasPrice = 2n * baseFee + 10n ** 9n;
    const poor = new Wallet(random.hex(32));
    const good = { nonce, gasPrice, type: 0 };
    const fees = { nonce, type: 2, maxFeePerGas: gasPrice };
    const all: [string, Hex][] = [
        ["nonce too low", signed(wallet, { ...good, nonce: Math.max(0, nonce - 1 - random.below(3)) })],
        ["another chain", signed(wallet, { ...good, chainId: 1 })],
        ["another chain, type 2", signed(wallet, { ...fees, chainId: 5 })],
        ["less gas than any transaction costs", signed(wallet, { ...good, gasLimit: 20_999 })],
        ["less gas than the data costs", signed(wallet, { ...good, gasLimit: 21_100, data: "0x01020304050607080910" })],
        ["less gas than a transaction may cost at least", signed(wallet, { ...good, gasLimit: 37_000, data: `0x${"01".repeat(1000)}` })],
        ["more gas than a transaction may have", signed(wallet, { ...good, gasLimit: (1 << 24) + 1 })],
        ["more than the account has", signed(wallet, { ...good, value: 10n ** 30n })],
        ["an account with nothing", signed(poor, { nonce: 0, gasPrice, type: 0 })],
        ["a tip above the fee", tipAboveFee(wallet, nonce, gasPrice)],
        ["init code that is too long", signed(wallet, { ...good, to: null, gasLimit: 10_000_000, data: `0x${"00".repeat(49_153)}` })],
        ["no delegation in a transaction for them", signed(wallet, { ...fees, type: 4, authorizationList: [] })],
        ["a byte too many", `${signed(wallet, good)}00`],
        ["a byte too few", signed(wallet, good).slice(0, -2) as Hex],
        ["no transaction", random.hex(40)],
        ["an unknown type", `0x7f${signed(wallet, fees).slice(4)}`],
    ];
    return (nonce === 0 ? all.slice(1) : all).map(([what, raw]) => ({ what, raw }));
}
