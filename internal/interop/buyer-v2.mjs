// Buys with the official client of protocol 2: node buyer-v2.mjs URL [METHOD [BODY]]
// KEY is the payer's private key. Prints what came back as one line of JSON.
// The client understands sellers of protocol 1 too.
import { wrapFetchWithPayment, x402Client, x402HTTPClient } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { ExactEvmSchemeV1 } from "@x402/evm/v1";
import { privateKeyToAccount } from "viem/accounts";
import { tell } from "./lifeline.mjs";

const account = privateKeyToAccount(process.env.KEY);
const client = new x402Client()
  .register("eip155:*", new ExactEvmScheme(account))
  .registerV1("base-sepolia", new ExactEvmSchemeV1(account));
const pay = wrapFetchWithPayment(fetch, client);
const http = new x402HTTPClient(client);

const [url, method = "GET", body] = process.argv.slice(2);
const answer = await pay(url, { method, body });
const header = (name) => answer.headers.get(name);
let settlement = null;
if (header("payment-response") ?? header("x-payment-response")) settlement = http.getPaymentSettleResponse(header);
let refusal = null;
if (header("payment-required")) refusal = JSON.parse(Buffer.from(header("payment-required"), "base64").toString()).error;
tell({ status: answer.status, body: await answer.text(), settlement, refusal });
