/* solc: answers as the native compiler does when Forge starts it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Solc {
    version(): string;
    compile(input: string): string;
}

const solc = createRequire(import.meta.url)("solc") as Solc;
if (process.argv.includes("--version")) {
    const version = solc.version().replace("Emscripten.clang", "Linux.g++");
    console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else {
    process.stdout.write(solc.compile(readFileSync(0, "utf8")));
}
