/* Theme self: the suite's own house. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { theme } from "./lib/harness.ts";
import { HERE } from "./lib/node.ts";

await theme("self", { noNode: true, anyTarget: true }, async (t) => {
    await t.test("types: the whole suite, strictly", () => {
        const tsc = join(HERE, "node_modules", "typescript", "bin", "tsc");
        try {
            execFileSync(process.execPath, [tsc, "--project", HERE], { encoding: "utf8" });
        } catch (error) {
            assert.fail((error as { stdout: string }).stdout);
        }
    });

    await t.test("packages: locked exactly, with checksums and without addresses", () => {
        const lock = JSON.parse(readFileSync(join(HERE, "package-lock.json"), "utf8")) as {
            packages: Record<string, { version?: string; integrity?: string; resolved?: string; bundled?: boolean }>;
        };
        const own = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8")) as { dependencies: Record<string, string> };
        for (const [name, version] of Object.entries(own.dependencies)) {
            assert.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name);
        }
        for (const [name, entry] of Object.entries(lock.packages)) {
            if (name !== "") {
                assert.equal(entry.resolved, undefined, name);
                assert.match(entry.integrity ?? "", /^sha512-/, name);
            }
        }
    });
});
