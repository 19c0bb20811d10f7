"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = read("charts");
  const configs = read("configs");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  let drawn = [];
  const dials = [...document.querySelectorAll(".dial")].map((box) => ({
    slider: box.querySelector("input"),
    output: box.querySelector("output"),
    betas: JSON.parse(box.dataset.betas),
    charts: JSON.parse(box.dataset.charts),
  }));

  function say(dial) {
    const beta = dial.betas[dial.slider.value];
    const sign = beta > 0 ? "+" : beta < 0 ? "\u2212" : "";
    const words = beta > 0 ? "towards the head" : beta < 0 ? "towards the tail" : "as trained";
    dial.output.textContent = `\u03b2 = ${sign}${Math.abs(beta)}, ${words}`;
    dial.slider.setAttribute("aria-valuetext", dial.output.textContent);
    return beta;
  }

  async function turn(dial) {
    const beta = say(dial);
    for (const name of dial.charts) {
      const { view } = await drawn[Object.keys(charts).indexOf(name)];
      await view.signal("dial", beta).runAsync();
    }
  }

  async function draw() {
    const config = configs[dark.matches && !print.matches ? "dark" : "light"];
    const earlier = drawn;
    drawn = Object.entries(charts).map(([name, spec]) =>
      vegaEmbed(document.getElementById(name), structuredClone(spec), {
        mode: "vega-lite",
        renderer: "svg",
        config,
        downloadFileName: name,
        actions: { export: true, source: false, compiled: false, editor: false },
      }),
    );
    for (const each of earlier) (await each).finalize();
    await Promise.all(drawn);
    for (const dial of dials) await turn(dial);
    document.documentElement.dataset.drawn = "yes";
  }
  draw();
  for (const dial of dials) dial.slider.addEventListener("input", () => turn(dial));
  dark.addEventListener("change", draw);
  print.addEventListener("change", draw);

  function sort(table, column, button) {
    const header = button.closest("th");
    const descending = header.getAttribute("aria-sort") !== "descending";
    for (const each of table.querySelectorAll("th[aria-sort]")) each.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const value = (row) => row.cells[column].dataset.value;
    const numeric = header.dataset.kind !== "text";
    const compare = (a, b) => {
      if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
      const order = numeric ? value(a) - value(b) : value(a).localeCompare(value(b));
      return descending ? -order : order;
    };
    body.append(...[...body.rows].sort(compare));
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("th[aria-sort] button").forEach((button, column) => {
      button.addEventListener("click", () => sort(table, column, button));
    });
  }
})();
