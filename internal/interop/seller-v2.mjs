// Sells with the official server of protocol 2 on a free port. FACILITATOR and
// PAY_TO say through whom and for whom. Prints {"url":…} when it listens.
import express from "express";
import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import { endWithParent, tell } from "./lifeline.mjs";

const accepts = { scheme: "exact", price: "$0.001", network: "eip155:84532", payTo: process.env.PAY_TO };
const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: process.env.FACILITATOR }));
server.register("eip155:*", new ExactEvmScheme());

const app = express();
app.use(express.text({ type: "*/*" }));
app.use(
  paymentMiddleware(
    {
      "GET /paid": { accepts, description: "a word", mimeType: "application/json" },
      "POST /echo": { accepts, description: "your words", mimeType: "text/plain" },
      "GET /broken": { accepts, description: "nothing" },
    },
    server,
  ),
);
app.get("/paid", (_, res) => res.json({ word: "sesame" }));
app.post("/echo", (req, res) => res.type("text/plain").send(req.body));
app.get("/broken", (_, res) => res.status(500).json({ error: "broken" }));

const listener = app.listen(0, "127.0.0.1", () => tell({ url: `http://127.0.0.1:${listener.address().port}` }));
endWithParent(() => listener.closeAllConnections());
