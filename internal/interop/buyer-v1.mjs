// Buys with the official client of protocol 1: node buyer-v1.mjs URL [METHOD [BODY]]
// KEY is the payer's private key. Prints what came back as one line of JSON.
import { createSigner, decodeXPaymentResponse, wrapFetchWithPayment } from "x402-fetch";
import { tell } from "./lifeline.mjs";

const pay = wrapFetchWithPayment(fetch, await createSigner("base-sepolia", process.env.KEY));

const [url, method = "GET", body] = process.argv.slice(2);
const answer = await pay(url, { method, body });
const header = answer.headers.get("x-payment-response");
const text = await answer.text();
tell({
  status: answer.status,
  body: text,
  settlement: header ? decodeXPaymentResponse(header) : null,
  refusal: answer.status === 402 ? JSON.parse(text).error : null,
});
