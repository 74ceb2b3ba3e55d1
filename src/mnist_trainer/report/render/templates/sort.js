// A click on a heading sorts its table; a second one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const down = head.ariaSort === "ascending", numeric = head.classList.contains("number");
      const text = row => row.cells[column].textContent.trim();
      const value = row => parseFloat(text(row).replace(/,/g, "")) * (text(row).endsWith("min") ? 60 : 1);
      const order = (a, b) => numeric
        ? isNaN(value(a)) - isNaN(value(b)) || (value(a) - value(b)) * (down ? -1 : 1) || 0
        : text(a).localeCompare(text(b), "en", {numeric: true}) * (down ? -1 : 1);
      heads.forEach(each => { each.ariaSort = null; });
      head.ariaSort = down ? "descending" : "ascending";
      body.append(...[...body.rows].sort(order));
    };
  });
}
