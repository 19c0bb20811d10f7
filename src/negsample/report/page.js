"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = read("charts");
  const configs = read("configs");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  let drawn = [];

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
    document.documentElement.dataset.drawn = "yes";
  }
  draw();
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
