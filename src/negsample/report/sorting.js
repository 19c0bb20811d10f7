/* A heading sorts its table: best first, then worst first; what is undefined stays below. */
(() => {
  function sort(table, column, button) {
    const header = button.closest("th");
    const first = header.dataset.best === "low" ? "ascending" : "descending";
    const descending = (header.getAttribute("aria-sort") === first) !== (first === "descending");
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
