/** A fresh key: a ULID, 26 characters that sort by time. */
export function newKey(): string;
/**
 * A device that stays connected until it is closed or refused.
 *
 * Iterate over it, or listen to `event`: every event of the timeline comes once, in order, the own
 * sends included. Asking for the next event says that the application is done with the one before.
 */
export class Client {
    /**
     * @param {string} url `ws://…/v1/ws` or `wss://…/v1/ws`
     * @param {Options} options
     */
    constructor(url: string, options: Options);
    /** The conversations that came along with the newest line, when `recent` was asked for. @type {Wire[]} */
    recent: Wire[];
    /** How the node pushes to who is away: names of `webhooks`, and the key of `webpush`; only where it does. @type {{webhooks: string[], webpush?: string} | undefined} */
    pushes: {
        webhooks: string[];
        webpush?: string;
    } | undefined;
    /**
     * Connect, and stay connected. Resolves with the first line; offline it goes on trying.
     * Rejects with Closed or CommandFailed when the server does not want this device.
     * @returns {Promise<void>}
     */
    open(): Promise<void>;
    /**
     * Keep what was consumed, acknowledge it, and close the line. What has no answer stays in the
     * storage and goes out with the next `open` of another Client.
     * @returns {Promise<void>}
     */
    close(): Promise<void>;
    /** Who the server says we are; empty before the first line. */
    get user(): string;
    /** The incarnation of the data; belongs to `cursor`. */
    get epoch(): string | undefined;
    /** The last `seq` that the application is done with. */
    get cursor(): number;
    /** Whether there is a line to the server now. */
    get isOnline(): boolean;
    /** Whether the line is live and the application has taken everything that arrived. */
    get isCaughtUp(): boolean;
    /**
     * Listen. `event`: one event of the timeline, the next one waits until the listener (and the
     * promise that it returns) is done · `status`: Status · `line`: "online" or "offline" · `loss`:
     * "reset" or "trimmed", load the state anew · `receipt`, `typing`, `presence`, `channel`,
     * `channel_event`: pushes by their op, `push`: any of them · `closed`: the error that ended it.
     * @param {string} type
     * @param {(detail: any) => any} listener
     * @returns {() => void} listens no more
     */
    on(type: string, listener: (detail: any) => any): () => void;
    /**
     * Keep a record of the application in the storage, in the same transaction that marks the event
     * in hand as taken: after a crash either both are there or neither. Without an event in hand it
     * is written at once. `undefined` deletes.
     * @param {string} name
     * @param {any} value what structured clones (IndexedDB) or JSON (files) can carry
     */
    keep(name: string, value: any): void;
    /** What was kept under names with this prefix. @returns {Promise<Map<string, any>>} */
    kept(prefix?: string): Promise<Map<string, any>>;
    /** Changes that have no answer yet, oldest first. @returns {Promise<Status[]>} */
    pending(): Promise<Status[]>;
    /**
     * Give up a change that is not under way. Once it went out only its answer settles it.
     * @param {string} key
     * @returns {Promise<boolean>} whether it was given up
     */
    discard(key: string): Promise<boolean>;
    /**
     * Wait for the answer to any command, over any number of lines. The verbs are built on this.
     * @param {string} op
     * @param {Wire} [fields]
     * @returns {Promise<Wire>}
     */
    ask(op: string, fields?: Wire): Promise<Wire>;
    /** Give a command that has no answer and is worth nothing later. @param {string} op @param {Wire} fields */
    say(op: string, fields: Wire): void;
    /** Go on with a newer token of the same user. @param {string} token @returns {Promise<void>} */
    refresh(token: string): Promise<void>;
    /**
     * Have a heartbeat that learns nothing, on later lines too.
     * @param {number} [intervalMs] 15 s to 5 min, clamped; the server's own without it
     * @param {"server" | "client"} [driver] who pings when the line is silent
     * @returns {Promise<Wire>} what was granted
     */
    heartbeat(intervalMs?: number, driver?: "server" | "client"): Promise<Wire>;
    /** The device has moved to this network: use what is known of it, try the line. @param {string} network */
    useNetwork(network: string): void;
    /**
     * Send a message. Resolves when it is on the server's disk; until then it waits in the storage.
     * @param {string} to `user:ID` or a conversation
     * @param {Body} body
     * @param {string} [key] 8 to 64 characters; a fresh one without it
     */
    send(to: string, body: Body, key?: string): Promise<Sent>;
    /** Give one's own message another text. @param {string} conv @param {number} n @param {string} text @param {string} [key] */
    edit(conv: string, n: number, text: string, key?: string): Promise<Sent>;
    /** Take a message back. @param {string} conv @param {number} n @param {string} [key] */
    recall(conv: string, n: number, key?: string): Promise<Sent>;
    /** Put an emoji on a message, or take it off. @param {string} conv @param {number} n @param {string} emoji @param {boolean} [on] @param {string} [key] */
    react(conv: string, n: number, emoji: string, on?: boolean, key?: string): Promise<Sent>;
    /** Did the change with this key get through, and who has it? @param {string} key */
    outcome(key: string): Promise<Wire>;
    /** One's conversations, newest first. @param {{limit?: number, before?: string, messages?: number}} [page] */
    conversations(page?: {
        limit?: number;
        before?: string;
        messages?: number;
    }): Promise<Wire>;
    /** Events of a conversation in order of `n`, each as it is now. @param {string} conv @param {{before?: number, after?: number, limit?: number}} [page] */
    history(conv: string, page?: {
        before?: number;
        after?: number;
        limit?: number;
    }): Promise<Wire>;
    /** Mark everything up to `n` as read. @param {string} conv @param {number} n */
    read(conv: string, n: number): Promise<Wire>;
    /** Show that one is writing; nothing while offline. @param {string} conv @param {"start" | "stop"} [state] */
    typing(conv: string, state?: "start" | "stop"): void;
    /** Have a channel's events pushed, on later lines too. @param {string} conv @returns {Promise<number>} its newest `n` */
    openChannel(conv: string): Promise<number>;
    /** Have only the channel's newest `n` pushed again. @param {string} conv */
    closeChannel(conv: string): Promise<Wire>;
    /** Make a group or channel. @param {{name?: string, members?: string[], kind?: "group" | "channel", history?: "all" | "joined", group?: string}} fields @param {string} [key] */
    groupCreate(fields: {
        name?: string;
        members?: string[];
        kind?: "group" | "channel";
        history?: "all" | "joined";
        group?: string;
    }, key?: string): Promise<Wire>;
    /** @param {string} conv @param {string[]} members @param {string} [key] */
    groupAdd(conv: string, members: string[], key?: string): Promise<Wire>;
    /** @param {string} conv @param {string[]} members @param {string} [key] */
    groupRemove(conv: string, members: string[], key?: string): Promise<Wire>;
    /** @param {string} conv @param {string} name @param {string} [key] */
    groupRename(conv: string, name: string, key?: string): Promise<Wire>;
    /** @param {string} conv @param {string} user @param {"owner" | "admin" | "member"} role @param {string} [key] */
    groupRole(conv: string, user: string, role: "owner" | "admin" | "member", key?: string): Promise<Wire>;
    /** @param {string} conv @param {string} [key] */
    groupLeave(conv: string, key?: string): Promise<Wire>;
    /** @param {string} conv */
    groupInfo(conv: string): Promise<Wire>;
    /** @param {string} conv @param {{after?: string, limit?: number}} [page] */
    groupMembers(conv: string, page?: {
        after?: string;
        limit?: number;
    }): Promise<Wire>;
    /** Have these users' presence pushed, on later lines too. @param {string[]} users @returns {Promise<Wire[]>} how present they are */
    watch(users: string[]): Promise<Wire[]>;
    /** @param {string[]} users */
    unwatch(users: string[]): Promise<Wire>;
    /** How present this device shows its user, on later lines too. @param {"online" | "away" | "invisible"} state */
    status(state: "online" | "away" | "invisible"): Promise<Wire>;
    /** Refuse direct messages of this user. @param {string} user */
    block(user: string): Promise<Wire>;
    /** @param {string} user */
    unblock(user: string): Promise<Wire>;
    /** Have this device woken when it is away. @param {Wire} fields `kind`, `endpoint` and what the kind needs */
    pushRegister(fields: Wire): Promise<Wire>;
    /** @param {Wire} [fields] */
    pushUnregister(fields?: Wire): Promise<Wire>;
    /** Publish this device's public keys. @param {Wire} fields */
    keysPut(fields: Wire): Promise<Wire>;
    /** The public keys of a user's devices. @param {string} user */
    keysGet(user: string): Promise<Wire>;
    /** Events of the timeline, for ever; one reader at a time. @returns {AsyncIterator<Event>} */
    [Symbol.asyncIterator](): AsyncIterator<Event>;
    #private;
}
/** The base of all errors of the client. */
export class ClientError extends Error {
    get name(): string;
}
/** The server refused a command: nothing was changed, its key is still free. */
export class CommandFailed extends ClientError {
    /** @param {Wire} answer */
    constructor(answer: Wire);
    /** The protocol's error code, such as `forbidden`. @type {string} */
    code: string;
    /** What was wrong. @type {string | undefined} */
    field: string | undefined;
    /** Whether the same command may succeed later. @type {boolean} */
    retryable: boolean;
    /** When. @type {number | undefined} */
    retryAfterMs: number | undefined;
}
/** The line ended before the answer came. */
export class Disconnected extends ClientError {
}
/** The line ended for good: the server said not to come back like this. */
export class Closed extends ClientError {
    /** @param {number} code the close code, such as 4500 for a bad token @param {string} reason */
    constructor(code: number, reason: string);
    code: number;
}
/** A change was given up by `discard`. */
export class Discarded extends ClientError {
}
/**
 * Learns how long a line may be silent before the network forgets it, so that a phone pings as
 * seldom as it may. Anything heard proves the silence before it; after three quiet intervals the
 * next is half as long again. A line that dies after a silence, while the network lets a new one
 * through at once, tells that this silence is too long; the gap between good and bad is halved
 * until it is narrow. A line that dies while the network is down proves nothing. Seconds.
 */
