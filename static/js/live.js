// Pages that watch calls or texts: told what has changed, they fetch it; times go on by
// themselves.
//
// An element with data-live fetches itself on the event `changed`: whatever the call,
// with data-call only for that one; data-live="texts" likewise for conversations and
// data-about. While no stream can be had, they poll.

const POLL_MS = 2000;
const TICK_MS = 1000;
const CONNECT_AGAIN_MS = 15000;
const ANYTHING = "";
const OF_TEXTS = "texts:"; // before the id of a conversation

let source = null;
let isHeard = false;
let connectAt = 0;

function concerns(element, word) {
  const { live, call, about } = element.dataset;
  if (word === ANYTHING) return true;
  if (word.startsWith(OF_TEXTS) !== (live === "texts")) return false;
  return live === "texts" ? !about || word === OF_TEXTS + about : !call || word === call;
}

function refresh(words) {
  for (const element of document.querySelectorAll("[data-live]")) {
    if (words.some((word) => concerns(element, word))) {
      htmx.trigger(element, "changed");
    }
  }
}

// A hidden page lets its connection go: a browser has few of them for one address.
function connect() {
  if (document.hidden || source || Date.now() < connectAt) return;
  source = new EventSource("/live/stream");
  source.addEventListener("open", () => (isHeard = true));
  source.addEventListener("changed", (event) => refresh(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    isHeard = false;
    if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    disconnect();
    connectAt = Date.now() + CONNECT_AGAIN_MS;
  });
}

function disconnect() {
  source?.close();
  source = null;
  isHeard = false;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else connect();
});
window.addEventListener("pagehide", disconnect);
window.addEventListener("pageshow", connect);

setInterval(() => {
  if (document.hidden || !document.querySelector("[data-live]")) return disconnect();
  connect();
  if (!isHeard) refresh([ANYTHING]);
}, POLL_MS);
connect();

// -- Times that pass: data-seconds is how many it was when the element came -----------

const cameAt = new WeakMap();

function clock(seconds) {
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  if (hours) parts.unshift(hours);
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

setInterval(() => {
  for (const element of document.querySelectorAll("[data-seconds]")) {
    if (!cameAt.has(element)) cameAt.set(element, Date.now());
    const passed = Math.floor((Date.now() - cameAt.get(element)) / 1000);
    element.textContent = clock(Number(element.dataset.seconds) + passed);
  }
}, TICK_MS);

// -- The transcript: its end stays in sight, and the newest words are read out --------

const announcer = document.querySelector("[data-announcer]");

function newestTurn() {
  return document.querySelector("#call [data-turn]:last-child");
}

let newestNumber = newestTurn()?.dataset.turn;
let wasInSight = false;

document.addEventListener("htmx:beforeSwap", () => {
  const turn = newestTurn();
  wasInSight = !turn || turn.getBoundingClientRect().bottom <= window.innerHeight;
});

document.addEventListener("htmx:afterSettle", () => {
  const turn = newestTurn();
  if (!turn || turn.dataset.turn === newestNumber) return;
  newestNumber = turn.dataset.turn;
  if (announcer) announcer.textContent = turn.dataset.words;
  if (wasInSight) turn.scrollIntoView({ block: "nearest" });
});

document.addEventListener("took-part", (event) => event.target.closest("form")?.reset());
