"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("team-table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const drawing = document.getElementById("drawing");
  const choose = document.getElementById("choose");
  const teamChoice = document.getElementById("team-choice");
  let chosen = null;

  /* Sorting: rows without a figure stay last, whichever way the others run. */
  const compare = (a, b, column, way) => {
    const x = data.values[a.dataset.team][column];
    const y = data.values[b.dataset.team][column];
    if (x === null || y === null) return (x === null) - (y === null);
    return way * (typeof x === "string" ? x.localeCompare(y, "en-GB") : x - y);
  };
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const head = button.parentElement;
    const column = Number(button.dataset.column);
    const text = typeof data.values[0]?.[column] === "string";
    const first = text ? "ascending" : "descending";
    const other = text ? "descending" : "ascending";
    const next = head.ariaSort === first ? other : first;
    for (const cell of table.tHead.rows[0].cells) cell.ariaSort = "none";
    head.ariaSort = next;
    rows.sort((a, b) => compare(a, b, column, next === "ascending" ? 1 : -1));
    body.append(...rows);
  });

  /* Searching */
  const found = document.getElementById("found");
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLocaleLowerCase("en-GB");
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLocaleLowerCase("en-GB").includes(wanted);
      count += !row.hidden;
    }
    const all = `${rows.length.toLocaleString("en-GB")} rows`;
    found.textContent = wanted ? `${count.toLocaleString("en-GB")} of ${all}` : all;
  });

  /* A team that is chosen in the table, on the map or in the list is shown in all three. */
  const byTeam = Object.fromEntries(rows.map((row) => [row.dataset.team, row]));
  const headings = [...table.tHead.rows[0].cells].map((cell) => {
    const [label, unit] = cell.querySelector("button").childNodes;
    return unit ? `${label.textContent.trim()} (${unit.textContent})` : label.textContent.trim();
  });
  const nameOf = (team) => byTeam[team].cells[0].querySelector("button").textContent;
  const outlineOf = (team) =>
    drawing.querySelector(`.outlines [data-team="${team}"], .teams [data-team="${team}"] path`);

  /* One team at a time: the waterfall and its posts by option and year. */
  const fall = data.team.waterfall;
  const waterfall = document.getElementById("waterfall");
  const signed = (size) => {
    const text = (Math.abs(size) / 1000).toFixed(2);
    return (text === "0.00" ? "" : size > 0 ? "+" : "−") + text;
  };
  const fill = (name) => {
    const filled = document.getElementById(`team-${name}`);
    return (team) => {
      if (!filled) return;
      const figures = data.team[name].teams[team];
      [...filled.tBodies[0].rows].forEach((row, i) => {
        [...row.cells].slice(1).forEach((cell, j) => {
          cell.textContent = figures?.[i]?.[j] ?? "–";
        });
      });
    };
  };
  const [fillOptions, fillPace] = [fill("options"), fill("pace")];
  const one = (team) => {
    if (!teamChoice) return;
    teamChoice.value = team;
    document.getElementById("team-name").textContent = nameOf(team);
    fillOptions(team);
    fillPace(team);
    if (!waterfall) return;
    const parts = fall.teams[team];
    waterfall.hidden = parts === null;
    document.getElementById("no-waterfall").hidden = parts !== null;
    if (parts === null) return;
    const at = (height) => (100 * (height / 1000 - fall.low)) / (fall.high - fall.low);
    let height = 1000;
    const rows = [...waterfall.querySelectorAll("tbody tr")].slice(1);
    rows.forEach((row, i) => {
      const last = i === rows.length - 1;
      const [from, to] = last ? [1000, parts[i]] : [height, height + parts[i]];
      const bar = row.querySelector("rect");
      bar.setAttribute("class", last ? "whole" : parts[i] > 0 ? "more" : "less");
      bar.setAttribute("x", `${Math.min(at(from), at(to)).toFixed(2)}%`);
      bar.setAttribute("width", `${Math.abs(at(to) - at(from)).toFixed(2)}%`);
      row.cells[2].textContent = last ? (parts[i] / 1000).toFixed(2) : signed(parts[i]);
      height = to;
    });
  };
  teamChoice?.addEventListener("change", () => {
    if (teamChoice.value !== chosen) choice(teamChoice.value, true);
  });

  const light = (team) => {
    if (!drawing) return;
    const outline = team === null ? null : outlineOf(team);
    document.getElementById("lit").setAttribute("d", outline ? outline.getAttribute("d") : "");
  };
  const choice = (team, scroll) => {
    if (chosen !== null) {
      byTeam[chosen].classList.remove("on");
      byTeam[chosen].querySelector("button").ariaPressed = "false";
    }
    chosen = team === chosen ? null : team;
    light(chosen);
    if (choose) choose.value = chosen ?? "";
    one(chosen ?? String(data.team.first));
    const card = document.getElementById("card");
    if (card) {
      card.hidden = chosen === null;
      card.replaceChildren();
    }
    if (chosen === null) return;
    const row = byTeam[chosen];
    row.classList.add("on");
    row.querySelector("button").ariaPressed = "true";
    if (scroll) {
      const box = table.parentElement;
      box.scrollTop = row.offsetTop - box.clientHeight / 2;
    }
    if (!card) return;
    headings.slice(1).forEach((heading, i) => {
      const line = document.createElement("div");
      const term = document.createElement("dt");
      const figure = document.createElement("dd");
      term.textContent = heading;
      figure.textContent = row.cells[i + 1].textContent;
      line.append(term, figure);
      card.append(line);
    });
  };
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && (event.target.closest("button") || !String(getSelection()))) choice(row.dataset.team, false);
  });
  body.addEventListener("focusin", (event) => light(event.target.closest("tr").dataset.team));
  body.addEventListener("focusout", () => light(chosen));
  if (!drawing) return;
  choose.addEventListener("change", () => {
    if (choose.value === "") choice(chosen, false);
    else choice(choose.value, true);
  });

  /* Colours */
  const shapes = [...drawing.querySelectorAll(".shapes path")];
  const teamOf = (shape) => shape.parentElement.dataset.team;
  const colour = (key) => {
    const measure = data.measures[key];
    shapes.forEach((shape, i) => {
      const number = measure.classes[measure.of === "area" ? i : teamOf(shape)];
      shape.setAttribute("class", number < 0 ? "na" : measure.scheme + number);
    });
    for (const legend of document.querySelectorAll(".legend")) legend.hidden = legend.dataset.measure !== key;
    const label = document.querySelector(`input[name="measure"][value="${key}"]`).parentElement.textContent.trim();
    document.getElementById("map-title").textContent = `Map coloured by: ${label}`;
    document.getElementById("map-text").textContent = measure.sentence;
  };
  document.querySelector(".measures").addEventListener("change", (event) => colour(event.target.value));
  colour(document.querySelector(".measures input:checked").value);

  /* Pointing: our own tip has more to say than the browser's, which would cover it. */
  for (const title of drawing.querySelectorAll("g > title")) title.remove();
  const tip = document.getElementById("tip");
  const area = new Map(shapes.map((shape, i) => [shape, data.areas[i]]));
  const column = (start) => headings.findIndex((heading) => heading.startsWith(start));
  const [needColumn, postsColumn] = [column("Need index"), column("Posts in this plan")];
  drawing.addEventListener("pointermove", (event) => {
    const shape = event.target.closest(".shapes path");
    tip.hidden = !shape;
    if (!shape) return light(chosen);
    const team = teamOf(shape);
    const cells = byTeam[team].cells;
    light(team);
    const name = document.createElement("strong");
    name.textContent = nameOf(team);
    const lines = [
      `Team’s need index: ${cells[needColumn].textContent}`,
      `${headings[postsColumn]}: ${cells[postsColumn].textContent}`,
    ];
    if (area.get(shape)) lines.push(`Need index of area ${area.get(shape)[0]}: ${area.get(shape)[1]}`);
    tip.replaceChildren(name, ...lines.map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    }));
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${event.clientY + tip.offsetHeight + 24 > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16}px`;
  });
  drawing.addEventListener("pointerleave", () => {
    tip.hidden = true;
    light(chosen);
  });
  drawing.addEventListener("click", (event) => {
    const shape = event.target.closest(".shapes path");
    if (shape) choice(teamOf(shape), true);
  });
})();
