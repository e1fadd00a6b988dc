/* Tokens of OpenZeppelin 5 through a library: what the chain then says, the events, and the errors
 * as the library decodes them. */
import assert from "node:assert/strict";
import { artifact } from "../lib/contracts.ts";
import type { Theme } from "../lib/harness.ts";
import { CHAIN_ID, type Client, type Contract, type Event, ETHER } from "../clients/client.ts";

const ZERO = "0x0000000000000000000000000000000000000000";

/* The events, each as [name, chosen arguments...]. */
const told = (events: Event[], ...keys: string[]): unknown[] =>
    events.map((event) => [event.name, ...keys.map((key) => event.args[key])]);

export async function tokens(t: Theme, client: Client): Promise<void> {
    const [alice, bob, carol] = client.accounts as [string, string, string];

    await t.test("ERC-20: transfer, approve, transferFrom, events, custom errors", async () => {
        const coin = await client.deploy(artifact("Coin"), [1000n * ETHER]);
        assert.equal(await coin.read("name"), "Coin");
        assert.equal(BigInt(await coin.read<bigint>("decimals")), 18n);
        assert.equal(await coin.read("totalSupply"), 1000n * ETHER);

        const sent = await coin.send("transfer", [bob, 10n * ETHER]);
        assert.equal(sent.ok, true);
        assert.deepEqual(told(sent.events, "from", "to", "value"), [["Transfer", alice, bob, 10n * ETHER]]);
        await coin.send("approve", [carol, 5n * ETHER], { from: 1 });
        assert.equal(await coin.read("allowance", [bob, carol]), 5n * ETHER);
        const spent = await coin.send("transferFrom", [bob, alice, 2n * ETHER], { from: 2 });
        assert.equal(await coin.read("balanceOf", [bob]), 8n * ETHER);
        assert.equal(await coin.read("allowance", [bob, carol]), 3n * ETHER);

        assert.deepEqual(await coin.fails("transferFrom", [bob, alice, 4n * ETHER], { from: 2 }), {
            kind: "custom", what: "ERC20InsufficientAllowance", args: [carol, 3n * ETHER, 4n * ETHER],
        });
        assert.deepEqual(await coin.fails("transfer", [alice, 9n * ETHER], { from: 1 }), {
            kind: "custom", what: "ERC20InsufficientBalance", args: [bob, 8n * ETHER, 9n * ETHER],
        });
        assert.deepEqual(await coin.fails("mint", [bob, 1n], { from: 1 }), {
            kind: "custom", what: "OwnableUnauthorizedAccount", args: [bob],
        });
        const failed = await coin.send("transfer", [alice, 9n * ETHER], { from: 1, gas: 100_000n });
        assert.equal(failed.ok, false);
        assert.equal(failed.logCount, 0);
        assert.equal(await coin.read("balanceOf", [bob]), 8n * ETHER);

        const past = await coin.past("Transfer", { from: bob }, 0n, spent.block);
        assert.deepEqual(told(past, "from", "to", "value"), [["Transfer", bob, alice, 2n * ETHER]]);
        assert.equal(past[0]?.block, spent.block);
        assert.equal((await coin.past("Transfer", {}, 0n, spent.block)).length, 3);
    });

    await t.test("ERC-20: a permit signed as typed data is an allowance, once", async () => {
        const coin = await client.deploy(artifact("Coin"), [1000n * ETHER]);
        const deadline = 2n ** 64n;
        const { v, r, s } = await client.signTyped(0, permitOf(coin, alice, bob, 7n, 0n, deadline));
        const permitted = await coin.send("permit", [alice, bob, 7n, deadline, v, r, s], { from: 2 });
        assert.deepEqual(told(permitted.events, "owner", "spender", "value"), [["Approval", alice, bob, 7n]]);
        assert.equal(await coin.read("allowance", [alice, bob]), 7n);
        assert.equal(await coin.read("nonces", [alice]), 1n);
        const again = await coin.fails("permit", [alice, bob, 7n, deadline, v, r, s], { from: 2 });
        assert.equal(again.kind === "custom" && again.what, "ERC2612InvalidSigner");
        const late = await client.signTyped(0, permitOf(coin, alice, bob, 7n, 1n, 1n));
        assert.deepEqual(await coin.fails("permit", [alice, bob, 7n, 1n, late.v, late.r, late.s]), {
            kind: "custom", what: "ERC2612ExpiredSignature", args: [1n],
        });
        await coin.send("transferFrom", [alice, bob, 7n], { from: 1 });
        assert.equal(await coin.read("balanceOf", [bob]), 7n);
    });

    await t.test("ERC-721: mint, safe transfer to a contract that takes it and one that does not", async () => {
        const deed = await client.deploy(artifact("Deed"));
        const vault = await client.deploy(artifact("DeedVault"));
        const minted = await deed.send("mint", [bob, "ipfs://one"]);
        assert.deepEqual(told(minted.events.slice(0, 1), "from", "to", "tokenId"), [["Transfer", ZERO, bob, 1n]]);
        assert.equal(await deed.read("tokenURI", [1n]), "ipfs://one");
        assert.equal(await deed.read("supportsInterface", ["0x80ac58cd"]), true);
        assert.deepEqual(await deed.fails("safeTransferFrom(address,address,uint256)", [bob, alice, 1n]), {
            kind: "custom", what: "ERC721InsufficientApproval", args: [alice, 1n],
        });
        await deed.send("approve", [alice, 1n], { from: 1 });
        const kept = await deed.send("safeTransferFrom(address,address,uint256,bytes)",
                                     [bob, vault.address, 1n, "0xc0ffee"]);
        assert.equal(await deed.read("ownerOf", [1n]), vault.address);
        assert.equal(kept.logCount, 2);
        assert.deepEqual(told(await vault.past("Kept", {}, kept.block, kept.block), "operator", "from", "id", "data"),
                         [["Kept", alice, bob, 1n, "0xc0ffee"]]);
        assert.deepEqual(await deed.fails("mint", [deed.address, "no"]), {
            kind: "custom", what: "ERC721InvalidReceiver", args: [deed.address],
        });
        assert.deepEqual(await deed.fails("ownerOf", [9n]), {
            kind: "custom", what: "ERC721NonexistentToken", args: [9n],
        });
    });

    await t.test("ERC-1155: batches of kinds, approval for all", async () => {
        const items = await client.deploy(artifact("Items"));
        const minted = await items.send("mintBatch", [alice, [1n, 2n, 3n], [10n, 20n, 30n]]);
        assert.deepEqual(told(minted.events, "operator", "from", "to", "ids", "values"),
                         [["TransferBatch", alice, ZERO, alice, [1n, 2n, 3n], [10n, 20n, 30n]]]);
        await items.send("setApprovalForAll", [bob, true]);
        await items.send("safeBatchTransferFrom", [alice, carol, [1n, 3n], [4n, 5n], "0x"], { from: 1 });
        assert.deepEqual(await items.read("balanceOfBatch", [[alice, carol, carol], [1n, 1n, 3n]]), [6n, 4n, 5n]);
        const one = await items.send("safeTransferFrom", [alice, bob, 2n, 1n, "0x"]);
        assert.deepEqual(told(one.events, "to", "id", "value"), [["TransferSingle", bob, 2n, 1n]]);
        assert.deepEqual(await items.fails("safeTransferFrom", [carol, bob, 1n, 5n, "0x"], { from: 2 }), {
            kind: "custom", what: "ERC1155InsufficientBalance", args: [carol, 4n, 5n, 1n],
        });
        assert.deepEqual(await items.fails("balanceOfBatch", [[alice], [1n, 2n]]), {
            kind: "custom", what: "ERC1155InvalidArrayLength", args: [2n, 1n],
        });
    });
}

function permitOf(coin: Contract, owner: string, spender: string, value: bigint, nonce: bigint, deadline: bigint) {
    return {
        domain: { name: "Coin", version: "1", chainId: CHAIN_ID, verifyingContract: coin.address },
        types: {
            Permit: [
                { name: "owner", type: "address" }, { name: "spender", type: "address" },
                { name: "value", type: "uint256" }, { name: "nonce", type: "uint256" },
                { name: "deadline", type: "uint256" },
            ],
        },
        primaryType: "Permit",
        message: { owner, spender, value, nonce, deadline },
    };
}
