// Makes elements from data. Text only ever becomes a text node.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`class`, `href`, ...; `null` and `false` leave one out) and children. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A stroked 24 x 24 picture from path data. */
export function picture(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** The address as a link may lead to it, or `null`: scripts and data are no places to go. */
export function safe(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:", "mailto:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

/** A link to another site that learns nothing of this page; plain content where the address is unsafe. */
export function link(url, attributes, ...children) {
  const href = safe(url);
  if (href === null) return el("span", attributes, ...children);
  return el("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
