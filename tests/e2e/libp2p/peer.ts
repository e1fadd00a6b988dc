/* A node of js-libp2p that does what it is told: commands come as lines of JSON on standard input,
 * what happens goes out as lines of JSON.
 *
 *     TOPIC...   that it subscribes to
 *
 * It runs on the Node of this folder, which runs TypeScript as it is. */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const say = (event: string, more: Record<string, unknown> = {}): void => {
    process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
        identify: identify(),
        ping: ping(),
        pubsub: gossipsub({ globalSignaturePolicy: "StrictNoSign", emitSelf: false }),
    },
});

node.addEventListener("peer:connect", (e) => {
    const [connection] = node.getConnections(e.detail);
    say("connect", { peer: e.detail.toString(), direction: connection?.direction, encryption: connection?.encryption,
                     multiplexer: connection?.multiplexer });
});
node.addEventListener("peer:identify", (e) => {
    const d = e.detail;
    say("identify", {
        peer: d.peerId.toString(), agent: d.agentVersion, protocols: d.protocols,
        addresses: d.listenAddrs.map(String), observed: d.observedAddr?.toString(),
        record: d.signedPeerRecord?.addresses.map(String),
    });
});
node.services.pubsub.addEventListener("message", (e) =>
    say("message", { topic: e.detail.topic, type: e.detail.type, data: hex(e.detail.data) }));
node.services.pubsub.addEventListener("subscription-change", (e) =>
    say("subscriptions", { peer: e.detail.peerId.toString(), topics: e.detail.subscriptions.filter((s) => s.subscribe).map((s) => s.topic) }));
for (const topic of process.argv.slice(2)) {
    node.services.pubsub.subscribe(topic);
}

node.addEventListener("peer:disconnect", (e) => say("disconnect", { peer: e.detail.toString() }));

interface Command {
    do: "dial" | "ping" | "publish" | "streams" | "push" | "topics" | "flood";
    address?: string;
    topic?: string;
    data?: string;
    count?: string;
    bytes?: string; /* of each message of a flood */
}

/* --- what no peer should do, by what the library lets everybody do --- */

/* Streams of one protocol, one behind the other; how many the connection bore. */
async function streams(address: string, protocol: string, count: number, said: Uint8Array): Promise<number> {
    const connection = await node.dial(multiaddr(address));
    for (let i = 0; i < count; i++) {
        try {
            const stream = await connection.newStream(protocol, { maxOutboundStreams: count, signal: AbortSignal.timeout(2_000) });
            if (said.length > 0) {
                stream.send(said);
                await stream.close();
            }
        } catch {
            if (connection.status !== "open") {
                return i;
            }
        }
    }
    return count;
}

/* Messages of random bytes, as long as there is a peer to hear them. */
async function flood(topic: string, count: number, bytes: number): Promise<number> {
    for (let i = 0; i < count; i++) {
        try {
            await node.services.pubsub.publish(topic, randomBytes(bytes));
        } catch {
            return i;
        }
        await new Promise((done) => setImmediate(done));
    }
    return count;
}

async function obey(command: Command): Promise<Record<string, unknown>> {
    switch (command.do) {
    case "dial": {
        const connection = await node.dial(multiaddr(command.address ?? ""));
        return { peer: connection.remotePeer.toString() };
    }
    case "ping": {
        const to = multiaddr(command.address ?? "");
        const ms = await node.services.ping.ping(to);
        const connections = node.getConnections().filter((one) => to.toString().endsWith(`/p2p/${one.remotePeer.toString()}`));
        return { ms, over: connections.map((one) => one.direction) };
    }
    case "streams":
        return { borne: await streams(command.address ?? "", "/ipfs/ping/1.0.0", Number(command.count), new Uint8Array()) };
    case "push":
        return { borne: await streams(command.address ?? "", "/ipfs/id/push/1.0.0", Number(command.count), randomBytes(100)) };
    case "topics":
        for (let i = 0; i < Number(command.count); i++) {
            node.services.pubsub.subscribe(`/of/nobody/${i}`);
        }
        return {};
    case "flood":
        return { borne: await flood(command.topic ?? "", Number(command.count), Number(command.bytes)) };
    case "publish": {
        const sent = await node.services.pubsub.publish(command.topic ?? "", Buffer.from(command.data ?? "", "hex"));
        return { recipients: sent.recipients.length };
    }
    }
}

say("listening", { address: node.getMultiaddrs()[0]?.toString(), id: node.peerId.toString() });
for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as Command;
    try {
        say("done", await obey(command));
    } catch (error) {
        say("failed", { why: error instanceof Error ? error.message : String(error) });
    }
}
await node.stop();
process.exit(0);
