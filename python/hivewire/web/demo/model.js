/**
 * What the chat knows: conversations, their messages, who has read what. It draws nothing; it calls
 * `changed` and whoever listens draws.
 */

const PAGE = 40;
const TYPING_MS = 6000;
const WATCHED = 400;

/** One conversation as it is shown. */
export class Conversation {
  constructor(conv, me) {
    this.conv = conv;
    this.kind = conv.slice(0, conv.indexOf(":"));
    this.name = conv.slice(conv.indexOf(":") + 1);
    if (this.kind === "direct") {
      const [first, second] = this.name.split(",");
      this.other = this.name = first === me ? second : first;
    }
    this.head = 0;
    this.read = 0;
    this.unread = 0;
    this.ts = 0;
    this.left = false;
    /** How far each other member has got: {user: {delivered, read}}. */
    this.peers = {};
    /** What is shown, by its `n`. */
    this.messages = new Map();
    /** Own messages without an answer, by their key, in the order of writing. */
    this.unsent = new Map();
    this.typing = new Map();
    /** The oldest `n` that history has given; undefined before it was asked. */
    this.lowest = undefined;
    /** Whether there is nothing older. */
    this.complete = false;
  }

  /** The newest message, for the list. */
  get preview() {
    const waiting = [...this.unsent.values()].at(-1);
    if (waiting) return waiting;
    let found;
    for (const item of this.messages.values())
      if (item.type === "message" && (!found || item.n > found.n)) found = item;
    return found;
  }

  /** Everything that is shown, the oldest first. */
  get items() {
    const sorted = [...this.messages.values()].sort((one, other) => one.n - other.n);
    return [...sorted, ...this.unsent.values()];
  }

  /** How an own message stands: `sent`, `delivered` to or `read` by everybody else. */
  standing(n) {
    const marks = Object.values(this.peers);
    if (!marks.length) return "sent";
    if (marks.every(({ read }) => read >= n)) return "read";
    return marks.every(({ delivered }) => delivered >= n) ? "delivered" : "sent";
  }
}

/** All conversations of one user over one client. */
export class Chats {
  constructor(client, me, changed) {
    this.client = client;
    this.me = me;
    this.changed = changed;
    /** @type {Map<string, Conversation>} */
    this.conversations = new Map();
    this.presence = new Map();
    this.watched = new Set();
    /** The conversation that is on the screen. */
    this.selected = undefined;
    this.isSeen = () => false;
    client.on("event", (event) => this.take(event));
    client.on("channel_event", (event) => this.take(event));
    client.on("channel", ({ conv, head }) => this.onChannel(conv, head));
    client.on("status", (status) => this.onStatus(status));
    client.on("receipt", (receipt) => this.onReceipt(receipt));
    client.on("typing", (typing) => this.onTyping(typing));
    client.on("presence", ({ changes }) => this.onPresence(changes));
    client.on("line", (state) => (state === "online" ? this.refresh() : this.onOffline()));
    client.on("loss", () => this.onLoss());
  }

  /** The conversation, made if it is new. */
  get(conv) {
    let found = this.conversations.get(conv);
    if (!found) {
      found = new Conversation(conv, this.me);
      this.conversations.set(conv, found);
      if (found.other) this.watch([found.other]);
    }
    return found;
  }

  /** Conversations, the newest first. */
  get sorted() {
    const shown = [...this.conversations.values()].filter((one) => !one.left);
    return shown.sort((one, other) => other.ts - one.ts);
  }

  /** The direct conversation with somebody. */
  direct(user) {
    return this.get(`direct:${[this.me, user].sort().join(",")}`);
  }

  // -- what others did --------------------------------------------------------------------------

  /** One event of the timeline. */
  take(event) {
    const known = this.conversations.has(event.conv);
    const found = this.get(event.conv);
    found.head = Math.max(found.head, event.n);
    found.ts = Math.max(found.ts, event.ts);
    this.apply(found, event);
    if (!known) this.refresh();
    this.changed(found);
  }

