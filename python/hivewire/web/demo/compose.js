/** The field at the bottom: write, attach, answer, correct. */

import { newKey } from "/hivewire.js";
import { by, el } from "./looks.js";
import { summary } from "./thread.js";

const TYPING_MS = 3000;

export class Compose {
  constructor(chats, files) {
    this.chats = chats;
    this.files = files;
    this.about = undefined;
    this.drafts = new Map();
    const text = by("compose-text");
    by("compose").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    text.addEventListener("keydown", (event) => this.onKey(event));
    text.addEventListener("input", () => this.onInput());
    text.addEventListener("paste", (event) => this.attach([...event.clipboardData.files], event));
    by("about-cancel").addEventListener("click", () => this.forget());
    by("attach").addEventListener("click", () => by("file").click());
    by("file").addEventListener("change", () => {
      this.attach([...by("file").files]);
      by("file").value = "";
    });
    const main = document.querySelector(".thread");
    main.addEventListener("dragover", (event) => event.preventDefault());
    main.addEventListener("drop", (event) => this.attach([...event.dataTransfer.files], event));
  }

  /** Another conversation is on the screen: each keeps its draft. */
  switched(before, after) {
    if (before) this.drafts.set(before.conv, by("compose-text").value);
    this.stopTyping(before);
    this.forget();
    by("compose-text").value = (after && this.drafts.get(after.conv)) ?? "";
    this.fit();
  }

  focus() {
    by("compose-text").focus();
  }

  submit() {
    const found = this.chats.selected;
    const text = by("compose-text").value.trim();
    if (!found || !text) return;
    const about = this.about;
    by("compose-text").value = "";
    this.stopTyping(found);
    this.forget();
    if (about?.edits) {
      this.chats.client.edit(found.conv, about.item.n, text).catch(() => {});
    } else {
      const body = about ? { text, reply_to: about.item.n } : { text };
      this.chats.send(found, body, newKey());
    }
    this.fit();
  }

  /** Answer to a message, or correct one's own. */
  refer(item, edits = false) {
    this.about = { item, edits };
    by("about").hidden = false;
    by("about-text").replaceChildren(el("b", {}, edits ? "Edit" : `Reply to ${item.from}`), ` ${summary(item)}`);
    if (edits) by("compose-text").value = item.text;
    this.fit();
    this.focus();
  }

  forget() {
    if (this.about?.edits) by("compose-text").value = "";
    this.about = undefined;
    by("about").hidden = true;
    this.fit();
  }

  /** Upload files, each then is a message; it is on the screen meanwhile. */
  attach(files, event) {
    const found = this.chats.selected;
    if (!found || !files.length) return;
    event?.preventDefault();
    for (const file of files) this.upload(found, file);
  }

  async upload(found, file) {
    const key = newKey();
    const url = file.type.startsWith("image/") ? URL.createObjectURL(file) : undefined;
    const item = this.chats.show(found, { key, local: [{ name: file.name, url }] });
    item.state = "uploading";
    try {
      const { id, name, mime, bytes, width, height } = await this.files.upload(file);
      found.unsent.delete(key);
      const data = { files: [{ id, name, mime, bytes, width, height }] };
      this.chats.send(found, { media: [id], data }, key);
    } catch (error) {
      Object.assign(item, { state: "failed", problem: error.message });
      this.chats.changed(found);
    } finally {
      if (url) setTimeout(() => URL.revokeObjectURL(url), 60_000);
    }
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.about) {
      event.preventDefault();
      this.forget();
    } else if (event.key === "ArrowUp" && !by("compose-text").value) {
      const { me, selected } = this.chats;
      const own = selected.items.findLast((item) => item.from === me && item.n && item.text);
      if (own) {
        event.preventDefault();
        this.refer(own, true);
      }
    }
  }

  onInput() {
    const found = this.chats.selected;
    this.fit();
    if (!found || !by("compose-text").value) {
      this.stopTyping(found);
      return;
    }
    const now = Date.now();
    if (now - (this.typedAt ?? 0) > TYPING_MS) {
      this.typedAt = now;
      this.chats.client.typing(found.conv, "start");
    }
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => this.stopTyping(found), TYPING_MS + 1000);
  }

  stopTyping(found) {
    clearTimeout(this.typingTimer);
    if (this.typedAt && found) this.chats.client.typing(found.conv, "stop");
    this.typedAt = undefined;
  }

  /** The field is as high as what is written. */
  fit() {
    const text = by("compose-text");
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 180)}px`;
  }
}
