// Single-key shortcuts: `/`, `?` and `g` with a letter, never with Alt, Ctrl or Meta.
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
  return false;
}

SWITCH.checked = areOn();
SWITCH.addEventListener("change", () => remember(SWITCH.checked));

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  if (!SWITCH.checked || isTyping(event.target)) return;
  if (act(event.key)) event.preventDefault();
});
