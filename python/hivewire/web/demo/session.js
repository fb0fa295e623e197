/** Who one is in this tab: a name, a device of its own, a token. */

import { Client, Closed, IndexedDBStorage } from "/hivewire.js";

const DEVICES = 8;
const EARLY_MS = 60_000;

/** Fetches tokens for a name; one is used until shortly before it ends. */
export class Tokens {
  constructor(user) {
    this.user = user;
    this.ends = 0;
  }

  /** The node's answer: `{token, user, url}`. Rejects when it is not to be had now. */
  async welcome() {
    const response = await fetch("/demo/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: this.user }),
    });
    const answer = await response.json();
    if (!response.ok) {
      const refused = response.status < 500;
      throw refused ? new Closed(4500, answer.error.message) : new Error(answer.error.message);
    }
    this.token = answer.token;
    this.ends = JSON.parse(atob(this.token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000;
    return answer;
  }

  /** A token that is good for a minute at least. */
  async good() {
    if (Date.now() > this.ends - EARLY_MS) await this.welcome();
    return this.token;
  }
}

/** A client for this tab. */
export async function enter(user) {
  const tokens = new Tokens(user);
  const { url } = await tokens.welcome();
  const device = await freeDevice(user);
  const storage = new IndexedDBStorage(`hivewire ${user} ${device}`);
  const token = async () => (await tokens.welcome()).token;
  return { client: new Client(url, { token, device, storage }), tokens };
}

/**
 * A device that no other tab is now: `web-1`, `web-2`, … So a tab that is opened again goes on where
 * one was closed, with what that one had not sent.
 */
async function freeDevice(user) {
  for (let place = 1; navigator.locks && place <= DEVICES; place += 1) {
    const device = `web-${place}`;
    if (await held(`hivewire ${user} ${device}`)) return device;
  }
  return `web-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
}

/** Whether this tab has the lock now; it keeps it as long as it lives. */
function held(name) {
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}
