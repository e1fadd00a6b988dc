/* quirks: where the two nodes may differ, each with its reason.  Answers are brought to one form
 * here and nowhere else; each use is counted, and the theme prints the counts. */
import { type Hex, quantity, type RpcReceipt } from "../lib/rpc.ts";
import type { Item } from "./stream.ts";

export interface Frame {
    type: string;
    from: Hex;
    to?: Hex;
    value?: Hex;
    gas: Hex;
    gasUsed: Hex;
    input: Hex;
    output?: Hex;
    error?: string;
    revertReason?: string;
    logs?: { address: Hex; topics: Hex[]; data: Hex; position?: Hex; index?: Hex }[];
    calls?: Frame[];
}

export const used = new Map<string, number>();

function steadied(why: string): void {
    used.set(why, (used.get(why) ?? 0) + 1);
}

/* Accounts that cannot be the same. */
const APART: ReadonlySet<Hex> = new Set([
    "0x0000f90827f1c53a10cb7a02335b175320002935", /* keeps block hashes [EIP-2935] */
]);

/* Anvil takes these, against the rules of the chain, so it gets none of them. */
const TAKEN: Readonly<Record<string, string>> = {
    "another chain": "Anvil does not look at the chain id of legacy transactions",
    "less gas than the data costs": "Anvil looks at the cost of data when it makes the block",
    "less gas than a transaction may cost at least": "Anvil looks at the cost of data when it makes the block",
    "no delegation in a transaction for them": "Anvil does not look whether there are any when it takes the transaction",
    "a byte too many": "Anvil ignores bytes after a transaction",
};

/* Of errors only that there are any, for their words differ. */
function plain(frame: Frame): Frame {
    return {
        type: frame.type, from: frame.from, gas: frame.gas, gasUsed: frame.gasUsed, input: frame.input,
        ...(frame.to === undefined ? {} : { to: frame.to }),
        ...(frame.value === undefined ? {} : { value: frame.value }),
        ...(frame.output === undefined || frame.output === "0x" ? {} : { output: frame.output }),
        ...(frame.error === undefined ? {} : { error: "failed" }),
        ...(frame.calls === undefined ? {} : { calls: frame.calls.map(plain) }),
    };
}

/* Of a contract that destroys itself in its own favour Anvil names others, or nobody. */
function withSelfDestructions(oracle: Frame, subject: Frame): Frame {
    const calls = oracle.calls?.map((inner, i): Frame => {
        const own = subject.calls?.[i];
        if (own === undefined || own.type !== "SELFDESTRUCT" || inner.type !== own.type || own.from !== own.to) {
            return own === undefined ? inner : withSelfDestructions(inner, own);
        }
        steadied("Anvil names others where a contract destroys itself in its own favour");
        return { ...inner, from: own.from, to: own.to, ...(own.value === undefined ? {} : { value: own.value }) };
    });
    return calls === undefined ? oracle : { ...oracle, calls };
}

/* Anvil gives the refund for an authority that is there [EIP-7702] for one that is not, too.  So the
 * list entry of a stranger never fits. */
export const STRANGERS_NONCE = 1_000_000;

export const steady = {
    anvilTakes(what: string): boolean {
        const why = TAKEN[what];
        if (why !== undefined) {
            steadied(why);
        }
        return why !== undefined;
    },

    /* The two trees of calls of a transaction. */
    traces([subject, oracle]: readonly [Frame, Frame], item: Item, receipt: RpcReceipt): [Frame, Frame] {
        steadied("Anvil's gas of the outermost call leaves out what the transaction itself costs");
        steadied("Anvil's gas used of the outermost call is the block's up to there");
        const mine = plain(subject);
        const top = { gas: quantity(item.body.gasLimit) as Hex, gasUsed: receipt.gasUsed };
        return [mine, withSelfDestructions({ ...plain(oracle), ...top }, mine)];
    },

    apart(address: Hex): boolean {
        return APART.has(address);
    },
};
