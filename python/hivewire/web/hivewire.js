/**
 * hivewire for JavaScript: one device of one user, in a browser or in Node 20 and later.
 *
 *     import { Client, IndexedDBStorage } from "./hivewire.js";
 *
 *     const storage = new IndexedDBStorage("chat-ann-laptop");
 *     const client = new Client("wss://chat.example/v1/ws", { token, device: "laptop", storage });
 *     client.open();
 *     const sent = await client.send("user:ben", { text: "hi" });   // on the server's disk
 *     for await (const event of client) console.log(event.seq, event.from, event.text);
 *
 * One module, no dependency, no build step. Times are milliseconds unless a name says otherwise.
 * What is said on the wire is docs/protocol.md; the numbers of sections below are its sections.
 *
 * @module hivewire
 */

/** @typedef {Record<string, any>} Wire An object as it stands on the wire. */
/** @typedef {string | (() => string | Promise<string>)} Token */
/** @typedef {{type: string, conv: string, n: number, seq: number, from: string, ts: number, key?: string, text?: string, data?: Wire, media?: string[], mentions?: string[], reply_to?: number, target?: number} & Wire} Event One event of the user's timeline. */
/** @typedef {{op: "sent", conv: string, n: number, seq?: number, ts: number, dup: boolean, key: string}} Sent The answer to a change: it is stored and will reach every member. */
/** @typedef {"sending" | "sent" | "delivered" | "read" | "failed"} State `sending`: in the storage of this device; `sent`: in the server's. */
/** @typedef {{key: string, state: State, command: Wire, conv?: string, n?: number, by?: string, error?: Error}} Status How a change stands; `by` is who has received or read it. */
/** @typedef {{text?: string, media?: string[], data?: Wire, reply_to?: number, mentions?: string[]}} Body */
/** @typedef {"reset" | "trimmed"} Loss */
/** @typedef {"state" | "outbox" | "records"} Table */
/** @typedef {{table: Table, name: string, value?: any, clear?: boolean}} Change One row to write; without a value it is deleted; `clear` empties the table. */
/**
 * What the client keeps across restarts. `write` is all or nothing, and durable when it resolves.
 * @typedef {object} Storage
 * @property {(table: Table, prefix?: string) => Promise<Map<string, any>>} read rows by name, in the order of their names
 * @property {(changes: Change[]) => Promise<void>} write
 */
/**
 * @typedef {object} Options
 * @property {Token} token the user's token, or a function that fetches a fresh one whenever it is needed
 * @property {string} [device] this device's id; two programs must not share one
 * @property {Storage} [storage] survives a restart; without it everything is forgotten with the page
 * @property {any} [WebSocket] an implementation for platforms that have none, such as that of `ws`
 * @property {number} [cursor] the last `seq` handled, if the application keeps it itself
 * @property {string} [epoch] the incarnation that `cursor` belongs to
 * @property {boolean} [fromStart] a device with nothing in its storage, without one a device new to the server, begins with the whole timeline
 * @property {{conversations: number, messages: number}} [recent] conversations to bring along with each line
 * @property {Adaptive} [heartbeat] learns how long the line may be silent; without it the server pings
 */

// What was consumed is acknowledged after this many events, or this long.
const ACK_EVENTS = 16;
const ACK_MS = 200;
const PAGE_EVENTS = 100;
// Pushed events that wait for the application; beyond it they are left to a later page.
const MAX_QUEUED = 1000;
// Own messages whose receipts are followed; the oldest is forgotten.
const MAX_FOLLOWED = 1000;
const OPEN_MS = 10_000;
// What is refused but may be retried, without a time of its own, waits this long.
const RETRY_MS = 1000;
const RETRYABLE = ["rate_limited", "unavailable"];
const ABNORMAL = 1006;
const TICKET_REFUSED = 4002;
// A fresh token is fetched so long before the old one ends, or at nine tenths of a short life.
const REFRESH_MS = 60_000;
const REFRESH_SHARE = 0.9;
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A device that stays connected until it is closed or refused.
 *
 * Iterate over it, or listen to `event`: every event of the timeline comes once, in order, the own
 * sends included. Asking for the next event says that the application is done with the one before.
 */
export class Client {
  #options;
  /** @type {Writer} */ #writer;
  /** @type {Session} */ #session;
  /** @type {Outgoing} */ #outgoing;
  /** @type {Lines} */ #lines;
  /** @type {Silence} */ #silence;
  #standing = new Standing();
  #followed = new Followed();
  /** @type {Map<string, Set<(detail: any) => any>>} */ #listeners = new Map();
  /** @type {Change[]} */ #kept = [];
  /** @type {Deferred<void>} */ #wake = deferred();
  /** @type {Deferred<void>} */ #online = deferred();
  /** @type {Promise<void> | undefined} */ #loading;
  /** @type {Promise<void> | undefined} */ #running;
  /** @type {Error | undefined} */ #failure;
  /** @type {any} */ #ackTimer;
  /** @type {any} */ #refreshTimer;
  #acked = 0;
  #ahead = 0;
  #pumping = false;
  #byApplication = false;
  /** The conversations that came along with the newest line, when `recent` was asked for. @type {Wire[]} */
  recent = [];
  /** How the node pushes to who is away: names of `webhooks`, and the key of `webpush`; only where it does. @type {{webhooks: string[], webpush?: string} | undefined} */
  pushes;

