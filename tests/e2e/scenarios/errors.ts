/* Every way a contract can fail, as a library tells it. */
import assert from "node:assert/strict";
import { artifact } from "../lib/contracts.ts";
import type { Theme } from "../lib/harness.ts";
import type { Client } from "../clients/client.ts";

export async function failures(t: Theme, client: Client): Promise<void> {
    await t.test("errors: reasons, custom errors with arguments, panics, silence, nested", async () => {
        const failing = await client.deploy(artifact("Failing"));
        const other = await client.deploy(artifact("Failing"));
        const [alice] = client.accounts as [string];
        assert.deepEqual(await failing.fails("reason", ["a long reason, longer than one word of the EVM"]),
                         { kind: "reason", what: "a long reason, longer than one word of the EVM", args: [] });
        assert.deepEqual(await failing.fails("custom", [7n, "no"]),
                         { kind: "custom", what: "Refused", args: [alice, 7n, "no"] });
        assert.deepEqual(await failing.fails("empty"), { kind: "custom", what: "Empty", args: [] });
        assert.deepEqual(await failing.fails("inner", [other.address, 5n]),
                         { kind: "custom", what: "Refused", args: [failing.address, 5n, "inner"] });
        assert.deepEqual(await failing.fails("broken", [1n]), { kind: "panic", what: "1", args: [] });
        assert.deepEqual(await failing.fails("overflow", [1n]), { kind: "panic", what: "17", args: [] });
        assert.deepEqual(await failing.fails("divide", [1n, 0n]), { kind: "panic", what: "18", args: [] });
        assert.deepEqual(await failing.fails("item", [0n]), { kind: "panic", what: "50", args: [] });
        assert.deepEqual(await failing.fails("silent"), { kind: "none", what: "", args: [] });
        assert.deepEqual(await client.deployFails(artifact("Refusing"), [3n]),
                         { kind: "custom", what: "Never", args: [3n] });
    });

    await t.test("errors: a mined failure has status 0, its gas, and no effect", async () => {
        const failing = await client.deploy(artifact("Failing"));
        const reverted = await failing.send("custom", [1n, "x"], { gas: 200_000n });
        assert.equal(reverted.ok, false);
        assert.ok(reverted.gasUsed < 200_000n);
        const burnt = await failing.send("burn", [], { gas: 150_000n });
        assert.equal(burnt.ok, false);
        assert.equal(burnt.gasUsed, 150_000n);
        assert.equal((await failing.send("invalid", [], { gas: 50_000n })).gasUsed, 50_000n);
        assert.equal(await failing.read("touched"), 0n);
    });
}
