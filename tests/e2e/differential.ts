/* Theme differential: a seeded stream of transactions of every kind to the target and to Anvil.
 *
 *     --seed N    the stream (1 by default; the same seed gives the same stream)
 *     --count N   transactions (1000)
 *
 * Compared for each: the call's result before it is sent, status, gas, logs, created address, the
 * whole tree of calls with gas and return data, and the accounts touched; for each block its base
 * fee, gas, bloom and roots of transactions and receipts; now and then, and at the end, storage roots. */
import assert from "node:assert/strict";
import { frames, type Mined, Pair } from "./differential/pair.ts";
import { used } from "./differential/quirks.ts";
import { refusals } from "./differential/refusals.ts";
import { type Item, type Kind, KINDS, Stream } from "./differential/stream.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { targetOf } from "./lib/node.ts";
import { Random } from "./lib/random.ts";

const BLOCKS_PER_CHECK = 100;
const GWEI = 10n ** 9n;
const GENESIS_TIME = 1_800_000_000;

class Run {
    readonly stream: Stream;
    readonly pair: Pair;
    readonly counts = new Map<Kind, number>();
    readonly failures = new Map<Kind, number>();
    mined = 0;
    blocks = 0;
    refusals = 0;

    constructor(stream: Stream, pair: Pair) {
        this.stream = stream;
        this.pair = pair;
    }

    async #learn(mined: readonly Mined[]): Promise<void> {
        const { stream, pair } = this;
        for (const { item, receipt, trace } of mined) {
            this.counts.set(item.kind, (this.counts.get(item.kind) ?? 0) + 1);
            if (receipt.status === "0x0") {
                this.failures.set(item.kind, (this.failures.get(item.kind) ?? 0) + 1);
            }
            for (const frame of frames(trace)) {
                if (frame.type.startsWith("CREATE") && frame.to !== undefined && frame.output !== undefined) {
                    stream.learn(item.kind, frame.to, frame.output);
                }
            }
        }
        const wallets = [...stream.senders, ...stream.authorities].map((wallet) => wallet.address.toLowerCase());
        const nonces = await pair.nonces(wallets);
        wallets.forEach((address, i) => stream.nonces.set(address, nonces[i] as number));
        this.mined += mined.length;
        this.blocks++;
    }

    /* One block of the given transactions, highest tip first. */
    async block(bodies: readonly Omit<Item, "raw" | "hash" | "call" | "from">[]): Promise<void> {
        const { stream, pair } = this;
        const ahead = new Map<number, number>();
        const items = bodies.map((body, i) => {
            const step = ahead.get(body.sender) ?? 0;
            ahead.set(body.sender, step + 1);
            return stream.sign(body, { baseFee: pair.baseFee, tip: BigInt(bodies.length - i) * GWEI }, step);
        });
        if (items.length === 1) {
            await pair.call(items[0] as Item);
        }
        for (const item of items) {
            await pair.send(item);
        }
        await this.#learn(await pair.mine(items));
    }

    async opening(): Promise<void> {
        await this.pair.begin();
        for (const body of this.stream.opening()) {
            await this.block([body]);
        }
    }

    async upTo(count: number): Promise<void> {
        const { random } = this.stream;
        while (this.mined < count) {
            const size = random.chance(70) ? 1 : random.between(2, 6);
            await this.block(Array.from({ length: Math.min(size, count - this.mined) }, () => this.stream.next()));
            if (this.blocks % 20 === 0) {
                for (const refusal of refusals(this.stream, this.pair.baseFee)) {
                    await this.pair.refused(refusal);
                    this.refusals++;
                }
            }
            if (this.blocks % BLOCKS_PER_CHECK === 0) {
                await this.pair.check();
            }
        }
    }
}

const told = (numbers: ReadonlyMap<string, number>): string => [...numbers].map(([name, n]) => `${name} ${n}`).join(", ");

async function differential(t: Theme): Promise<void> {
    const seed = Number(t.args.get("seed") ?? 1);
    const count = Number(t.args.get("count") ?? 1000);
    const common = { noMining: true, extra: ["--timestamp", String(GENESIS_TIME), "--gas-limit", "30000000"] };
    const subject = await t.start({ ...common, extra: [...common.extra, ...baseFee(t.target.kind)] });
    const oracle = await t.start({ ...common, extra: [...common.extra, ...baseFee("anvil")] }, targetOf("anvil"));
    const run = new Run(new Stream(new Random(seed)), new Pair(subject, oracle));

    await t.test(`the same as Anvil: ${count} transactions of seed ${seed}`, async () => {
        try {
            await run.opening();
            await run.upTo(count);
            await run.pair.check();
        } catch (error) {
            (error as Error).message = `after ${run.mined} transactions, with --seed ${seed} --count ${count}: ${(error as Error).message}`;
            throw error;
        }
        for (const kind of KINDS) {
            assert.ok((run.counts.get(kind) ?? 0) >= Math.floor(count / 20), `${kind}: ${run.counts.get(kind) ?? 0}`);
        }
    });

    await t.test("the same state at the end, of every account that was ever touched", async () => {
        console.log(`     ${await run.pair.check()} accounts, ${run.blocks} blocks, ${run.refusals} refusals`);
        console.log(`     ${told(run.counts)}`);
        console.log(`     of these failed: ${told(run.failures)}`);
        console.log(`     brought to one form: ${told(used) || "nothing"}`);
    });
}

const baseFee = (kind: "anvil" | "keel"): string[] =>
    kind === "anvil" ? ["--block-base-fee-per-gas", "1000000000"] : ["--base-fee", "1000000000"];

await theme("differential", { noNode: true }, (t) => differential(t));
