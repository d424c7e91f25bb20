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
    const top = 24;
    const bottom = height - 44;
    const xs = points.map(({ x }) => x);
    const low = Math.min(...xs);
    const high = Math.max(...xs);
    // One slow schedule among many would press the others together.
    const isLog = low > 0 && high > 2 * low;
    const place = isLog ? Math.log : (value) => value;
    const range = place(high) - place(low);
    const margin = range * 0.12 || (isLog ? 0.1 : high * 0.1) || 1;
    const most = Math.max(...points.map(({ y }) => y)) * 1.15 || 1;
    const x = (value) =>
      left + ((place(value) - place(low) + margin) / (range + 2 * margin)) * (width - left - 12);
    const y = (value) => bottom - (value / most) * (bottom - top);
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `T_total and peak memory of ${points.length} schedules` });
    for (const value of roundNumbers(most)) {
      picture.append(svg("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)));
    }
    const step = roundNumbers(Math.max(high - low, high * 0.2))[1];
    let free = left - 20;
    for (let value = Math.floor((low * 0.8) / step) * step; x(value) < width - 12; value += step) {
      const across = x(value);
      if (!(across >= left && across > free)) continue;
      free = across + 48;
      picture.append(svg("line", { class: "grid", x1: across, x2: across, y1: top, y2: bottom }),
        svg("text", { x: across, y: bottom + 18, "text-anchor": "middle" },
          String(Number(value.toPrecision(6)))));
    }
    picture.append(
      svg("text", { x: width - 4, y: height - 6, "text-anchor": "end" }, `T_total (${data.unit}${isLog ? ", logarithmic" : ""})`),
      svg("text", { x: 4, y: 12 }, `peak memory (${inBytes ? "GiB" : "microbatches"})`));
    const front = places.filter(({ run }) => run.onFront).sort((one, other) => one.x - other.x);
    const stairs = front.map((point, i) =>
      (i === 0 ? "M" : `L${x(point.x)},${y(front[i - 1].y)}L`) + `${x(point.x)},${y(point.y)}`);
    picture.append(svg("path", { class: "front", d: stairs.join("") }));
    const taken = places.map((spot) => ({ left: x(spot.x) - 6, right: x(spot.x) + 6,
      top: y(spot.y) - 6, bottom: y(spot.y) + 6 }));
    section.querySelector("svg")?.remove();
    section.append(picture); // so that its texts can be measured
    for (const spot of [...places].sort((one, other) => other.run.onFront - one.run.onFront)) {
      const names = [...spot.names].sort((one, other) => one.length - other.length);
      const text = names.length <= 2 ? names.join(", ") : `${names[0]} and ${names.length - 1} more`;
      const px = x(spot.x);
      const py = y(spot.y);
      picture.append(svg("circle", { cx: px, cy: py, r: 5,
        class: spot.run.onFront ? "on-front" : "behind" },
        svg("title", {}, `${names.join(", ")}: ${spot.x} ${data.unit}, ${spot.run.peakText}`)));
      const label = svg("text", { class: "name" }, text);
      picture.append(label);
      const wide = label.getComputedTextLength();
      const boxes = [[px + 9, py], [px - 9 - wide, py], [px - wide / 2, py - 16],
        [px - wide / 2, py + 16], [px + 6, py - 15], [px + 6, py + 15], [px - 6 - wide, py - 15],
        [px - 6 - wide, py + 15]]
        .map(([from, middle]) => ({ left: from, right: from + wide, top: middle - 7, bottom: middle + 7 }));
      const room = boxes.find((box) => box.left >= left && box.right <= width && box.top > top - 6 &&
        box.bottom < bottom && taken.every((other) => box.right < other.left ||
          box.left > other.right || box.bottom < other.top || box.top > other.bottom));
      if (!room) {
        label.remove();
        continue;
      }
      taken.push(room);
      label.setAttribute("x", room.left);
      label.setAttribute("y", room.bottom - 3);
    }
  };
  draw();
  new ResizeObserver(draw).observe(section.parentElement);
}
