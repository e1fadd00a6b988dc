/* Theme uniswap: Uniswap v2 from its published artifacts, beside a model of the pair in bigints. */
import assert from "node:assert/strict";
import { getCreate2Address, JsonRpcProvider, keccak256, solidityPackedKeccak256, ZeroAddress } from "ethers";
import { type Client, type Contract, ETHER, type Receipt, type SendOptions } from "./clients/client.ts";
import { EthersClient } from "./clients/ethers.ts";
import { type Artifact, artifact, published } from "./lib/contracts.ts";
import { type Theme, theme } from "./lib/harness.ts";
import { Random } from "./lib/random.ts";
import type { RpcBlock } from "./lib/rpc.ts";

const FOREVER = 2n ** 64n;
const MINIMUM_LIQUIDITY = 1000n;
const SWAPS = 60;

const core = (name: string): Artifact => published(`@uniswap/v2-core/build/${name}.json`);
const periphery = (name: string): Artifact => published(`@uniswap/v2-periphery/build/${name}.json`);

function root(n: bigint): bigint {
    let x = n;
    for (let y = (x + 1n) / 2n; y < x; y = (x + n / x) / 2n) {
        x = y;
    }
    return x;
}

/* Amount out of a swap with 0.3 % of fee, of amounts before it. */
function swapped(amount: bigint, reserveIn: bigint, reserveOut: bigint): bigint {
    const taxed = amount * 997n;
    return (taxed * reserveOut) / (reserveIn * 1000n + taxed);
}

/* What a pair must hold after the same steps: reserves, and the price counters, that grow by price
 * and time before a step. */
class Model {
    reserves: [bigint, bigint] = [0n, 0n];
    counters: [bigint, bigint] = [0n, 0n];
    time = 0n;

    step(reserves: [bigint, bigint], time: bigint): void {
        const [a, b] = this.reserves;
        if (time > this.time && a > 0n && b > 0n) {
            this.counters[0] += ((b << 112n) / a) * (time - this.time);
            this.counters[1] += ((a << 112n) / b) * (time - this.time);
        }
        this.reserves = reserves;
        this.time = time;
    }
}

interface Market {
    client: Client;
    factory: Contract;
    router: Contract;
    weth: Contract;
    /* In the order of their addresses. */
    tokens: [Contract, Contract];
    pair: Contract;
    model: Model;
}

/* With gas enough whatever the time is: a pair writes its counters only when the second is another
 * one than at its last step, which an estimate cannot know. */
async function does(contract: Contract, name: string, args: unknown[], options: SendOptions = {}): Promise<Receipt> {
    const receipt = await contract.send(name, args, { gas: 4_000_000n, ...options });
    assert.equal(receipt.ok, true, name);
    return receipt;
}

async function timeOf(client: Client, receipt: Receipt): Promise<bigint> {
    const block = await client.rpc<RpcBlock>("eth_getBlockByNumber", [`0x${receipt.block.toString(16)}`, false]);
    return BigInt(block.timestamp);
}

async function agree({ pair, model }: Market): Promise<void> {
    const [a, b, time] = await pair.read<bigint[]>("getReserves") as [bigint, bigint, bigint];
    assert.deepEqual([a, b, time], [...model.reserves, model.time]);
    assert.deepEqual([await pair.read("price0CumulativeLast"), await pair.read("price1CumulativeLast")], model.counters);
}

async function open(client: Client): Promise<Market> {
    const [alice] = client.accounts as [string];
    const weth = await client.deploy(periphery("WETH9"));
    const factory = await client.deploy(core("UniswapV2Factory"), [alice]);
    const router = await client.deploy(periphery("UniswapV2Router02"), [factory.address, weth.address]);
    const coins = [await client.deploy(artifact("Coin"), [10n ** 9n * ETHER]),
                   await client.deploy(artifact("Coin"), [10n ** 9n * ETHER])];
    coins.sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1));
    const tokens = coins as [Contract, Contract];
    for (const token of tokens) {
        await token.send("approve", [router.address, 2n ** 256n - 1n]);
    }
    const made = await factory.send("createPair", tokens.map((token) => token.address).reverse());
    const address = made.events[0]?.args["pair"] as string;
    const pair = client.at(core("UniswapV2Pair"), address);
    return { client, factory, router, weth, tokens, pair, model: new Model() };
}

