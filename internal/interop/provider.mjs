// Runs provider-example.js as it is printed in the documentation of the API: only
// the base URL and the keys are filled in. BASE is the URL of the API, KEY the
// provider's. Prints the answers as one line of JSON.
import { readFile } from "node:fs/promises";
import { tell } from "./lifeline.mjs";

const { BASE, KEY } = process.env;
const printed = await readFile(new URL("./provider-example.js", import.meta.url), "utf8");
const code = printed.replaceAll("your_public_key_here", KEY).replaceAll("v402_your_api_key", KEY);
const fetchFromBase = (path, init) => fetch(BASE + path, init);
const AsyncFunction = (async () => {}).constructor;
const run = new AsyncFunction("fetch", code + "\nreturn { product, analytics, unpaidRequests };");

const answers = {};
for (const [name, answer] of Object.entries(await run(fetchFromBase)))
  answers[name] = { status: answer.status, body: await answer.json() };
tell(answers);
