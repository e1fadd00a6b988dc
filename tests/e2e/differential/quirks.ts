/* quirks: where the two nodes may differ, each with its reason.  Answers are brought to one form
 * here and nowhere else; each use is counted, and the theme prints the counts. */
import type { Hex } from "../lib/rpc.ts";
import type { Item } from "./stream.ts";

export type Side = "subject" | "oracle";

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

interface Account {
    balance: Hex;
    nonce: Hex;
    codeHash: Hex;
    storageHash: Hex;
}

export const used = new Map<string, number>();

export function steadied<T>(why: string, value: T): T {
    used.set(why, (used.get(why) ?? 0) + 1);
    return value;
}

/* Anvil takes these, against the rules of the chain, so it gets none of them. */
const TAKEN: Readonly<Record<string, string>> = {
    "another chain": "Anvil does not look at the chain id of legacy transactions",
};

export const steady = {
    anvilTakes(what: string): boolean {
        const why = TAKEN[what];
        return why !== undefined && steadied(why, true);
    },

    called: (answer: unknown, _item: Item, _side: Side): unknown => answer,

    frame(frame: Frame, side: Side, _top: boolean): Frame {
        return {
            type: frame.type, from: frame.from, gas: frame.gas, gasUsed: frame.gasUsed, input: frame.input,
            ...(frame.to === undefined ? {} : { to: frame.to }),
            ...(frame.value === undefined ? {} : { value: frame.value }),
            ...(frame.output === undefined || frame.output === "0x" ? {} : { output: frame.output }),
            /* The words differ, whether there are any does not. */
            ...(frame.error === undefined ? {} : { error: "failed" }),
            ...(frame.calls === undefined ? {} : { calls: frame.calls.map((inner) => steady.frame(inner, side, false)) }),
        };
    },

    account: (account: Account, _side: Side): Account => account,
};
