"use strict";
(() => {
  const plot = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const title = (axis) => (axis.unit ? `${axis.label} (${axis.unit})` : axis.label);

  /** A number as an axis shows it: bytes with a prefix, others with four digits. */
  const shown = (axis, number) => {
    if (axis.unit === "bytes") {
      const prefixes = ["B", "kB", "MB", "GB", "TB", "PB"];
      let power = 0;
      while (Math.abs(number) >= 1000 && power < prefixes.length - 1) {
        number /= 1000;
        ++power;
      }
      return `${Number(number.toPrecision(4))} ${prefixes[power]}`;
    }
    return String(Number(number.toPrecision(4)));
  };
  /** A value as it is written in the results; a place on an axis of categories has their name. */
  const written = (axis, text) => {
    if (axis.categories.length > 0) return axis.categories[Number(text)];
    return axis.unit === "bytes" ? `${text} (${shown(axis, Number(text))})` : text;
  };

  // --- lines and scatters ---

  const points = plot.series
    .flatMap((series, index) =>
      series.points.map((point) => ({
        series: index, text: point, x: Number(point[0]), y: Number(point[1]), isOnFront: point[2] === 1,
      })))
    .sort((left, right) => left.x - right.x);
  // The end of an axis where its better values lie: the front goes from the best x to the best y.
  const isMost = (corner, along) =>
    corner && points.every(({ text }) => Number(text[along]) <= Number(corner[along]));
  const better = { x: isMost(plot.front[0], 0) ? 1 : -1, y: isMost(plot.front.at(-1), 1) ? 1 : -1 };
  const isVisible = plot.series.map(() => true);
  let chart = null;
  let selected = -1;

  const styles = new Map();  // kept while all marks are drawn: to ask is slow
  const css = (name) => {
    if (!styles.has(name)) {
      styles.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    }
    return styles.get(name);
  };
  const colour = (series) => css(`--series-${series % 7}`);

  /** The shapes of gnuplot's picture: circle, square, triangle, rhomb, filled and then hollow. */
  const mark = (context, series, x, y, radius) => {
    const shape = series % 4;
    context.beginPath();
    if (shape === 0) context.arc(x, y, radius, 0, 2 * Math.PI);
    if (shape === 1) context.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
    if (shape === 2) {
      context.moveTo(x, y - radius * 1.15);
      context.lineTo(x + radius * 1.1, y + radius * 0.9);
      context.lineTo(x - radius * 1.1, y + radius * 0.9);
      context.closePath();
    }
    if (shape === 3) {
      context.moveTo(x, y - radius * 1.25);
      context.lineTo(x + radius * 1.25, y);
      context.lineTo(x, y + radius * 1.25);
      context.lineTo(x - radius * 1.25, y);
      context.closePath();
    }
    context.lineWidth = radius * 0.45;
    context.strokeStyle = colour(series);
    context.fillStyle = series % 8 < 4 ? colour(series) : css("--page");
    context.fill();
    context.stroke();
  };

  const drawFront = (u) => {
    if (plot.front.length === 0) return;
    const context = u.ctx;
    context.save();
    context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    context.lineWidth = 1.5 * devicePixelRatio;
    context.strokeStyle = css("--dim");
    context.beginPath();
    let last = "";  // a dashed line of many corners in one pixel is slow
    for (const [x, y] of plot.front) {
      const corner = [u.valToPos(Number(x), "x", true), u.valToPos(Number(y), "y", true)];
      if (String(corner.map(Math.round)) === last) continue;
      last = String(corner.map(Math.round));
      context.lineTo(...corner);
    }
    context.stroke();
    context.restore();
  };

  const drawMarks = (u) => {
    const context = u.ctx;
    const named = new Map();
    context.save();
    context.beginPath();
    context.rect(u.bbox.left - 10, u.bbox.top - 10, u.bbox.width + 20, u.bbox.height + 20);
    context.clip();
    for (const point of points) {
      if (!isVisible[point.series]) continue;
      const x = u.valToPos(point.x, "x", true);
      const y = u.valToPos(point.y, "y", true);
      const radius = plot.kind === "pareto" && !point.isOnFront ? 3.2 : 4.5;
      mark(context, point.series, x, y, radius * devicePixelRatio);
      const key = `${x} ${y}`;
      if (!named.has(key)) named.set(key, { x, y, isOnFront: point.isOnFront, names: [] });
      named.get(key).names.push(plot.series[point.series].name);
    }
    context.restore();
    if (plot.kind === "pareto" && plot.seriesLabel) nameMarks(u, [...named.values()].sort((left, right) => right.isOnFront - left.isOnFront));
  };

  /** What may stand for the names of marks on each other, the longest first. */
  const labelsOf = (names) => {
    const unique = [...new Set(names)];
    const withRest = (some) =>
      some.join(", ") + (unique.length > some.length ? ` +${unique.length - some.length}` : "");
    const shortest = unique.reduce((best, name) => (name.length < best.length ? name : best));
    return [withRest(unique.slice(0, 2)), withRest([unique[0]]), withRest([shortest])];
  };

  /**
   * Names beside the marks, those of the front first and where nothing is better. A name that would
   * stand nearer to another mark or on another name is left out; the list has them all.
   */
  const nameMarks = (u, places) => {
    const mostNames = 200;
    const context = u.ctx;
    const ratio = devicePixelRatio;
    const { left: least, top, width: room, height } = u.bbox;
    const taken = [];
    context.save();
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.fillStyle = css("--dim");
    context.textBaseline = "middle";
    context.textAlign = "left";
    const distance = (box, { x, y }) => Math.hypot(
      Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
    const boxAt = ({ x, y }, width, [right, down]) => {
      const left = x + right * 9 * ratio - (right < 0 ? width : 0);
      const middle = y + down * 13 * ratio;
      return { left, right: left + width, top: middle - 7 * ratio, bottom: middle + 7 * ratio };
    };
    const isFree = (box, place, others) => box.left >= least && box.top >= 0 && box.bottom <= top + height &&
      box.right <= Math.min(least + room + 40 * ratio, context.canvas.width) &&
      taken.every((other) => box.right < other.left || other.right < box.left ||
        box.bottom < other.top || other.bottom < box.top) &&
      others.every((other) => distance(box, other) > 1.4 * distance(box, place));
    for (const place of places.slice(0, mostNames)) {
      // Right and down are positive. Beyond the front nothing is in the way.
      const [x, y] = place.isOnFront ? [better.x, -better.y] : [1, -1];
      const sides = [[x, 0], [x, y], [x, -y], [-x, 0], [-x, y], [-x, -y]];
      const candidates = labelsOf(place.names).flatMap((text) => {
        const { width } = context.measureText(text);
        return sides.map((side) => ({ text, box: boxAt(place, width, side) }));
      });
      // Further away than these is no mark that could be nearer to a name.
      const reach = 30 * ratio + Math.max(...candidates.map(({ box }) => box.right - box.left));
      const others = places.filter((other) => other !== place &&
        Math.abs(other.x - place.x) < reach && Math.abs(other.y - place.y) < 40 * ratio);
      const found = candidates.find(({ box }) => isFree(box, place, others));
      if (!found) continue;
      taken.push(found.box);
      context.fillText(found.text, found.box.left, (found.box.top + found.box.bottom) / 2);
    }
    context.restore();
  };

  const axisOptions = (axis, isY, room) => {
    const font = "13px system-ui, sans-serif";
    const label = title(axis);
    const size = Math.max(9, Math.min(13, Math.floor(room / (0.6 * label.length))));
    const options = {
      label, stroke: css("--text"), font, labelFont: `${size}px system-ui, sans-serif`,
      grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 },
      values: (u, splits) => splits.map((value) => (value === null ? "" : shown(axis, value))),
    };
    if (isY) {
      // As wide as its longest number.
      options.size = (u, labels) => 24 + 8 * Math.max(2, ...(labels ?? []).map((label) => label.length));
    }
    if (axis.categories.length > 0) {
      options.splits = () => axis.categories.map((name, index) => index);
      options.values = (u, splits) => splits.map((index) => axis.categories[index] ?? "");
      const longest = Math.max(...axis.categories.map((name) => name.length));
      if (longest * axis.categories.length > 60) Object.assign(options, { rotate: -45, size: 30 + 6 * longest });
    } else if (axis.isLog) {
      options.splits = (u, at, least, most) => {
        const inside = axis.tics.filter((tic) => least <= tic && tic <= most);
        return inside.length > 0 ? inside : [least, most];
      };
      options.filter = (u, splits) => splits;
    }
    return options;
  };

  /** With room beside the outermost points, and around a single one; `share` more at the better end. */
  const range = (axis, values, end = 0, share = 0) => {
    if (axis.categories.length > 0) return [-0.5, axis.categories.length - 0.5];
    const least = values[0];
    const most = values[values.length - 1];
    if (axis.isLog) {
      const factor = Math.max((most / least) ** 0.05, 1.1);
      const more = (most / least) ** share;
      return [least / factor / (end < 0 ? more : 1), most * factor * (end > 0 ? more : 1)];
    }
    const room = (most - least) * 0.05 || Math.abs(most) * 0.1 || 1;
    const more = (most - least) * share;
    const low = least - room - (end < 0 ? more : 0);
    return [least >= 0 && (least < 3 * room || low < 0) ? 0 : low, most + room + (end > 0 ? more : 0)];
  };

  // Between categories there is nothing.
  const hasLines = plot.kind === "lines" && plot.x.categories.length === 0;

  const draw = () => {
    const box = element("plot");
    if (chart) chart.destroy();
    const width = box.clientWidth;
    const unique = (values) => [...new Set(values)].sort((left, right) => left - right);
    const xs = unique(points.map((point) => point.x));
    const ys = unique(points.map((point) => point.y));
    const scale = (axis, values) => ({
      time: false, distr: axis.isLog ? 3 : 1, range: range(axis, values),
    });
    // The names of the front stand beyond it.
    const share = plot.kind === "pareto" && plot.seriesLabel ? Math.min(0.3, 100 / width) : 0;
    const allOfX = range(plot.x, xs, better.x, share);
    // All of x, or what was zoomed into.
    const zoomed = (u, least, most) =>
      (least <= xs[0] && most >= xs[xs.length - 1] ? allOfX : [least, most]);
    const height = Math.round(Math.min(560, Math.max(plot.kind === "pareto" ? 460 : 340, width * 0.58)));
    const options = {
      width, height,
      legend: { show: false }, padding: [12, 24, 0, 0],
      scales: { x: { ...scale(plot.x, xs), range: zoomed }, y: scale(plot.y, ys) },
      axes: [axisOptions(plot.x, false, width - 90), axisOptions(plot.y, true, height - 80)],
      cursor: { points: { show: false }, x: false, y: false, drag: { x: plot.kind === "lines", y: false } },
      series: [{}, ...plot.series.map((series, index) => ({
        label: series.name, stroke: colour(index), width: 2, spanGaps: true, show: isVisible[index],
        points: { show: false }, paths: hasLines ? uPlot.paths.linear() : () => null,
      }))],
      hooks: {
        drawAxes: [drawFront],
        draw: [drawMarks],
      },
    };
    const columns = [points.map((point) => point.x)];
    plot.series.forEach((series, index) =>
      columns.push(points.map((point) => (point.series === index ? point.y : null))));
    chart = new uPlot(options, columns, box);
    chart.over.addEventListener("mousemove", (event) => {
      const area = chart.over.getBoundingClientRect();
      select(nearest(event.clientX - area.left, event.clientY - area.top));
    });
    chart.over.addEventListener("mouseleave", () => select(-1));
    select(-1);
  };

  const position = (point) => [chart.valToPos(point.x, "x"), chart.valToPos(point.y, "y")];

  const nearest = (x, y) => {
    let best = -1;
    let distance = 40;
    points.forEach((point, index) => {
      if (!isVisible[point.series]) return;
      const [pointX, pointY] = position(point);
      const away = Math.hypot(pointX - x, pointY - y);
      if (away < distance) [best, distance] = [index, away];
    });
    return best;
  };

  const select = (index) => {
    selected = index;
    const tip = element("tip");
    const ring = element("ring");
    tip.hidden = ring.hidden = index < 0;
    if (index < 0) return;
    const point = points[index];
    const [x, y] = position(point);
    const same = points.filter((other) => isVisible[other.series] && other.x === point.x && other.y === point.y);
    const names = [...new Set(same.map((other) => plot.series[other.series].name))];
    const lines = [`${title(plot.x)}: ${written(plot.x, point.text[0])}`,
                   `${title(plot.y)}: ${written(plot.y, point.text[1])}`];
    if (plot.seriesLabel) lines.unshift(names.join(", "));
    if (point.isOnFront) lines.push("on the Pareto front");
    tip.textContent = lines.join("\n");
    tip.style.whiteSpace = "pre-wrap";
    const left = chart.over.offsetLeft + x;
    const top = chart.over.offsetTop + y;
    Object.assign(ring.style, { left: `${left}px`, top: `${top}px` });
    const width = element("plot").clientWidth;
    tip.style.left = "0px";
    const tipLeft = Math.max(0, Math.min(left + 14, width - tip.offsetWidth));
    const tipTop = top - tip.offsetHeight - 14;
    Object.assign(tip.style, { left: `${tipLeft}px`, top: `${tipTop < 0 ? top + 14 : tipTop}px` });
  };

  /** Left and right go along a series, up and down to the next one. */
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const change = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") select(-1);
    if (!step && !change) return;
    event.preventDefault();
    const visible = plot.series.map((series, index) => index).filter((index) => isVisible[index]);
    if (visible.length === 0) return;
    const current = points[selected];
    let series = current ? current.series : visible[0];
    if (change) series = visible[(visible.indexOf(series) + change + visible.length) % visible.length];
    const own = points.map((point, index) => index).filter((index) => points[index].series === series);
    if (!current || change) {
      const x = current ? current.x : -Infinity;
      const away = (index) => Math.abs(points[index].x - x);
      select(own.reduce((best, index) => (current && away(index) < away(best) ? index : best), own[0]));
      return;
    }
    select(own[Math.min(own.length - 1, Math.max(0, own.indexOf(selected) + step))]);
  };

  const addLegend = () => {
    if (!plot.seriesLabel) return;
    const legend = element("legend");
    legend.append(make("span", { textContent: `${plot.seriesLabel}:` }));
    plot.series.forEach((series, index) => {
      const sample = make("canvas", { width: 32, height: 32 });
      const button = make("button", { type: "button" }, sample, series.name);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        isVisible[index] = !isVisible[index];
        button.setAttribute("aria-pressed", String(isVisible[index]));
        chart.setSeries(index + 1, { show: isVisible[index] });
        select(-1);
      });
      legend.append(button);
    });
  };

  const drawSamples = () => {
    document.querySelectorAll("#legend canvas").forEach((sample, index) => {
      const context = sample.getContext("2d");
      context.clearRect(0, 0, 32, 32);
      mark(context, index, 16, 16, 9);
    });
  };

  /** All values in a table that sorts: `rows` of keys to sort by and cells. */
  const addTable = (columns, rows) => {
    const body = make("tbody");
    const fill = () => body.replaceChildren(...rows.map((row) =>
      make("tr", {}, ...row.cells.map((cell) => make("td", { textContent: cell })))));
    const heads = columns.map((name, column) => {
      const button = make("button", { type: "button", textContent: name });
      const head = make("th", { scope: "col" }, button);
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        rows.sort((left, right) => direction * (left.keys[column] - right.keys[column]));
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        fill();
      });
      return head;
    });
    fill();
    element("values").append(make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body));
  };

  const addPointTable = () => {
    const hasSeries = plot.seriesLabel !== "";
    const columns = [...(hasSeries ? [plot.seriesLabel] : []), title(plot.x), title(plot.y)];
    if (plot.kind === "pareto") columns.push("Pareto front");
    const rows = points.map((point) => ({
      keys: [...(hasSeries ? [point.series] : []), point.x, point.y, point.isOnFront ? 0 : 1],
      cells: [...(hasSeries ? [plot.series[point.series].name] : []), written(plot.x, point.text[0]),
              written(plot.y, point.text[1]), point.isOnFront ? "yes" : ""].slice(0, columns.length),
    }));
    addTable(columns, rows);
  };

  // --- heat maps ---

  // Cividis, as in gnuplot's picture.
  const palette = [[0, 34, 78], [67, 78, 108], [125, 124, 120], [188, 175, 111], [254, 232, 56]];
  const rgb = (part) => {
    const at = part * (palette.length - 1);
    const index = Math.min(palette.length - 2, Math.floor(at));
    return palette[index].map((low, i) => Math.round(low + (palette[index + 1][i] - low) * (at - index)));
  };

  /** Black or white, whichever is further from it. */
  const textOn = (colour) => {
    const [red, green, blue] = colour.map((part) => (part / 255) ** 2.2);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18 ? "#ffffff" : "#000000";
  };

  const addHeatmap = () => {
    const values = plot.cells.map((cell) => Number(cell[2]));
    const least = values.reduce((left, right) => Math.min(left, right));
    const most = values.reduce((left, right) => Math.max(left, right));
    const part = (value) => (most > least ? (value - least) / (most - least) : 0.5);
    const head = make("tr", {}, make("th", { scope: "col", textContent: `${plot.y.name} \\ ${plot.x.name}` }));
    const axisText = (axis, text) => (axis.unit === "bytes" ? shown(axis, Number(text)) : text);
    for (const name of plot.x.categories) {
      head.append(make("th", { scope: "col", textContent: axisText(plot.x, name) }));
    }
    const cells = new Map(plot.cells.map(([x, y, z]) => [`${x} ${y}`, z]));
    const rows = plot.y.categories.map((name, y) => {
      const row = make("tr", {}, make("th", { scope: "row", textContent: axisText(plot.y, name) }));
      plot.x.categories.forEach((other, x) => {
        const z = cells.get(`${x} ${y}`);
        const cell = make("td", { textContent: z === undefined ? "\u2013" : shown(plot.z, Number(z)) });
        if (z !== undefined) {
          const background = rgb(part(Number(z)));
          cell.style.background = `rgb(${background})`;
          cell.style.color = textOn(background);
          cell.title = `${plot.x.name}=${other}, ${plot.y.name}=${name}: ${written(plot.z, z)}`;
        }
        row.append(cell);
      });
      return row;
    }).reverse();
    const bar = make("div");
    bar.style.background = `linear-gradient(to right, ${palette.map((stop) => `rgb(${stop})`).join(", ")})`;
    element("plot").append(
      make("div", { className: "wide", tabIndex: 0 },
        make("table", { className: "heatmap" },
          make("caption", { textContent: `across: ${title(plot.x)}; upward: ${title(plot.y)}` }),
          make("thead", {}, head), make("tbody", {}, ...rows))),
      make("div", { id: "scale" }, shown(plot.z, least), bar, shown(plot.z, most)));
    addTable([title(plot.x), title(plot.y), title(plot.z)], plot.cells.map(([x, y, z]) => ({
      keys: [x, y, Number(z)],
      cells: [plot.x.categories[x], plot.y.categories[y], written(plot.z, z)],
    })));
  };

  if (plot.kind === "heatmap") {
    addHeatmap();
    return;
  }
  element("plot").tabIndex = 0;
  element("plot").addEventListener("keydown", onKey);
  addLegend();
  addPointTable();
  const redraw = () => {
    styles.clear();
    draw();
    drawSamples();
  };
  redraw();
  let width = element("plot").clientWidth;
  new ResizeObserver(() => {
    if (element("plot").clientWidth === width) return;
    width = element("plot").clientWidth;
    redraw();
  }).observe(element("plot"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
