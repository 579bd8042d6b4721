(function () {
  "use strict";
  var root = document.querySelector(".arpflux");
  var cells = Array.prototype.slice.call(root.querySelectorAll("a.cell"));
  var traces = Array.prototype.slice.call(root.querySelectorAll(".trace"));
  root.classList.add("scripted");

  function show() {
    var id = location.hash.slice(1);
    var body = id ? document.getElementById(id) : null;
    var open = body ? body.closest(".trace") : null;
    if (id && !open) { return; }
    traces.forEach(function (trace) { trace.open = trace === open; });
    cells.forEach(function (cell) {
      if (open && cell.getAttribute("href") === "#" + id) {
        cell.setAttribute("aria-current", "true");
      } else {
        cell.removeAttribute("aria-current");
      }
    });
    if (open) { body.scrollIntoView({ block: "nearest" }); }
  }

  function beside(cell, across, down) {
    var place = cell.closest("td");
    var row = place.parentNode;
    var table = row.parentNode;
    var line = table.rows[Array.prototype.indexOf.call(table.rows, row) + down];
    var next = line && line.cells[place.cellIndex + across];
    return next ? next.querySelector("a.cell") : null;
  }

  var ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  root.addEventListener("keydown", function (event) {
    var cell = event.target.closest ? event.target.closest("a.cell") : null;
    var way = ways[event.key];
    if (cell && way && !event.ctrlKey && !event.altKey && !event.metaKey) {
      var next = beside(cell, way[0], way[1]);
      if (next) { next.focus(); event.preventDefault(); }
    } else if (event.key === "Escape" && location.hash) {
      var current = root.querySelector("a.cell[aria-current]");
      history.replaceState(null, "", location.pathname + location.search);
      traces.forEach(function (trace) { trace.open = false; });
      if (current) { current.removeAttribute("aria-current"); current.focus(); }
    }
  });

  addEventListener("hashchange", show);
  show();
}());
