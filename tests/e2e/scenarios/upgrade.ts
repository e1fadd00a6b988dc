/* An upgradeable proxy (UUPS) through a library. */
import assert from "node:assert/strict";
import { artifact, openzeppelin } from "../lib/contracts.ts";
import type { Theme } from "../lib/harness.ts";
import { type Hex, word } from "../lib/rpc.ts";
import type { Client } from "../clients/client.ts";

/* [ERC-1967] */
export const IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc";
export const ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103";

export async function upgrade(t: Theme, client: Client): Promise<void> {
    const [alice, bob] = client.accounts as [string, string];

    await t.test("UUPS: the proxy keeps its state and changes its code", async () => {
        const one = await client.deploy(artifact("CounterV1"));
        const two = await client.deploy(artifact("CounterV2"));
        const proxy = await client.deploy(openzeppelin("ERC1967Proxy"),
                                          [one.address, one.data("initialize", [alice, 40n])]);
        const counter = client.at(artifact("CounterV1"), proxy.address);
        const slot = (): Promise<Hex> => client.rpc("eth_getStorageAt", [proxy.address, IMPLEMENTATION_SLOT, "latest"]);
        assert.equal(await slot(), word(BigInt(one.address)));
        await counter.send("increment");
        assert.equal(await counter.read("count"), 41n);
        assert.deepEqual(await counter.fails("initialize", [bob, 0n]),
                         { kind: "custom", what: "InvalidInitialization", args: [] });
        assert.deepEqual(await counter.fails("upgradeToAndCall", [two.address, "0x"], { from: 1 }),
                         { kind: "custom", what: "OwnableUnauthorizedAccount", args: [bob] });

        const done = await counter.send("upgradeToAndCall", [two.address, two.data("setStep", [10n])]);
        assert.deepEqual(done.events.map((event) => [event.name, event.args["implementation"]]),
                         [["Upgraded", two.address]]);
        assert.equal(await slot(), word(BigInt(two.address)));
        const newer = client.at(artifact("CounterV2"), proxy.address);
        assert.equal(await newer.read("version"), "two");
        await newer.send("increment");
        assert.equal(await newer.read("count"), 51n);
        assert.deepEqual(await newer.fails("setStep", [0n]), { kind: "custom", what: "StepIsZero", args: [] });
        assert.equal(await counter.read("version", [], { block: done.block - 1n }), "one");
        const other = await client.deploy(artifact("Ledger"));
        assert.deepEqual(await newer.fails("upgradeToAndCall", [other.address, "0x"]),
                         { kind: "custom", what: "ERC1967InvalidImplementation", args: [other.address] });
    });
}