export class Adaptive {
    /**
     * @param {Wire} [memory] what `memory()` of an earlier run gave
     * @param {string} [network] where the device is now
     * @param {Bounds} [bounds] of the interval, in seconds
     */
    constructor(memory?: Wire, network?: string, bounds?: Bounds);
    /** Where the device is, in the application's own words. */
    network: string;
    /** The interval that is wanted. */
    wanted: number;
    /** Seconds of silence after which to ping now. */
    get interval(): number;
    /** What was learnt, by network, as JSON can carry it. @returns {Wire} */
    memory(): Wire;
    /** The device is on this network from now on. @param {string} network */
    use(network: string): void;
    /** A new line. @param {number} time @param {number} granted @param {number} [jitter] 0 to 1 */
    connected(time: number, granted: number, jitter?: number): void;
    /** The server's answer to a wish. @param {number} granted */
    grant(granted: number): void;
    /** Something went out. @param {number} time */
    sent(time: number): void;
    /** Something came in: the line has survived every silence up to now. @param {number} time */
    heard(time: number): void;
    /** When to ping next, if nothing goes out before. */
    nextPing(): number;
    /** The line is dead. @param {number} time */
    lost(time: number): void;
    #private;
}
/** Forgets everything with the page. @implements {Storage} */
export class MemoryStorage implements Storage {
    /** @type {Record<string, Map<string, any>>} */
    tables: Record<string, Map<string, any>>;
    /** @param {Table} table @param {string} [prefix] */
    read(table: Table, prefix?: string): Promise<Map<string, any>>;
    /** @param {Change[]} changes */
    write(changes: Change[]): Promise<void>;
}
/** Keeps everything in a database of the browser, one for each user and device. @implements {Storage} */
export class IndexedDBStorage implements Storage {
    /** @param {string} name of the database */
    constructor(name: string);
    /** @param {Table} table @param {string} [prefix] @returns {Promise<Map<string, any>>} */
    read(table: Table, prefix?: string): Promise<Map<string, any>>;
    /** @param {Change[]} changes @returns {Promise<void>} */
    write(changes: Change[]): Promise<void>;
    /** Let go of the database. */
    close(): Promise<void>;
    #private;
}
/**
 * Keeps everything in a file, for Node: a line of JSON for each write, synced. What a crash left
 * half-written at the end is no line and never happened.
 * @implements {Storage}
 */
