// The inbox: which row is open, what was being written, and news read out.
//
// Drafts stay in this page's memory alone: what is typed is put back when its
// conversation is opened again, and is gone with the page.

const drafts = new Map();
const ANNOUNCED_CHARACTERS = 200;

const pane = () => document.getElementById("conversation");
const opened = () => pane()?.dataset.conversation ?? "";
const writing = () => document.querySelector("#reply textarea");
const newestText = () => document.querySelector("#texts [data-text]:last-child");

let shown = opened();
let newest = newestText()?.dataset.text;

function markRow() {
  for (const row of document.querySelectorAll(".list-item")) {
    if (row.dataset.conversation === opened()) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function putDraftBack() {
  const textarea = writing();
  const draft = drafts.get(opened());
  if (textarea && draft && !textarea.value) textarea.value = draft;
}

function announce() {
  const text = newestText();
  if (text?.dataset.text === newest) return;
  newest = text?.dataset.text;
  const news = document.getElementById("inbox-news");
  if (news && text && text.dataset.direction === "incoming") {
    news.textContent = text.innerText.slice(0, ANNOUNCED_CHARACTERS);
  }
}

document.addEventListener("input", (event) => {
  if (event.target === writing()) drafts.set(opened(), event.target.value);
});

document.addEventListener("text-sent", () => drafts.delete(opened()));
document.addEventListener("note-added", () => document.getElementById("note")?.reset());

document.addEventListener("htmx:afterSettle", () => {
  markRow();
  if (opened() === shown) return announce();
  // Another conversation was chosen: its heading says where one is. By its id htmx leaves
  // the focus there when the heading is replaced.
  shown = opened();
  newest = newestText()?.dataset.text;
  putDraftBack();
  document.getElementById("conversation-name")?.focus({ preventScroll: true });
});

// Sending by Ctrl or Cmd with Enter, for Enter alone begins a new line.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (event.target === writing()) event.target.form.requestSubmit();
});