async function begin(t: Theme, market: Market): Promise<void> {
    const { client, factory, router, tokens, pair, model } = market;
    const [alice, bob] = client.accounts as [string, string];
    const [a, b] = tokens;

    await t.test("a pair stands where CREATE2 says, once", async () => {
        const salt = solidityPackedKeccak256(["address", "address"], [a.address, b.address]);
        assert.equal(pair.address, getCreate2Address(factory.address, salt, keccak256(core("UniswapV2Pair").bytecode)));
        assert.equal(await factory.read("getPair", [b.address, a.address]), pair.address);
        assert.deepEqual([await pair.read("token0"), await pair.read("token1")], [a.address, b.address]);
        assert.equal(await factory.read("allPairsLength"), 1n);
        assert.deepEqual(await factory.fails("createPair", [a.address, b.address]),
                         { kind: "reason", what: "UniswapV2: PAIR_EXISTS", args: [] });
    });

    await t.test("liquidity through the router: shares, reserves, events", async () => {
        const amounts: [bigint, bigint] = [1_000n * ETHER, 4_000n * ETHER];
        const added = await does(router, "addLiquidity", [a.address, b.address, ...amounts, 0n, 0n, alice, FOREVER]);
        model.step(amounts, await timeOf(client, added));
        await agree(market);
        const shares = root(amounts[0] * amounts[1]);
        assert.equal(await pair.read("totalSupply"), shares);
        assert.equal(await pair.read("balanceOf", [alice]), shares - MINIMUM_LIQUIDITY);
        assert.equal(await pair.read("balanceOf", [ZeroAddress]), MINIMUM_LIQUIDITY);
        const [minted] = await pair.past("Mint", {}, added.block, added.block);
        assert.deepEqual(minted?.args, { sender: router.address, amount0: amounts[0], amount1: amounts[1] });

        /* The second time the router takes what the price asks for. */
        const more = await does(router, "addLiquidity",
                                [b.address, a.address, 400n * ETHER, 500n * ETHER, 0n, 0n, bob, FOREVER]);
        model.step([1_100n * ETHER, 4_400n * ETHER], await timeOf(client, more));
        await agree(market);
        assert.equal(await pair.read("balanceOf", [bob]), shares / 10n);
        assert.deepEqual(await router.fails("addLiquidity",
                                            [a.address, b.address, 10n, 10n, 10n, 10n, bob, FOREVER]),
                         { kind: "reason", what: "UniswapV2Router: INSUFFICIENT_A_AMOUNT", args: [] });
    });
}

