/* authority: compiles contracts/Authority.sol by the locked solc and writes its artifact beside it,
 * contracts/authority.hex (the code that a genesis holds) and contracts/authority.abi.json.
 *
 * usage, in tests/e2e after `make e2e-packages`: npx tsx ../contracts/authority.ts */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifactFiles, CONTRACTS } from "../e2e/lib/authority.ts";

for (const [name, text] of Object.entries(artifactFiles())) {
    writeFileSync(join(CONTRACTS, name), text);
    console.log(`${name}: ${text.length} bytes`);
}
