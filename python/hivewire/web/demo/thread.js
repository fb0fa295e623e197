/** The messages of the conversation on the screen. */

import { avatar, by, clock, day, el, linked, size } from "./looks.js";

const EMOJI = ["👍", "❤️", "😂", "🎉"];
const SVG = "http://www.w3.org/2000/svg";
const NEAR_PX = 80;
const TOP_PX = 240;
const TICKS = {
  sending: ["…", "waiting to be sent"],
  uploading: ["…", "uploading"],
  sent: ["✓", "sent"],
  delivered: ["✓✓", "delivered"],
  read: ["✓✓", "read"],
  failed: ["!", "not sent"],
};

/**
 * Draws `chats.selected`. An element stays the same from the first key press to the last receipt,
 * so nothing jumps, and what is one message is one element.
 */
export class Thread {
  /** @param {{reply, edit, recall, react, discard, look}} acts what the buttons of a message do */
  constructor(chats, files, acts) {
    this.chats = chats;
    this.files = files;
    this.acts = acts;
    this.rows = new Map();
    this.shown = undefined;
    const scroll = by("scroll");
    scroll.addEventListener("scroll", () => this.onScroll());
    scroll.addEventListener("keydown", (event) => this.onKey(event));
    scroll.addEventListener("focusin", (event) => this.onFocus(event));
    by("newest").addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => this.pinned && this.toNewest()).observe(by("messages"));
    new ResizeObserver(() => this.pinned && this.toNewest()).observe(scroll);
  }

  /** Whether the newest message is in sight. */
  get isAtEnd() {
    const scroll = by("scroll");
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_PX;
  }

  toNewest() {
    const scroll = by("scroll");
    this.pinned = true;
    scroll.scrollTop = scroll.scrollHeight;
    this.top = scroll.scrollTop;
    by("newest").hidden = true;
  }

  draw() {
    const found = this.chats.selected;
    const fresh = found !== this.shown;
    if (fresh) {
      this.rows.clear();
      by("messages").replaceChildren();
      this.shown = found;
      this.pinned = true;
    }
    this.drawHead(found);
    if (!found) return;
    const scroll = by("scroll");
    const last = this.last;
    const anchor = this.pinned ? undefined : this.firstInSight();
    const top = anchor?.offsetTop;
    this.place(this.listed(found));
    this.lowest = found.lowest;
    scroll.setAttribute("aria-busy", String(Boolean(found.loading)));
    by("more").textContent = more(found);
    const own = found.items.at(-1)?.from === this.chats.me;
    this.last = found.items.at(-1)?.key ?? found.items.at(-1)?.n;
    const came = !fresh && last !== this.last;
    if (this.pinned || (came && own)) this.toNewest();
    else if (anchor?.isConnected) scroll.scrollTop += anchor.offsetTop - top;
    if (!this.pinned && came && !own) by("newest").hidden = false;
    this.drawTyping(found);
  }

  /** The message that one reads: it stays where it is, whatever comes above it. */
  firstInSight() {
    const { top } = by("scroll").getBoundingClientRect();
    const rows = [...by("messages").querySelectorAll("li.message")];
    return rows.find((row) => row.getBoundingClientRect().bottom > top);
  }

  drawHead(found) {
    for (const id of ["head", "scroll", "compose"]) by(id).hidden = !found;
    by("nothing").hidden = Boolean(found);
    if (!found) return;
    const { presence } = this.chats;
    const state = found.other && (presence.get(found.other)?.state ?? "offline");
    by("title").textContent = found.name;
    by("head-avatar").replaceChildren(avatar(found.name, state));
    by("subtitle").textContent = found.other
      ? presence.size ? lastSeen(presence.get(found.other)) : ""
      : members(found, presence, this.chats.me);
    by("add-members").hidden = Boolean(found.other);
  }

  drawTyping(found) {
    const names = [...found.typing.keys()];
    const text = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
    if (by("typing").textContent !== text) by("typing").textContent = text;
  }

  /** Elements in their order: messages, notes, and a line for each day. */
  listed(found) {
    const rows = [];
    let before;
    for (const item of found.items) {
      if (!before || day(before.ts) !== day(item.ts)) rows.push(this.dayRow(item));
      rows.push(this.row(found, item, before));
      before = item;
    }
    return rows;
  }

  place(rows) {
    const list = by("messages");
    const keep = new Set(rows);
    const focused = document.activeElement;
    for (const row of [...list.children]) if (!keep.has(row)) row.remove();
    rows.forEach((row, place) => {
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    });
    if (list.contains(focused) && document.activeElement !== focused) focused.focus();
  }

  dayRow(item) {
    return this.kept(`day ${day(item.ts)}`, day(item.ts), () => [
      "day",
      [el("span", {}, day(item.ts))],
    ]);
  }

  row(found, item, before) {
    // A message keeps its key when it gets its place: what is waiting and what is sent are one.
    const name = item.key ? `${item.from} ${item.key}` : `n ${item.n}`;
    if (item.type !== "message")
      return this.kept(name, item.n, () => ["note", [el("span", {}, note(item, this.chats.me))]]);
    const own = item.from === this.chats.me;
    const state = own ? (item.n ? found.standing(item.n) : item.state) : "";
    const follows =
      before?.type === "message" && before.from === item.from && item.ts - before.ts < 300_000;
    const quoted = item.reply_to && found.messages.get(item.reply_to);
    const { recalled, edited, text, media, reactions, problem, local } = item;
    const shown = JSON.stringify([
      ...[state, follows, recalled, edited, text, media, reactions, problem, item.n],
      ...[quoted && summary(quoted), local],
    ]);
    const row = this.kept(name, shown, () => [
      `message ${own ? "own" : ""} ${follows ? "follows" : ""} ${state === "failed" ? "failed" : ""}`,
      this.parts(found, item, { own, state, follows, quoted }),
    ]);
    row.item = item;
    return row;
  }

  /** The element of that name; drawn again if what it shows has changed. */
  kept(name, shown, draw) {
    let row = this.rows.get(name);
    if (!row) {
      row = el("li", { tabIndex: -1 });
      this.rows.set(name, row);
    }
    if (row.shown !== shown) {
      const hadFocus = row.contains(document.activeElement) && row !== document.activeElement;
      row.shown = shown;
      const [className, children] = draw();
      row.className = className;
      row.replaceChildren(...children);
      if (hadFocus) row.focus();
    }
    return row;
  }

  parts(found, item, { own, state, follows, quoted }) {
    const bubble = el("div", { className: "bubble" });
    const group = !found.other;
    if (!own && group && !follows) bubble.append(el("span", { className: "from" }, item.from));
    else bubble.append(el("span", { className: "sr" }, own ? "You: " : `${item.from}: `));
    if (quoted) bubble.append(el("blockquote", {}, el("b", {}, quoted.from), ` ${summary(quoted)}`));
    if (item.recalled) bubble.append(el("em", { className: "gone" }, "Message deleted"));
    for (const place of item.media ?? item.local ?? []) bubble.append(this.media(item, place));
    if (item.text) bubble.append(el("p", { className: "text" }, ...linked(item.text)));
    bubble.append(stamp(item, state));
    const parts = [bubble];
    if (!own && group) parts.unshift(follows ? el("span", { className: "avatar none" }) : avatar(item.from));
    if (item.n && !item.recalled) bubble.append(this.buttons(item, own));
    if (state === "failed") parts.push(this.failed(item));
    const reactions = this.reactions(item);
    if (reactions) bubble.append(reactions);
    return parts;
  }

  media(item, place) {
    if (typeof place === "object") return pending(place);
    const hint = (item.data?.files ?? []).find?.((file) => file?.id === place) ?? {};
    const box = el("a", { className: "file", target: "_blank", rel: "noopener" });
    const name = typeof hint.name === "string" ? hint.name.slice(0, 200) : "File";
    box.append(sheet(), el("span", { className: "file-name" }, name));
    if (hint.width > 0 && hint.height > 0) reserve(box, hint.width, hint.height);
    this.files.link(place).then((found) => {
      if (!found) return;
      box.href = found.url;
      if (!found.thumbnail_url) {
        box.append(el("span", { className: "file-size" }, size(found.bytes)));
        return;
      }
      reserve(box, found.width, found.height);
      box.replaceChildren(el("img", { src: found.thumbnail_url, alt: name, loading: "lazy" }));
      box.addEventListener("click", (event) => {
        event.preventDefault();
        this.acts.look(found.url, name);
      });
    });
    return box;
  }

  buttons(item, own) {
    const bar = el("div", { className: "actions", role: "toolbar", "aria-label": "Message actions" });
    const add = (label, text, act) => {
      const button = el("button", { type: "button", tabIndex: -1, title: label, "aria-label": label }, text);
      button.addEventListener("click", act);
      bar.append(button);
    };
    for (const emoji of EMOJI) add(`React with ${emoji}`, emoji, () => this.acts.react(item, emoji));
    add("Reply", "↩", () => this.acts.reply(item));
    if (own && item.text) add("Edit", "✎", () => this.acts.edit(item));
    if (own) add("Delete", "🗑", () => this.acts.recall(item));
    return bar;
  }

  failed(item) {
    const button = el("button", { type: "button", className: "plain" }, "Remove");
    button.addEventListener("click", () => this.acts.discard(item));
    return el("p", { className: "problem" }, `Not sent: ${item.problem ?? "refused"} `, button);
  }

  reactions(item) {
    const given = Object.entries(item.reactions ?? {}).filter(([, users]) => users.length);
    if (!given.length) return undefined;
    const bar = el("div", { className: "reactions" });
    for (const [emoji, users] of given) {
      const mine = users.includes(this.chats.me);
      const label = `${emoji} from ${users.join(", ")}`;
      const chip = el("button", { type: "button", title: label, "aria-label": label, "aria-pressed": String(mine) });
      chip.append(`${emoji} ${users.length}`);
      chip.addEventListener("click", () => this.acts.react(item, emoji));
      bar.append(chip);
    }
    return bar;
  }

  // -- moving about -----------------------------------------------------------------------------

  onScroll() {
    const scroll = by("scroll");
    // What grows below moves the end away: only who scrolls up leaves it.
    this.pinned = this.isAtEnd || (this.pinned && scroll.scrollTop >= this.top);
    this.top = scroll.scrollTop;
    if (this.pinned) by("newest").hidden = true;
    const found = this.shown;
    // A page that has come and is not drawn yet has not moved the place where one reads.
    const drawn = found && found.lowest === this.lowest;
    if (scroll.scrollTop < TOP_PX && drawn && found.lowest > 1) this.chats.older(found).catch(() => {});
    if (this.pinned && found) this.acts.seen(found);
  }

  /** Arrow keys walk from message to message; Tab then reaches its buttons. */
  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.closest("button, a")) return;
    const rows = [...by("messages").querySelectorAll("li.message")];
    const place = rows.indexOf(event.target.closest("li"));
    const next = place < 0 ? rows.at(-1) : rows[place + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  onFocus(event) {
    const row = event.target.closest("li");
    for (const button of by("messages").querySelectorAll('.actions button[tabindex="0"]'))
      if (!row?.contains(button)) button.tabIndex = -1;
    for (const button of row?.querySelectorAll(".actions button") ?? []) button.tabIndex = 0;
  }
}