export class FileStorage implements Storage {
    /** @param {string} path of the file, which one program uses at a time */
    constructor(path: string);
    /** @param {Table} table @param {string} [prefix] */
    read(table: Table, prefix?: string): Promise<Map<string, any>>;
    /** @param {Change[]} changes */
    write(changes: Change[]): Promise<void>;
    /** Close the file. */
    close(): Promise<void>;
    #private;
}
/**
 * A promise and its ends.
 */
export type Deferred<T> = {
    promise: Promise<T>;
    resolve: (value?: any) => void;
    reject: (error: Error) => void;
};
/**
 * An object as it stands on the wire.
 */
export type Wire = Record<string, any>;
export type Token = string | (() => string | Promise<string>);
/**
 * One event of the user's timeline.
 */
export type Event = {
    type: string;
    conv: string;
    n: number;
    seq: number;
    from: string;
    ts: number;
    key?: string;
    text?: string;
    data?: Wire;
    media?: string[];
    mentions?: string[];
    reply_to?: number;
    target?: number;
} & Wire;
/**
 * The answer to a change: it is stored and will reach every member.
 */
export type Sent = {
    op: "sent";
    conv: string;
    n: number;
    seq?: number;
    ts: number;
    dup: boolean;
    key: string;
};
/**
 * `sending`: in the storage of this device; `sent`: in the server's.
 */
