/* rpc: JSON-RPC over HTTP as bytes and as calls, with nothing between the test and the node. */
import { Agent, request } from "node:http";

export type Hex = `0x${string}`;

export class RpcError extends Error {
    readonly code: number;
    readonly data: unknown;

    constructor(method: string, error: { code: number; message: string; data?: unknown }) {
        super(error.message);
        this.name = `RpcError(${method}, ${error.code})`;
        this.code = error.code;
        this.data = error.data;
    }
}

export interface Answer {
    jsonrpc?: string;
    id?: unknown;
    result?: unknown;
    error?: { code: number; message: string; data?: unknown };
}

export interface HttpAnswer {
    status: number;
    headers: Record<string, string | string[] | undefined>;
    text: string;
}

export interface RpcLog {
    address: Hex;
    topics: Hex[];
    data: Hex;
    blockNumber: Hex;
    blockHash: Hex;
    transactionHash: Hex;
    transactionIndex: Hex;
    logIndex: Hex;
    removed: boolean;
}

export interface RpcReceipt {
    transactionHash: Hex;
    transactionIndex: Hex;
    blockHash: Hex;
    blockNumber: Hex;
    from: Hex;
    to: Hex | null;
    contractAddress: Hex | null;
    cumulativeGasUsed: Hex;
    gasUsed: Hex;
    effectiveGasPrice: Hex;
    logs: RpcLog[];
    logsBloom: Hex;
    status: Hex;
    type: Hex;
}

export interface RpcTx {
    hash: Hex;
    nonce: Hex;
    from: Hex;
    to: Hex | null;
    value: Hex;
    gas: Hex;
    input: Hex;
    type: Hex;
    blockHash: Hex | null;
    blockNumber: Hex | null;
    transactionIndex: Hex | null;
    gasPrice?: Hex;
    maxFeePerGas?: Hex;
    maxPriorityFeePerGas?: Hex;
    accessList?: { address: Hex; storageKeys: Hex[] }[];
    authorizationList?: { chainId: Hex; address: Hex; nonce: Hex; yParity: Hex; r: Hex; s: Hex }[];
    chainId?: Hex;
}

export interface RpcBlock {
    number: Hex;
    hash: Hex;
    parentHash: Hex;
    stateRoot: Hex;
    receiptsRoot: Hex;
    transactionsRoot: Hex;
    timestamp: Hex;
    baseFeePerGas: Hex;
    gasUsed: Hex;
    gasLimit: Hex;
    miner: Hex;
    logsBloom: Hex;
    transactions: (Hex | RpcTx)[];
}

export interface RpcProof {
    address: Hex;
    balance: Hex;
    nonce: Hex;
    codeHash: Hex;
    storageHash: Hex;
    accountProof: Hex[];
    storageProof: { key: Hex; value: Hex; proof: Hex[] }[];
}

const BATCH_MAX = 500;

export class Rpc {
    readonly url: string;
    readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
    #id = 0;

    constructor(url: string) {
        this.url = url;
    }

    close(): void {
        this.#agent.destroy();
    }

    /* Posts bytes as they are. */
    post(body: string | Buffer, headers: Record<string, string> = {}, method = "POST"): Promise<HttpAnswer> {
        return new Promise((done, fail) => {
            const req = request(this.url, {
                method,
                agent: this.#agent,
                headers: {
                    "content-type": "application/json",
                    "content-length": String(Buffer.byteLength(body)),
                    ...headers,
                },
            });
            req.once("error", fail);
            req.once("response", (res) => {
                const parts: Buffer[] = [];
                res.on("data", (part: Buffer) => parts.push(part));
                res.once("error", fail);
                res.once("end", () => done({ status: res.statusCode ?? 0, headers: res.headers,
                                             text: Buffer.concat(parts).toString() }));
            });
            req.end(body);
        });
    }

    /* One request with any id, or none, and its whole answer. */
    async raw(body: unknown): Promise<Answer> {
        const answer = await this.post(JSON.stringify(body));
        return JSON.parse(answer.text) as Answer;
    }

    async call<T = Hex>(method: string, params: readonly unknown[] = []): Promise<T> {
        const id = ++this.#id;
        const answer = await this.raw({ jsonrpc: "2.0", id, method, params });
        if (answer.error !== undefined) {
            throw new RpcError(method, answer.error);
        }
        if (answer.id !== id || !("result" in answer)) {
            throw new Error(`${method}: answer to something else: ${JSON.stringify(answer)}`);
        }
        return answer.result as T;
    }

    /* The error of a call that must fail. */
    async fails(method: string, params: readonly unknown[] = []): Promise<RpcError> {
        try {
            const got = await this.call<unknown>(method, params);
            throw new Error(`${method} succeeded: ${JSON.stringify(got)}`);
        } catch (error) {
            if (error instanceof RpcError) {
                return error;
            }
            throw error;
        }
    }

    /* Many calls in one request, answered in their order; errors are values. */
    async batch(calls: readonly (readonly [string, readonly unknown[]])[]): Promise<(unknown | RpcError)[]> {
        if (calls.length === 0) {
            return [];
        }
        const first = this.#id + 1;
        this.#id += calls.length;
        const body = calls.map(([method, params], i) => ({ jsonrpc: "2.0", id: first + i, method, params }));
        const answers = (await this.raw(body)) as unknown as Answer[];
        if (!Array.isArray(answers)) {
            throw new Error(`batch: ${JSON.stringify(answers)}`);
        }
        const byId = new Map(answers.map((answer) => [answer.id, answer]));
        return calls.map(([method], i) => {
            const answer = byId.get(first + i);
            if (answer === undefined) {
                throw new Error(`${method}: no answer in the batch`);
            }
            return answer.error === undefined ? answer.result : new RpcError(method, answer.error);
        });
    }

    /* As batch, any number of calls, in as many requests as it takes; an error is thrown. */
    async all<T>(calls: readonly (readonly [string, readonly unknown[]])[]): Promise<T[]> {
        const all: T[] = [];
        for (let i = 0; i < calls.length; i += BATCH_MAX) {
            for (const answer of await this.batch(calls.slice(i, i + BATCH_MAX))) {
                if (answer instanceof RpcError) {
                    throw answer;
                }
                all.push(answer as T);
            }
        }
        return all;
    }

    /* Sends a signed transaction and gives its receipt. */
    async sent(raw: Hex, limit_ms?: number): Promise<RpcReceipt> {
        return this.receipt(await this.call("eth_sendRawTransaction", [raw]), limit_ms);
    }

    async receipt(hash: Hex, limit_ms = 120_000): Promise<RpcReceipt> {
        const end = Date.now() + limit_ms;
        for (;;) {
            const receipt = await this.call<RpcReceipt | null>("eth_getTransactionReceipt", [hash]);
            if (receipt !== null) {
                return receipt;
            }
            if (Date.now() > end) {
                throw new Error(`no receipt of ${hash} after ${limit_ms} ms`);
            }
            await new Promise((done) => setTimeout(done, 5));
        }
    }

    async number(): Promise<number> {
        return Number(await this.call("eth_blockNumber"));
    }

    block(tag: string | number, full = false): Promise<RpcBlock> {
        return this.call<RpcBlock>("eth_getBlockByNumber", [quantity(tag), full]);
    }
}

export const quantity = (value: string | number | bigint): string =>
    typeof value === "string" ? value : `0x${value.toString(16)}`;

export const word = (value: bigint | number): Hex => `0x${BigInt(value).toString(16).padStart(64, "0")}`;