  /**
   * @param {string} url `ws://…/v1/ws` or `wss://…/v1/ws`
   * @param {Options} options
   */
  constructor(url, options) {
    this.#options = options;
    this.#writer = new Writer(options.storage ?? new MemoryStorage());
    this.#session = new Session(options.device ?? "browser", options);
    this.#outgoing = new Outgoing((message) => this.#transmit(message), this.#writer, (status) =>
      this.#onStatus(status),
    );
    this.#lines = new Lines(url, options.token, options.WebSocket ?? globalThis.WebSocket, {
      hello: () => this.#hello(),
      call: (command) => this.#outgoing.call(command),
      receive: (message) => this.#onObject(message),
      lost: (silently, wasOnline) => this.#onLost(silently, wasOnline),
    });
    this.#silence = new Silence(
      () => this.#transmit({ op: "ping" }),
      () => this.#lines.cut(),
      options.heartbeat,
    );
  }

  // -- the line ---------------------------------------------------------------------------------

  /**
   * Connect, and stay connected. Resolves with the first line; offline it goes on trying.
   * Rejects with Closed or CommandFailed when the server does not want this device.
   * @returns {Promise<void>}
   */
  open() {
    this.#running ??= this.#run();
    return this.#online.promise;
  }

  /**
   * Keep what was consumed, acknowledge it, and close the line. What has no answer stays in the
   * storage and goes out with the next `open` of another Client.
   * @returns {Promise<void>}
   */
  async close() {
    this.#byApplication = true;
    if (!this.#session.inHand) this.#settle();
    await this.#writer.idle();
    this.#acknowledge();
    this.#end(new Closed(1000, "the client was closed"));
    await this.#lines.close();
  }

  /** Who the server says we are; empty before the first line. */
  get user() {
    return this.#session.user;
  }

  /** The incarnation of the data; belongs to `cursor`. */
  get epoch() {
    return this.#session.epoch;
  }

  /** The last `seq` that the application is done with. */
  get cursor() {
    return this.#session.consumed ?? 0;
  }

  /** Whether there is a line to the server now. */
  get isOnline() {
    return this.#lines.online;
  }

  /** Whether the line is live and the application has taken everything that arrived. */
  get isCaughtUp() {
    return this.isOnline && this.#session.isCaughtUp;
  }

  /**
   * Listen. `event`: one event of the timeline, the next one waits until the listener (and the
   * promise that it returns) is done · `status`: Status · `line`: "online" or "offline" · `loss`:
   * "reset" or "trimmed", load the state anew · `receipt`, `typing`, `presence`, `channel`,
   * `channel_event`: pushes by their op, `push`: any of them · `closed`: the error that ended it.
   * @param {string} type
   * @param {(detail: any) => any} listener
   * @returns {() => void} listens no more
   */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    if (type === "event") this.#pump();
    return () => void listeners.delete(listener);
  }

  /** Events of the timeline, for ever; one reader at a time. @returns {AsyncIterator<Event>} */
  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        const value = await this.#next();
        return value ? { value, done: false } : { value: undefined, done: true };
      },
    };
  }

  /**
   * Keep a record of the application in the storage, in the same transaction that marks the event
   * in hand as taken: after a crash either both are there or neither. Without an event in hand it
   * is written at once. `undefined` deletes.
   * @param {string} name
   * @param {any} value what structured clones (IndexedDB) or JSON (files) can carry
   */
  keep(name, value) {
    this.#kept.push({ table: "records", name, value });
    if (!this.#session.inHand) this.#settle();
  }

  /** What was kept under names with this prefix. @returns {Promise<Map<string, any>>} */
  kept(prefix = "") {
    return this.#writer.storage.read("records", prefix);
  }

  /** Changes that have no answer yet, oldest first. @returns {Promise<Status[]>} */
  async pending() {
    await this.#load();
    return this.#outgoing.pending();
  }

  /**
   * Give up a change that is not under way. Once it went out only its answer settles it.
   * @param {string} key
   * @returns {Promise<boolean>} whether it was given up
   */
  async discard(key) {
    await this.#load();
    return this.#outgoing.discard(key);
  }

  /**
   * Wait for the answer to any command, over any number of lines. The verbs are built on this.
   * @param {string} op
   * @param {Wire} [fields]
   * @returns {Promise<Wire>}
   */
  async ask(op, fields = {}) {
    await this.#load();
    if (this.#failure) throw this.#failure;
    return this.#outgoing.ask({ op, ...defined(fields) });
  }

  /** Give a command that has no answer and is worth nothing later. @param {string} op @param {Wire} fields */
  say(op, fields) {
    if (this.isOnline) this.#transmit({ op, ...fields });
  }

  /** Go on with a newer token of the same user. @param {string} token @returns {Promise<void>} */
  async refresh(token) {
    let answer = {};
    if (this.isOnline) {
      try {
        answer = await this.#outgoing.call({ op: "refresh", token });
      } catch (error) {
        if (!(error instanceof Disconnected)) throw error;
      }
    }
    this.#lines.onRefreshed(token, answer);
    this.#refreshBefore(answer);
  }

  /**
   * Have a heartbeat that learns nothing, on later lines too.
   * @param {number} [intervalMs] 15 s to 5 min, clamped; the server's own without it
   * @param {"server" | "client"} [driver] who pings when the line is silent
   * @returns {Promise<Wire>} what was granted
   */
  async heartbeat(intervalMs, driver = "server") {
    this.#silence.follow(intervalMs, driver);
    const answer = await this.ask("heartbeat", { interval_ms: intervalMs, from: driver });
    this.#silence.regrant(answer);
    return answer;
  }

  /** The device has moved to this network: use what is known of it, try the line. @param {string} network */
  useNetwork(network) {
    this.#silence.pace?.use(network);
    if (this.isOnline) this.#transmit({ op: "ping" });
    else this.#lines.hurry();
  }

  // -- messages (4, 6) --------------------------------------------------------------------------

  /**
   * Send a message. Resolves when it is on the server's disk; until then it waits in the storage.
   * @param {string} to `user:ID` or a conversation
   * @param {Body} body
   * @param {string} [key] 8 to 64 characters; a fresh one without it
   */
  send(to, body, key) {
    return this.#change("send", { to, ...body }, key);
  }

  /** Give one's own message another text. @param {string} conv @param {number} n @param {string} text @param {string} [key] */
  edit(conv, n, text, key) {
    return this.#change("edit", { conv, n, text }, key);
  }

  /** Take a message back. @param {string} conv @param {number} n @param {string} [key] */
  recall(conv, n, key) {
    return this.#change("recall", { conv, n }, key);
  }

  /** Put an emoji on a message, or take it off. @param {string} conv @param {number} n @param {string} emoji @param {boolean} [on] @param {string} [key] */
  react(conv, n, emoji, on = true, key = undefined) {
    return this.#change("react", { conv, n, emoji, on }, key);
  }

  /** Did the change with this key get through, and who has it? @param {string} key */
  outcome(key) {
    return this.ask("outcome", { key });
  }

  // -- conversations (6) ------------------------------------------------------------------------

  /** One's conversations, newest first. @param {{limit?: number, before?: string, messages?: number}} [page] */
  conversations(page = {}) {
    return this.ask("conversations", page);
  }

  /** Events of a conversation in order of `n`, each as it is now. @param {string} conv @param {{before?: number, after?: number, limit?: number}} [page] */
  history(conv, page = {}) {
    return this.ask("history", { conv, ...page });
  }

  /** Mark everything up to `n` as read. @param {string} conv @param {number} n */
  read(conv, n) {
    return this.ask("read", { conv, n });
  }

  /** Show that one is writing; nothing while offline. @param {string} conv @param {"start" | "stop"} [state] */
  typing(conv, state = "start") {
    this.say("typing", { conv, state });
  }

  /** Have a channel's events pushed, on later lines too. @param {string} conv @returns {Promise<number>} its newest `n` */
  async openChannel(conv) {
    const { head } = await this.ask("open", { conv });
    this.#standing.opened.add(conv);
    return head;
  }

  /** Have only the channel's newest `n` pushed again. @param {string} conv */
  closeChannel(conv) {
    this.#standing.opened.delete(conv);
    return this.ask("close", { conv });
  }

  // -- groups (6) -------------------------------------------------------------------------------

  /** Make a group or channel. @param {{name?: string, members?: string[], kind?: "group" | "channel", history?: "all" | "joined", group?: string}} fields @param {string} [key] */
  groupCreate(fields, key = newKey()) {
    return this.ask("group.create", { key, kind: "group", members: [], ...fields });
  }

  /** @param {string} conv @param {string[]} members @param {string} [key] */
  groupAdd(conv, members, key = newKey()) {
    return this.ask("group.add", { conv, members, key });
  }

  /** @param {string} conv @param {string[]} members @param {string} [key] */
  groupRemove(conv, members, key = newKey()) {
    return this.ask("group.remove", { conv, members, key });
  }

  /** @param {string} conv @param {string} name @param {string} [key] */
  groupRename(conv, name, key = newKey()) {
    return this.ask("group.update", { conv, name, key });
  }

  /** @param {string} conv @param {string} user @param {"owner" | "admin" | "member"} role @param {string} [key] */
  groupRole(conv, user, role, key = newKey()) {
    return this.ask("group.update", { conv, user, role, key });
  }

  /** @param {string} conv @param {string} [key] */
  groupLeave(conv, key = newKey()) {
    return this.ask("group.leave", { conv, key });
  }

  /** @param {string} conv */
  groupInfo(conv) {
    return this.ask("group.info", { conv });
  }

  /** @param {string} conv @param {{after?: string, limit?: number}} [page] */
  groupMembers(conv, page = {}) {
    return this.ask("group.members", { conv, ...page });
  }

  // -- people and devices (6, 7) ----------------------------------------------------------------

  /** Have these users' presence pushed, on later lines too. @param {string[]} users @returns {Promise<Wire[]>} how present they are */
  async watch(users) {
    const { changes } = await this.ask("watch", { users });
    for (const user of users) this.#standing.watched.add(user);
    return changes;
  }

  /** @param {string[]} users */
  unwatch(users) {
    for (const user of users) this.#standing.watched.delete(user);
    return this.ask("unwatch", { users });
  }

  /** How present this device shows its user, on later lines too. @param {"online" | "away" | "invisible"} state */
  async status(state) {
    const answer = await this.ask("status", { state });
    this.#standing.status = state;
    return answer;
  }

  /** Refuse direct messages of this user. @param {string} user */
  block(user) {
    return this.ask("block", { user });
  }

  /** @param {string} user */
  unblock(user) {
    return this.ask("unblock", { user });
  }

  /** Have this device woken when it is away. @param {Wire} fields `kind`, `endpoint` and what the kind needs */
  pushRegister(fields) {
    return this.ask("push.register", fields);
  }

  /** @param {Wire} [fields] */
  pushUnregister(fields = {}) {
    return this.ask("push.unregister", fields);
  }

  /** Publish this device's public keys. @param {Wire} fields */
  keysPut(fields) {
    return this.ask("keys.put", fields);
  }

  /** The public keys of a user's devices. @param {string} user */
  keysGet(user) {
    return this.ask("keys.get", { user });
  }

  // -- inside: what comes -----------------------------------------------------------------------

  async #run() {
    try {
      await this.#load();
      await this.#lines.stay();
    } catch (error) {
      this.#end(/** @type {Error} */ (error));
    }
  }

  /** Take over what an earlier run has kept. */
  #load() {
    this.#loading ??= (async () => {
      const state = await this.#writer.storage.read("state");
      const place = state.get("place") ?? this.#options;
      this.#session.restore(place.cursor, place.epoch, state.get("user") ?? "");
      this.#outgoing.restore(await this.#writer.storage.read("outbox"), this.#session.user);
    })();
    return this.#loading;
  }

  #hello() {
    const wish = this.#silence.wish();
    const { recent } = this.#options;
    return { ...this.#session.connectFields(), ...defined({ recent, heartbeat: wish }) };
  }

  /** @param {Wire} message one object from the server */
  #onObject(message) {
    this.#silence.heard();
    const { op, ...body } = message;
    if ("id" in message) this.#onAnswer(message);
    else if (op === "event") this.#session.onEvent(body);
    else if (op === "ping" || op === "pong") {
      if (op === "ping") this.#transmit({ op: "pong" });
      this.#session.onHead(message.head ?? 0);
    } else if (op === "bye") this.#lines.onBye(message);
    else this.#onPush(message);
    if (this.#silence.wishesChange && this.isOnline) void this.#adjust();
    this.#wakeUp();
  }

  /** @param {Wire} answer */
  #onAnswer(answer) {
    if (answer.op === "connected") this.#onConnected(answer);
    else if (answer.op === "page") this.#tell("loss", this.#session.onPage(answer));
    const command = this.#outgoing.onAnswer(answer);
    if (command && answer.op === "sent") this.#session.onSent(answer, command);
  }

  /** @param {Wire} answer */
  #onConnected(answer) {
    this.#lines.onConnected(answer);
    const before = this.#session.safe;
    const { user } = this.#session;
    const loss = this.#session.onConnected(answer);
    this.#acked = answer.cursor;
    if (user !== this.#session.user)
      void this.#writer.write([{ table: "state", name: "user", value: this.#session.user }]);
    if (loss === "reset") this.#kept = [{ table: "records", name: "", clear: true }];
    if (loss === "reset" || before === undefined) this.#settle(true);
    this.#silence.start(answer.heartbeat);
    this.#outgoing.onOnline(answer.limits.sends_in_flight, this.#session.user);
    void this.#restore();
    void this.#catchUpOnReceipts();
    this.#refreshBefore(answer);
    if (answer.recent) this.recent = answer.recent.items;
    this.pushes = answer.push;
    this.#online.resolve();
    this.#tell("loss", loss);
    this.#tell("line", "online");
  }

  /** @param {boolean} silently the line has ended without a word @param {boolean} wasOnline */
  #onLost(silently, wasOnline) {
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#refreshTimer);
    this.#ackTimer = undefined;
    this.#silence.stop(silently && wasOnline);
    this.#session.onOffline();
    this.#outgoing.onOffline();
    if (wasOnline) this.#tell("line", "offline");
  }

  /** Nothing will come any more. @param {Error} error */
  #end(error) {
    if (this.#failure) return;
    this.#failure = error;
    this.#lines.stop();
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#refreshTimer);
    this.#silence.stop(false);
    this.#outgoing.fail(error);
    this.#online.promise.catch(() => {});
    this.#online.reject(error);
    this.#tell("closed", error);
    this.#wakeUp();
  }

  /** @param {Wire} push */
  #onPush(push) {
    if (push.op === "receipt") {
      for (const status of this.#followed.onReceipt(push, this.#session.user))
        this.#tell("status", status);
    }
    this.#tell("push", push);
    this.#tell(push.op, push);
  }

  /** @param {Status} status */
  #onStatus(status) {
    if (status.state === "sent" && status.command.op === "send") this.#followed.add(status);
    this.#tell("status", status);
  }

  /** Receipts are not repeated: a new line asks for the marks that came meanwhile. */
  async #catchUpOnReceipts() {
    if (this.#followed.size === 0) return;
    try {
      const { items } = await this.#outgoing.call({ op: "conversations", limit: 100 });
      for (const { conv, peers } of items)
        for (const [user, marks] of Object.entries(peers ?? {}))
          for (const status of this.#followed.onReceipt({ conv, user, ...marks }, this.user))
            this.#tell("status", status);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  /** Tell a new line what the application had asked for on an earlier one. */
  async #restore() {
    for (const command of this.#standing.commands()) {
      for (let again = true; again; ) {
        again = false;
        try {
          const push = Standing.pushOf(command, await this.#outgoing.call(command));
          if (push) this.#onPush(push);
        } catch (error) {
          if (!(error instanceof CommandFailed)) return;
          again = error.retryable;
          if (again) await sleep(error.retryAfterMs ?? RETRY_MS);
          else this.#standing.onRefused(command);
        }
      }
    }
  }

  /** Tell the server the interval that was learnt. */
  async #adjust() {
    try {
      const wish = this.#silence.wish();
      this.#silence.regrant(await this.#outgoing.call({ op: "heartbeat", ...wish }));
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  /** Fetch a fresh token before the one of this line ends. @param {Wire} answer */
  #refreshBefore(answer) {
    const { token } = this.#options;
    if (typeof token !== "function" || typeof answer.token_expires !== "number") return;
    clearTimeout(this.#refreshTimer);
    if (answer.server_time) this.#ahead = answer.server_time - Date.now();
    const left = answer.token_expires - this.#ahead - Date.now();
    const wait = Math.max(left - REFRESH_MS, left * REFRESH_SHARE, RETRY_MS);
    this.#refreshTimer = setTimeout(
      async () => {
        try {
          await this.refresh(await token());
        } catch {
          // The server will end the line with 4002, and the next one asks for a token again.
        }
      },
      Math.min(wait, MAX_TIMER_MS),
    );
  }

  // -- inside: what the application takes ---------------------------------------------------------

  /** @returns {Promise<Event | undefined>} undefined after `close` */
  async #next() {
    for (;;) {
      const woken = this.#wake.promise;
      const event = this.#session.take();
      this.#settle();
      if (event) return event;
      if (this.#byApplication) return undefined;
      if (this.#failure) throw this.#failure;
      this.#catchUp();
      await woken;
    }
  }

  /** Hand events to the listeners, one after the other. */
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for await (const event of this)
        for (const listener of this.#listeners.get("event") ?? []) await attempt(listener, event);
    } catch {
      // `closed` has told it.
    }
  }

  /** Make durable how far the application is, together with what it keeps. @param {boolean} [always] */
  #settle(always = false) {
    const session = this.#session;
    const { consumed, epoch } = session;
    if (!always && consumed === session.settling && this.#kept.length === 0) return;
    session.settling = consumed;
    const changes = this.#kept;
    this.#kept = [];
    if (consumed !== undefined)
      changes.push({ table: "state", name: "place", value: { cursor: consumed, epoch } });
    this.#writer.write(changes).then(
      () => {
        if (consumed === undefined || epoch !== session.epoch) return;
        session.safe = Math.max(session.safe ?? 0, consumed);
        this.#acknowledgeSoon();
        this.#catchUp();
      },
      (error) => this.#end(error),
    );
  }

  /** Ask for the next page when there is something behind and nothing in hand. */
  #catchUp() {
    const session = this.#session;
    if (!this.isOnline || !session.wantsPage) return;
    session.syncing = true;
    this.#acked = session.seen;
    this.#outgoing.call({ op: "sync", after: session.seen, limit: PAGE_EVENTS }).catch((error) => {
      if (!(error instanceof Disconnected)) this.#end(error);
    });
  }

  #acknowledgeSoon() {
    const behind = (this.#session.safe ?? 0) - this.#acked;
    if (behind >= ACK_EVENTS) this.#acknowledge();
    else if (behind > 0 && this.#ackTimer === undefined && this.isOnline)
      this.#ackTimer = setTimeout(() => this.#acknowledge(), ACK_MS);
  }

  #acknowledge() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const { safe } = this.#session;
    if (!this.isOnline || safe === undefined || safe <= this.#acked) return;
    this.#acked = safe;
    this.#transmit({ op: "ack", seq: safe });
  }

  /** @param {string} op @param {Wire} fields @param {string} [key] @returns {Promise<Sent>} */
  async #change(op, fields, key = newKey()) {
    const answer = await this.ask(op, { key, ...fields });
    return /** @type {Sent} */ ({ ...answer, key });
  }

  /** @param {Wire} message */
  #transmit(message) {
    this.#silence.sent("id" in message || message.op === "ping");
    this.#lines.send(message);
  }

  #wakeUp() {
    const { resolve } = this.#wake;
    this.#wake = deferred();
    resolve();
  }

  /** @param {string} type @param {any} detail */
  #tell(type, detail) {
    if (detail === undefined) return;
    for (const listener of this.#listeners.get(type) ?? []) void attempt(listener, detail);
  }
}

