// Draws one run: a row a device, and below it the memory of the devices. Only what is visible is
// drawn, and in a lane at most one bar for each column of pixels.

const kMostCanvas = 2400; // CSS pixels of rows that are drawn whether in the window or not
const kGutter = 40; // CSS pixels left of the bars, for the devices' numbers

// The lines of pixels that a row is painted on; each is shown as tall as its part of the row. A row
// of a thousand bars costs a thousand fills of an array, and a few calls of the canvas.
const kBlocks = 0;
const kHalves = 1; // the second ops of pairs
const kStrips = 2; // as many as the run has; then the same of the selected microbatch

/** Where the lines of a row begin, and how many it has. */
function linesOf(strips) {
  const chosen = kStrips + strips;
  const critical = 2 * chosen;
  return { chosen, critical, count: critical + 1 + strips };
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
    // As tall as all rows; of very many a canvas has only those in the window.
    this.lanes = make("div", { className: "rows" }, this.canvas);
    this.memoryLanes = make("div", { className: "rows" }, this.memoryCanvas);
  }

  /** Heights in CSS pixels. */
  layout(options) {
    const rows = this.run.devices.length;
    const bar = rows <= 16 ? 26 : rows <= 40 ? 16 : rows <= 128 ? 9 : 5;
    const strips = options.transfers ? this.run.strips : 0;
    const strip = Math.max(3, Math.round(bar / (strips > 1 ? 5 : 4)));
    const gap = bar > 9 ? 4 : 1;
    const memoryRow = rows <= 16 ? 40 : rows <= 40 ? 24 : 12;
    return { bar, strip, strips, gap, row: bar + strips * strip + gap, rows, memoryRow };
  }

  /**
   * Makes room for all rows of that height, and gives the canvas those in and near the window, or
   * all where they are few; returns what to draw on, with the origin at the top of all rows.
   */
  prepare(canvas, width, rowHeight, gap) {
    const ratio = window.devicePixelRatio || 1;
    const rows = this.run.devices.length;
    const box = canvas.parentElement;
    box.style.height = `${rows * rowHeight + gap}px`;
    const { top } = box.getBoundingClientRect();
    const near = window.innerHeight / 2;
    const row = (y) => Math.max(0, Math.min(rows, Math.floor((y - top) / rowHeight)));
    const isAll = rows * rowHeight <= kMostCanvas;
    this.isPart ||= !isAll;
    const first = isAll ? 0 : row(-near);
    const last = isAll ? rows : Math.max(first + 1, row(window.innerHeight + near));
    const height = (last - first) * rowHeight + gap;
    const columns = Math.round(width * ratio);
    const lines = Math.round(height * ratio);
    canvas.style.marginTop = `${first * rowHeight}px`;
    if (canvas.width !== columns || canvas.height !== lines) {
      canvas.width = columns;
      canvas.height = lines;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, lines);
    context.translate(0, -Math.round(first * rowHeight * ratio));
    return { context, ratio, columns: columns - Math.round(kGutter * ratio),
             gutter: Math.round(kGutter * ratio), first, last: Math.min(rows, last) };
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
        if (name === "blocks") {
          lanes.blocks = subset(lane, indices);
          lanes.chosen = new Set(indices);
        } else {
          lanes.strips = byStrip(lane, indices, run.strips);
        }
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
    const target = this.prepare(this.canvas, width, size.row, size.gap);
    const { context, columns } = target;
    const { ops, whys } = this.run;
    const word = ({ look, shade }) => wordOf(theme.looks[look][shade]);
    const frame = {
      view, options, theme, size, ...target, count: { calls: 0, lanes: 0, columns },
      lines: linesOf(size.strips), words: ops.map(word),
      secondWords: ops.map(({ second }) => (second ? word(second) : 0)),
      idleWords: whys.map(([cause]) => wordOf(theme.idle[cause])),
    };
    const lines = frame.lines.count;
    const perStack = Math.max(1, Math.floor(2 ** 20 / (columns * lines)));
    for (let { first } = target; first < target.last; first += perStack) {
      const end = Math.min(target.last, first + perStack);
      const stack = new Stack(columns, (end - first) * lines);
      const labels = [];
      for (let index = first; index < end; ++index) {
        labels.push(this.#paintRow(stack, (index - first) * lines, index, frame));
      }
      stack.finish();
      for (let index = first; index < end; ++index) {
        this.#showRow(stack, (index - first) * lines, index, frame, labels[index - first]);
      }
    }
    this.#overlay(context, view, columns, theme, axis, size, target, height);
    return frame.count;
  }

  /** Paints the lines of a row; returns what has room for a label: [i, x0, x1, ...]. */
  #paintRow(stack, line, index, frame) {
    const { view, options, theme, size, columns, count, lines, idleWords } = frame;
    const row = this.run.devices[index];
    const paint = (lane, draw) => {
      ++count.lanes;
      count.calls += paintLane(lane, view, columns, draw);
    };
    if (options.causes) {
      paint(row.idle, (i, x0, x1) =>
        stack.fill(line + kBlocks, x0, x1, idleWords[row.idle.why[i]]));
    }
    const paintAll = (from, blocks, strips) => {
      for (let level = 0; level < size.strips; ++level) {
        this.#paintBars(stack, from + kStrips + level, strips[level], row.beside, frame, paint);
      }
      return this.#paintBars(stack, from + kBlocks, blocks, row.blocks, frame, paint);
    };
    const labels = paintAll(line, row.blocks, row.beside.strips);
    if (this.selection) {
      const { blocks, strips } = this.selection.rows[index];
      paintAll(line + lines.chosen, blocks, strips);
    }
    if (options.critical) {
      const colour = wordOf(theme.critical);
      const mark = (at) => (i, x0, x1) => stack.fill(at, x0, x1 - (x1 - x0 > 4 ? 1 : 0), colour);
      const first = line + lines.critical;
      paint(row.blocks.critical, mark(first));
      for (let level = 0; level < size.strips; ++level) {
        paint(row.beside.criticalStrips[level], mark(first + 1 + level));
      }
    }
    return labels;
  }

  /** Paints `shown`, which are bars of `lane`; the second ops of pairs into the line below. */
  #paintBars(stack, line, shown, lane, { ratio, size, words, secondWords }, paint) {
    const least = 13 * ratio; // a label needs that much
    const labels = [];
    // A gap of one pixel tells neighbours apart.
    const shownEnd = (x0, x1) => (x1 - x0 > 4 * ratio ? x1 - Math.round(ratio) : x1);
    paint(shown, (i, x0, x1) => {
      stack.fill(line, x0, shownEnd(x0, x1), words[lane.op[i]]);
      if (size.bar >= 12 && x1 - x0 >= least) labels.push(i, x0, x1);
    });
    if (lane.pairs.count > 0) {
      const pairs = shown === lane ? lane.pairs
        : subset(lane, shown.indices.filter((i) => lane.second.has(i)));
      paint(pairs, (i, x0, x1) =>
        stack.fill(line + kHalves, x0, shownEnd(x0, x1), secondWords[lane.op[i]]));
    }
    return labels;
  }

  #showRow(stack, line, index, frame, labels) {
    const { options, theme, size, context, ratio, columns, gutter, view, lines } = frame;
    const row = this.run.devices[index];
    const px = (css) => Math.round(css * ratio);
    const top = px(size.gap + index * size.row);
    const bar = px(size.bar);
    const strip = px(size.strip);
    const stripGap = size.strips > 1 && strip > 3 ? 1 : 0;
    const labelled = size.bar >= 9;
    if (labelled || index % Math.ceil(12 / size.row) === 0) {
      context.fillStyle = theme.faint;
      context.font = `${px(labelled ? 12 : 10)}px system-ui, sans-serif`;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(String(row.device), gutter - px(8), top + bar / 2);
    }
    const show = (from, y, height) =>
      context.drawImage(stack.canvas, 0, from, columns, 1, gutter, y, columns, height);
    const showBars = (from) => {
      show(from + kBlocks, top, bar);
      if (row.blocks.pairs.count > 0) show(from + kHalves, top + (bar >> 1), bar - (bar >> 1));
      for (let level = 0; level < size.strips; ++level) {
        show(from + kStrips + level, top + bar + level * strip, strip - stripGap);
      }
    };
    const end = ((Number(this.run.tTotal) - view.from) / (view.to - view.from)) * columns;
    context.imageSmoothingEnabled = false;
    context.fillStyle = theme.rule;
    context.globalAlpha = 0.35;
    context.fillRect(gutter, top, Math.max(0, Math.min(columns, Math.round(end))), bar);
    context.globalAlpha = this.selection ? 0.22 : 1;
    showBars(line);
    this.#labels(context, row.blocks, labels, theme, top, bar, ratio, gutter, () => true);
    context.globalAlpha = 1;
    if (this.selection) {
      showBars(line + lines.chosen);
      const isChosen = (i) => this.selection.rows[index].chosen.has(i);
      this.#labels(context, row.blocks, labels, theme, top, bar, ratio, gutter, isChosen);
    }
    if (!options.critical) return;
    show(line + lines.critical, top, Math.max(1, Math.min(px(4), bar >> 1)));
    for (let level = 0; level < size.strips; ++level) {
      show(line + lines.critical + 1 + level, top + bar + level * strip, Math.max(1, strip >> 1));
    }
  }

  #labels(context, lane, labels, theme, top, bar, ratio, gutter, isShown) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let k = 0; k < labels.length; k += 3) {
      if (!isShown(labels[k])) continue;
      this.#label(context, lane, labels[k], gutter + labels[k + 1], gutter + labels[k + 2], theme,
                  top, bar, ratio);
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
      const below = name === "beside" ? size.bar + lane.levels[index] * size.strip : 0;
      const top = px(size.gap + rowIndex * size.row + below);
      const tall = name === "beside" ? px(size.strip) : px(size.bar);
      for (const [colour, line] of [[theme.ground, 5], [theme.ink, 2.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = px(line);
        context.strokeRect(left, top, Math.max(2, right - left), tall);
      }
    }
    context.restore();
  }

  /**
   * Pixels, as a path of a thousand steps a device takes far longer to draw. Returns the number of
   * steps.
   */
  #paintMemoryRow(stack, first, lines, memory, { view, theme, most, ratio }) {
    const edge = Math.max(1, Math.round(1.5 * ratio));
    const area = wordOf(theme.memory);
    const line = wordOf(theme.faint);
    const box = (x0, x1, from, to, word) => {
      for (let at = from; at < to; ++at) stack.fill(first + at, x0, x1, word);
    };
    let begin = 0;
    let end = -1;
    let height = null;
    let before = null;
    const paint = () => {
      if (height === null) return;
      box(begin, end, height + edge, lines, area);
      box(begin, end, height, height + edge, line);
      if (before !== null) {
        box(begin, Math.min(end, begin + edge), Math.min(height, before),
          Math.max(height, before) + edge, line);
      }
      before = height;
    };
    const steps = paintMemory(memory, Number(this.run.tTotal), view, stack.columns, (amount, x0, x1) => {
      const at = Math.min(lines - edge, Math.floor((1 - amount / most) * lines));
      if (at !== height) {
        paint();
        begin = x0;
        height = at;
      }
      end = x1;
    });
    paint();
    return steps;
  }

  /** The memory of every device; the same columns as draw(). */
  drawMemory(view, options, theme, axis, width) {
    const { run } = this;
    const size = this.layout(options);
    const row = size.memoryRow;
    const target = this.prepare(this.memoryCanvas, width, row + 4, 4);
    const { context, ratio, columns, gutter, first, last } = target;
    const px = (css) => Math.round(css * ratio);
    const count = { calls: 0, lanes: last - first, columns };
    const limit = run.limitAmount;
    const showsLimit = limit !== null && limit <= 4 * run.peakAmount;
    const most = Math.max(run.peakAmount, showsLimit ? limit : 0) * 1.08;
    const scale = columns / (view.to - view.from);
    const lines = px(row);
    const perStack = Math.min(last - first, Math.max(1, Math.floor(2 ** 20 / (columns * lines))));
    const stack = new Stack(columns, perStack * lines);
    context.textBaseline = "middle";
    run.devices.slice(first, last).forEach(({ device }, index) => {
      const top = px(4 + (first + index) * (row + 4));
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
      if (index % perStack === 0) {
        stack.words.fill(0);
        for (let i = index; i < Math.min(last - first, index + perStack); ++i) {
          count.calls += this.#paintMemoryRow(stack, (i - index) * lines, lines,
            run.devices[first + i].memory, { view, theme, most, ratio });
        }
        stack.finish();
      }
      context.drawImage(stack.canvas, 0, (index % perStack) * lines, columns, lines, 0, top, columns,
        lines);
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
