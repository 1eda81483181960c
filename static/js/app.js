// What every page shares: htmx's CSRF header, toasts, the theme, copying, dialogs.
// Texts come from the page (data attributes), so that they can be translated.

const TOAST_MS = 8000;
const COPIED_MS = 2000;
const UNSAFE = new Set(["post", "put", "patch", "delete"]);

// -- htmx ---------------------------------------------------------------------------

document.addEventListener("htmx:configRequest", (event) => {
  if (UNSAFE.has(event.detail.verb)) {
    const token = document.querySelector("meta[name=csrf-token]").content;
    event.detail.headers["X-CSRFToken"] = token;
  }
});

for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(failure, (event) => {
    // A fragment that polls says nothing: it will ask again by itself.
    const polls = event.detail.elt?.getAttribute("hx-trigger")?.includes("every");
    if (!polls) showToast(document.body.dataset.requestFailed, "error");
  });
}

// -- Toasts: HX-Trigger {"toast": {"text": …, "kind": …}} or #toasts swapped out of band

function showToast(text, kind = "info") {
  const template =
    document.getElementById(`toast-${kind}`) ?? document.getElementById("toast-info");
  const toast = template.content.cloneNode(true);
  toast.querySelector("[data-toast-text]").textContent = text;
  document.getElementById("toasts").append(toast);
}

// Good news goes by itself, unless somebody is reading it; problems stay (WCAG 2.2.1).
function expire(toast) {
  if (!["info", "success"].includes(toast.dataset.toast)) return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, TOAST_MS);
    else toast.remove();
  };
  setTimeout(leave, TOAST_MS);
}

const toasts = document.getElementById("toasts");
toasts.querySelectorAll("[data-toast]").forEach(expire);
new MutationObserver((changes) => {
  for (const node of changes.flatMap((change) => [...change.addedNodes])) {
    if (node instanceof Element && node.matches("[data-toast]")) expire(node);
  }
}).observe(toasts, { childList: true });

document.addEventListener("toast", ({ detail }) => showToast(detail.text, detail.kind));

// -- Buttons ------------------------------------------------------------------------

function toggleTheme() {
  const root = document.documentElement;
  const next = root.dataset.theme === "vo-dark" ? "light" : "dark";
  root.dataset.theme = next === "dark" ? "vo-dark" : "vo";
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Storage is forbidden: the choice holds for this page.
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    showToast(document.body.dataset.copyFailed, "warning");
    return;
  }
  showToast(button.dataset.copied, "success");
  button.classList.add("text-success");
  setTimeout(() => button.classList.remove("text-success"), COPIED_MS);
}

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
}

const ACTIONS = [
  ["[data-theme-toggle]", toggleTheme],
  ["[data-copy]", copy],
  ["[data-toast-close]", (button) => button.closest("[data-toast]").remove()],
  ["[data-dialog-close]", (button) => button.closest("dialog").close()],
  [
    "[data-dialog]",
    (button) => {
      button.closest("[popover]")?.hidePopover();
      openDialog(button.dataset.dialog);
    },
  ],
];

document.addEventListener("click", (event) => {
  for (const [selector, act] of ACTIONS) {
    const button = event.target.closest(selector);
    if (button) return act(button);
  }
  // A click on the backdrop reaches the dialog itself.
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

// -- Forms --------------------------------------------------------------------------

// A dangerous form is sent only when what it asks to type was typed.
document.addEventListener("submit", (event) => {
  const wanted = event.target.dataset.typedConfirm;
  const input = event.target.querySelector("[id$='-typed']");
  if (wanted !== undefined && input.value.trim() !== wanted) {
    event.preventDefault();
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
});

// A filter acts at once where htmx or a change can say so; the button stays for others.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
});
