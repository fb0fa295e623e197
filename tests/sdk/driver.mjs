// The JavaScript SDK as an application of the conformance run: commands come as lines of JSON on
// standard input, what the application saw goes out as lines of JSON. The same as driver.py.

import { createInterface } from "node:readline";

const path = `${process.env.PYTHONPATH}/hivewire/web/hivewire.js`;
const { Client, CommandFailed, FileStorage } = await import(path);
const WebSocket = process.argv[2] === "own" ? undefined : (await import("ws")).WebSocket;

/** @param {Record<string, any>} fields */
function saw(what, fields = {}) {
  process.stdout.write(`${JSON.stringify({ saw: what, ...fields })}\n`);
}

let client;
let tokens = [];
let holding;
let goOn = () => {};

const verbs = {
  async open({ url, token, device, store, fresh_tokens: fresh, from_start: fromStart }) {
    const fetchToken = () => {
      saw("token wanted");
      return new Promise((resolve) => tokens.push(resolve));
    };
    const options = { token: fresh ? fetchToken : token, device, WebSocket, fromStart };
    if (store) options.storage = new FileStorage(`${store}.jsonl`);
    client = new Client(url, options);
    client.on("line", (state) => saw("line", { state }));
    client.on("loss", (why) => saw("loss", { why }));
    client.on("status", ({ key, state }) => saw("status", { key, state }));
    client.on("closed", (error) => saw("closed", { code: error.code }));
    saw("kept", { seqs: [...(await client.kept("event ")).values()] });
    saw("pending", { keys: (await client.pending()).map(({ key }) => key) });
    client.open().catch(() => {});
    read();
  },

  send({ to, text, key }) {
    client.send(to, { text }, key).catch((error) => {
      if (error instanceof CommandFailed) saw("refused", { key, code: error.code });
    });
  },

  async ask({ label, op, fields }) {
    try {
      const { id, ...answer } = await client.ask(op, fields);
      saw("answer", { label, answer });
    } catch (error) {
      saw("answer", { label, answer: { error: error.code } });
    }
  },

  token({ token }) {
    tokens.shift()(token);
  },

  hold() {
    holding = new Promise((resolve) => (goOn = resolve));
  },

  go() {
    goOn();
  },

  async discard({ key }) {
    saw("discarded", { key, done: await client.discard(key) });
  },

  async close() {
    await client.close();
    process.exit(0);
  },
};

async function read() {
  try {
    for await (const event of client) {
      await holding;
      const { seq, type, conv, n, from, text, key } = event;
      client.keep(`event ${String(seq).padStart(8, "0")}`, seq);
      saw("event", { seq, type, conv, n, from, text: text ?? null, key });
    }
  } catch (error) {
    saw("end", { code: error.code });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: verb, ...fields } = JSON.parse(line);
  await verbs[verb](fields);
}
process.exit(0);
