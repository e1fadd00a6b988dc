/* Governor and timelock: a proposal's whole life through a library, time being moved by hand. */
import assert from "node:assert/strict";
import { artifact, openzeppelin } from "../lib/contracts.ts";
import type { Theme } from "../lib/harness.ts";
import { type Client, type Contract, ETHER } from "../clients/client.ts";
import { keccak256, toUtf8Bytes, ZeroAddress } from "ethers";

const DELAY_BLOCKS = 2n;
const PERIOD_BLOCKS = 8n;
const TIMELOCK_SECONDS = 3600n;
/* TimelockUnexpectedOperationState(bytes32,bytes32), which the governor's ABI does not name. */
const NOT_READY = "0x5ead8eb5";
const STATE = ["Pending", "Active", "Canceled", "Defeated", "Succeeded", "Queued", "Expired", "Executed"];

interface House {
    share: Contract;
    timelock: Contract;
    council: Contract;
    treasury: Contract;
}

async function found(client: Client): Promise<House> {
    const [alice, bob, carol] = client.accounts as [string, string, string];
    const share = await client.deploy(artifact("Share"), [1000n * ETHER]);
    const timelock = await client.deploy(openzeppelin("TimelockController"), [TIMELOCK_SECONDS, [], [], alice]);
    const council = await client.deploy(artifact("Council"),
                                        [share.address, timelock.address, DELAY_BLOCKS, PERIOD_BLOCKS]);
    const treasury = await client.deploy(artifact("Treasury"), [timelock.address], { value: ETHER });
    for (const role of ["PROPOSER_ROLE", "CANCELLER_ROLE"]) {
        await timelock.send("grantRole", [await timelock.read(role), council.address]);
    }
    await timelock.send("grantRole", [await timelock.read("EXECUTOR_ROLE"), ZeroAddress]);
    await timelock.send("renounceRole", [await timelock.read("DEFAULT_ADMIN_ROLE"), alice]);
    await share.send("transfer", [bob, 300n * ETHER]);
    await share.send("transfer", [carol, 100n * ETHER]);
    for (const from of [0, 1, 2]) {
        await share.send("delegate", [client.accounts[from]], { from });
    }
    return { share, timelock, council, treasury };
}

export async function govern(t: Theme, client: Client): Promise<void> {
    const mine = (count: bigint): Promise<unknown> => client.rpc("anvil_mine", [`0x${count.toString(16)}`]);

    await t.test("governor: propose, vote, queue, wait, execute", async () => {
        const { share, timelock, council, treasury } = await found(client);
        const [alice, bob, carol] = client.accounts as [string, string, string];
        const why = "Raise the rate";
        const proposal = [[treasury.address], [0n], [treasury.data("setRate", [42n])]];
        const queued = [...proposal, keccak256(toUtf8Bytes(why))];
        const id = await council.read<bigint>("hashProposal", queued);
        const state = async (): Promise<string | undefined> => STATE[Number(await council.read<bigint>("state", [id]))];

        assert.deepEqual(await council.fails("state", [id]),
                         { kind: "custom", what: "GovernorNonexistentProposal", args: [id] });
        const proposed = await council.send("propose", [...proposal, why]);
        const created = proposed.events.find((event) => event.name === "ProposalCreated");
        assert.equal(created?.args["proposalId"], id);
        assert.equal(created?.args["voteStart"], proposed.block + DELAY_BLOCKS);
        assert.equal(await state(), "Pending");
        assert.equal((await council.fails("castVote", [id, 1n])).what, "GovernorUnexpectedProposalState");

        await mine(DELAY_BLOCKS + 1n);
        assert.equal(await state(), "Active");
        const voted = await council.send("castVoteWithReason", [id, 1n, "good"]);
        assert.equal(voted.events[0]?.name, "VoteCast");
        assert.equal(voted.events[0]?.args["weight"], 600n * ETHER);
        await council.send("castVote", [id, 0n], { from: 1 });
        await council.send("castVote", [id, 2n], { from: 2 });
        assert.deepEqual(await council.fails("castVote", [id, 1n], { from: 1 }),
                         { kind: "custom", what: "GovernorAlreadyCastVote", args: [bob] });
        assert.deepEqual(await council.read("proposalVotes", [id]), [300n * ETHER, 600n * ETHER, 100n * ETHER]);
        assert.equal(await share.read("getVotes", [alice]), 600n * ETHER);

        await mine(PERIOD_BLOCKS);
        assert.equal(await state(), "Succeeded");
        await council.send("queue", queued);
        assert.equal(await state(), "Queued");
        assert.deepEqual(await council.fails("execute", queued),
                         { kind: "custom", what: NOT_READY, args: [] });
        await client.rpc("evm_increaseTime", [Number(TIMELOCK_SECONDS) + 1]);
        await client.rpc("evm_mine");
        const executed = await council.send("execute", queued, { from: 2 });
        assert.equal(await state(), "Executed");
        assert.equal(await treasury.read("rate"), 42n);
        assert.ok(executed.events.some((event) => event.name === "ProposalExecuted"));
        assert.deepEqual((await treasury.past("RateSet", {}, executed.block, executed.block)).map((e) => e.args["rate"]),
                         [42n]);
        assert.deepEqual(await treasury.fails("setRate", [1n]),
                         { kind: "custom", what: "OwnableUnauthorizedAccount", args: [alice] });
        assert.equal(await timelock.read("getMinDelay"), TIMELOCK_SECONDS);
        assert.equal(await council.read("hasVoted", [id, carol]), true);
    });

    await t.test("governor: a proposal without a quorum is defeated, a cancelled one stays so", async () => {
        const { council, treasury } = await found(client);
        const propose = async (why: string, from: number): Promise<{ id: bigint; all: unknown[] }> => {
            const proposal = [[treasury.address], [0n], [treasury.data("setRate", [1n])]];
            await council.send("propose", [...proposal, why], { from });
            const all = [...proposal, keccak256(toUtf8Bytes(why))];
            return { id: await council.read<bigint>("hashProposal", all), all };
        };
        const lone = await propose("Nobody cares", 0);
        const gone = await propose("Never mind", 1);
        await council.send("cancel", gone.all, { from: 1 });
        await mine(DELAY_BLOCKS + PERIOD_BLOCKS + 2n);
        assert.equal(STATE[Number(await council.read<bigint>("state", [lone.id]))], "Defeated");
        assert.equal(STATE[Number(await council.read<bigint>("state", [gone.id]))], "Canceled");
        assert.equal((await council.fails("queue", lone.all)).what, "GovernorUnexpectedProposalState");
        assert.equal(await treasury.read("rate"), 0n);
    });
}