  apply(found, event) {
    const target = found.messages.get(event.target);
    if (event.type === "message") this.onMessage(found, event);
    else if (event.type === "edit" && target)
      Object.assign(target, { text: event.text, edited: event.ts });
    else if (event.type === "recall" && target) recall(target, event.ts);
    else if (event.type === "reaction" && target) react(target, event);
    else if (event.type === "membership" || event.type === "conversation")
      this.onGroup(found, event);
  }

  onMessage(found, event) {
    const isNew = !found.messages.has(event.n);
    found.messages.set(event.n, event);
    if (event.key) found.unsent.delete(event.key);
    found.typing.delete(event.from);
    if (event.from === this.me || !isNew) return;
    if (event.n > found.read) found.unread += 1;
    if (this.isSeen(found)) this.markRead(found);
  }

  onGroup(found, event) {
    found.messages.set(event.n, event);
    if (event.type === "conversation") {
      if (event.name) found.name = event.name;
      return;
    }
    for (const { user, change } of event.changes) {
      const goes = change === "removed" || change === "left";
      if (user === this.me) found.left = goes;
      else if (goes) delete found.peers[user];
      else if (change === "added") found.peers[user] ??= { delivered: event.n, read: event.n };
    }
    this.watch(Object.keys(found.peers));
  }

  onReceipt({ conv, user, delivered, read }) {
    const found = this.get(conv);
    if (user === this.me) {
      found.read = Math.max(found.read, read);
      if (read >= found.head) found.unread = 0;
    } else {
      const before = found.peers[user] ?? { delivered: 0, read: 0 };
      found.peers[user] = {
        delivered: Math.max(before.delivered, delivered),
        read: Math.max(before.read, read),
      };
    }
    this.changed(found);
  }

  onTyping({ conv, user, state }) {
    if (user === this.me) return;
    const found = this.get(conv);
    clearTimeout(found.typing.get(user));
    found.typing.delete(user);
    const over = () => {
      found.typing.delete(user);
      this.changed(found);
    };
    if (state === "start") found.typing.set(user, setTimeout(over, TYPING_MS));
    this.changed(found);
  }

  onPresence(changes) {
    for (const change of changes) this.presence.set(change.user, change);
    this.changed();
  }

  /** Without a line nobody knows who is there and who is typing. */
  onOffline() {
    this.presence.clear();
    for (const found of this.conversations.values()) {
      for (const timer of found.typing.values()) clearTimeout(timer);
      found.typing.clear();
    }
    this.changed();
  }

  async onChannel(conv, head) {
    const found = this.get(conv);
    if (found === this.selected && head > found.head) {
      const { items } = await this.client.history(conv, { after: found.head, limit: PAGE });
      for (const item of items) this.take({ conv, ...item });
    }
    found.head = Math.max(found.head, head);
    this.changed(found);
  }

  /** What is on the screen may be another world's: begin anew. */
  onLoss() {
    for (const found of this.conversations.values()) {
      found.messages.clear();
      found.lowest = undefined;
      found.complete = false;
    }
    this.refresh();
    if (this.selected) this.older(this.selected);
    this.changed(this.selected);
  }

  // -- what the server knows --------------------------------------------------------------------

  /** Read the list anew: names, marks, unread counts. Only one such question is under way. */
  async refresh() {
    if (this.refreshing) {
      this.again = true;
      return;
    }
    this.refreshing = true;
    try {
      const { items } = await this.client.conversations({ limit: 100, messages: 1 });
      for (const item of items) this.list(item);
      this.changed(this.selected);
    } finally {
      this.refreshing = false;
    }
    if (this.selected && this.isSeen(this.selected)) this.markRead(this.selected);
    if (this.again) {
      this.again = false;
      await this.refresh();
    }
  }

  list(item) {
    const found = this.get(item.conv);
    found.left = false;
    if (item.name) found.name = item.name;
    found.head = Math.max(found.head, item.head);
    found.read = Math.max(found.read, item.read);
    found.unread = item.unread;
    for (const [user, marks] of Object.entries(item.peers ?? {})) {
      if (user !== this.me) found.peers[user] = marks;
    }
    for (const last of item.last ?? []) {
      found.ts = Math.max(found.ts, last.ts);
      if (isShown(last) && !found.messages.has(last.n)) found.messages.set(last.n, last);
    }
    this.watch(Object.keys(found.peers));
  }

