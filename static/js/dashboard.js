// Charts of the tables that they stand over, so that both say the same; and what makes
// many links easy to walk through. Nothing is lost without this file.

const charts = new Map();

// -- Charts: the first column is the axis, `data-series` are stacked, `data-line` is a line

function numbersOf(table, column) {
  return [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.value));
}

function colourOf(element) {
  return getComputedStyle(element).backgroundColor;
}

function datasetsOf(table, surface) {
  return [...table.tHead.rows[0].cells].flatMap((head, column) => {
    const { series, line } = head.dataset;
    if (series === undefined && line === undefined) return [];
    const colour = colourOf(head.querySelector(".swatch"));
    const shared = { label: head.textContent.trim(), data: numbersOf(table, column) };
    if (line !== undefined) {
      return {
        ...shared,
        type: "line",
        borderColor: colour,
        backgroundColor: colour,
        borderDash: [5, 4],
        borderWidth: 1.5,
        pointRadius: 0,
        pointHoverRadius: 3,
        cubicInterpolationMode: "monotone",
      };
    }
    return {
      ...shared,
      stack: "calls",
      backgroundColor: colour,
      hoverBackgroundColor: colour,
      borderColor: surface,
      borderWidth: { top: 1 },
      borderSkipped: false,
      borderRadius: 2,
      maxBarThickness: 44,
    };
  });
}

function drawn(figure) {
  const table = figure.querySelector("table");
  const style = getComputedStyle(figure);
  const quiet = getComputedStyle(figure.querySelector("summary")).color;
  const surface = colourOf(figure.closest("section"));
  const grid = getComputedStyle(figure.closest("section")).borderTopColor;
  const { currency } = figure.dataset;
  const numbers = new Intl.NumberFormat(
    document.documentElement.lang,
    currency
      ? { style: "currency", currency, maximumFractionDigits: 6 } // fractions of a cent
      : { notation: "compact" },
  );
  const rows = [...table.tBodies[0].rows];
  const linkAt = (place) => rows[place].querySelector("a")?.href;
  const isRtl = style.direction === "rtl";
  Chart.defaults.font.family = style.fontFamily;
  return new Chart(figure.querySelector("canvas"), {
    type: "bar",
    data: {
      labels: rows.map((row) => row.cells[0].textContent.trim()),
      datasets: datasetsOf(table, surface),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (_event, hits) => {
        const address = hits.length && linkAt(hits[0].index);
        if (address) location.assign(address);
      },
      onHover: (event, hits) => {
        const leads = hits.length > 0 && linkAt(hits[0].index) !== undefined;
        event.native.target.classList.toggle("cursor-pointer", leads);
      },
      scales: {
        x: {
          stacked: true,
          reverse: isRtl,
          grid: { display: false },
          border: { color: grid },
          ticks: { color: quiet, maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          stacked: true,
          position: isRtl ? "right" : "left",
          beginAtZero: true,
          grid: { color: grid },
          border: { display: false },
          ticks: {
            color: quiet,
            precision: currency ? undefined : 0,
            maxTicksLimit: 6,
            callback: (value) => numbers.format(value),
          },
        },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          rtl: isRtl,
          filter: (item) => item.raw > 0 || item.dataset.type === "line",
          itemSort: (one, other) => one.datasetIndex - other.datasetIndex,
        },
      },
    },
  });
}

function draw() {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    charts.get(figure)?.destroy();
    charts.set(figure, drawn(figure));
  }
}

// Colours may take a frame to change, also for those who asked for no motion.
const drawSoon = () => requestAnimationFrame(() => requestAnimationFrame(draw));

draw();
document.addEventListener("themechange", drawSoon);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);

// -- On paper -----------------------------------------------------------------------

const PAPER_PX = [680, 260];

addEventListener("beforeprint", () => {
  draw();
  for (const chart of charts.values()) chart.resize(...PAPER_PX);
});
addEventListener("afterprint", drawSoon);
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// -- The hours of a week: one stop of the Tab key, then by the arrows ------------------

const STEPS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

function walk(table, event) {
  const step = STEPS[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  const turn = getComputedStyle(table).direction === "rtl" ? -1 : 1;
  let row = cell.parentElement.rowIndex;
  let column = cell.cellIndex;
  do {
    row += step[0];
    column += step[1] * turn;
    const link = table.rows[row]?.cells[column]?.querySelector("a");
    if (link) return take(table, link);
  } while (row > 0 && row < table.rows.length && column > 0 && column < 25);
}

function take(table, link) {
  for (const other of table.querySelectorAll("a")) other.tabIndex = -1;
  link.tabIndex = 0;
  link.focus();
}

for (const table of document.querySelectorAll("[data-heat-map]")) {
  // On a phone the night would be all that is seen.
  const links = [...table.querySelectorAll("a")];
  const first = links.reduce(
    (one, other) =>
      other.parentElement.cellIndex < one.parentElement.cellIndex ? other : one,
    links[0],
  );
  const way = getComputedStyle(table).direction === "rtl" ? -1 : 1;
  const width = first.parentElement.offsetWidth;
  table.parentElement.scrollLeft = way * (first.parentElement.cellIndex - 1) * width;
  links.slice(1).forEach((link) => (link.tabIndex = -1));
  table.addEventListener("keydown", (event) => walk(table, event));
}