function stamp(item, state) {
  const made = el("span", { className: "stamp" });
  if (item.edited && !item.recalled) made.append("edited ");
  made.append(el("time", { dateTime: new Date(item.ts).toISOString() }, clock(item.ts)));
  if (state && !item.recalled) {
    const [sign, meaning] = TICKS[state];
    made.append(" ", el("span", { className: `tick ${state}`, title: meaning, "aria-hidden": "true" }, sign));
    made.append(el("span", { className: "sr" }, meaning));
  }
  return made;
}

/** A sheet of paper. */
function sheet() {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5");
  made.append(path);
  return made;
}

function pending({ name, url }) {
  const box = el("span", { className: "file" });
  if (url) box.append(el("img", { src: url, alt: name }));
  else box.append(el("span", { className: "file-name" }, name));
  box.append(el("progress", { "aria-label": `Uploading ${name}` }));
  return box;
}

/** Keeps the place of a picture, so that nothing jumps when it comes. */
function reserve(box, width, height) {
  const [most, ratio] = [320, Math.min(Math.max(width / height, 0.5), 3)];
  box.classList.add("picture");
  box.style.setProperty("--ratio", String(ratio));
  box.style.setProperty("--width", `${Math.round(Math.min(most, Math.max(width, 120), 360 * ratio))}px`);
}

