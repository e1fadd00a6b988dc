/* Theme authority: the validator contract's artifact, and the contract behind a wallet's library. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTestClient, http, publicActions, walletActions, type Hex } from "viem";
import { anvil } from "viem/chains";
import { artifactFiles, CONTRACTS } from "./lib/authority.ts";
import { theme } from "./lib/harness.ts";

const ADDRESS = "0x0000000000000000000000000000000000004B01";
const SYSTEM = "0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE";
const SECP256K1 = 1;
const EJECT = 1;
const ADD = 0;
const WEIGHT = 1n;

const checkedIn = (name: string): string => readFileSync(join(CONTRACTS, name), "utf8");
const bytes = (length: number, seed: number): Hex => `0x${seed.toString(16).padStart(2, "0").repeat(length)}`;

await theme("authority", {}, async (t, node) => {
    await t.test("artifact: the locked compiler gives it byte by byte", () => {
        for (const [name, text] of Object.entries(artifactFiles())) {
            assert.equal(text, checkedIn(name), name);
        }
    });

    await t.test("contract: validators are read, a candidate is voted in and takes its seat", async () => {
        const abi = JSON.parse(checkedIn("authority.abi.json")) as readonly unknown[];
        const client = createTestClient({ chain: anvil, mode: "anvil", transport: http(node.url) })
            .extend(publicActions).extend(walletActions);
        const people = await client.getAddresses();
        const send = async (account: Hex, functionName: string, args: unknown[]): Promise<string[]> => {
            const hash = await client.writeContract({ account, address: ADDRESS, abi, functionName, args });
            const receipt = await client.waitForTransactionReceipt({ hash });
            assert.equal(receipt.status, "success", functionName);
            const events = await client.getContractEvents({ address: ADDRESS, abi, blockHash: receipt.blockHash });
            return events.map((event) => (event as unknown as { eventName: string }).eventName);
        };
        const keysOf = (person: number): Hex[] => [people[person] as Hex, "0x", bytes(48, person), bytes(96, person)];
        const entry = (person: number) => {
            const [key, keyProof, randaoKey, randaoProof] = keysOf(person);
            return { operator: people[person], weight: WEIGHT, seen: 0n, key, keyProof, randaoKey, randaoProof };
        };
        await client.setCode({ address: ADDRESS, bytecode: checkedIn("authority.hex").trim() as Hex });
        await client.impersonateAccount({ address: SYSTEM });
        await client.setBalance({ address: SYSTEM, value: 10n ** 18n });
        await send(SYSTEM, "initialize", [SECP256K1, EJECT, [1, 2, 3].map(entry)]);
        await send(SYSTEM, "onBlock", [7n, 1n, 0n, 1000n, people[1], bytes(32, 9)]);

        const read = async (functionName: string, args: unknown[] = []): Promise<unknown> =>
            client.readContract({ address: ADDRESS, abi, functionName, args });
        const [scheme, list] = await read("validators") as [number, { operator: Hex; key: Hex }[]];
        assert.equal(scheme, SECP256K1);
        assert.deepEqual(list.map((v) => v.operator), people.slice(1, 4));
        assert.equal(list[0]?.key, people[1]?.toLowerCase());
        assert.equal(await read("hashOf", [7n]), bytes(32, 9));

        await assert.rejects(send(people[4] as Hex, "propose", [ADD, people[4], WEIGHT]), /NotValidator/);
        assert.deepEqual(await send(people[1] as Hex, "propose", [ADD, people[4], WEIGHT]), ["Proposed", "Voted"]);
        assert.deepEqual(await send(people[2] as Hex, "vote", [0n, true]), ["Voted", "Passed", "Accepted"]);
        assert.equal(await read("isValidator", [people[4]]), false);
        assert.deepEqual(await send(people[4] as Hex, "ready", keysOf(4)), ["Joined", "Ready"]);
        const [, after] = await read("validators") as [number, { operator: Hex; seen: bigint }[]];
        assert.equal(after.length, 4);
        assert.equal(after[3]?.seen, 7n);
    });
});
