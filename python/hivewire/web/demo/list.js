/** The conversations at the side: newest first, with what was said last and what is unread. */

import { avatar, by, el, when } from "./looks.js";
import { summary } from "./thread.js";

/** Draws the list of `chats`; `choose` is called with the one that was chosen. */
export class List {
  constructor(chats, choose) {
    this.chats = chats;
    this.choose = choose;
    this.rows = new Map();
    by("list").addEventListener("keydown", (event) => this.onKey(event));
  }

  draw() {
    const { sorted, selected } = this.chats;
    by("list-empty").hidden = sorted.length > 0;
    const rows = sorted.map((found) => this.row(found, found === selected));
    const list = by("list");
    const focused = document.activeElement;
    rows.forEach((row, place) => {
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    });
    while (list.children.length > rows.length) list.lastChild.remove();
    // Moving an element takes the focus from it.
    if (list.contains(focused) && document.activeElement !== focused) focused.focus();
  }

  row(found, current) {
    let row = this.rows.get(found.conv);
    if (!row) {
      row = el("li", {}, el("button", { className: "row" }));
      row.firstChild.addEventListener("click", () => this.choose(found));
      this.rows.set(found.conv, row);
    }
    const button = row.firstChild;
    const state = found.other && (this.chats.presence.get(found.other)?.state ?? "offline");
    const shown = JSON.stringify([found.name, state, found.unread, found.ts, preview(found, this.chats.me)]);
    if (row.shown !== shown) {
      row.shown = shown;
      button.replaceChildren(...this.parts(found, state));
    }
    if (current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    return row;
  }

  parts(found, state) {
    const name = el("span", { className: "row-name" }, found.name);
    if (state && state !== "offline") name.append(el("span", { className: "sr" }, ` (${state})`));
    const time = el("time", { className: "row-time" }, found.ts ? when(found.ts) : "");
    const said = el("span", { className: "row-said" }, preview(found, this.chats.me));
    const parts = [avatar(found.name, state), name, time, said];
    if (found.unread) {
      const count = el("span", { className: "badge" }, String(found.unread));
      count.append(el("span", { className: "sr" }, " unread"));
      parts.push(count);
    }
    return parts;
  }

  /** Arrow keys walk through the list. */
  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("li");
    if (!step || !row) return;
    event.preventDefault();
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.firstChild.focus();
  }
}

function preview(found, me) {
  if (found.typing.size) return `${[...found.typing.keys()].join(", ")} is typing…`;
  const last = found.preview;
  if (!last) return found.kind === "direct" ? "Say hello" : "New group";
  const who = last.from === me ? "You: " : found.kind === "direct" ? "" : `${last.from}: `;
  return who + summary(last);
}