function more(found) {
  if (found.loading) return "Loading…";
  return found.complete ? "This is the beginning of the conversation." : "";
}

function lastSeen(one) {
  if (!one || (one.state === "offline" && !one.last_seen)) return "offline";
  return one.state === "offline" ? `last seen ${day(one.last_seen)}, ${clock(one.last_seen)}` : one.state;
}

function members(found, presence, me) {
  const names = [me, ...Object.keys(found.peers)].sort();
  if (!presence.size) return `${names.length} members: ${names.join(", ")}`;
  const online = names.filter((name) => name === me || presence.get(name)?.state === "online");
  return `${names.length} members, ${online.length} online: ${names.join(", ")}`;
}

function named({ data }) {
  const name = data?.files?.[0]?.name;
  return typeof name === "string" ? name.slice(0, 80) : "File";
}

/** A message in one line. */
export function summary(item) {
  if (item.recalled) return "Message deleted";
  if (item.text) return item.text.slice(0, 120);
  const files = (item.media ?? item.local ?? []).length;
  return files ? (files > 1 ? `${files} files` : named(item)) : "Message";
}

function note(item, me) {
  const name = (user, place) => (user !== me ? user : place === 0 ? "You" : "you");
  if (item.type === "conversation") return `${name(item.from, 0)} named the group “${item.name ?? ""}”`;
  const verbs = { added: "added", removed: "removed", left: "left", role: "changed the role of" };
  return (item.changes ?? [])
    .map(({ user, change }, place) =>
      change === "left" || user === item.from
        ? `${name(user, place)} ${change === "left" ? "left" : "joined"}`
        : `${name(item.from, place)} ${verbs[change]} ${name(user)}`,
    )
    .join(", ");
}
