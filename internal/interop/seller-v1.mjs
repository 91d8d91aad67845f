// Sells with the official server of protocol 1 on a free port. FACILITATOR and
// PAY_TO say through whom and for whom. Prints {"url":…} when it listens.
import express from "express";
import { paymentMiddleware } from "x402-express";
import { endWithParent, tell } from "./lifeline.mjs";

const route = { price: "$0.001", network: "base-sepolia", config: { description: "a word" } };

const app = express();
app.use(paymentMiddleware(process.env.PAY_TO, { "GET /paid": route }, { url: process.env.FACILITATOR }));
app.get("/paid", (_, res) => res.json({ word: "sesame" }));

const listener = app.listen(0, "127.0.0.1", () => tell({ url: `http://127.0.0.1:${listener.address().port}` }));
endWithParent(() => listener.closeAllConnections());
