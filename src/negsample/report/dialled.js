"use strict";
/* The main table at the setting of its dial; as it was measured until that is moved, and again by the button. */
for (const [id, tables] of Object.entries(JSON.parse(document.getElementById("dialled").textContent))) {
  const back = document.querySelector(`[data-asmeasured="${id}"]`);
  const slider = document.getElementById(`${id}-dial`);
  if (!back || !slider) continue;
  const betas = JSON.parse(slider.closest(".dial").dataset.betas);
  const rows = [...document.querySelectorAll(`#${id}-main tbody tr`)];
  const measured = rows.map((row) => [...row.cells].map((cell) => [cell.innerHTML, cell.className, cell.dataset.value]));

  function show(cell, [value, text, sd, best]) {
    cell.textContent = text;
    cell.dataset.value = value;
    if (sd) cell.appendChild(document.createElement("small")).textContent = sd;
    cell.classList.toggle("best", Boolean(best));
    cell.classList.toggle("none", !value);
  }

  slider.addEventListener("input", () => {
    const table = tables[String(betas[slider.value])];
    for (const row of rows) {
      (table[row.dataset.method] || []).forEach((cell, at) => show(row.cells[at + 1], cell));
    }
    back.hidden = false;
  });
  back.addEventListener("click", () => {
    rows.forEach((row, number) => measured[number].forEach(([html, kind, value], at) => {
      if (!at) return;
      row.cells[at].innerHTML = html;
      row.cells[at].className = kind;
      row.cells[at].dataset.value = value;
    }));
    back.hidden = true;
  });
}
