// Cards as Google Chat shows them. Every function takes a piece of `cardsV2` and returns an element.

import { el, link, safe } from "./dom.js";
import { glyph, icon } from "./icons.js";
import { html, markdown } from "./markup.js";

const WIDGETS = {
  textParagraph: (of) => paragraph(of),
  decoratedText: (of) => decorated(of),
  buttonList: (of) => el("div", { class: "buttons" }, (of.buttons ?? []).map(button)),
  image: (of) => clickable(of.onClick, "image", stand(of.imageUrl, of.altText)),
  divider: () => el("hr"),
  grid: (of) => grid(of),
  columns: (of) => el("div", { class: "columns" }, (of.columnItems ?? []).map(column)),
  chipList: (of) => el("div", { class: of.layout === "HORIZONTAL_SCROLLABLE" ? "chips scroll" : "chips" }, (of.chips ?? []).map(chip)),
};

let cards = 0;

/** A card with its header and sections. */
export function card({ card: of = {} }) {
  cards += 1;
  const title = of.header?.title;
  const label = title ? `card-${cards}` : null;
  const sections = (of.sections ?? []).map(section);
  const footer = [of.fixedFooter?.primaryButton, of.fixedFooter?.secondaryButton].filter(Boolean).map(button);
  return el(
    "section",
    { class: of.sectionDividerStyle === "NO_DIVIDER" ? "card plain" : "card", "aria-labelledby": label, "aria-label": label ? null : "Card" },
    of.header ? header(of.header, label) : null,
    sections,
    footer.length ? el("div", { class: "section buttons" }, footer) : null,
  );
}

function header(of, id) {
  const shape = of.imageType === "CIRCLE" ? "picture round" : "picture";
  return el(
    "header",
    {},
    of.imageUrl ? el("span", { class: shape, role: "img", "aria-label": of.imageAltText || "Picture", title: of.imageUrl }, glyph("image")) : null,
    el("div", {}, el("h3", { id }, of.title ?? ""), of.subtitle ? el("p", {}, of.subtitle) : null),
  );
}

function section(of) {
  const widgets = (of.widgets ?? []).map(widget);
  const shown = of.collapsible ? widgets.slice(0, of.uncollapsibleWidgetsCount ?? 0) : widgets;
  const folded = widgets.slice(shown.length);
  return el(
    "div",
    { class: "section" },
    of.header ? el("h4", {}, html(of.header)) : null,
    shown,
    folded.length ? fold(folded) : null,
  );
}

function fold(widgets) {
  const body = el("div", { class: "folded", hidden: true }, widgets);
  const toggle = el("button", { type: "button", class: "toggle", "aria-expanded": "false" }, "Show more");
  toggle.addEventListener("click", () => {
    body.hidden = !body.hidden;
    toggle.setAttribute("aria-expanded", String(!body.hidden));
    toggle.textContent = body.hidden ? "Show more" : "Show less";
  });
  return [body, toggle];
}

function widget(of) {
  const kind = Object.keys(of).find((name) => name in WIDGETS);
  if (!kind) {
    const other = Object.entries(of).find(([, value]) => typeof value === "object")?.[0] ?? "widget";
    return el("p", { class: "note" }, `${other}: Chat shows it, this page does not`);
  }
  const element = WIDGETS[kind](of[kind]);
  if (of.horizontalAlignment) element.classList.add(`align-${of.horizontalAlignment.toLowerCase()}`);
  return element;
}

function formatted(text, syntax) {
  return syntax === "MARKDOWN" ? markdown(text ?? "") : html(text ?? "");
}

function paragraph(of) {
  return el("p", { class: "paragraph" }, formatted(of.text, of.textSyntax));
}

function decorated(of) {
  const rich = (part) => (part ? formatted(part.text, part.textSyntax) : null);
  const top = rich(of.topLabelText) ?? of.topLabel;
  const bottom = rich(of.bottomLabelText) ?? of.bottomLabel;
  const body = [
    top ? el("p", { class: "small" }, top) : null,
    el("p", { class: of.wrapText === false ? "cut" : null }, rich(of.contentText) ?? html(of.text ?? "")),
    bottom ? el("p", { class: "small" }, bottom) : null,
  ];
  return el(
    "div",
    { class: "decorated" },
    icon(of.startIcon ?? of.icon),
    clickable(of.onClick, "body", body),
    of.button ? button(of.button) : icon(of.endIcon),
    of.switchControl ? el("input", { type: "checkbox", disabled: true, checked: Boolean(of.switchControl.selected), "aria-label": of.text ?? "Switch" }) : null,
  );
}

function button(of) {
  const style = `button ${(of.type ?? "").toLowerCase()}`;
  const inside = [icon(of.icon), of.text ? el("span", {}, of.text) : null];
  const label = of.text ? null : of.altText || "Button";
  const url = of.onClick?.openLink?.url;
  if (!of.disabled && url && safe(url)) return link(url, { class: style, "aria-label": label, title: url }, inside);
  return el("button", { type: "button", class: style, disabled: true, "aria-label": label }, inside);
}

function clickable(onClick, style, ...children) {
  const url = onClick?.openLink?.url;
  return url && safe(url) ? link(url, { class: `${style} leads` }, ...children) : el("div", { class: style }, ...children);
}

function stand(url, text) {
  const host = safe(url)?.startsWith("http") ? new URL(url).host : "";
  return el("div", { class: "stand", role: "img", "aria-label": text || "Picture" }, glyph("image"), el("span", {}, text || "Picture"), host ? el("small", {}, host) : null);
}

function grid(of) {
  const columns = Math.min(Math.max(of.columnCount ?? 2, 1), 4);
  const items = (of.items ?? []).map((item) =>
    el("li", {}, item.image ? stand(item.image.imageUri, item.image.altText) : null, el("strong", {}, item.title ?? ""), item.subtitle ? el("span", { class: "small" }, item.subtitle) : null),
  );
  return el("div", { class: "gridded" }, of.title ? el("h5", {}, of.title) : null, el("ul", { class: `grid of-${columns}` }, items));
}

function column(of) {
  const style = of.horizontalSizeStyle === "FILL_MINIMUM_SPACE" ? "column narrow" : "column";
  return el("div", { class: style }, (of.widgets ?? []).map(widget));
}

function chip(of) {
  return clickable(of.disabled ? null : of.onClick, of.disabled ? "chip off" : "chip", icon(of.icon), el("span", {}, of.label ?? of.altText ?? ""));
}
