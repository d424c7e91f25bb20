// Draws one run: a row a device, and below it the memory of the devices. Only what is visible is
// drawn, and in a lane at most one bar for each column of pixels.

const kGutter = 40; // CSS pixels left of the bars, for the devices' numbers

/** The first index at which an ascending array is above `value`. */
function firstAbove(array, value) {
  let low = 0;
  let high = array.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (array[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Calls draw(i, x0, x1) for the visible bars of a lane, in columns of pixels [x0, x1) that ascend
 * and do not overlap. Of bars that share a column the one that covers its left edge, or begins
 * first in it, stands for all. Returns the number of calls: at most `width`.
 */
function paintLane(lane, view, width, draw) {
  const scale = width / (view.to - view.from);
  let free = 0;
  let calls = 0;
  let i = firstAbove(lane.reach, view.from);
  while (i < lane.count && free < width && lane.starts[i] < view.to) {
    const freeTime = view.from + free / scale;
    if (lane.ends[i] > freeTime) {
      const x0 = Math.max(free, Math.floor((lane.starts[i] - view.from) * scale));
      if (x0 >= width) break;
      const x1 = Math.min(width, Math.max(x0 + 1, Math.floor((lane.ends[i] - view.from) * scale)));
      draw(lane.indices ? lane.indices[i] : i, x0, x1);
      ++calls;
      free = x1;
    }
    ++i;
    const next = view.from + free / scale;
    if (i < lane.count && lane.reach[i] <= next) i = firstAbove(lane.reach, next);
  }
  return calls;
}

/** The same for memory: draw(amount, x0, x1), where several changes share a column their most. */
function paintMemory(memory, end, view, width, draw) {
  const scale = width / (view.to - view.from);
  const last = Math.min(width, Math.ceil((end - view.from) * scale));
  let calls = 0;
  let i = Math.max(0, firstAbove(memory.times, view.from) - 1);
  let column = memory.count === 0 ? last
    : Math.max(0, Math.floor((memory.times[i] - view.from) * scale));
  while (column < last) {
    const columnEnd = view.from + (column + 1) / scale;
    let most = memory.amounts[i];
    while (i + 1 < memory.count && memory.times[i + 1] < columnEnd) {
      most = Math.max(most, memory.amounts[++i]);
    }
    const next = i + 1 < memory.count ? Math.floor((memory.times[i + 1] - view.from) * scale) : last;
    const isFlat = most === memory.amounts[i];
    const x1 = isFlat ? Math.min(last, Math.max(column + 1, next)) : column + 1;
    draw(most, column, x1);
    ++calls;
    column = x1;
  }
  return calls;
}

class Scene {
  constructor(run) {
    this.run = run;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "lanes";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `Timeline of ${run.title}, ${run.devices.length} ` +
      "devices. Left and right move between blocks, up and down between devices, plus and minus " +
      "zoom, shift with an arrow pans, enter selects a microbatch, escape clears.");
    this.memoryCanvas = document.createElement("canvas");
    this.memoryCanvas.className = "memory";
    this.memoryCanvas.setAttribute("role", "img");
    this.memoryCanvas.setAttribute("aria-label", `Memory of ${run.title} over time: ` +
      run.devices.map(({ device, memory }) => `device ${device} at most ${memory.peak}`).join(", "));
    this.selection = null;
  }

  /** Heights in CSS pixels. */
  layout(options) {
    const rows = this.run.devices.length;
    const bar = rows <= 16 ? 26 : rows <= 40 ? 16 : rows <= 128 ? 9 : 5;
    const strip = this.run.hasBeside && options.transfers ? Math.max(3, Math.round(bar / 4)) : 0;
    const gap = bar > 9 ? 4 : 1;
    const memoryRow = rows <= 16 ? 40 : rows <= 40 ? 24 : 12;
    return { bar, strip, gap, row: bar + strip + gap, rows, memoryRow };
  }

  /** Sets the size where it changed; returns what to draw on. */
  static prepare(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const columns = Math.round(width * ratio);
    const lines = Math.round(height * ratio);
    if (canvas.width !== columns || canvas.height !== lines) {
      canvas.width = columns;
      canvas.height = lines;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, lines);
    return { context, ratio, columns: columns - Math.round(kGutter * ratio),
             gutter: Math.round(kGutter * ratio) };
  }

  /** The bars of the selected microbatch, by row; and its path from start to start. */
  select(microbatch) {
    this.selection = null;
    if (microbatch === null) return;
    const { run } = this;
    const whole = (number) => Math.floor(number / run.slices);
    const path = [];
    const rows = run.devices.map((row, rowIndex) => {
      const lanes = {};
      for (const name of ["blocks", "beside"]) {
        const lane = row[name];
        const indices = [];
        for (let i = 0; i < lane.count; ++i) {
          if (!run.ops[lane.op[i]].hasMicrobatch) continue;
          const second = lane.second.size > 0 ? lane.second.get(i) : undefined;
          if (whole(lane.microbatch[i]) !== microbatch &&
              (second === undefined || whole(second) !== microbatch)) continue;
          indices.push(i);
          if (name === "blocks") path.push({ rowIndex, start: lane.starts[i], end: lane.ends[i] });
        }
        lanes[name] = subset(lane, indices);
      }
      return lanes;
    });
    path.sort((left, right) => left.start - right.start || left.rowIndex - right.rowIndex);
    this.selection = { microbatch, rows, path };
  }

  /** Returns {calls, lanes, columns}. */
  draw(view, options, theme, axis, width) {
    const size = this.layout(options);
    const height = size.rows * size.row + size.gap;
    const target = Scene.prepare(this.canvas, width, height);
    const { context, ratio, columns, gutter } = target;
    const count = { calls: 0, lanes: 0, columns };
    const px = (css) => Math.round(css * ratio);
    const end = Number(this.run.tTotal);
    const scale = columns / (view.to - view.from);
    const labelled = size.bar >= 9;
    const endColumn = Math.max(0, Math.min(columns, Math.round((end - view.from) * scale)));
    const skip = Math.max(1, Math.ceil(12 / size.row));
    this.run.devices.forEach((row, index) => {
      const top = px(size.gap + index * size.row);
      const bar = px(size.bar);
      if (labelled || index % skip === 0) {
        context.fillStyle = theme.faint;
        context.font = `${px(labelled ? 12 : 10)}px system-ui, sans-serif`;
        context.textAlign = "right";
        context.textBaseline = "middle";
        context.fillText(String(row.device), gutter - px(8), top + bar / 2);
      }
      context.save();
      context.beginPath();
      context.rect(gutter, 0, columns, px(height));
      context.clip();
      context.translate(gutter, 0);
      context.fillStyle = theme.rule;
      context.globalAlpha = 0.35;
      context.fillRect(0, top, endColumn, bar);
      context.globalAlpha = this.selection ? 0.22 : 1;
      if (options.causes) this.#idle(context, row.idle, view, columns, theme, top, bar, count);
      this.#bars(context, row.blocks, row.blocks, view, columns, theme, top, bar, ratio, count);
      const stripTop = top + bar;
      const strip = px(size.strip);
      if (strip > 0) {
        this.#bars(context, row.beside, row.beside, view, columns, theme, stripTop, strip, ratio,
                   count);
      }
      context.globalAlpha = 1;
      if (this.selection) {
        const { blocks, beside } = this.selection.rows[index];
        this.#bars(context, blocks, row.blocks, view, columns, theme, top, bar, ratio, count);
        if (strip > 0) {
          this.#bars(context, beside, row.beside, view, columns, theme, stripTop, strip, ratio,
                     count);
        }
      }
      if (options.critical) {
        const thick = Math.max(1, Math.min(px(4), bar >> 1));
        for (const [lane, y] of [[row.blocks, top], [strip > 0 ? row.beside : null, stripTop]]) {
          if (!lane) continue;
          context.fillStyle = theme.critical;
          ++count.lanes;
          count.calls += paintLane(lane.critical, view, columns, (i, x0, x1) =>
            context.fillRect(x0, y, Math.max(1, x1 - x0 - (x1 - x0 > 4 ? 1 : 0)), thick));
        }
      }
      context.restore();
    });
    this.#overlay(context, view, columns, theme, axis, size, target, height);
    return count;
  }

  #idle(context, lane, view, columns, theme, top, bar, count) {
    const { run } = this;
    ++count.lanes;
    count.calls += paintLane(lane, view, columns, (i, x0, x1) => {
      context.fillStyle = theme.idle[run.whys[lane.why[i]][0]];
      context.fillRect(x0, top, x1 - x0, bar);
    });
  }

  #bars(context, shown, lane, view, columns, theme, top, bar, ratio, count) {
    const { run } = this;
    const least = 13 * ratio; // a label needs that much
    const labels = [];
    ++count.lanes;
    count.calls += paintLane(shown, view, columns, (i, x0, x1) => {
      const op = run.ops[lane.op[i]];
      const width = x1 - x0;
      context.fillStyle = theme.looks[op.look][op.shade];
      // A gap of one pixel tells neighbours apart.
      context.fillRect(x0, top, width > 4 * ratio ? width - Math.round(ratio) : width, bar);
      if (width >= least) labels.push(i, x0, x1);
    });
    if (lane.pairs.count > 0) {
      ++count.lanes;
      const half = bar >> 1;
      const pairs = shown === lane ? lane.pairs
        : subset(lane, shown.indices.filter((i) => lane.second.has(i)));
      count.calls += paintLane(pairs, view, columns, (i, x0, x1) => {
        const { second } = run.ops[lane.op[i]];
        const width = x1 - x0;
        context.fillStyle = theme.looks[second.look][second.shade];
        context.fillRect(x0, top + half, width > 4 * ratio ? width - Math.round(ratio) : width,
                         bar - half);
      });
    }
    if (bar < 12 * ratio) return;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let k = 0; k < labels.length; k += 3) {
      this.#label(context, lane, labels[k], labels[k + 1], labels[k + 2], theme, top, bar, ratio);
    }
  }

  #label(context, lane, i, x0, x1, theme, top, bar, ratio) {
    const { run } = this;
    const op = run.ops[lane.op[i]];
    const write = (text, look, y, size) => {
      if (text.length * size * 0.58 + 4 > (x1 - x0) / ratio) return;
      context.font = `${Math.round(size * ratio)}px system-ui, sans-serif`;
      context.fillStyle = theme.texts[look];
      context.fillText(text, (x0 + x1 - ratio) / 2, y);
    };
    const first = op.hasMicrobatch ? microbatchLabel(run, lane.microbatch[i]) : op.letters;
    if (!op.second) return write(first, op.look, top + bar / 2, 12);
    const size = Math.min(11, bar / ratio / 2 - 2);
    if (size < 8) return;
    write(first, op.look, top + bar * 0.26, size);
    write(microbatchLabel(run, lane.second.get(i)), op.second.look, top + bar * 0.77, size);
  }

  /** Grid, end of the run, the selected microbatch's path, and the marked bar. */
  #overlay(context, view, columns, theme, axis, size, { ratio, gutter }, height) {
    const scale = columns / (view.to - view.from);
    const px = (css) => Math.round(css * ratio);
    const x = (time) => (time - view.from) * scale;
    context.save();
    context.beginPath();
    context.rect(gutter, 0, columns, px(height));
    context.clip();
    context.translate(gutter, 0);
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = theme.rule;
    for (const { time } of axis) context.fillRect(Math.round(x(time)), 0, 1, px(height));
    context.globalCompositeOperation = "source-over";
    const middle = (rowIndex) => px(size.gap + rowIndex * size.row) + px(size.bar) / 2;
    if (this.selection && this.selection.path.length > 1) {
      context.strokeStyle = theme.ink;
      context.lineWidth = px(1.5);
      context.beginPath();
      const { path } = this.selection;
      for (let i = 0; i + 1 < path.length; ++i) {
        if (path[i].rowIndex === path[i + 1].rowIndex) continue;
        context.moveTo(x(path[i].end), middle(path[i].rowIndex));
        context.lineTo(x(path[i + 1].start), middle(path[i + 1].rowIndex));
      }
      context.stroke();
    }
    if (this.marked) {
      const { rowIndex, lane, index, name } = this.marked;
      const left = Math.max(-px(4), x(lane.starts[index]));
      const right = Math.min(columns + px(4), x(lane.ends[index]));
      const top = px(size.gap + rowIndex * size.row) + (name === "beside" ? px(size.bar) : 0);
      const tall = name === "beside" ? px(size.strip) : px(size.bar);
      for (const [colour, line] of [[theme.ground, 5], [theme.ink, 2.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = px(line);
        context.strokeRect(left, top, Math.max(2, right - left), tall);
      }
    }
    context.restore();
  }

  /** The memory of every device; the same columns as draw(). */
  drawMemory(view, options, theme, axis, width) {
    const { run } = this;
    const size = this.layout(options);
    const row = size.memoryRow;
    const height = size.rows * (row + 4) + 4;
    const target = Scene.prepare(this.memoryCanvas, width, height);
    const { context, ratio, columns, gutter } = target;
    const px = (css) => Math.round(css * ratio);
    const count = { calls: 0, lanes: size.rows, columns };
    const limit = run.limitAmount;
    const showsLimit = limit !== null && limit <= 4 * run.peakAmount;
    const most = Math.max(run.peakAmount, showsLimit ? limit : 0) * 1.08;
    const scale = columns / (view.to - view.from);
    context.textBaseline = "middle";
    run.devices.forEach(({ device, memory }, index) => {
      const top = px(4 + index * (row + 4));
      const bottom = top + px(row);
      context.fillStyle = theme.faint;
      context.font = `${px(Math.min(12, row - 1))}px system-ui, sans-serif`;
      context.textAlign = "right";
      context.fillText(String(device), gutter - px(8), (top + bottom) / 2);
      context.save();
      context.translate(gutter, 0);
      context.fillStyle = theme.rule;
      for (const { time } of axis) {
        context.fillRect(Math.round((time - view.from) * scale), top, 1, px(row));
      }
      context.fillRect(0, bottom - 1, columns, 1);
      count.calls += paintMemory(memory, Number(run.tTotal), view, columns, (amount, x0, x1) => {
        const tall = Math.round((amount / most) * px(row));
        context.fillStyle = theme.memory;
        context.fillRect(x0, bottom - tall, x1 - x0, tall);
        context.fillStyle = theme.faint;
        context.fillRect(x0, bottom - tall, x1 - x0, Math.max(1, px(1.5)));
      });
      if (showsLimit) {
        const y = bottom - Math.round((limit / most) * px(row));
        context.strokeStyle = theme.limit;
        context.lineWidth = px(1.5);
        context.setLineDash([px(5), px(3)]);
        context.beginPath();
        context.moveTo(0, y);
        context.lineTo(columns, y);
        context.stroke();
        context.setLineDash([]);
      }
      context.restore();
    });
    return count;
  }
}
