/** Files of messages: up to the node, and links to look at them. */

const RETRY_MS = 2000;
const LINK_MS = 12 * 3600 * 1000;

export class Files {
  /** @param {() => Promise<string>} token gives one that is good for a while */
  constructor(token) {
    this.token = token;
    this.links = new Map();
  }

  /** Upload; tries again as long as the node cannot be reached. Rejects if it does not take it. */
  async upload(file) {
    for (;;) {
      const response = await this.#fetch("/api/v1/media", { method: "POST", body: file });
      if (response?.ok) {
        const stored = await response.json();
        this.links.set(stored.id, { stored, at: Date.now() });
        return { ...stored, name: file.name };
      }
      if (response && response.status !== 503 && response.status !== 429)
        throw new Error(await reason(response));
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Where a file is, and what it is; undefined if it cannot be had now. */
  async link(id) {
    const known = this.links.get(id);
    if (known && Date.now() - known.at < LINK_MS) return known.stored;
    const response = await this.#fetch(`/api/v1/media/${encodeURIComponent(id)}/link`);
    if (!response?.ok) return undefined;
    const stored = await response.json();
    this.links.set(id, { stored, at: Date.now() });
    return stored;
  }

  async #fetch(path, options = {}) {
    try {
      const headers = { Authorization: `Bearer ${await this.token()}` };
      return await fetch(path, { ...options, headers });
    } catch {
      return undefined;
    }
  }
}

async function reason(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the node answered ${response.status}`;
  }
}
