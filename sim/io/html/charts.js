// Idle time by cause as stacked bars with their numbers, and T_total against peak memory.

/** Rows of {name, times}, the times by cause as exact decimals. */
function idleTable(rows, what) {
  const theme = currentTheme();
  const causes = data.causes.map((name, cause) => cause)
    .filter((cause) => rows.some(({ times }) => times[cause] !== "0"));
  const sum = (times) => times.reduce((all, time) => all + Number(time), 0);
  const most = Math.max(...rows.map(({ times }) => sum(times)));
  const head = make("tr", {}, make("th", { scope: "col", textContent: what }),
    make("th", { scope: "col", className: "bars", textContent: "idle" }),
    ...causes.map((cause) => {
      const swatch = make("i");
      swatch.style.background = theme.idle[cause];
      return make("th", { scope: "col" },
        make("span", { className: "key" }, swatch, data.causes[cause]));
    }));
  const lines = rows.map(({ name, times }) => {
    const bar = make("div", { className: "bar" });
    for (const cause of causes) {
      if (times[cause] === "0") continue;
      const part = make("span", { title: `${data.causes[cause]} ${times[cause]} ${data.unit}` });
      part.style.width = `${(Number(times[cause]) / most) * 100}%`;
      part.style.background = theme.idle[cause];
      bar.append(part);
    }
    return make("tr", {}, make("th", { scope: "row", textContent: name }),
      make("td", { className: "bars" }, bar),
      ...causes.map((cause) => make("td", { textContent: times[cause] })));
  });
  const wide = make("div", { className: "wide tall", tabIndex: 0 },
    make("table", { className: "idle" }, make("thead", {}, head), make("tbody", {}, ...lines)));
  wide.setAttribute("role", "group");
  wide.setAttribute("aria-label", `Idle time by ${what} and cause, in ${data.unit}`);
  return causes.length === 0 ? make("p", { textContent: "No device is ever idle." }) : wide;
}

function idleChart(section, runs) {
  const isComparison = runs.length > 1;
  section.append(
    isComparison
      ? idleTable(runs.map(({ title, idleSum }) => ({ name: title, times: idleSum })), "schedule")
      : idleTable(runs[0].idle.map((times, name) => ({ name, times })), "device"),
    make("p", { className: "faint", textContent:
      `In ${data.unit}, of the whole run${isComparison ? ", all devices together" : ""}.` }));
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A few round numbers in [0, most]. */
function roundNumbers(most) {
  const wanted = most / 5;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((times) => times * power).find((round) => round >= wanted);
  const numbers = [];
  for (let i = 0; i * step <= most * 1.0001; ++i) numbers.push(Number((i * step).toPrecision(6)));
  return numbers;
}

/** Each run a point; those of which none is both as fast and as small are joined. */
function scatter(section, runs) {
  const inBytes = runs[0].memory.unit === "bytes";
  const unit = 2 ** 30;
  const points = runs.map((run) => ({
    run, x: Number(exact(run.tTotal)), y: Number(run.peak) / (inBytes ? unit : 1),
    names: [run.title],
  }));
  const places = [];
  for (const point of points) {
    const same = places.find(({ x, y }) => x === point.x && y === point.y);
    if (same) same.names.push(...point.names);
    else places.push(point);
  }
  const draw = () => {
    const width = Math.max(280, Math.min(900, section.clientWidth));
    const height = Math.min(380, Math.max(260, width * 0.5));
    const left = 52;
    const bottom = height - 44;
    const xs = points.map(({ x }) => x);
    const low = Math.min(...xs);
    const high = Math.max(...xs);
    const margin = (high - low) * 0.12 || high * 0.1 || 1;
    const most = Math.max(...points.map(({ y }) => y)) * 1.15 || 1;
    const x = (value) => left + ((value - low + margin) / (high - low + 2 * margin)) * (width - left - 12);
    const y = (value) => bottom - (value / most) * (bottom - 14);
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `T_total and peak memory of ${points.length} schedules` });
    for (const value of roundNumbers(most)) {
      picture.append(svg("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)));
    }
    const across = roundNumbers(high - low + 2 * margin);
    const step = across[1] * (width < 500 ? 2 : 1);
    for (let value = Math.ceil((low - margin) / step) * step; value <= high + margin; value += step) {
      picture.append(svg("line", { class: "grid", x1: x(value), x2: x(value), y1: 8, y2: bottom }),
        svg("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" },
          String(Number(value.toPrecision(6)))));
    }
    picture.append(
      svg("text", { x: width - 4, y: height - 6, "text-anchor": "end" }, `T_total (${data.unit})`),
      svg("text", { x: 4, y: height - 6 }, `peak memory (${inBytes ? "GiB" : "microbatches"})`));
    const front = places.filter(({ run }) => run.onFront).sort((one, other) => one.x - other.x);
    const stairs = front.map((point, i) =>
      (i === 0 ? "M" : `L${x(point.x)},${y(front[i - 1].y)}L`) + `${x(point.x)},${y(point.y)}`);
    picture.append(svg("path", { class: "front", d: stairs.join("") }));
    const taken = places.map((place) => ({ left: x(place.x) - 6, right: x(place.x) + 6,
      top: y(place.y) - 6, bottom: y(place.y) + 6 }));
    for (const place of [...places].sort((one, other) => other.run.onFront - one.run.onFront)) {
      const text = place.names.join(", ");
      const px = x(place.x);
      const py = y(place.y);
      picture.append(svg("circle", { cx: px, cy: py, r: 5,
        class: place.run.onFront ? "on-front" : "behind" },
        svg("title", {}, `${text}: ${place.x} ${data.unit}, ${place.run.peakText}`)));
      const wide = text.length * 6.6;
      const boxes = [[px + 9, py], [px - 9 - wide, py], [px - wide / 2, py - 16], [px - wide / 2, py + 16]]
        .map(([from, middle]) => ({ left: from, right: from + wide, top: middle - 7, bottom: middle + 7 }));
      const free = boxes.find((box) => box.left >= left && box.right <= width && box.top > 0 &&
        box.bottom < bottom && taken.every((other) => box.right < other.left ||
          box.left > other.right || box.bottom < other.top || box.top > other.bottom));
      if (!free) continue;
      taken.push(free);
      picture.append(svg("text", { x: free.left, y: free.bottom - 3, class: "name" }, text));
    }
    section.querySelector("svg")?.remove();
    section.append(picture);
  };
  draw();
  new ResizeObserver(draw).observe(section.parentElement);
}