// -- what can go wrong ----------------------------------------------------------------------------

/** The base of all errors of the client. */
export class ClientError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** The server refused a command: nothing was changed, its key is still free. */
export class CommandFailed extends ClientError {
  /** @param {Wire} answer */
  constructor(answer) {
    super(`${answer.code}: ${answer.message ?? ""}`);
    /** The protocol's error code, such as `forbidden`. @type {string} */
    this.code = answer.code ?? "internal";
    /** What was wrong. @type {string | undefined} */
    this.field = answer.field;
    /** Whether the same command may succeed later. @type {boolean} */
    this.retryable = answer.retryable ?? false;
    /** When. @type {number | undefined} */
    this.retryAfterMs = answer.retry_after_ms;
  }
}

/** The line ended before the answer came. */
export class Disconnected extends ClientError {}

/** The line ended for good: the server said not to come back like this. */
export class Closed extends ClientError {
  /** @param {number} code the close code, such as 4500 for a bad token @param {string} reason */
  constructor(code, reason) {
    super(`closed with ${code}${reason ? `: ${reason}` : ""}`);
    this.code = code;
  }
}

/** A change was given up by `discard`. */
export class Discarded extends ClientError {}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A fresh key: a ULID, 26 characters that sort by time. */
export function newKey() {
  let time = Date.now();
  let key = "";
  for (let place = 0; place < 10; place += 1) {
    key = CROCKFORD[time % 32] + key;
    time = Math.floor(time / 32);
  }
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) key += CROCKFORD[byte % 32];
  return key;
}