export type State = "sending" | "sent" | "delivered" | "read" | "failed";
/**
 * How a change stands; `by` is who has received or read it.
 */
export type Status = {
    key: string;
    state: State;
    command: Wire;
    conv?: string;
    n?: number;
    by?: string;
    error?: Error;
};
export type Body = {
    text?: string;
    media?: string[];
    data?: Wire;
    reply_to?: number;
    mentions?: string[];
};
export type Loss = "reset" | "trimmed";
export type Table = "state" | "outbox" | "records";
/**
 * One row to write; without a value it is deleted; `clear` empties the table.
 */
export type Change = {
    table: Table;
    name: string;
    value?: any;
    clear?: boolean;
};
/**
 * What the client keeps across restarts. `write` is all or nothing, and durable when it resolves.
 */
export type Storage = {
    /**
     * rows by name, in the order of their names
     */
    read: (table: Table, prefix?: string) => Promise<Map<string, any>>;
    write: (changes: Change[]) => Promise<void>;
};
export type Options = {
    /**
     * the user's token, or a function that fetches a fresh one whenever it is needed
     */
    token: Token;
    /**
     * this device's id; two programs must not share one
     */
    device?: string | undefined;
    /**
     * survives a restart; without it everything is forgotten with the page
     */
    storage?: Storage | undefined;
    /**
     * an implementation for platforms that have none, such as that of `ws`
     */
    WebSocket?: any;
    /**
     * the last `seq` handled, if the application keeps it itself
     */
    cursor?: number | undefined;
    /**
     * the incarnation that `cursor` belongs to
     */
    epoch?: string | undefined;
    /**
     * a device with nothing in its storage, without one a device new to the server, begins with the whole timeline
     */
    fromStart?: boolean | undefined;
    /**
     * conversations to bring along with each line
     */
    recent?: {
        conversations: number;
        messages: number;
    } | undefined;
    /**
     * learns how long the line may be silent; without it the server pings
     */
    heartbeat?: Adaptive | undefined;
};
export type Pending = {
    command: Wire;
    /**
     * its name in the outbox, for what has a key
     */
    row?: string | undefined;
    lane: string;
    answer: Deferred<Wire>;
    /**
     * on the present line
     */
    id?: number | undefined;
    /**
     * put off by the server
     */
    waits: boolean;
    /**
     * answered, refused or given up
     */
    over: boolean;
};
export type Bounds = {
    first: number;
    lowest: number;
    highest: number;
};
