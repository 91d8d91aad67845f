// Compiles the contracts of this folder into artifacts.json:
//
//   npm install --ignore-scripts && node compile.mjs
//
// The artifact holds the runtime bytecode of each contract and the SHA-256 of
// the sources it was made from, which a Go test compares with the sources here.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import solc from "solc";

const folder = new URL("./", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");

const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const sources = Object.fromEntries(names.map((name) => [name, { content: read(name) }]));

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "cancun",
        optimizer: { enabled: true, runs: 200 },
        metadata: { appendCBOR: false, bytecodeHash: "none" },
        outputSelection: { "*": { "*": ["evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if (output.errors?.some((problem) => problem.severity === "error")) process.exit(1);

const contracts = {};
for (const file of Object.values(output.contracts)) {
  for (const [name, contract] of Object.entries(file)) {
    const code = contract.evm.deployedBytecode.object;
    if (code !== "" && name !== "Signatures") contracts[name] = "0x" + code;
  }
}

const hash = createHash("sha256");
for (const name of [...names, "compile.mjs", "package.json"]) hash.update(name + "\0" + read(name) + "\0");

const artifact = { solc: solc.version(), sources: hash.digest("hex"), runtime: contracts };
writeFileSync(new URL("artifacts.json", folder), JSON.stringify(artifact, null, 2) + "\n");
console.log(`${Object.keys(contracts).length} contracts, ${solc.version()}`);