// -- the timeline on this device (5) ----------------------------------------------------------------

/** @type {Record<string, string>} the event that a change makes */
const EVENT_TYPES = { send: "message", edit: "edit", recall: "recall", react: "reaction" };

/**
 * Never twice, in order: `seen` is the last `seq` put into the queue, what is at or below it is
 * dropped, anything but the next one shows a hole that a page will fill. `consumed` is what the
 * application is done with, `safe` what of that is in the storage; only that is acknowledged, and a
 * line that comes back starts there. A page is asked for only when the queue is empty, so that a
 * slow application makes the server wait and no memory grow.
 */
class Session {
  /** @type {Event[]} */ #queue = [];
  #fromStart;
  #first;
  #device;
  user = "";
  seen = 0;
  live = false;
  syncing = false;
  inHand = false;
  /** @type {string | undefined} */ epoch;
  /** @type {number | undefined} */ consumed;
  /** @type {number | undefined} */ settling;
  /** @type {number | undefined} */ safe;

  /** @param {string} device @param {Options} options */
  constructor(device, { fromStart = false, storage }) {
    this.#device = device;
    this.#fromStart = fromStart;
    // Said outright: an answer that says `new_device` may be lost, and is not given again.
    this.#first = fromStart && storage ? 0 : undefined;
  }

  /** @param {number | undefined} cursor @param {string | undefined} epoch @param {string} user */
  restore(cursor, epoch, user) {
    this.#place(cursor);
    this.seen = cursor ?? 0;
    this.epoch = epoch;
    this.user = user;
  }

