// The stream of a space: messages grouped in threads, the liveliest thread last.

import { card } from "./cards.js";
import { el } from "./dom.js";
import { chat, markdown } from "./markup.js";

const RECENT = 2; // replies that a thread shows unasked
const LIMIT = 200; // messages that the page holds
const REPLIES = 50; // replies that a thread holds

/** Shows messages in `root`; give them in the order they arrived. */
export class Stream {
  #root;
  #threads = new Map();
  count = 0;

  constructor(root) {
    this.#root = root;
  }

  /** Forget everything. */
  clear() {
    this.#threads.clear();
    this.#root.replaceChildren();
    this.count = 0;
  }

  /** Show one more message, in its thread; the thread moves to the end. */
  add(message, fresh) {
    const name = message.thread.name;
    const thread = this.#threads.get(name) ?? new Thread(message.thread.threadKey);
    this.#threads.delete(name);
    this.#threads.set(name, thread);
    this.count += thread.add(show(message, fresh));
    this.#put(thread.element);
    this.#forget();
  }

  #put(element) {
    if (this.#root.lastElementChild === element) return;
    // moveBefore keeps the focus within a thread that moves; not every browser has it yet.
    if (element.isConnected && this.#root.moveBefore) this.#root.moveBefore(element, null);
    else this.#root.append(element);
  }

  #forget() {
    for (const [name, thread] of this.#threads) {
      if (this.count <= LIMIT || this.#threads.size === 1) return;
      this.#threads.delete(name);
      thread.element.remove();
      this.count -= thread.size;
    }
  }
}

class Thread {
  size = 0;
  #replies = [];
  #open = false;
  #list = el("div", { class: "replies", hidden: true });
  #more = el("button", { type: "button", class: "more", "aria-expanded": "false" });
  #caption;

  constructor(key) {
    this.#caption = el("p", { class: "caption", hidden: true }, el("span", { class: "many" }), key ? el("code", { title: "Thread key" }, key) : null);
    this.element = el("article", { class: "thread", "aria-label": key ? `Thread ${key}` : "Thread" });
    this.#more.addEventListener("click", () => {
      this.#open = !this.#open;
      this.#arrange();
    });
  }

  /** Show one more message; returns by how many the thread has grown. */
  add(message) {
    if (this.size === 0) {
      this.element.append(message, this.#caption, this.#list);
      return (this.size = 1);
    }
    this.#replies.push(message);
    this.#list.append(message);
    const full = this.#replies.length > REPLIES;
    if (full) this.#replies.shift().remove();
    else this.size += 1;
    this.#arrange();
    return full ? 0 : 1;
  }

  #arrange() {
    const earlier = this.#replies.length - RECENT;
    this.#replies.forEach((reply, index) => {
      reply.hidden = !this.#open && index < earlier;
    });
    this.#caption.hidden = this.#list.hidden = false;
    this.#caption.firstElementChild.textContent = this.#replies.length === 1 ? "1 reply" : `${this.#replies.length} replies`;
    if (earlier <= 0) return;
    this.#more.textContent = this.#open ? "Show fewer" : `Show ${earlier} earlier`;
    this.#more.setAttribute("aria-expanded", String(this.#open));
    if (!this.#more.isConnected) this.#caption.append(this.#more);
  }
}

function show(message, fresh) {
  const sender = message.sender.displayName;
  const text = message.text ?? "";
  return el(
    "div",
    { class: fresh ? "message fresh" : "message", "data-name": message.name },
    el("span", { class: "avatar", "aria-hidden": "true" }, sender.slice(0, 1).toUpperCase()),
    el(
      "div",
      { class: "content" },
      el("p", { class: "by" }, el("strong", {}, sender), el("span", { class: "app" }, "App"), time(message.createTime)),
      text ? el("div", { class: "text" }, message.markupSyntax === "MARKUP_SYNTAX_MARKDOWN" ? markdown(text) : chat(text)) : null,
      (message.cardsV2 ?? []).map(card),
    ),
  );
}

function time(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  const clock = { hour: "2-digit", minute: "2-digit" };
  const shown = date.toLocaleString([], today ? clock : { day: "numeric", month: "short", ...clock });
  return el("time", { datetime: iso, title: date.toLocaleString() }, shown);
}
