// Parts of hivewire.js that the conformance run is too short for. Run by test_package.py.

import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Adaptive, Client, FileStorage, MemoryStorage, newKey } from "../../python/hivewire/web/hivewire.js";

/** A network that forgets a line after `limit` seconds of silence. */
function live(pace, limit, seconds) {
  let time = 0;
  let cut = 0;
  pace.connected(time, 300, 1);
  while (time < seconds) {
    const ping = pace.nextPing();
    const silence = ping - time;
    time = ping;
    pace.sent(time);
    if (silence <= limit) pace.heard(time);
    else {
      cut += 1;
      pace.lost(time + 20);
      time += 21;
      pace.connected(time, 300, 1);
    }
  }
  return cut;
}

for (const limit of [30, 60, 120, 290]) {
  test(`a network that forgets after ${limit} s is learnt with at most three lines`, () => {
    const pace = new Adaptive();
    assert.ok(live(pace, limit, 10 * 3600) <= 3);
    assert.ok(pace.interval <= limit && pace.interval >= 0.75 * limit, `${pace.interval}`);
    const again = new Adaptive(JSON.parse(JSON.stringify(pace.memory())));
    assert.equal(again.interval, pace.interval);
  });
}

test("a line that dies while the network is down teaches nothing", () => {
  const pace = new Adaptive();
  pace.connected(0, 300, 1);
  pace.sent(25);
  pace.heard(25.1);
  const before = pace.interval;
  pace.sent(50);
  pace.lost(70);
  pace.connected(170, 300, 1);
  assert.equal(pace.interval, before);
});

test("networks are remembered by name", () => {
  const pace = new Adaptive({ wlan: { good: 200 } }, "wlan");
  assert.equal(pace.wanted, 200);
  pace.use("4g");
  assert.equal(pace.wanted, 25);
});

test("keys are ULIDs: unique, and in the order of time", async () => {
  const keys = new Set(Array.from({ length: 1000 }, newKey));
  assert.equal(keys.size, 1000);
  const first = newKey();
  assert.match(first, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(newKey() > first);
});

test("a file has what was written, whatever a crash left at its end", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hivewire-"));
  const path = join(folder, "store");
  const first = new FileStorage(path);
  await first.write([
    { table: "records", name: "b", value: [1] },
    { table: "records", name: "a", value: "ü" },
    { table: "state", name: "place", value: { cursor: 7 } },
  ]);
  await first.write([{ table: "records", name: "b" }]);
  await first.close();
  await appendFile(path, '[{"table":"records","name":"c","val');
  assert.equal((await stat(path)).mode & 0o777, 0o600);

  const second = new FileStorage(path);
  assert.deepEqual([...(await second.read("records"))], [["a", "ü"]]);
  assert.deepEqual((await second.read("state")).get("place"), { cursor: 7 });
  await second.write([{ table: "records", name: "", clear: true }]);
  await second.write([{ table: "records", name: "d", value: 1 }]);
  await second.close();
  assert.equal((await readFile(path, "utf8")).trim().split("\n").length, 3, "what is over is gone");

  const third = new FileStorage(path);
  assert.deepEqual([...(await third.read("records"))], [["d", 1]]);
  await third.close();
  await rm(folder, { recursive: true });
});

test("names are found by what they begin with, in their order", async () => {
  const storage = new MemoryStorage();
  await storage.write(["b", "a2", "a1"].map((name) => ({ table: "records", name, value: 1 })));
  assert.deepEqual([...(await storage.read("records", "a")).keys()], ["a1", "a2"]);
});

test("a platform without a WebSocket is told so", () => {
  const { WebSocket } = globalThis;
  // @ts-ignore
  delete globalThis.WebSocket;
  assert.throws(() => new Client("ws://x", { token: "t" }), /WebSocket/);
  globalThis.WebSocket = WebSocket;
});

test("a storage that fails ends the client, and says why", async () => {
  const storage = new MemoryStorage();
  storage.write = () => Promise.reject(new Error("disk full"));
  const client = new Client("ws://127.0.0.1:1", { token: "t", storage, WebSocket: class {} });
  await assert.rejects(client.send("user:b", { text: "x" }), /disk full/);
});
