// A telephone in the page. `CallPanel` binds to markup with these data attributes:
// [data-call-panel][data-events-url][data-actions-url] around [data-log], form[data-say]
// with an input, [data-interrupt], [data-key="5"], [data-pick-up], [data-hang-up],
// [data-state]; all but the log are optional. Texts can be translated by data-text-* on the panel, for
// instance data-text-agent or data-text-ended.

const TEXTS = {
  agent: "Agent",
  caller: "You",
  keys: "Keys",
  note: "Note",
  error: "Problem",
  cleared: "interrupted here",
  ended: "The call has ended",
  lost: "Connection lost, trying again…",
  failed: "That did not reach the call.",
};
const STATES = {
  queued: "badge-neutral",
  initiated: "badge-info",
  ringing: "badge-info",
  "in-progress": "badge-success",
  completed: "badge-neutral",
};
const COPIED_MS = 2000;
const LOOK_AGAIN_MS = 2000;

export class CallPanel {
  constructor(root) {
    this.root = root;
    this.log = root.querySelector("[data-log]");
    this.state = root.querySelector("[data-state]");
    this.form = root.querySelector("form[data-say]");
    this.input = this.form?.querySelector("input");
    this.pickUp = root.querySelector("[data-pick-up]");
    this.isSpeaking = false;
    this.hasEnded = false;
    this.bubble = null;
    this.bind();
    this.open();
  }

  text(name) {
    const key = `text${name[0].toUpperCase()}${name.slice(1)}`;
    return this.root.dataset[key] ?? TEXTS[name];
  }

  bind() {
    this.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say("say");
    });
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest(
        "[data-key], [data-interrupt], [data-pick-up], [data-hang-up]",
      );
      if (!button || !this.root.contains(button)) return;
      if (button.dataset.key) this.act({ type: "press", digits: button.dataset.key });
      else if ("interrupt" in button.dataset) this.say("interrupt");
      else if ("pickUp" in button.dataset) this.act({ type: "pick_up" });
      else this.act({ type: "hang_up" });
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.isSpeaking) return;
      event.preventDefault();
      this.say("interrupt");
    });
  }

  open() {
    this.source = new EventSource(this.root.dataset.eventsUrl);
    this.source.addEventListener("open", () => this.enable(true));
    this.source.addEventListener("message", ({ data }) => this.receive(JSON.parse(data)));
    this.source.addEventListener("error", () => {
      if (!this.hasEnded) this.show(this.text("lost"));
      if (this.source.readyState === EventSource.CLOSED) this.enable(false);
    });
  }

  close() {
    this.source.close();
    this.enable(false);
  }

  enable(isOn) {
    const controls = "input, button, [data-key], [data-interrupt], [data-hang-up]";
    for (const control of this.root.querySelectorAll(controls)) control.disabled = !isOn;
    if (isOn && !this.hasFocused) {
      this.hasFocused = true;
      this.input?.focus({ preventScroll: true });
    }
  }

  receive(event) {
    switch (event.type) {
      case "status":
        this.show(event.status, STATES[event.status] ?? "badge-warning");
        if (this.pickUp) this.ring(event.status === "ringing");
        break;
      case "agent_text":
        this.isSpeaking = true;
        this.bubble ??= this.add("agent", "");
        this.bubble.append(event.text);
        break;
      case "agent_done":
        this.isSpeaking = false;
        this.bubble = null;
        break;
      case "agent_cleared":
        this.cut(event.heard);
        break;
      case "caller":
        this.add("caller", event.text);
        break;
      case "keys":
        this.add(event.by === "agent" ? "agent" : "keys", event.digits);
        break;
      case "error":
        this.add("error", `${event.code ?? ""} ${event.message}`.trim());
        break;
      case "note":
        this.add("note", event.message);
        break;
      case "ended":
        this.hasEnded = true;
        this.add("note", `${this.text("ended")} (${event.status}, ${event.duration_s} s)`);
        this.close();
        break;
    }
    this.root.dispatchEvent(new CustomEvent("call-event", { detail: event }));
    this.log.scrollTop = this.log.scrollHeight;
  }

  ring(isRinging) {
    this.pickUp.hidden = !isRinging;
    (isRinging ? this.pickUp : this.input)?.focus({ preventScroll: true });
  }

  // What the caller never heard stays readable, marked as cut off.
  cut(heard) {
    this.isSpeaking = false;
    if (!this.bubble) return;
    const unheard = this.bubble.textContent.slice(heard.length);
    this.bubble.textContent = heard;
    const rest = document.createElement("s");
    rest.className = "opacity-70";
    rest.textContent = unheard;
    const mark = document.createElement("em");
    mark.textContent = ` (${this.text("cleared")})`;
    this.bubble.append(rest, mark);
    this.bubble = null;
  }

  add(kind, text) {
    const line = document.createElement("div");
    line.className = `chat ${kind === "caller" || kind === "keys" ? "chat-end" : "chat-start"}`;
    const header = document.createElement("div");
    header.className = "chat-header";
    header.textContent = this.text(kind);
    const bubble = document.createElement("div");
    bubble.className = "chat-bubble whitespace-pre-wrap break-words";
    if (kind === "caller") bubble.classList.add("chat-bubble-primary");
    if (kind === "error") bubble.classList.add("chat-bubble-error");
    bubble.textContent = text;
    line.append(header, bubble);
    this.log.append(line);
    return bubble;
  }

  show(text, badge = "badge-warning") {
    if (!this.state) return;
    this.state.textContent = text;
    this.state.className = `badge ${badge}`;
  }

  async say(type) {
    const text = this.input?.value.trim();
    if (!text) {
      this.input?.focus();
      return;
    }
    if (await this.act({ type, text })) this.input.value = "";
  }

  async act(action) {
    try {
      const response = await fetch(this.root.dataset.actionsUrl, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(action),
      });
      if (response.ok) return true;
      const { error } = await response.json();
      this.add("error", error);
    } catch {
      this.add("error", this.text("failed"));
    }
    return false;
  }
}

// The carrier's own pages have no other script: copying is done here for them.
async function copy(button) {
  const label = button.firstChild;
  const before = label.textContent;
  await navigator.clipboard.writeText(button.dataset.copy);
  label.textContent = "✓";
  setTimeout(() => (label.textContent = before), COPIED_MS);
}

// Where a call is waited for, the address leads on to it once there is one.
async function lookForCall() {
  try {
    const { redirected, url } = await fetch(location.href, { redirect: "follow" });
    if (redirected) return location.assign(url);
  } catch {
    // The carrier is away for a moment.
  }
  setTimeout(lookForCall, LOOK_AGAIN_MS);
}

// What is written meanwhile appears without losing what the person is writing.
async function lookForTexts(thread) {
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector("[data-thread]");
    if (now && now.innerHTML !== thread.innerHTML) {
      thread.replaceChildren(...now.childNodes);
      thread.scrollTop = thread.scrollHeight;
    }
  } catch {
    // The carrier is away for a moment.
  }
  setTimeout(() => lookForTexts(thread), LOOK_AGAIN_MS);
}

for (const root of document.querySelectorAll("[data-call-panel]")) new CallPanel(root);
if (document.querySelector("[data-waits-for-call]")) lookForCall();
for (const thread of document.querySelectorAll("[data-thread]")) {
  thread.scrollTop = thread.scrollHeight;
  lookForTexts(thread);
}
if (document.querySelector("[data-simulator-page]")) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
}
