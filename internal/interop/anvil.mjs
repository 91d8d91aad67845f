// Runs anvil as Base Sepolia on a free port. Prints {"url":…} when it listens.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { endWithParent, tell } from "./lifeline.mjs";

const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
const manifest = createRequire(import.meta.url).resolve(`@foundry-rs/anvil-${process.platform}-${arch}/package.json`);
const args = ["--host", "127.0.0.1", "--port", "0", "--chain-id", "84532"];
const anvil = spawn(join(dirname(manifest), "bin", "anvil"), args, { stdio: ["ignore", "pipe", "inherit"] });
let said = "";
anvil.stdout.on("data", (chunk) => {
  if (said === null) return;
  said += chunk;
  const address = said.match(/Listening on (\S+)/)?.[1];
  if (address) {
    tell({ url: `http://${address}` });
    said = null;
  }
});
anvil.on("exit", (code) => process.exit(code ?? 1));
endWithParent(() => {
  anvil.removeAllListeners("exit");
  anvil.kill("SIGTERM");
});