  connectFields() {
    const { safe: cursor = this.#first, epoch } = this;
    return defined({ device: this.#device, sync: PAGE_EVENTS, cursor, epoch });
  }

  /** @param {Wire} answer @returns {Loss | undefined} */
  onConnected(answer) {
    this.user = answer.user;
    this.epoch = answer.epoch;
    const fresh = answer.new_device && this.consumed === undefined && this.#fromStart;
    const cursor = fresh ? 0 : answer.cursor;
    this.syncing = false;
    /** @type {Loss | undefined} */
    const loss = answer.reset ? "reset" : undefined;
    if (this.consumed === undefined || loss) {
      this.#queue = [];
      this.inHand = false;
      this.seen = cursor;
      this.#place(cursor);
    }
    // What waits in the queue may be ahead of the server's position; pages repeat it then.
    this.live = cursor === answer.head && this.seen === answer.head;
    const trimmed = answer.page && !fresh ? this.onPage(answer.page) : undefined;
    return trimmed ?? loss;
  }

  /** @param {Wire} page @returns {Loss | undefined} */
  onPage(page) {
    this.syncing = false;
    /** @type {Loss | undefined} */
    let loss;
    if (this.seen < page.trimmed_before - 1) {
      this.seen = page.trimmed_before - 1;
      loss = "trimmed";
    }
    for (const event of page.events) this.#accept(event);
    this.live = page.done && page.next === this.seen;
    return loss;
  }

  /** @param {Wire} event */
  onEvent(event) {
    if (this.#queue.length >= MAX_QUEUED || !this.#accept(event)) this.live = false;
  }

  /** A first `sent` fills its place: that event is not pushed to this line. @param {Wire} sent @param {Wire} command */
  onSent(sent, command) {
    if (sent.dup || sent.seq === undefined || !this.live) return;
    const { op, id, to, conv: _, n: target, ...fields } = command;
    const place = { seq: sent.seq, conv: sent.conv, n: sent.n, from: this.user, ts: sent.ts };
    const type = EVENT_TYPES[op];
    this.onEvent({ ...fields, ...defined({ type, target }), ...place });
  }

  /** A live session behind the server's head has missed something. @param {number} head */
  onHead(head) {
    if (head > this.seen) this.live = false;
  }

  onOffline() {
    this.live = this.syncing = false;
  }

  get wantsPage() {
    const settled = this.safe === this.seen;
    return !this.live && !this.syncing && settled && this.#queue.length === 0;
  }

  get isCaughtUp() {
    return this.live && this.#queue.length === 0;
  }

  /** The next event; taking it consumes the one before. @returns {Event | undefined} */
  take() {
    const event = this.#queue.shift();
    this.inHand = event !== undefined;
    if (this.consumed !== undefined)
      this.consumed = event ? Math.max(this.consumed, event.seq - 1) : this.seen;
    return event;
  }

  /** @param {number | undefined} cursor */
  #place(cursor) {
    this.consumed = this.settling = this.safe = cursor;
  }

  /** @param {Wire} event @returns {boolean} false when it shows a hole */
  #accept(event) {
    if (event.seq === this.seen + 1) {
      this.#queue.push(/** @type {Event} */ (event));
      this.seen = event.seq;
    }
    return event.seq <= this.seen;
  }
}

// -- commands without an answer (4) ------------------------------------------------------------------

/**
 * @typedef {object} Pending
 * @property {Wire} command
 * @property {string} [row] its name in the outbox, for what has a key
 * @property {string} lane
 * @property {Deferred<Wire>} answer
 * @property {number} [id] on the present line
 * @property {boolean} waits put off by the server
 * @property {boolean} over answered, refused or given up
 */

/**
 * Nearly every command may be given twice without harm: a change has a key, a question changes
 * nothing. Such a command lives until it is answered, over as many lines as that takes; what has a
 * key lives in the storage, too. Of each conversation one change is under way, so that a refusal
 * that may pass holds back what was said after it.
 */
class Outgoing {
  #transmit;
  #writer;
  #tell;
  /** @type {Map<string, Pending[]>} the first of each lane is the one to go */ #lanes = new Map();
  /** @type {Set<string>} lanes whose first may go now, in order */ #ready = new Set();
  /** @type {Map<number, Pending>} */ #inFlight = new Map();
  /** @type {Map<number, Deferred<Wire>>} */ #calls = new Map();
  /** @type {Set<Pending>} in the order in which they were asked */ #all = new Set();
  /** @type {Map<string, Pending>} */ #byKey = new Map();
  #lastId = 0;
  #lastRow = 0;
  #lastQuestion = 0;
  #window = 0;
  #me = "";

  /** @param {(message: Wire) => void} transmit @param {Writer} writer @param {(status: Status) => void} tell */
  constructor(transmit, writer, tell) {
    this.#transmit = transmit;
    this.#writer = writer;
    this.#tell = tell;
  }

  /** @param {Map<string, Wire>} rows @param {string} me */
  restore(rows, me) {
    this.#me = me;
    for (const [row, command] of rows) {
      this.#lastRow = Math.max(this.#lastRow, Number(row));
      const pending = this.#make(command, row);
      pending.answer.promise.catch(() => {}); // nobody of this run waits for it
      this.#queue(pending);
    }
  }

  /** @param {Wire} command @returns {Promise<Wire>} */
  ask(command) {
    if (!("key" in command) || command.op === "outcome") {
      const question = this.#make(command);
      this.#queue(question);
      return question.answer.promise;
    }
    const known = this.#byKey.get(nameOf(command));
    if (known && sameValue(known.command, command)) return known.answer.promise;
    this.#lastRow += 1;
    const row = String(this.#lastRow).padStart(16, "0");
    const pending = this.#make(command, row);
    this.#writer.write([{ table: "outbox", name: row, value: command }]).then(
      () => {
        if (!pending.over) this.#tell({ key: command.key, state: "sending", command });
        this.#queue(pending);
      },
      (error) => this.#fail(pending, error),
    );
    return pending.answer.promise;
  }

  /** Ask something of this line; Disconnected when it ends first. @param {Wire} command @returns {Promise<Wire>} */
  async call(command) {
    const id = this.#nextId();
    const answer = /** @type {Deferred<Wire>} */ (deferred());
    this.#calls.set(id, answer);
    const { op, ...fields } = command;
    this.#transmit({ op, id, ...fields });
    return answer.promise;
  }

  /** @param {number} window @param {string} me */
  onOnline(window, me) {
    this.#window = window;
    this.#me = me;
    this.#flush();
  }

  onOffline() {
    this.#window = 0;
    this.#inFlight.clear();
    this.#ready.clear();
    const first = [...this.#lanes.values()].map((lane) => lane[0]);
    for (const pending of first.sort((a, b) => ((a.row ?? "") < (b.row ?? "") ? -1 : 1))) {
      pending.id = undefined;
      if (!pending.waits) this.#ready.add(pending.lane);
    }
    for (const call of this.#calls.values())
      call.reject(new Disconnected("the line ended before the answer came"));
    this.#calls.clear();
  }

  /** The command, if it was a lasting one. @param {Wire} answer @returns {Wire | undefined} */
  onAnswer(answer) {
    const call = this.#calls.get(answer.id);
    if (call) {
      this.#calls.delete(answer.id);
      if (answer.op === "error") call.reject(new CommandFailed(answer));
      else call.resolve(answer);
      return undefined;
    }
    const pending = this.#inFlight.get(answer.id);
    if (!pending) return undefined;
    this.#inFlight.delete(answer.id);
    this.#settle(pending, answer);
    this.#flush();
    return pending.command;
  }

  /** Nothing will come any more. What has a key stays in the storage. @param {Error} error */
  fail(error) {
    this.onOffline();
    for (const pending of this.#all) {
      pending.over = true;
      pending.answer.promise.catch(() => {});
      pending.answer.reject(error);
    }
    this.#all.clear();
    this.#lanes.clear();
    this.#ready.clear();
    this.#byKey.clear();
  }

  /** @returns {Status[]} */
  pending() {
    return [...this.#all]
      .filter(({ row }) => row)
      .map(({ command }) => ({ key: command.key, state: "sending", command }));
  }

  /** @param {string} key @returns {boolean} */
  discard(key) {
    for (const pending of this.#all) {
      if (!pending.row || pending.command.key !== key || pending.id !== undefined) continue;
      this.#fail(pending, new Discarded("given up before it went out"));
      return true;
    }
    return false;
  }

  /** @param {Wire} command @param {string} [row] @returns {Pending} */
  #make(command, row) {
    this.#lastQuestion += 1;
    const lane = row ? laneOf(command, this.#me) : `question ${this.#lastQuestion}`;
    /** @type {Pending} */
    const pending = { command, row, lane, answer: deferred(), waits: false, over: false };
    this.#all.add(pending);
    if (row && !this.#byKey.has(nameOf(command))) this.#byKey.set(nameOf(command), pending);
    return pending;
  }

  /** @param {Pending} pending */
  #queue(pending) {
    if (pending.over) return;
    const lane = this.#lanes.get(pending.lane);
    if (lane) lane.push(pending);
    else {
      this.#lanes.set(pending.lane, [pending]);
      this.#ready.add(pending.lane);
    }
    this.#flush();
  }

  /** Put out what may go, as far as the window allows. */
  #flush() {
    for (const name of this.#ready) {
      if (this.#inFlight.size >= this.#window) return;
      this.#ready.delete(name);
      const [pending] = this.#lanes.get(name) ?? [];
      if (!pending) continue;
      pending.id = this.#nextId();
      this.#inFlight.set(pending.id, pending);
      const { op, ...fields } = pending.command;
      this.#transmit({ op, id: pending.id, ...fields });
    }
  }

  /** @param {Pending} pending @param {Wire} answer */
  #settle(pending, answer) {
    pending.id = undefined;
    if (answer.op === "error") {
      const failure = new CommandFailed(answer);
      if (failure.retryable && RETRYABLE.includes(failure.code))
        this.#retry(pending, failure.retryAfterMs ?? RETRY_MS);
      else this.#fail(pending, failure);
      return;
    }
    this.#remove(pending);
    if (pending.row) {
      const { conv, n } = answer;
      this.#tell({ key: pending.command.key, state: "sent", command: pending.command, conv, n });
    }
    pending.answer.resolve(answer);
  }

  /** @param {Pending} pending @param {number} afterMs */
  #retry(pending, afterMs) {
    pending.waits = true;
    setTimeout(() => {
      pending.waits = false;
      if (pending.over) return;
      this.#ready.add(pending.lane);
      this.#flush();
    }, afterMs + 10);
  }

  /** @param {Pending} pending @param {Error} error */
  #fail(pending, error) {
    this.#remove(pending);
    const { command } = pending;
    if (pending.row) {
      pending.answer.promise.catch(() => {});
      this.#tell({ key: command.key, state: "failed", command, error });
    }
    pending.answer.reject(error);
  }

  /** @param {Pending} pending */
  #remove(pending) {
    pending.over = true;
    this.#all.delete(pending);
    const lane = this.#lanes.get(pending.lane) ?? [];
    const wasFirst = lane[0] === pending;
    if (lane.includes(pending)) lane.splice(lane.indexOf(pending), 1);
    if (lane.length === 0) this.#lanes.delete(pending.lane);
    if (wasFirst && lane.length > 0) this.#ready.add(pending.lane);
    if (!pending.row) return;
    if (this.#byKey.get(nameOf(pending.command)) === pending)
      this.#byKey.delete(nameOf(pending.command));
    void this.#writer.write([{ table: "outbox", name: pending.row }]);
  }

  #nextId() {
    this.#lastId = (this.#lastId % (2 ** 32 - 1)) + 1;
    return this.#lastId;
  }
}

/** What a change is about: changes of one lane keep their order. @param {Wire} command @param {string} me */
function laneOf(command, me) {
  const conv = command.to ?? command.conv;
  if (conv === undefined)
    return command.group ? `${command.kind}:${command.group}` : `key ${command.key}`;
  if (!conv.startsWith("direct:")) return conv;
  const users = conv.slice("direct:".length).split(",");
  return `user:${users.find((/** @type {string} */ user) => user !== me) ?? me}`;
}

/** @param {Wire} command */
function nameOf(command) {
  return `${command.op} ${command.key}`;
}

/** Own messages and how far the others have got with them. */
class Followed {
  /** @type {Map<string, Status>} */ #byKey = new Map();

  get size() {
    return this.#byKey.size;
  }

  /** @param {Status} status */
  add(status) {
    this.#byKey.set(status.key, status);
    const [oldest] = this.#byKey.keys();
    if (this.#byKey.size > MAX_FOLLOWED) this.#byKey.delete(oldest);
  }

  /** What a receipt changes. @param {Wire} receipt @param {string} me @returns {Status[]} */
  onReceipt(receipt, me) {
    if (receipt.user === me) return [];
    const changed = [];
    for (const [key, before] of this.#byKey) {
      if (before.conv !== receipt.conv || before.n === undefined) continue;
      /** @type {State} */
      const state =
        before.n <= receipt.read ? "read" : before.n <= receipt.delivered ? "delivered" : "sent";
      if (state === "sent" || state === before.state) continue;
      const status = { ...before, state, by: receipt.user };
      if (state === "read") this.#byKey.delete(key);
      else this.#byKey.set(key, status);
      changed.push(status);
    }
    return changed;
  }
}

/** What ends with its line and is meant for all of them: opened channels, watched users, the state. */
class Standing {
  /** @type {Set<string>} */ opened = new Set();
  /** @type {Set<string>} */ watched = new Set();
  /** @type {string | undefined} */ status;