async function trade(t: Theme, market: Market): Promise<void> {
    const { client, router, tokens, pair, model } = market;
    const [alice, bob] = client.accounts as [string, string];

    await t.test("a swap: the price asked before, the amount got, the price read back", async () => {
        const path = [tokens[0].address, tokens[1].address];
        const expected = swapped(7n * ETHER, ...model.reserves);
        assert.deepEqual(await router.read("getAmountsOut", [7n * ETHER, path]), [7n * ETHER, expected]);
        assert.deepEqual(await router.fails("swapExactTokensForTokens", [7n * ETHER, expected + 1n, path, bob, FOREVER]),
                         { kind: "reason", what: "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT", args: [] });
        assert.deepEqual(await router.fails("swapExactTokensForTokens", [7n * ETHER, expected, path, bob, 1n]),
                         { kind: "reason", what: "UniswapV2Router: EXPIRED", args: [] });
        const done = await does(router, "swapExactTokensForTokens", [7n * ETHER, expected, path, bob, FOREVER]);
        model.step([model.reserves[0] + 7n * ETHER, model.reserves[1] - expected], await timeOf(client, done));
        await agree(market);
        assert.equal(await tokens[1].read("balanceOf", [bob]), expected);
        const [swap] = await pair.past("Swap", { to: bob }, done.block, done.block);
        assert.deepEqual(swap?.args, { sender: router.address, amount0In: 7n * ETHER, amount1In: 0n, amount0Out: 0n,
                                       amount1Out: expected, to: bob });
        assert.equal(await router.read("quote", [ETHER, ...model.reserves]),
                     (ETHER * model.reserves[1]) / model.reserves[0]);
    });

    await t.test(`${SWAPS} swaps to and fro: reserves and price counters as the model says`, async () => {
        const random = new Random(2);
        const before = model.time;
        const counters = [...model.counters];
        const prices: bigint[] = [];
        for (let i = 0; i < SWAPS; i++) {
            const into = random.below(2) as 0 | 1;
            const out = 1 - into as 0 | 1;
            const amount = BigInt(1 + random.below(10 ** 6)) * 10n ** 14n;
            const path = [tokens[into].address, tokens[out].address];
            const [reserveIn, reserveOut] = [model.reserves[into], model.reserves[out]];
            if (i % 10 === 0) {
                await client.rpc("evm_increaseTime", [1 + random.below(3600)]);
            }
            const got = swapped(amount, reserveIn, reserveOut);
            prices.push((model.reserves[1] << 112n) / model.reserves[0]);
            const done = await does(router, "swapExactTokensForTokens", [amount, got, path, alice, FOREVER]);
            const after: [bigint, bigint] = [0n, 0n];
            after[into] = reserveIn + amount;
            after[out] = reserveOut - got;
            model.step(after, await timeOf(client, done));
        }
        await agree(market);
        const head = BigInt(await client.rpc<string>("eth_blockNumber"));
        assert.equal((await pair.past("Swap", {}, 0n, head)).length, SWAPS + 1);
        const mean = (model.counters[0] - (counters[0] as bigint)) / (model.time - before);
        assert.ok(prices.some((price) => price < mean) && prices.some((price) => price > mean), String(mean));
    });

    await t.test("a pair that would lose refuses, and so does one that is entered twice", async () => {
        assert.deepEqual(await pair.fails("swap", [1n, 0n, alice, "0x"]),
                         { kind: "reason", what: "UniswapV2: INSUFFICIENT_INPUT_AMOUNT", args: [] });
        const taker = await client.deploy(artifact("Taker"));
        assert.deepEqual(await taker.fails("take", [pair.address, ETHER, 0n, 0n]),
                         { kind: "reason", what: "UniswapV2: INSUFFICIENT_INPUT_AMOUNT", args: [] });
        assert.deepEqual(await taker.fails("enter", [pair.address, ETHER]),
                         { kind: "reason", what: "UniswapV2: LOCKED", args: [] });
    });

    await t.test("a flash swap: taken first, paid back with the fee", async () => {
        const taker = await client.deploy(artifact("Taker"));
        await does(tokens[0], "transfer", [taker.address, ETHER]);
        const loan = 100n * ETHER;
        const fee = (loan * 3n) / 997n + 1n;
        assert.deepEqual(await taker.fails("take", [pair.address, loan, 0n, fee - 1n]),
                         { kind: "reason", what: "UniswapV2: K", args: [] });
        const done = await does(taker, "take", [pair.address, loan, 0n, fee]);
        model.step([model.reserves[0] + fee, model.reserves[1]], await timeOf(client, done));
        await agree(market);
        assert.equal(await tokens[0].read("balanceOf", [taker.address]), ETHER - fee);
    });
}

async function average(t: Theme, market: Market): Promise<void> {
    const { client, factory, router, tokens, model } = market;

    await t.test("an oracle over a day: the mean of two prices, weighed by time", async () => {
        const oracle = await client.deploy(periphery("ExampleOracleSimple"),
                                           [factory.address, tokens[0].address, tokens[1].address]);
        const counters = [await oracle.read<bigint>("price0CumulativeLast"), await oracle.read<bigint>("price1CumulativeLast")];
        const begun = await oracle.read<bigint>("blockTimestampLast");
        assert.deepEqual(await oracle.fails("update"),
                         { kind: "reason", what: "ExampleOracleSimple: PERIOD_NOT_ELAPSED", args: [] });
        await client.rpc("evm_increaseTime", [30_000]);
        const amount = 200n * ETHER;
        const got = swapped(amount, ...model.reserves);
        const path = tokens.map((token) => token.address);
        const done = await does(router, "swapExactTokensForTokens", [amount, got, path, client.accounts[0], FOREVER]);
        model.step([model.reserves[0] + amount, model.reserves[1] - got], await timeOf(client, done));
        await client.rpc("evm_increaseTime", [86_400 - 30_000]);
        const now = await timeOf(client, await does(oracle, "update", []));
        model.step(model.reserves, now);
        const mean = (model.counters[0] - (counters[0] as bigint)) / (now - begun);
        assert.equal(await oracle.read("price0Average"), mean);
        assert.equal(await oracle.read("consult", [tokens[0].address, ETHER]), (mean * ETHER) >> 112n);
        assert.equal(await oracle.read("price1Average"), (model.counters[1] - (counters[1] as bigint)) / (now - begun));
    });
}

