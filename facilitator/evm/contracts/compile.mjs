// Compiles Simulation.sol into Simulation.json:
//
//   npm install --ignore-scripts && node compile.mjs
//
// The artifact holds the creation code and the SHA-256 of the source it was made
// from, which a Go test compares with the source here. The code is for the Paris
// rules, which every chain of today understands.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import solc from "solc";

const file = (name) => new URL(name, import.meta.url);
const content = readFileSync(file("Simulation.sol"), "utf8");
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "Simulation.sol": { content } },
      settings: {
        evmVersion: "paris",
        optimizer: { enabled: true, runs: 1 },
        metadata: { appendCBOR: false, bytecodeHash: "none" },
        outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
      },
    }),
  ),
);
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if (output.errors?.some((problem) => problem.severity === "error")) process.exit(1);

const artifact = {
  solc: solc.version(),
  source: createHash("sha256").update(content).digest("hex"),
  creation: "0x" + output.contracts["Simulation.sol"].Simulation.evm.bytecode.object,
};
writeFileSync(file("Simulation.json"), JSON.stringify(artifact, null, 2) + "\n");
console.log(`${artifact.creation.length / 2 - 1} bytes, ${artifact.solc}`);