  /** @returns {Wire[]} */
  commands() {
    const commands = [];
    if (this.status) commands.push({ op: "status", state: this.status });
    if (this.watched.size) commands.push({ op: "watch", users: [...this.watched] });
    return [...commands, ...[...this.opened].map((conv) => ({ op: "open", conv }))];
  }

  /** @param {Wire} command @param {Wire} answer @returns {Wire | undefined} the push that tells the application */
  static pushOf(command, answer) {
    if (command.op === "watch") return { op: "presence", changes: answer.changes ?? [] };
    if (command.op === "open") return { op: "channel", conv: command.conv, head: answer.head ?? 0 };
    return undefined;
  }

  /** @param {Wire} command */
  onRefused(command) {
    if (command.op === "watch") this.watched.clear();
    else if (command.op === "open") this.opened.delete(command.conv);
    else this.status = undefined;
  }
}

// -- lines, one after the other (1, 8) -----------------------------------------------------------------

/** @param {number} code */
function mayReturn(code) {
  return [1001, 1005, ABNORMAL, 1011, 1012, 1013].includes(code) || (code >= 4000 && code < 4500);
}

class Lines {
  #url;
  #token;
  #WebSocket;
  #owner;
  #backoff = new Backoff();
  /** @type {any} */ #socket;
  /** @type {string | undefined} */ #ticket;
  /** @type {Deferred<{code: number, reason: string}>} */ #ended = deferred();
  #hurry = () => {};
  #stopped = false;
  online = false;

  /**
   * @param {string} url @param {Token} token @param {any} WebSocket
   * @param {{hello: () => Wire, call: (command: Wire) => Promise<Wire>, receive: (message: Wire) => void, lost: (silently: boolean, wasOnline: boolean) => void}} owner
   */
  constructor(url, token, WebSocket, owner) {
    if (!WebSocket) throw new TypeError("this platform has no WebSocket: pass one in the options");
    this.#url = url;
    this.#token = token;
    this.#WebSocket = WebSocket;
    this.#owner = owner;
  }

  /** Keep a line, for ever. Throws Closed or CommandFailed when the server wants no more. */
  async stay() {
    const hurry = () => this.hurry();
    globalThis.addEventListener?.("online", hurry);
    try {
      while (!this.#stopped) {
        await this.#one();
        await this.#pause(this.#backoff.wait(Math.random()) * 1000);
      }
    } finally {
      globalThis.removeEventListener?.("online", hurry);
    }
  }

  /** Do not wait any longer before the next try. */
  hurry() {
    this.#hurry();
  }

  stop() {
    this.#stopped = true;
    this.hurry();
  }

