// Asks for new messages once a second and keeps the page's frame up to date.

import { el } from "./dom.js";
import { Stream } from "./stream.js";

const EVERY = 1000; // milliseconds
const NEAR = 120; // pixels from the end that count as being there

const { base, space } = document.body.dataset;
const find = (id) => document.getElementById(id);
const scroller = find("stream");
const stream = new Stream(find("threads"));
const read = new Map(); // by space, the last message that was there when the page opened
let epoch = null;
let last = 0;

async function poll() {
  try {
    const query = new URLSearchParams({ space, after: String(last) });
    const response = await fetch(`${base}/api/messages?${query}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    take(await response.json());
    connected(true);
  } catch {
    connected(false);
  }
  setTimeout(poll, EVERY);
}

function take(news) {
  const first = epoch === null;
  if (!first && epoch !== news.epoch) {
    // The sandbox began anew: what this page numbered is gone.
    [epoch, last] = [news.epoch, 0];
    stream.clear();
    read.clear();
    return;
  }
  epoch = news.epoch;
  const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
  for (const message of news.messages) stream.add(message, !first);
  last = Math.max(last, ...news.messages.map((message) => message.seq));
  spaces(news.spaces, first);
  frame();
  if (news.messages.length) arrived(news.messages, first, near);
}

function frame() {
  find("empty").hidden = stream.count > 0;
  find("how").hidden = stream.count === 0;
  find("count").textContent = stream.count ? `${stream.count} message${stream.count === 1 ? "" : "s"}` : "no messages yet";
}

function arrived(messages, first, near) {
  if (first || near) {
    scroller.scrollTo({ top: scroller.scrollHeight });
  } else {
    find("jump").hidden = false;
  }
  if (first) return;
  const newest = messages[messages.length - 1];
  const words = newest.text || newest.fallbackText || newest.cardsV2?.[0]?.card?.header?.title || "a card";
  find("announcer").textContent = `${newest.sender.displayName}: ${words.slice(0, 200)}`;
}

function connected(live) {
  const state = find("state");
  const name = live ? "live" : "away";
  if (state.dataset.state === name) return;
  state.dataset.state = name;
  state.textContent = live ? "Live" : "Reconnecting";
}

function spaces(list, first) {
  for (const { name, last: newest } of list) {
    const known = [...find("spaces").querySelectorAll("a")].find((each) => each.dataset.name === name);
    const entry = known ?? find("spaces").appendChild(el("li", {}, row(name))).firstElementChild;
    if (first || name === space) read.set(name, newest);
    entry.querySelector(".unread").hidden = newest <= (read.get(name) ?? 0);
  }
}

function row(name) {
  return el(
    "a",
    { href: `${base}/${encodeURIComponent(name)}`, "data-name": name },
    el("span", { class: "tile", "aria-hidden": "true" }, name.slice(0, 1).toUpperCase()),
    el("span", { class: "label" }, name),
    el("span", { class: "unread", hidden: true }, "new"),
  );
}

async function copy(button) {
  const command = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the clipboard (plain HTTP on another machine) the command is selected, ready for Ctrl-C.
    getSelection().selectAllChildren(command);
    button.textContent = "Press Ctrl-C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

document.addEventListener("click", (event) => {
  if (event.target.matches("[data-copy]")) copy(event.target);
  else if (!event.target.closest("#how")) find("how").open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && find("how").open) {
    find("how").open = false;
    find("how").firstElementChild.focus();
  }
});
find("jump").addEventListener("click", () => {
  scroller.scrollTo({ top: scroller.scrollHeight });
  find("jump").hidden = true;
  scroller.focus();
});
scroller.addEventListener("scroll", () => {
  if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR) find("jump").hidden = true;
});

poll();