async function ether(t: Theme, market: Market): Promise<void> {
    const { client, router, weth, tokens, pair, factory } = market;
    const [alice, bob] = client.accounts as [string, string];
    const [a] = tokens;

    await t.test("ether: liquidity, a path over two pairs, and back", async () => {
        await does(router, "addLiquidityETH", [a.address, 100n * ETHER, 0n, 0n, alice, FOREVER], { value: 50n * ETHER });
        const second = client.at(core("UniswapV2Pair"), await factory.read<string>("getPair", [a.address, weth.address]));
        assert.equal(await weth.read("balanceOf", [second.address]), 50n * ETHER);
        const path = [weth.address, a.address, tokens[1].address];
        const [, , out] = await router.read<bigint[]>("getAmountsOut", [ETHER, path]) as [bigint, bigint, bigint];
        const before = await tokens[1].read<bigint>("balanceOf", [bob]);
        await does(router, "swapExactETHForTokens", [out, path, bob, FOREVER], { value: ETHER, from: 1 });
        assert.equal(await tokens[1].read<bigint>("balanceOf", [bob]), before + out);
        await does(tokens[1], "approve", [router.address, out], { from: 1 });
        const purse = await client.balance(bob);
        const back = await does(router, "swapExactTokensForETH", [out, 0n, path.reverse(), bob, FOREVER], { from: 1 });
        const gained = (await client.balance(bob)) - purse + back.gasUsed * back.gasPrice;
        assert.ok(gained > (ETHER * 98n) / 100n && gained < ETHER, String(gained));
    });

    await t.test("liquidity taken out by a signed permit", async () => {
        const shares = await pair.read<bigint>("balanceOf", [bob]);
        const { v, r, s } = await client.signTyped(1, {
            domain: { name: "Uniswap V2", version: "1", chainId: 31337, verifyingContract: pair.address },
            types: { Permit: [{ name: "owner", type: "address" }, { name: "spender", type: "address" },
                              { name: "value", type: "uint256" }, { name: "nonce", type: "uint256" },
                              { name: "deadline", type: "uint256" }] },
            primaryType: "Permit",
            message: { owner: bob, spender: router.address, value: shares, nonce: 0n, deadline: FOREVER },
        });
        const supply = await pair.read<bigint>("totalSupply");
        const held = await Promise.all(tokens.map((token) => token.read<bigint>("balanceOf", [pair.address])));
        const had = await Promise.all(tokens.map((token) => token.read<bigint>("balanceOf", [bob])));
        const both = tokens.map((token) => token.address);
        await does(router, "removeLiquidityWithPermit", [...both, shares, 0n, 0n, bob, FOREVER, false, v, r, s], { from: 1 });
        for (const [i, token] of tokens.entries()) {
            const share = ((held[i] as bigint) * shares) / supply;
            assert.equal(await token.read<bigint>("balanceOf", [bob]), (had[i] as bigint) + share);
        }
        assert.equal(await pair.read("balanceOf", [bob]), 0n);
        assert.equal(await pair.read("nonces", [bob]), 1n);
    });

    await t.test("a token that keeps a part of each transfer", async () => {
        const eroding = await client.deploy(periphery("DeflatingERC20"), [1_000n * ETHER]);
        await does(eroding, "approve", [router.address, 2n ** 256n - 1n]);
        await does(router, "addLiquidityETH", [eroding.address, 100n * ETHER, 0n, 0n, alice, FOREVER], { value: ETHER });
        const path = [eroding.address, weth.address];
        assert.deepEqual(await router.fails("swapExactTokensForETH", [ETHER, 0n, path, alice, FOREVER]),
                         { kind: "reason", what: "UniswapV2: K", args: [] });
        const took = await does(router, "swapExactTokensForETHSupportingFeeOnTransferTokens",
                                [ETHER, 0n, path, alice, FOREVER]);
        const expected = swapped((ETHER * 99n) / 100n, 99n * ETHER, ETHER);
        const [withdrawn] = await weth.past("Withdrawal", {}, took.block, took.block);
        assert.equal(withdrawn?.args["wad"], expected);
    });
}

await theme("uniswap", {}, async (t, node) => {
    const client = new EthersClient(new JsonRpcProvider(node.url, undefined, { pollingInterval: 10, cacheTimeout: -1 }));
    const market = await open(client);
    await begin(t, market);
    await trade(t, market);
    await average(t, market);
    await ether(t, market);
    await client.close();
});