  /** Say goodbye, and wait a little for the answer. */
  async close() {
    if (!this.#socket) return;
    this.#socket.close(1000);
    await Promise.race([this.#ended.promise, sleep(2000)]);
  }

  /** @param {Wire} answer */
  onConnected(answer) {
    this.#ticket = answer.ticket;
    this.#backoff.onConnected(now());
    this.online = true;
  }

  /** @param {string} token @param {Wire} answer */
  onRefreshed(token, answer) {
    if (typeof this.#token === "string") this.#token = token;
    this.#ticket = answer.ticket;
  }

  /** @param {Wire} bye */
  onBye(bye) {
    this.#backoff.onBye(bye);
    this.#url = bye.url || this.#url;
  }

  /** @param {Wire} message */
  send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /** The line is dead: end it here. A close that waits for the peer would wait for long. */
  cut() {
    const socket = this.#socket;
    this.#ended.resolve({ code: ABNORMAL, reason: "" });
    if (typeof socket?.terminate === "function") socket.terminate();
    else socket?.close();
  }

  /** One line, from its proof to its end. */
  async #one() {
    /** @type {Wire} */
    let proof;
    try {
      const token = this.#token;
      proof = this.#ticket
        ? { ticket: this.#ticket }
        : { token: typeof token === "string" ? token : await token() };
    } catch (error) {
      if (error instanceof ClientError) throw error;
      console.warn("hivewire: no token, trying again", error);
      return;
    }
    if (this.#stopped) return;
    const opened = this.#dial();
    const ended = this.#ended.promise;
    const deadline = setTimeout(() => this.cut(), OPEN_MS);
    try {
      await Promise.race([opened, ended]);
      const connecting = this.#owner.call({ op: "connect", ...proof, ...this.#owner.hello() });
      connecting.catch(() => {});
      await Promise.race([connecting, ended]);
      clearTimeout(deadline);
    } catch (error) {
      this.cut();
      if (!(error instanceof CommandFailed) || !error.retryable) throw error;
    } finally {
      clearTimeout(deadline);
    }
    const { code, reason } = await ended;
    this.#onEnd(code, reason);
  }

  /** @param {number} code @param {string} reason */
  #onEnd(code, reason) {
    const wasOnline = this.online;
    this.online = false;
    this.#socket = undefined;
    this.#backoff.onLost(now());
    this.#owner.lost(code === ABNORMAL, wasOnline);
    if (code === TICKET_REFUSED) this.#ticket = undefined;
    if (!this.#stopped && !mayReturn(code)) throw new Closed(code, reason);
  }

  /** @returns {Promise<void>} resolves when the socket is open */
  #dial() {
    const ended = (this.#ended = deferred());
    const socket = (this.#socket = new this.#WebSocket(this.#url, ["hivewire.v1.json"]));
    const live = () => this.#socket === socket;
    // `ws` tells what the server said to the upgrade; browsers keep it to themselves.
    socket.on?.("unexpected-response", (/** @type {any} */ request, /** @type {any} */ response) => {
      this.#backoff.onRefused(Number(response.headers["retry-after"]) || 0);
      request.destroy();
      ended.resolve({ code: ABNORMAL, reason: "" });
    });
    socket.onerror = () => {};
    socket.onclose = (/** @type {any} */ { code, reason }) => ended.resolve({ code, reason });
    socket.onmessage = (/** @type {any} */ { data }) => {
      if (!live() || !data) return;
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        this.cut(); // half a message is no message: the next line brings it again
        return;
      }
      this.#owner.receive(message);
    };
    return new Promise((resolve) => (socket.onopen = () => resolve()));
  }

  /** @param {number} ms */
  async #pause(ms) {
    if (this.#stopped) return;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
    this.#hurry = () => {};
  }
}

// Full jitter: a random wait below a bound that doubles (seconds).
const FIRST_SECONDS = 0.5;
const MOST_SECONDS = 30;
const MOST_DOUBLINGS = 10;
// A line that lived this long was a success: the next loss starts from the first bound again.
const SUCCESS_SECONDS = 10;

/** When to try again, so that many clients do not come back together. Seconds. */
class Backoff {
  #tries = 0;
  /** @type {number | undefined} */ #slot;
  #notBefore = 0;
  /** @type {number | undefined} */ #connectedAt;

  /** The server's own slot for this client. @param {Wire} bye */
  onBye(bye) {
    this.#slot = bye.reconnect ? (bye.delay_ms ?? 0) / 1000 : undefined;
  }

  /** The upgrade was refused: nobody shall come before this, and not all together then. @param {number} seconds */
  onRefused(seconds) {
    this.#notBefore = seconds;
  }

  /** @param {number} time */
  onConnected(time) {
    this.#slot = undefined;
    this.#connectedAt = time;
  }

  /** @param {number} time */
  onLost(time) {
    if (this.#connectedAt !== undefined && time - this.#connectedAt >= SUCCESS_SECONDS)
      this.#tries = 0;
    this.#connectedAt = undefined;
  }

  /** @param {number} chance 0 to 1 @returns {number} */
  wait(chance) {
    const [slot, floor, tries] = [this.#slot, this.#notBefore, this.#tries];
    this.#slot = undefined;
    this.#notBefore = 0;
    this.#tries += 1;
    if (slot !== undefined && tries === 0) return slot;
    const bound = Math.min(MOST_SECONDS, FIRST_SECONDS * 2 ** Math.min(tries, MOST_DOUBLINGS));
    return Math.max(slot ?? 0, floor) + bound * chance;
  }
}

// -- silence (8) ------------------------------------------------------------------------------------

const MAX_UNANSWERED = 2;

/**
 * Notices that the line has gone quiet, and keeps it alive. Nothing heard for interval + timeout:
 * ping. Who drives the heartbeat also pings when nothing went out for the interval of `pace`, and
 * who asked something that nothing has followed for the timeout. Two pings without a sign of life
 * are the end of the line. Seconds.
 */
class Silence {
  #ping;
  #giveUp;
  /** @type {any} */ #timer;
  #due = Infinity;
  #watching = false;
  #heardAt = 0;
  /** @type {number | undefined} */ #askedAt;
  #unanswered = 0;
  #quiet = 0;
  #timeout = 0;
  /** @type {Wire | undefined} */ #fixed;
  #toldMs = 0;

  /** @param {() => void} ping @param {() => void} giveUp @param {Adaptive} [pace] */
  constructor(ping, giveUp, pace) {
    this.#ping = ping;
    this.#giveUp = giveUp;
    /** When to ping, for a client that drives. @type {Adaptive | undefined} */
    this.pace = pace;
  }

  /** A heartbeat that learns nothing. @param {number | undefined} intervalMs @param {string} driver */
  follow(intervalMs, driver) {
    this.#fixed = defined({ interval_ms: intervalMs, from: driver });
    const seconds = intervalMs === undefined ? BOUNDS.first : intervalMs / 1000;
    const bounds = { first: seconds, lowest: seconds, highest: seconds };
    this.pace = driver === "client" ? new Adaptive(undefined, "", bounds) : undefined;
  }

  /** What `connect` and `heartbeat` ask for. @returns {Wire | undefined} */
  wish() {
    if (this.#fixed || !this.pace) return this.#fixed;
    this.#toldMs = Math.round(this.pace.wanted * 1000);
    return { interval_ms: this.#toldMs, from: "client" };
  }

  /** Whether the interval that was learnt is another than the server was told. */
  get wishesChange() {
    if (!this.pace || this.#fixed) return false;
    return Math.round(this.pace.wanted * 1000) !== this.#toldMs;
  }

  /** @param {Wire} heartbeat */
  start(heartbeat) {
    this.#watching = true;
    this.#heardAt = now();
    this.#answered();
    this.#granted(heartbeat);
    this.pace?.connected(now(), heartbeat.interval_ms / 1000, Math.random());
    this.#look();
  }

  /** @param {Wire} heartbeat */
  regrant(heartbeat) {
    this.#granted(heartbeat);
    this.pace?.grant(heartbeat.interval_ms / 1000);
    if (this.#watching) this.#look();
  }

  /** @param {boolean} lost without a word */
  stop(lost) {
    this.#watching = false;
    clearTimeout(this.#timer);
    if (lost) this.pace?.lost(now());
  }

  heard() {
    if (!this.#watching) return;
    this.#heardAt = now();
    this.#answered();
    this.pace?.heard(this.#heardAt);
  }

  /** @param {boolean} question something must come in after it */
  sent(question) {
    if (!this.#watching) return;
    const time = now();
    this.pace?.sent(time);
    if (!question || this.#askedAt !== undefined) return;
    this.#askedAt = time;
    if (time + this.#timeout < this.#due) this.#arm(time + this.#timeout);
  }

  /** @param {Wire} heartbeat */
  #granted(heartbeat) {
    this.#timeout = heartbeat.timeout_ms / 1000;
    this.#quiet = heartbeat.interval_ms / 1000 + this.#timeout;
  }

  #answered() {
    this.#askedAt = undefined;
    this.#unanswered = 0;
  }

  /** Ping, give up, or look again later. */
  #look() {
    const time = now();
    const quiet = this.#heardAt + this.#quiet;
    const due =
      this.#askedAt === undefined
        ? Math.min(quiet, this.pace?.nextPing() ?? quiet)
        : this.#askedAt + this.#timeout;
    if (time < due) this.#arm(due);
    else if (this.#unanswered < MAX_UNANSWERED) {
      this.#askedAt = time;
      this.#unanswered += 1;
      this.#ping();
      this.#arm(time + this.#timeout);
    } else {
      this.stop(false);
      this.#giveUp();
    }
  }

  /** @param {number} when */
  #arm(when) {
    clearTimeout(this.#timer);
    this.#due = when;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, (when - now()) * 1000) + 1);
  }
}

const GROWTH = 1.5;
const QUIET_TIMES = 3;
// A silence counts as a quiet interval from this share on: something small may have come between.
const NEARLY = 0.9;
// Used of the longest silence that is known to be good, once a longer one is known to be bad.
const MARGIN = 0.9;
// Good and bad so near (as a ratio) that a further cut line is not worth what it would tell.
const NARROW = 1.15;
const PATIENCE = 2000;
// A new line within these seconds after the loss: the network was up, so it had forgotten the line.
const PROMPT_SECONDS = 10;
const MAX_NETWORKS = 64;
/** @typedef {{first: number, lowest: number, highest: number}} Bounds */
/** @type {Bounds} */
const BOUNDS = { first: 25, lowest: 15, highest: 300 };

/**
 * Learns how long a line may be silent before the network forgets it, so that a phone pings as
 * seldom as it may. Anything heard proves the silence before it; after three quiet intervals the
 * next is half as long again. A line that dies after a silence, while the network lets a new one
 * through at once, tells that this silence is too long; the gap between good and bad is halved
 * until it is narrow. A line that dies while the network is down proves nothing. Seconds.
 */
export class Adaptive {
  #bounds;
  /** @type {Map<string, {good: number, bad?: number, patience: number}>} */ #networks = new Map();
  #granted = Infinity;
  #quietTimes = 0;
  #sent = 0;
  #heard = 0;
  /** @type {number | undefined} */ #firstDue;
  /** @type {number | undefined} the longest silence since the last thing heard that ended with something sent */ #untold;
  /** @type {{silence: number, at: number} | undefined} a silence that a line did not survive */ #suspect;
  /** @type {{good: number, bad?: number, patience: number}} */ #known;
  /** Where the device is, in the application's own words. */
  network = "";
  /** The interval that is wanted. */
  wanted = 0;

  /**
   * @param {Wire} [memory] what `memory()` of an earlier run gave
   * @param {string} [network] where the device is now
   * @param {Bounds} [bounds] of the interval, in seconds
   */
  constructor(memory = {}, network = "", bounds = BOUNDS) {
    this.#bounds = bounds;
    for (const [name, { good = 0, bad, patience = PATIENCE }] of Object.entries(memory))
      this.#networks.set(name, defined({ good, bad, patience }));
    this.#known = { good: 0, patience: PATIENCE };
    this.use(network);
  }

  /** Seconds of silence after which to ping now. */
  get interval() {
    return Math.min(this.wanted, this.#granted);
  }

  /** What was learnt, by network, as JSON can carry it. @returns {Wire} */
  memory() {
    return Object.fromEntries([...this.#networks].map(([name, known]) => [name, { ...known }]));
  }

  /** The device is on this network from now on. @param {string} network */
  use(network) {
    if (network === this.network && this.wanted) return;
    this.#known = this.#networks.get(network) ?? { good: 0, patience: PATIENCE };
    this.#networks.delete(network);
    this.#networks.set(network, this.#known);
    const [oldest] = this.#networks.keys();
    if (this.#networks.size > MAX_NETWORKS) this.#networks.delete(oldest);
    this.network = network;
    this.#suspect = this.#untold = undefined;
    this.#rest();
  }

  /** A new line. @param {number} time @param {number} granted @param {number} [jitter] 0 to 1 */
  connected(time, granted, jitter = 1) {
    const suspect = this.#suspect;
    this.#suspect = undefined;
    if (suspect && time - suspect.at <= PROMPT_SECONDS) this.#learnBad(suspect.silence);
    this.#granted = granted;
    this.#sent = this.#heard = time;
    this.#untold = undefined;
    this.#firstDue = time + (this.interval * (1 + jitter)) / 2;
  }

  /** The server's answer to a wish. @param {number} granted */
  grant(granted) {
    this.#granted = granted;
  }

  /** Something went out. @param {number} time */
  sent(time) {
    this.#untold = Math.max(time - Math.max(this.#sent, this.#heard), this.#untold ?? 0);
    this.#sent = time;
    this.#firstDue = undefined;
  }

  /** Something came in: the line has survived every silence up to now. @param {number} time */
  heard(time) {
    const silence = Math.max(time - Math.max(this.#sent, this.#heard), this.#untold ?? 0);
    this.#heard = time;
    this.#untold = undefined;
    if (silence > this.#known.good) this.#learnGood(silence);
    if (silence >= NEARLY * this.interval) this.#onQuietTime();
  }

  /** When to ping next, if nothing goes out before. */
  nextPing() {
    return this.#firstDue ?? this.#sent + this.interval;
  }

  /** The line is dead. @param {number} time */
  lost(time) {
    const silence = this.#untold;
    this.#untold = undefined;
    // Not for its silence: no interval would have saved it.
    if (silence === undefined || silence < this.#bounds.lowest * NEARLY) return;
    this.#suspect = { silence, at: time };
    this.#rest();
    this.wanted = Math.min(this.wanted, this.#bounds.first);
  }

  /** @param {number} silence */
  #learnGood(silence) {
    const known = this.#known;
    known.good = Math.min(silence, this.#bounds.highest);
    if (known.bad !== undefined && known.bad <= known.good) this.#forgetBad();
  }

  /** @param {number} silence */
  #learnBad(silence) {
    const known = this.#known;
    known.bad = Math.min(silence, known.bad ?? silence);
    known.patience = PATIENCE;
    if (known.good >= known.bad) known.good = 0; // the network has changed its mind
    this.#rest();
  }

  #forgetBad() {
    delete this.#known.bad;
    this.#known.patience = PATIENCE;
  }

  /** Take the interval that what is known allows. */
  #rest() {
    const { good, bad } = this.#known;
    const { first } = this.#bounds;
    if (good) this.#want(bad === undefined ? good : good * MARGIN);
    else this.#want(bad === undefined ? first : Math.min(first, bad / 2));
  }

  /** A whole interval was quiet and answered. */
  #onQuietTime() {
    if (this.wanted > this.#granted) return; // more was asked for than the server gives
    this.#quietTimes += 1;
    const known = this.#known;
    if (known.bad !== undefined && known.bad <= known.good * NARROW) {
      known.patience -= 1;
      if (known.patience <= 0) this.#forgetBad();
      else if (this.wanted > known.good * MARGIN) this.#want(known.good * MARGIN);
    } else if (this.#quietTimes >= QUIET_TIMES) {
      const further = this.wanted * GROWTH;
      const { good, bad } = known;
      this.#want(bad === undefined ? further : Math.min(further, Math.sqrt(good * bad)));
    }
  }

  /** @param {number} interval */
  #want(interval) {
    this.wanted = Math.min(Math.max(interval, this.#bounds.lowest), this.#bounds.highest);
    this.#quietTimes = 0;
  }
}

// -- what survives a restart ---------------------------------------------------------------------------

/** Gathers writes while one is under way: one transaction for many rows, in their order. */
class Writer {
  /** @type {Change[]} */ #waiting = [];
  /** @type {Deferred<void>} */ #next = deferred();
  #busy = false;

  /** @param {Storage} storage */
  constructor(storage) {
    this.storage = storage;
  }

  /** @param {Change[]} changes @returns {Promise<void>} durable when it resolves */
  write(changes) {
    this.#waiting.push(...changes);
    const { promise } = this.#next;
    promise.catch(() => {});
    void this.#drain();
    return promise;
  }

  /** Resolves when everything is written. */
  async idle() {
    if (this.#busy || this.#waiting.length) await this.write([]);
  }

  async #drain() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#waiting.length) {
      const changes = this.#waiting;
      const { resolve, reject } = this.#next;
      this.#waiting = [];
      this.#next = deferred();
      try {
        await this.storage.write(changes);
        resolve();
      } catch (error) {
        reject(/** @type {Error} */ (error));
      }
    }
    this.#busy = false;
    this.#next.resolve();
    this.#next = deferred();
  }
}

/** Forgets everything with the page. @implements {Storage} */
export class MemoryStorage {
  /** @type {Record<string, Map<string, any>>} */
  tables = { state: new Map(), outbox: new Map(), records: new Map() };

  /** @param {Table} table @param {string} [prefix] */
  async read(table, prefix = "") {
    const rows = [...this.tables[table]].filter(([name]) => name.startsWith(prefix));
    return new Map(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** @param {Change[]} changes */
  async write(changes) {
    for (const { table, name, value, clear } of changes) {
      if (clear) this.tables[table].clear();
      else if (value === undefined) this.tables[table].delete(name);
      else this.tables[table].set(name, value);
    }
  }
}

/** Keeps everything in a database of the browser, one for each user and device. @implements {Storage} */
export class IndexedDBStorage {
  #database;

  /** @param {string} name of the database */
  constructor(name) {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      for (const table of ["state", "outbox", "records"]) opening.result.createObjectStore(table);
    };
    this.#database = promised(opening);
    this.#database.catch(() => {});
  }

  /** @param {Table} table @param {string} [prefix] @returns {Promise<Map<string, any>>} */
  async read(table, prefix = "") {
    const store = (await this.#database).transaction(table).objectStore(table);
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const [names, values] = await Promise.all([
      promised(store.getAllKeys(range)),
      promised(store.getAll(range)),
    ]);
    return new Map(names.map((name, index) => [String(name), values[index]]));
  }

  /** @param {Change[]} changes @returns {Promise<void>} */
  async write(changes) {
    const database = await this.#database;
    const tables = [...new Set(changes.map(({ table }) => table))];
    if (tables.length === 0) return;
    const transaction = database.transaction(tables, "readwrite", { durability: "strict" });
    for (const { table, name, value, clear } of changes) {
      const store = transaction.objectStore(table);
      if (clear) store.clear();
      else if (value === undefined) store.delete(name);
      else store.put(value, name);
    }
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  /** Let go of the database. */
  async close() {
    (await this.#database).close();
  }
}

/**
 * Keeps everything in a file, for Node: a line of JSON for each write, synced. What a crash left
 * half-written at the end is no line and never happened.
 * @implements {Storage}
 */
export class FileStorage {
  #memory = new MemoryStorage();
  #path;
  /** @type {Promise<any> | undefined} */ #file;

  /** @param {string} path of the file, which one program uses at a time */
  constructor(path) {
    this.#path = path;
  }

  /** @param {Table} table @param {string} [prefix] */
  async read(table, prefix) {
    await this.#open();
    return this.#memory.read(table, prefix);
  }

  /** @param {Change[]} changes */
  async write(changes) {
    const file = await this.#open();
    await file.appendFile(`${JSON.stringify(changes)}\n`);
    await file.datasync();
    await this.#memory.write(changes);
  }

  /** Close the file. */
  async close() {
    await (await this.#file)?.close();
    this.#file = undefined;
  }

  #open() {
    this.#file ??= this.#compact();
    return this.#file;
  }

  /** Read the file, and write it anew with what is still true: it grows while it is used. */
  async #compact() {
    const { open, readFile, rename } = await import("node:fs/promises");
    const { dirname } = await import("node:path");
    const text = await readFile(this.#path, "utf8").catch((error) => {
      if (error.code !== "ENOENT") throw error;
      return "";
    });
    for (const line of text.split("\n").slice(0, -1)) await this.#memory.write(JSON.parse(line));
    /** @type {Change[]} */
    const rows = Object.entries(this.#memory.tables).flatMap(([table, rows]) =>
      [...rows].map(([name, value]) => ({ table: /** @type {Table} */ (table), name, value })),
    );
    const file = await open(`${this.#path}.new`, "w", 0o600);
    await file.appendFile(`${JSON.stringify(rows)}\n`);
    await file.datasync();
    await rename(`${this.#path}.new`, this.#path);
    const folder = await open(dirname(this.#path), "r");
    await folder.sync();
    await folder.close();
    return file;
  }
}

// -- small things --------------------------------------------------------------------------------------

/**
 * A promise and its ends.
 * @template T
 * @typedef {{promise: Promise<T>, resolve: (value?: any) => void, reject: (error: Error) => void}} Deferred
 */

/** @returns {Deferred<any>} */
function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function promised(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The fields that are there. @param {Wire} fields @returns {any} */
function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
}

/** Call the application; its mistakes are its own and end no line. @param {(detail: any) => any} listener @param {any} detail */
async function attempt(listener, detail) {
  try {
    await listener(detail);
  } catch (error) {
    console.error("hivewire: a listener failed", error);
  }
}

/** By value, whatever the order of members. @param {any} a @param {any} b @returns {boolean} */
function sameValue(a, b) {
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return a === b;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => sameValue(a[name], b[name]))
  );
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Seconds on a clock that nobody sets. */
function now() {
  return performance.now() / 1000;
}