  /** Load what is older than what is there. Resolves with whether something came. */
  async older(found) {
    if (found.loading || found.complete) return false;
    found.loading = true;
    this.changed(found);
    const page = { limit: PAGE, ...(found.lowest ? { before: found.lowest } : {}) };
    try {
      if (!found.lowest) page.before = Number.MAX_SAFE_INTEGER;
      const { items, done } = await this.client.history(found.conv, page);
      for (const item of items) {
        found.head = Math.max(found.head, item.n);
        if (isShown(item)) found.messages.set(item.n, item);
      }
      found.lowest = items[0]?.n ?? found.lowest ?? 1;
      found.complete = done;
      return items.length > 0;
    } catch (error) {
      // A chat in which nothing was said yet: there is no such conversation.
      if (error.code === "forbidden" || error.code === "not_found") found.complete = true;
      else throw error;
      return false;
    } finally {
      found.loading = false;
      this.changed(found);
    }
  }

  /** Show this one: load it if it is new here. */
  async select(found) {
    const before = this.selected;
    this.selected = found;
    this.changed(found);
    if (before?.kind === "channel") this.client.closeChannel(before.conv).catch(() => {});
    if (found?.kind === "channel") await this.client.openChannel(found.conv);
    if (found && found.lowest === undefined) await this.older(found);
    if (found && this.isSeen(found)) this.markRead(found);
  }

  markRead(found) {
    const told = Math.max(found.read, found.toldRead ?? 0);
    found.unread = 0;
    if (!this.client.isOnline || found.head <= told) return;
    found.toldRead = found.head;
    this.client.read(found.conv, found.head).catch(() => (found.toldRead = 0));
    this.changed(found);
  }

  watch(users) {
    const fresh = users.filter((user) => user !== this.me && !this.watched.has(user));
    if (!fresh.length || this.watched.size + fresh.length > WATCHED) return;
    for (const user of fresh) this.watched.add(user);
    this.client.watch(fresh).then((changes) => this.onPresence(changes), () => {});
  }

  // -- what this user does ----------------------------------------------------------------------

  /** Say something; it is on the screen at once, and sent when there is a line. */
  send(found, body, key) {
    this.show(found, { key, ...body });
    this.client.send(found.conv, body, key).catch(() => {});
  }

  /** An own message that waits for its answer. */
  show(found, { key, ...body }) {
    const item = { type: "message", from: this.me, ts: Date.now(), key, state: "sending", ...body };
    found.unsent.set(key, item);
    found.ts = item.ts;
    this.changed(found);
    return item;
  }

  /** What was written before the page was reloaded and has no answer yet. */
  async restore() {
    for (const { key, command } of await this.client.pending()) {
      if (command.op !== "send" || !/^(direct|group|channel):/.test(command.to)) continue;
      const { text, media, data, reply_to } = command;
      this.show(this.get(command.to), { key, text, media, data, reply_to });
    }
  }

  onStatus({ key, state, command, error }) {
    if (command.op !== "send") return;
    const found = this.conversations.get(command.to);
    const item = found?.unsent.get(key);
    if (!item) return;
    if (state === "failed") {
      if (error?.name === "Discarded") found.unsent.delete(key);
      else Object.assign(item, { state, problem: error?.message });
    } else if (item.state === "sending") item.state = state;
    this.changed(found);
  }
}

function recall(message, ts) {
  for (const name of ["text", "media", "data", "reply_to", "reactions"]) delete message[name];
  message.recalled = ts;
}

function react(message, { emoji, on, from }) {
  const users = new Set(message.reactions?.[emoji]);
  if (on) users.add(from);
  else users.delete(from);
  message.reactions = { ...message.reactions, [emoji]: [...users] };
}

function isShown({ type }) {
  return type === "message" || type === "membership" || type === "conversation";
}
