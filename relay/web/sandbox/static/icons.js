// A small set of icons, by the names that Chat's own and Material's icons have. Unknown names get a dot.

import { el, picture } from "./dom.js";

const PATHS = {
  add: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8.5v7M8.5 12h7",
  bell: "M6 17V11a6 6 0 0 1 12 0v6M4.5 17h15M10 20h4",
  branch: "M7 8.5v7M7 8.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 19.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 8.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 8.5c0 4-4 4-8.5 5.5",
  cart: "M3.5 4.5h2.5l2 10.5h9.5l2-7.5H6.800M9.5 19.5h.01M16.5 19.5h.01",
  change: "M4 8h14M14.5 4.5 18 8l-3.5 3.5M20 16H6M9.5 12.5 6 16l3.5 3.5",
  check: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM8.5 12.200l2.5 2.5 4.5-5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 7.5V12l3 2",
  database: "M5 6.5c0-3.3 14-3.3 14 0s-14 3.3-14 0zM5 6.5v11c0 3.3 14 3.3 14 0v-11M5 12c0 3.3 14 3.3 14 0",
  document: "M6 3.5h8l4 4v13H6zM13.5 3.5v4.5H18M9 12.5h6M9 16h6",
  dot: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  edit: "M4.5 19.5l1-4.5L15.5 5l3.5 3.5-10 10zM13 7.5l3.5 3.5",
  flag: "M6 20.5V4.5h11l-2 4 2 4H6",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 4.5M15.5 9h.01",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.5-5.5l-1.5 1.5M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.5 5.5l1.5-1.5",
  mail: "M3.5 6h17v12h-17zM4 6.5l8 6.5 8-6.5",
  money: "M3.5 6.5h17v11h-17zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM6.5 12h.01M17.5 12h.01",
  package: "M4 8l8-4 8 4v8.5l-8 4-8-4zM4 8l8 4 8-4M12 12v8.5",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19c.5-6.5 11.5-6.5 12 0M15.5 5.5a3 3 0 0 1 0 5.5M17.5 14c2 .7 3.3 2.400 3.5 5",
  person: "M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c.5-7.5 13.5-7.5 14 0",
  pin: "M12 21c-4-5-6-8-6-10.5a6 6 0 0 1 12 0C18 13 16 16 12 21zM12 8.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  star: "M12 4l2.400 5.200 5.600.7-4.100 3.900 1.100 5.7-5-2.800-5 2.800 1.100-5.7L4 9.900l5.600-.7z",
  store: "M5 10v9.5h14V10M4 10l1.5-5.5h13L20 10c0 3-5 3-5.3 0-.3 3-5.100 3-5.400 0C9 13 4 13 4 10zM10 19.5v-5h4v5",
  tag: "M4 4.5h8l8 8-7.5 7.5-8.5-8.5zM8 8.5h.01",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.400L17 7M10.5 10.5v5.5M13.5 10.5v5.5",
  truck: "M3 6.5h11v10H3zM14 10h4l3 3.5v3h-7M7 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  warning: "M12 4.5l8.5 15h-17zM12 10v4.5M12 17h.01",
};

const ALIASES = {
  add_circle: "add", add_box: "add", new_releases: "add", notifications: "bell", campaign: "bell", bolt: "bell",
  commit: "branch", merge: "branch", fork_right: "branch", webhook: "branch", shopping_cart: "cart", sync_alt: "change",
  swap_horiz: "change", compare_arrows: "change", published_with_changes: "change", update: "change", check_circle: "check",
  done: "check", task_alt: "check", schedule: "clock", history: "clock", table_rows: "database", table: "database",
  storage: "database", description: "document", article: "document", invoice: "document", edit_note: "edit", pencil: "edit",
  bookmark: "flag", open_in_new: "link", email: "mail", payments: "money", dollar: "money", paid: "money",
  credit_card: "money", inventory_2: "package", inventory: "package", local_shipping: "truck", multiple_people: "people",
  group: "people", membership: "people", account_circle: "person", map_pin: "pin", location_on: "pin", grade: "star",
  storefront: "store", hotel: "store", label: "tag", sell: "tag", ticket: "tag", confirmation_number_icon: "tag",
  delete: "trash", remove_circle: "trash", cancel: "trash", error: "warning", report: "warning",
};

/** The icon of a name; decoration unless `label` says what it means. */
export function glyph(name, label = "") {
  const plain = String(name ?? "").toLowerCase();
  const path = PATHS[plain] ?? PATHS[ALIASES[plain]] ?? PATHS.dot;
  return el("span", { class: "icon", role: label ? "img" : null, "aria-label": label || null }, picture(path));
}

/** An icon of a card. Pictures from elsewhere are never loaded: they get a stand-in. */
export function icon(of) {
  if (!of) return null;
  return glyph(of.materialIcon?.name ?? of.knownIcon ?? (of.iconUrl ? "image" : "dot"), of.altText);
}
