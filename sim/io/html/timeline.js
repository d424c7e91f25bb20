// The timeline of all runs on one axis: what is visible, the pointer, the keyboard, the controls.

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Round times in a view, [{time, ticks}], at least `least` pixels apart. */
function axisTicks(view, width, least) {
  const wanted = ((view.to - view.from) / width) * least;
  let step = 1n;
  for (let i = 0; Number(step) < wanted; ++i) step = [2n, 5n, 10n][i % 3] * 10n ** BigInt(Math.floor(i / 3));
  const ticks = [];
  const first = BigInt(Math.ceil(view.from));
  for (let at = ((first + step - 1n) / step) * step; Number(at) <= view.to; at += step) {
    ticks.push({ ticks: at, time: Number(at) });
  }
  return ticks;
}

/** The indices of the bars at a time. */
function barsAt(lane, time) {
  const found = [];
  for (let i = firstAbove(lane.reach, time); i < lane.count && lane.starts[i] <= time; ++i) {
    if (lane.ends[i] > time) found.push(i);
  }
  return found;
}

class Timeline {
  constructor(section, runs) {
    this.section = section;
    this.scenes = runs.map((run) => new Scene(run));
    const from = Number(data.from);
    this.full = { from, to: Math.max(from + 1, Number(data.to)) };
    this.view = { ...this.full };
    this.options = { critical: data.critical, causes: false, transfers: true, memory: data.memory };
    this.microbatch = null;
    this.marked = null;
    this.frame = { drawCalls: 0, columns: 0, lanes: 0, ms: 0, count: 0 };
    this.pointers = new Map();
    this.#controls(runs);
    this.#stack();
    for (const scene of this.scenes) this.#listen(scene);
    document.addEventListener("scroll", () => {
      if (this.scenes.some(({ isPart }) => isPart)) this.requestDraw();
    });
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.body.contains(target)) this.#point(null);
    });
    new ResizeObserver(() => this.requestDraw()).observe(this.body);
    this.draw();
  }

  // --- what stands there ---

  #controls(runs) {
    const part = partText(runs);
    const button = (text, label, act) => {
      const made = make("button", { type: "button", textContent: text, title: label, onclick: act });
      made.setAttribute("aria-label", label);
      return made;
    };
    const toggle = (text, option) => {
      const made = button(text, text, () => {
        this.options[option] = !this.options[option];
        made.setAttribute("aria-pressed", this.options[option]);
        this.#legend();
        this.#showMemory();
        this.requestDraw();
      });
      made.dataset.option = option;
      made.setAttribute("aria-pressed", this.options[option]);
      return made;
    };
    const toggles = [toggle("critical path", "critical"), toggle("idle by cause", "causes")];
    if (runs.some((run) => run.strips > 0)) toggles.push(toggle("transfers", "transfers"));
    toggles.push(toggle("memory", "memory"));
    this.search = make("input", { type: "text", inputMode: "numeric", size: 5, id: "microbatch" });
    this.search.addEventListener("change", () => this.#find(this.search.value.trim()));
    const zoom = make("div", { className: "group" },
      button("\u2212", "Zoom out", () => this.zoom(2)), button("+", "Zoom in", () => this.zoom(0.5)),
      button("All", part ? "Show all of this part" : "Show all", () => this.show(this.full)));
    const bar = make("div", { className: "controls" }, zoom,
      make("div", { className: "group" }, ...toggles),
      make("label", {}, "microbatch ", this.search));
    this.legend = make("div", { className: "legend" });
    this.status = make("p", { className: "status faint" });
    this.status.setAttribute("role", "status");
    this.section.append(bar, this.legend);
    if (part) this.section.append(make("p", { className: "part", textContent: `Only a part: ${part}.` }));
    this.#legend();
    this.#describe();
  }

  #stack() {
    this.axis = make("div", { className: "axis" });
    this.axis.setAttribute("aria-hidden", "true");
    this.body = make("div", { className: "body" }, this.axis);
    for (const scene of this.scenes) {
      if (this.scenes.length > 1) {
        this.body.append(make("h3", {}, scene.run.title, make("span", { className: "faint",
          textContent: `  T_total ${withUnit(scene.run.tTotal)}` })));
      }
      const limit = scene.run.memory.limitText;
      scene.memoryPart = make("div", {},
        make("h3", { className: "faint", textContent: `memory: at most ${scene.run.peakText}` +
          (limit ? `, limit ${limit}` : "") }), scene.memoryLanes);
      this.body.append(scene.lanes, scene.memoryPart);
    }
    this.tip = make("div", { className: "tip", hidden: true });
    this.section.append(this.body, this.status, this.tip);
    this.#showMemory();
  }

  #showMemory() {
    for (const scene of this.scenes) {
      if (scene.memoryPart) scene.memoryPart.hidden = !this.options.memory;
    }
  }

  #legend() {
    const theme = currentTheme();
    const key = (colours, text) => {
      const swatch = make("i");
      const share = 100 / colours.length;
      swatch.style.background = `linear-gradient(90deg, ${colours.map((colour, i) =>
        `${colour} ${i * share}% ${(i + 1) * share}%`).join(", ")})`;
      return make("span", { className: "key" }, swatch, text);
    };
    const looks = new Set();
    const causes = new Set();
    let shades = 1;
    for (const { run } of this.scenes) {
      for (const op of run.ops) {
        looks.add(op.look);
        if (op.second) looks.add(op.second.look);
        shades = Math.max(shades, op.shade + 1);
      }
      for (const [cause] of run.whys) causes.add(cause);
    }
    const keys = [...looks].sort().map((look) =>
      key([...new Set(theme.looks[look].slice(0, shades))], data.looks[look]));
    if (this.options.critical) keys.push(key([theme.critical], "critical path"));
    if (this.options.causes) {
      keys.push(make("span", { className: "key" }, "idle:"));
      for (const cause of [...causes].sort()) keys.push(key([theme.idle[cause]], data.causes[cause]));
    }
    if (shades > 1) {
      const meanings = [];
      if (this.scenes.some(({ run }) => run.flows === 1 && run.chunks > 1)) {
        meanings.push("chunks of a device");
      }
      if (this.scenes.some(({ run }) => run.flows > 1)) meanings.push("directions");
      keys.push(make("span", { className: "key faint" }, `dark to pale: ${meanings.join(", ")}`));
    }
    this.legend.replaceChildren(...keys);
  }

  // --- drawing ---

  requestDraw() {
    if (this.isRequested) return;
    this.isRequested = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.isRequested = false;
    const begin = performance.now();
    const theme = currentTheme();
    const width = this.body.clientWidth;
    if (width <= kGutter) return;
    const visible = width - kGutter;
    const ticks = axisTicks(this.view, visible, 40 + 8 * exact(BigInt(data.to)).length);
    const frame = { drawCalls: 0, columns: 0, lanes: 0, ms: 0, count: this.frame.count + 1 };
    for (const scene of this.scenes) {
      scene.marked = this.marked && this.marked.scene === scene ? this.marked : null;
      const counts = [scene.draw(this.view, this.options, theme, ticks, width)];
      if (this.options.memory) {
        counts.push(scene.drawMemory(this.view, this.options, theme, ticks, width));
      }
      for (const { calls, lanes, columns } of counts) {
        frame.drawCalls += calls;
        frame.lanes += lanes;
        frame.columns = columns;
      }
    }
    const labels = [];
    for (const { ticks: at, time } of ticks) {
      const text = exact(at);
      const x = ((time - this.view.from) / (this.view.to - this.view.from)) * visible;
      if (x > visible - 4 * text.length) continue; // it would be cut off
      const label = make("span", { className: "tick", textContent: text });
      label.style.left = `${kGutter + x}px`;
      labels.push(label);
    }
    this.axis.replaceChildren(make("span", { className: "unit", textContent: data.unit }), ...labels);
    frame.ms = performance.now() - begin;
    this.frame = frame;
  }

  /** Shows a part; never less than a few ticks, never more than everything. */
  show({ from, to }) {
    const whole = this.full.to - this.full.from;
    // Below that a pixel would be less than what a double tells apart.
    const least = Math.min(whole, Math.max(8, whole * 2 ** -40));
    const length = Math.min(whole, Math.max(least, to - from));
    const begin = Math.min(Math.max(this.full.from, (from + to - length) / 2), this.full.to - length);
    this.view = { from: begin, to: begin + length };
    this.requestDraw();
  }

  /** Makes what is visible `factor` times as long, round a time: by default its middle. */
  zoom(factor, around = (this.view.from + this.view.to) / 2) {
    const { from, to } = this.view;
    const whole = this.full.to - this.full.from;
    const length = Math.min(whole, (to - from) * factor);
    const share = (around - from) / (to - from);
    this.show({ from: around - share * length, to: around + (1 - share) * length });
  }

  pan(share) {
    const by = (this.view.to - this.view.from) * share;
    const begin = Math.min(Math.max(this.full.from, this.view.from + by),
      this.full.to - (this.view.to - this.view.from));
    this.show({ from: begin, to: begin + (this.view.to - this.view.from) });
  }

  timeAt(clientX) {
    const box = this.body.getBoundingClientRect();
    const share = (clientX - box.left - kGutter) / (box.width - kGutter);
    return this.view.from + share * (this.view.to - this.view.from);
  }

  // --- what is pointed at ---

  /** The bar or the idle part at a place of the window; null if there is none. */
  itemAt(scene, clientX, clientY) {
    const size = scene.layout(this.options);
    const y = clientY - scene.lanes.getBoundingClientRect().top - size.gap;
    const rowIndex = Math.floor(y / size.row);
    const row = scene.run.devices[rowIndex];
    const time = this.timeAt(clientX);
    if (!row || time < this.view.from) return null;
    const below = y - rowIndex * size.row - size.bar;
    if (below >= size.strips * size.strip) return null;
    for (const name of below >= 0 ? ["beside"] : ["blocks", "idle"]) {
      const lane = row[name];
      const all = barsAt(lane, time);
      if (all.length === 0) continue;
      const level = Math.floor(below / size.strip);
      const index = all.find((i) => name === "beside" && lane.levels[i] === level) ?? all[0];
      return { scene, rowIndex, row, lane, name, index, others: all.filter((i) => i !== index) };
    }
    return null;
  }

  /** Sentences about it. */
  describe({ scene: { run }, row, lane, name, index, others = [] }) {
    const times = `${exact(lane.exactStart[index])} to ${withUnit(lane.exactEnd[index])}, ` +
      `lasts ${withUnit(lane.exactEnd[index] - lane.exactStart[index])}`;
    if (name === "idle") {
      const [cause, sentence] = run.whys[lane.why[index]];
      const lines = [`idle on device ${row.device}`, times, `${data.causes[cause]}: ${sentence}`];
      const next = named(run, lane.next[index]);
      const by = named(run, lane.by[index]);
      if (next) lines.push(`ended by ${next}`);
      if (by) lines.push(`released by ${by}`);
      return lines;
    }
    const op = run.ops[lane.op[index]];
    const part = (one, microbatch) => `${data.looks[one.look]}` + (op.hasMicrobatch
      ? `, microbatch ${microbatchLabel(run, microbatch)}` : "") + `, stage ${one.stage}`;
    const lines = [`${token(run, lane, index)} on device ${row.device}`,
      part(op, lane.microbatch[index]) + (run.chunks > 1 ? ` (chunk ${op.chunk})` : "")];
    if (op.second) lines.push(part(op.second, lane.second.get(index)));
    lines.push(times);
    const by = named(run, lane.by[index]);
    lines.push(by ? `released by ${by}` : "began at once");
    if (lane.isCritical.has(index)) lines.push("on the critical path");
    if (others.length > 0) {
      const first = others.slice(0, 4).map((i) => token(run, lane, i)).join(", ");
      const more = others.length > 4 ? ` and ${others.length - 4} more` : "";
      lines.push(`at the same time: ${first}${more}`);
    }
    return lines;
  }

  #point(item, clientX, clientY) {
    const isSame = this.marked && item && this.marked.lane === item.lane &&
      this.marked.index === item.index;
    this.marked = item;
    if (!isSame) this.requestDraw();
    this.#placeTip(item ? this.describe(item) : [], clientX, clientY);
  }

  #placeTip(lines, clientX, clientY) {
    this.tip.hidden = lines.length === 0;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...lines.map((line) => make("div", { textContent: line })));
    const box = this.tip.getBoundingClientRect();
    const right = document.documentElement.clientWidth - box.width - 8;
    const below = clientY + 18;
    const y = below + box.height > window.innerHeight ? clientY - box.height - 14 : below;
    this.tip.style.left = `${Math.max(8, Math.min(clientX + 14, right))}px`;
    this.tip.style.top = `${Math.max(8, y)}px`;
  }

  // --- selection ---

  select(microbatch) {
    this.microbatch = microbatch;
    for (const scene of this.scenes) scene.select(microbatch);
    this.search.value = microbatch === null ? "" : String(microbatch);
    this.#describe();
    this.requestDraw();
  }

  #describe() {
    if (this.microbatch === null) {
      this.status.textContent = "Wheel, two fingers or +/\u2212 zoom, dragging pans, a double click shows all; " +
        "a click on a block follows its microbatch.";
      return;
    }
    const bars = this.scenes.reduce((sum, { selection }) => sum +
      selection.rows.reduce((inRows, { blocks }) => inRows + blocks.count, 0), 0);
    this.status.textContent = bars === 0 ? `No microbatch ${this.microbatch} is shown.`
      : `Microbatch ${this.microbatch}: ${bars} blocks. Escape clears.`;
  }

  #find(text) {
    if (text === "") return this.select(null);
    if (!/^\d{1,9}$/.test(text)) {
      this.status.textContent = "A microbatch is a whole number.";
      return;
    }
    this.select(Number(text));
    const path = this.scenes.flatMap(({ selection }) => selection.path);
    if (path.length === 0) return;
    const from = path.reduce((least, { start }) => Math.min(least, start), Infinity);
    const to = path.reduce((most, { end }) => Math.max(most, end), -Infinity);
    if (from < this.view.from || to > this.view.to) {
      this.show({ from: from - (to - from) * 0.05, to: to + (to - from) * 0.05 });
    }
  }

  #selectItem(item) {
    if (!item || item.name === "idle") return;
    const { run } = item.scene;
    if (!run.ops[item.lane.op[item.index]].hasMicrobatch) return;
    this.select(Math.floor(item.lane.microbatch[item.index] / run.slices));
  }

  // --- pointer and keyboard ---

  #listen(scene) {
    const { canvas } = scene;
    for (const target of [canvas, scene.memoryCanvas]) {
      target.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
      target.addEventListener("dblclick", () => this.show(this.full));
      target.addEventListener("pointerdown", (event) => this.#down(event, target));
      target.addEventListener("pointermove", (event) => this.#move(event, scene));
      for (const end of ["pointerup", "pointercancel"]) {
        target.addEventListener(end, (event) => this.#up(event, scene, end === "pointerup"));
      }
      target.addEventListener("pointerleave", (event) => {
        // A finger that is lifted leaves, too; what it tapped stays named.
        if (this.pointers.size === 0 && event.pointerType !== "touch") this.#point(null);
      });
    }
    canvas.addEventListener("keydown", (event) => this.#key(event, scene));
    canvas.addEventListener("blur", () => this.#point(null));
  }

  #wheel(event) {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) {
      event.preventDefault();
      return this.pan(event.deltaX / 1000);
    }
    const isFull = this.view.to - this.view.from >= (this.full.to - this.full.from) * 0.999;
    if (isFull && event.deltaY > 0 && !event.ctrlKey) return; // the page scrolls on
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * lines * 0.002))),
      this.timeAt(event.clientX));
  }

  #down(event, target) {
    if (event.button !== 0) return;
    target.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event.clientX);
    this.pressed = { x: event.clientX, y: event.clientY, hasMoved: false };
  }

  #move(event, scene) {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      if (event.currentTarget === scene.canvas) {
        return this.#point(this.itemAt(scene, event.clientX, event.clientY), event.clientX,
          event.clientY);
      }
      return this.#memoryTip(event, scene);
    }
    if (Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) > 4) {
      this.pressed.hasMoved = true;
    }
    if (!this.pressed.hasMoved) return;
    this.#point(null);
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      // Both fingers keep the times that they are on.
      const factor = Math.abs(before - other) / Math.max(1, Math.abs(event.clientX - other));
      this.zoom(Math.max(0.5, Math.min(2, factor)), this.timeAt(other));
    } else {
      this.pan((before - event.clientX) / (this.body.clientWidth - kGutter));
    }
    this.pointers.set(event.pointerId, event.clientX);
  }

  #up(event, scene, isClick) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (!isClick) this.#point(null);
    if (!isClick || this.pressed.hasMoved || event.currentTarget !== scene.canvas) return;
    const item = this.itemAt(scene, event.clientX, event.clientY);
    this.#point(item, event.clientX, event.clientY);
    this.#selectItem(item);
  }

  #memoryTip(event, scene) {
    const size = scene.layout(this.options);
    const y = event.clientY - scene.memoryLanes.getBoundingClientRect().top - 4;
    const row = scene.run.devices[Math.floor(y / (size.memoryRow + 4))];
    const time = this.timeAt(event.clientX);
    if (!row || time < this.view.from || time >= Number(scene.run.tTotal)) return this.#point(null);
    const i = Math.max(0, firstAbove(row.memory.times, time) - 1);
    this.#placeTip([`device ${row.device}: ${amountText(scene.run, row.memory.amounts[i])}`,
      `at most ${row.memory.peak}`], event.clientX, event.clientY);
  }

  #key(event, scene) {
    const acts = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
      0: () => this.show(this.full), Home: () => this.show(this.full),
      Escape: () => { this.#point(null); this.select(null); },
      Enter: () => this.#selectItem(this.marked), " ": () => this.#selectItem(this.marked),
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.2) : this.#step(scene, 0, -1)),
      ArrowRight: () => (event.shiftKey ? this.pan(0.2) : this.#step(scene, 0, 1)),
      ArrowUp: () => this.#step(scene, -1, 0), ArrowDown: () => this.#step(scene, 1, 0),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Marks the next block of the row, or the one at the same time in another row. */
  #step(scene, down, right) {
    const rows = scene.run.devices;
    const marked = this.marked && this.marked.scene === scene && this.marked.name === "blocks"
      ? this.marked : null;
    const rowIndex = Math.max(0, Math.min(rows.length - 1, (marked ? marked.rowIndex : 0) +
      (marked ? down : 0)));
    const lane = rows[rowIndex].blocks;
    if (lane.count === 0) return;
    let index = marked ? marked.index + right : firstAbove(lane.reach, this.view.from);
    if (marked && down !== 0) index = firstAbove(lane.reach, marked.lane.starts[marked.index]);
    index = Math.max(0, Math.min(lane.count - 1, index));
    const item = { scene, rowIndex, row: rows[rowIndex], lane, name: "blocks", index };
    this.#reveal(lane.starts[index], lane.ends[index]);
    const size = scene.layout(this.options);
    const box = scene.lanes.getBoundingClientRect();
    const share = (lane.starts[index] - this.view.from) / (this.view.to - this.view.from);
    this.#point(item, box.left + kGutter + share * (box.width - kGutter),
      box.top + size.gap + rowIndex * size.row + size.bar);
    this.status.textContent = this.describe(item).join("; ");
  }

  #reveal(start, end) {
    const { from, to } = this.view;
    if (start >= from && end <= to) return;
    const length = Math.max(to - from, end - start);
    const middle = (start + end) / 2;
    const begin = Math.min(Math.max(this.full.from, middle - length / 2), this.full.to - length);
    this.show({ from: begin, to: begin + length });
  }

  /** Also where the width has changed. */
  changeTheme() {
    this.#legend();
    this.draw();
  }
}
