/** The demo chat: a small messenger on hivewire.js. This file puts its parts together. */

import { newKey } from "/hivewire.js";
import { Compose } from "./compose.js";
import { askForPeople, look } from "./dialogs.js";
import { Files } from "./files.js";
import { List } from "./list.js";
import { avatar, by } from "./looks.js";
import { Chats } from "./model.js";
import { enter } from "./session.js";
import { Thread } from "./thread.js";

/** The chat of somebody who has a name. */
class App {
  constructor(client, tokens) {
    const user = tokens.user;
    this.client = client;
    this.chats = new Chats(client, user, () => this.drawSoon());
    this.files = new Files(() => tokens.good());
    this.compose = new Compose(this.chats, this.files);
    this.list = new List(this.chats, (found) => this.choose(found));
    this.thread = new Thread(this.chats, this.files, this.acts());
    this.chats.isSeen = (found) =>
      found === this.chats.selected && document.visibilityState === "visible" && this.thread.isAtEnd;
    by("me").replaceChildren(avatar(user), user);
    this.listen();
  }

  async start() {
    by("welcome").hidden = true;
    by("chat").hidden = false;
    this.banner("Connecting…");
    await this.chats.restore();
    this.draw();
    this.client.open().catch(() => {});
  }

  listen() {
    const { client } = this;
    client.on("line", () => this.onLine());
    for (const type of ["online", "offline"]) addEventListener(type, () => this.onLine());
    client.on("closed", (error) => this.onClosed(error));
    by("new-chat").addEventListener("click", () => this.newChat());
    by("new-group").addEventListener("click", () => this.newGroup());
    by("add-members").addEventListener("click", () => this.addMembers());
    by("back").addEventListener("click", () => this.view("list"));
    by("leave").addEventListener("click", () => this.leave());
    document.addEventListener("visibilitychange", () => this.onVisible());
    document.addEventListener("keydown", (event) => {
      if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.newChat();
      }
    });
  }

  // -- drawing ----------------------------------------------------------------------------------

  drawSoon() {
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = undefined;
    this.list.draw();
    this.thread.draw();
    const unread = [...this.chats.conversations.values()].reduce((sum, one) => sum + one.unread, 0);
    document.title = `${unread ? `(${unread}) ` : ""}${this.chats.me} · hivewire`;
  }

  view(name) {
    by("chat").dataset.view = name;
  }

  banner(text, kind = "") {
    by("banner").textContent = text;
    by("banner").className = `banner ${kind}`;
  }

  // -- the line ---------------------------------------------------------------------------------

  /** The browser knows of a lost network before the line does. */
  onLine() {
    if (this.client.isOnline && navigator.onLine) this.banner("");
    else this.banner("Offline. What you write is kept and sent when the line is back.", "offline");
    this.onVisible();
  }

  onClosed(error) {
    if (error.code === 1000) return;
    const replaced = error.code === 4505;
    this.banner(
      replaced ? "This chat is open in another tab." : `The server has ended this: ${error.message}`,
      "offline",
    );
  }

  onVisible() {
    const visible = document.visibilityState === "visible";
    const { selected } = this.chats;
    if (visible && selected && this.chats.isSeen(selected)) this.chats.markRead(selected);
    const state = visible ? "online" : "away";
    if (state === this.state) return;
    this.state = state;
    this.client.status(state).catch(() => {});
  }

  // -- what the user does -----------------------------------------------------------------------

  choose(found) {
    this.compose.switched(this.chats.selected, found);
    this.chats.select(found).catch(() => {});
    this.view("thread");
    this.draw();
    this.compose.focus();
  }

  acts() {
    const conv = () => this.chats.selected.conv;
    const quietly = (promise) => promise.catch((error) => this.problem(error));
    return {
      look,
      reply: (item) => this.compose.refer(item),
      edit: (item) => this.compose.refer(item, true),
      recall: (item) => quietly(this.client.recall(conv(), item.n)),
      react: (item, emoji) => {
        const on = !item.reactions?.[emoji]?.includes(this.chats.me);
        quietly(this.client.react(conv(), item.n, emoji, on));
      },
      discard: (item) => {
        this.chats.selected.unsent.delete(item.key);
        this.drawSoon();
      },
      seen: (found) => this.chats.isSeen(found) && this.chats.markRead(found),
    };
  }

  async newChat() {
    const asked = await askForPeople({ title: "New chat", label: "Name of the other", most: 1 });
    if (asked) this.choose(this.chats.direct(asked.people[0]));
  }

  async newGroup() {
    const asked = await askForPeople({
      title: "New group",
      label: "Members, separated by commas or spaces",
      named: true,
    });
    if (!asked) return;
    try {
      const { conv } = await this.client.groupCreate({ name: asked.name, members: asked.people }, newKey());
      const found = this.chats.get(conv);
      found.name = asked.name;
      found.ts ||= Date.now();
      this.choose(found);
    } catch (error) {
      this.problem(error);
    }
  }

  async addMembers() {
    const asked = await askForPeople({ title: "Add members", label: "Names, separated by commas or spaces" });
    if (!asked) return;
    this.client.groupAdd(this.chats.selected.conv, asked.people).catch((error) => this.problem(error));
  }

  problem(error) {
    this.banner(`That was refused: ${error.message}`, "refused");
    setTimeout(() => this.client.isOnline && this.banner(""), 5000);
  }

  async leave() {
    sessionStorage.removeItem("user");
    await this.client.close();
    location.reload();
  }
}

async function start(user) {
  const { client, tokens } = await enter(user);
  sessionStorage.setItem("user", user);
  const app = new App(client, tokens);
  await app.start();
}

async function welcome() {
  const user = sessionStorage.getItem("user");
  if (user) {
    await start(user).catch((error) => (by("enter-problem").textContent = error.message));
    return;
  }
  by("name").focus();
}

by("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  start(by("name").value).catch((error) => (by("enter-problem").textContent = error.message));
});
welcome();
