// Single-key shortcuts: `/`, `?`, `g` with a letter, `j` and `k` through a list, and what
// has a data-key; never with Alt, Ctrl or Meta.
// They can be switched off (WCAG 2.1.4); the choice stays in this browser.

const PREFIX_MS = 1500;
const SWITCH = document.querySelector("[data-shortcuts-toggle]");

let prefixUntil = 0;

function areOn() {
  try {
    return localStorage.getItem("shortcuts") !== "off";
  } catch {
    return true;
  }
}

function remember(on) {
  try {
    localStorage.setItem("shortcuts", on ? "on" : "off");
  } catch {
    // Storage is forbidden: the switch holds for this page only.
  }
}

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog[open]");
}

function focusSearch() {
  const search = document.querySelector("[data-search]");
  search?.focus();
  search?.select();
  return search !== null;
}

function goTo(letter) {
  const link = document.querySelector(`[data-keys="g ${CSS.escape(letter)}"]`);
  link?.click();
  return link !== null;
}

// From the row with the focus, else from the one that is open.
function walk(step) {
  const rows = [...document.querySelectorAll("[data-walk]")];
  if (!rows.length || !rows[0].offsetParent) return false;
  const from = rows.includes(document.activeElement)
    ? document.activeElement
    : rows.find((row) => row.getAttribute("aria-current") === "true");
  const place = from ? rows.indexOf(from) + step : 0;
  rows[Math.min(Math.max(place, 0), rows.length - 1)].focus();
  return true;
}

function use(key) {
  const element = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (element?.matches("textarea")) element.focus();
  else element?.click();
  return Boolean(element);
}

const STEPS = { j: 1, k: -1 };
const ARROWS = { ArrowDown: 1, ArrowUp: -1 }; // they scroll, but in a list

function act(key) {
  if (performance.now() < prefixUntil) {
    prefixUntil = 0;
    return goTo(key);
  }
  if (key === "g") prefixUntil = performance.now() + PREFIX_MS;
  if (key === "/") return focusSearch();
  if (key === "?") {
    document.getElementById("shortcuts").showModal();
    return true;
  }
  if (key in STEPS) return walk(STEPS[key]);
  if (key in ARROWS) {
    return document.activeElement.matches("[data-walk]") && walk(ARROWS[key]);
  }
  return key.length === 1 && use(key);
}

SWITCH.checked = areOn();
SWITCH.addEventListener("change", () => remember(SWITCH.checked));

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  if (!SWITCH.checked || isTyping(event.target)) return;
  if (act(event.key)) event.preventDefault();
});
