// What the page for testing an agent adds to the telephone of simulator.js: suggestions
// that are said by one click, the time that has passed, what comes after the call.

const TICK_MS = 1000;

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function startClock(output) {
  const startedAt = Date.now();
  return setInterval(() => {
    output.textContent = clock(Math.round((Date.now() - startedAt) / 1000));
  }, TICK_MS);
}

for (const panel of document.querySelectorAll("[data-call-panel]")) {
  const form = panel.querySelector("form[data-say]");
  const elapsed = panel.querySelector("[data-elapsed]");
  const state = panel.querySelector("[data-state]");
  let ticking = null;

  panel.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-suggestion]");
    if (!suggestion) return;
    form.querySelector("input").value = suggestion.textContent.trim();
    form.requestSubmit();
  });

  panel.addEventListener("call-event", ({ detail }) => {
    if (detail.type === "status") {
      state.textContent = panel.getAttribute(`data-status-${detail.status}`) ?? detail.status;
      if (detail.status === "in-progress") ticking ??= startClock(elapsed);
    }
    if (detail.type !== "ended") return;
    clearInterval(ticking);
    elapsed.textContent = clock(detail.duration_s ?? 0);
    for (const element of document.querySelectorAll("[data-after-call]")) {
      element.hidden = false;
    }
  });
}
