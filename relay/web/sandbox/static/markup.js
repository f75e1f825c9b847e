// Text to nodes: Chat's own markup, Markdown, and the HTML subset of cards.

import { el, link } from "./dom.js";

const NAMES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const STYLES = { "*": "strong", _: "em", "~": "s" };
const TAGS = {
  b: "strong", strong: "strong", i: "em", em: "em", u: "u", s: "s", strike: "s", del: "s", code: "code",
  ul: "ul", ol: "ol", li: "li", p: "p", font: "span", a: "a",
};

const CHAT = [
  [/`([^`\n]+)`/u, ([, code]) => el("code", {}, code)],
  [/<((?:https?:\/\/|mailto:)[^|<>\s]+)(?:\|([^<>\n]+))?>/u, ([, url, text]) => link(url, {}, text ?? url)],
  [/<users\/([A-Za-z0-9._-]+)>/u, ([, user]) => el("span", { class: "mention" }, `@${user}`)],
  [/(?<![\p{L}\p{N}])([*_~])(?=\S)([^\n]*?\S)\1(?![\p{L}\p{N}])/u, ([, mark, text]) => el(STYLES[mark], {}, inline(text, CHAT))],
  [/https?:\/\/[^\s<>]*[^\s<>.,;:!?)'"\]]/u, ([url]) => link(url, {}, url)],
];

const MARKDOWN = [
  CHAT[0],
  [/\[([^\]\n]+)\]\(([^()\s]+)\)/u, ([, text, url]) => link(url, {}, inline(text, MARKDOWN))],
  [/(\*\*|__)(?=\S)([^\n]*?\S)\1/u, ([, , text]) => el("strong", {}, inline(text, MARKDOWN))],
  [/(?<![\p{L}\p{N}])([*_])(?=\S)([^\n]*?\S)\1(?![\p{L}\p{N}])/u, ([, , text]) => el("em", {}, inline(text, MARKDOWN))],
  [/~~(?=\S)([^\n]*?\S)~~/u, ([, text]) => el("s", {}, inline(text, MARKDOWN))],
  CHAT[1],
  CHAT[4],
];

/** Nodes of one run of text: the rule that matches first wins, and what it leaves is read on. */
function inline(text, rules) {
  const nodes = [];
  let rest = text;
  while (rest) {
    let first = null;
    for (const [pattern, make] of rules) {
      const match = pattern.exec(rest);
      if (match && (first === null || match.index < first.match.index)) first = { match, make };
    }
    if (first === null) break;
    if (first.match.index) nodes.push(rest.slice(0, first.match.index));
    nodes.push(first.make(first.match));
    rest = rest.slice(first.match.index + first.match[0].length);
  }
  return rest ? [...nodes, rest] : nodes;
}

function blocks(text, rules) {
  return text.split(/```\n?/u).flatMap((part, index, parts) => {
    if (index % 2 === 0) return inline(part.replace(/^[*-] /gmu, "•  "), rules);
    const closed = index < parts.length - 1;
    return closed ? [el("pre", {}, part.replace(/\n$/u, ""))] : inline(`\`\`\`${part}`, rules);
  });
}

/** Nodes of a message's text. */
export const chat = (text) => blocks(text, CHAT);

/** Nodes of text in Markdown, as far as Chat knows it. */
export const markdown = (text) => blocks(text, MARKDOWN);

function unescape(text) {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/giu, (whole, decimal, hex, name) => {
    if (name) return NAMES[name.toLowerCase()] ?? whole;
    const point = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

function attribute(source, name) {
  const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, "iu").exec(source);
  return match ? unescape(match[1] ?? match[2] ?? match[3]) : "";
}

function open(tag, attributes) {
  if (tag === "a") return link(attribute(attributes, "href"), {});
  const element = el(TAGS[tag]);
  const colour = attribute(attributes, "color");
  // Set through the object model, which the page's policy allows; the value cannot be more than a colour.
  if (tag === "font" && /^#?[0-9a-z]{1,20}$/iu.test(colour)) element.style.color = colour;
  return element;
}

/** Nodes of a card's text: the tags that Chat knows become elements, any other stays visible as text. */
export function html(text) {
  const root = el("span");
  const stack = [{ tag: "", element: root }];
  const top = () => stack[stack.length - 1].element;
  let seen = 0;
  for (const match of text.matchAll(/<(\/?)([a-z]+)((?:\s[^<>]*?)?)\/?>/giu)) {
    const [whole, closing, name, attributes] = match;
    const tag = name.toLowerCase();
    if (tag !== "br" && !(tag in TAGS)) continue;
    top().append(unescape(text.slice(seen, match.index)));
    seen = match.index + whole.length;
    if (tag === "br") top().append(el("br"));
    else if (!closing) {
      const element = open(tag, attributes);
      top().append(element);
      stack.push({ tag, element });
    } else {
      const depth = stack.findLastIndex((each) => each.tag === tag);
      if (depth > 0) stack.length = depth;
    }
  }
  top().append(unescape(text.slice(seen)));
  return [...root.childNodes];
}
