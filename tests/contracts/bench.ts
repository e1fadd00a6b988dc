/* bench: compiles tests/contracts/Bench.sol by the locked solc and writes the creation code that
 * `keel bench` deploys: src/cli/bench_token.hex and src/cli/bench_pair.hex, as C bytes.
 *
 * usage, in tests/e2e after `make e2e-packages`: npx tsx ../contracts/bench.ts */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../e2e/lib/contracts.ts";
import { HERE } from "../e2e/lib/node.ts";

const BYTES_A_LINE = 20;
const source = readFileSync(join(HERE, "..", "contracts", "Bench.sol"), "utf8");
const contracts = compile("Solidity", { "Bench.sol": source });

for (const [name, file] of [["BenchToken", "bench_token.hex"], ["BenchPair", "bench_pair.hex"]] as const) {
    const digits = contracts[name]?.bytecode.slice(2) ?? "";
    const bytes = (digits.match(/../g) ?? []).map((byte) => `0x${byte},`);
    const lines: string[] = [];
    for (let i = 0; i < bytes.length; i += BYTES_A_LINE) {
        lines.push(bytes.slice(i, i + BYTES_A_LINE).join(""));
    }
    writeFileSync(join(HERE, "..", "..", "src", "cli", file), `${lines.join("\n")}\n`);
    console.log(`${file}: ${digits.length / 2} bytes`);
}
