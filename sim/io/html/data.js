// What the page draws, from its data block; sim/io/html_data.hpp says what stands there.

const data = JSON.parse(document.getElementById("data").textContent);
const ticksPerUnit = 10n ** BigInt(data.unitDigits);

/** Ticks (BigInt) as an exact decimal in the page's unit. */
function exact(ticks) {
  const sign = ticks < 0n ? "-" : "";
  const magnitude = ticks < 0n ? -ticks : ticks;
  const whole = magnitude / ticksPerUnit;
  const fraction = (magnitude % ticksPerUnit).toString().padStart(data.unitDigits, "0");
  const digits = data.unitDigits === 0 ? "" : fraction.replace(/0+$/, "");
  return sign + whole + (digits ? "." + digits : "");
}

const withUnit = (ticks) => `${exact(ticks)} ${data.unit}`;

/**
 * Times twice: in int64, so that what is shown is exact, and as doubles, which say where to draw.
 * `reach` is the latest end so far: ends may not ascend where things overlap.
 */
function decodeTimes(columns, tick) {
  const count = columns.gap.length;
  const exactStart = new BigInt64Array(count);
  const exactEnd = new BigInt64Array(count);
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  const reach = new Float64Array(count);
  let at = 0n;
  let latest = -Infinity;
  for (let i = 0; i < count; ++i) {
    at += BigInt(columns.gap[i]) * tick;
    exactStart[i] = at;
    starts[i] = Number(at);
    at += BigInt(columns.length[i]) * tick;
    exactEnd[i] = at;
    ends[i] = Number(at);
    latest = Math.max(latest, ends[i]);
    reach[i] = latest;
  }
  return { count, exactStart, exactEnd, starts, ends, reach };
}

/** Some of a lane's bars, as a lane of its own. */
function subset(lane, indices) {
  const pick = (array) => Float64Array.from(indices, (i) => array[i]);
  const ends = pick(lane.ends);
  let latest = -Infinity;
  const reach = ends.map((end) => (latest = Math.max(latest, end)));
  return { count: indices.length, indices, starts: pick(lane.starts), ends, reach };
}

function decodeLane(columns, run, firstId) {
  const lane = decodeTimes(columns, run.tick);
  lane.firstId = firstId;
  lane.op = Uint32Array.from(columns.op);
  lane.microbatch = Int32Array.from(columns.microbatch);
  lane.by = columns.by;
  const pairs = [];
  for (let i = 0; i < lane.count; ++i) if (run.ops[lane.op[i]].second) pairs.push(i);
  lane.second = new Map(pairs.map((i, k) => [i, columns.second[k]]));
  lane.pairs = subset(lane, pairs);
  lane.critical = subset(lane, columns.critical);
  lane.isCritical = new Set(columns.critical);
  return lane;
}

const kMostLevels = 4; // of a strip; transfers beyond share the last one

/** By bar: which strip below the row it is drawn on, so that none covers another. */
function strips(lane) {
  const free = [];
  const levels = new Uint8Array(lane.count);
  for (let i = 0; i < lane.count; ++i) {
    const level = free.findIndex((time) => time <= lane.starts[i]);
    levels[i] = level >= 0 ? level : Math.min(free.length, kMostLevels - 1);
    free[levels[i]] = Math.max(free[levels[i]] ?? -Infinity, lane.ends[i]);
  }
  return levels;
}

/** Those of the bars, as a lane for each strip. */
function byStrip(lane, indices, strips) {
  return Array.from({ length: strips }, (_, level) =>
    subset(lane, indices.filter((i) => lane.levels[i] === level)));
}

const kChunk = 64; // points of memory whose most is kept

function decodeMemory(columns, run) {
  const count = columns.gap.length;
  const times = new Float64Array(count);
  const amounts = new Float64Array(count);
  const most = new Float64Array(Math.ceil(count / kChunk));
  let time = 0n;
  let amount = 0n;
  for (let i = 0; i < count; ++i) {
    time += BigInt(columns.gap[i]) * run.tick;
    amount += BigInt(columns.change[i]) * run.memory.tick;
    times[i] = Number(time);
    amounts[i] = Number(amount);
    most[Math.floor(i / kChunk)] = Math.max(most[Math.floor(i / kChunk)], amounts[i]);
  }
  return { count, times, amounts, most, peak: columns.peak };
}

function decodeOp([letters, stage, chunk, look, shade, hasMicrobatch, ...second]) {
  return {
    letters, stage, chunk, look, shade, hasMicrobatch: hasMicrobatch === 1,
    second: second.length === 0 ? null
      : { letters: second[0], stage: second[1], look: second[2], shade: second[3] },
  };
}

function decodeRun(raw) {
  const run = {
    ...raw,
    tick: BigInt(raw.tick),
    tTotal: BigInt(raw.tTotal),
    ops: raw.ops.map(decodeOp),
    memory: { ...raw.memory, tick: BigInt(raw.memory.tick) },
    bars: 0,
  };
  run.devices = raw.devices.map((device) => {
    const blocks = decodeLane(device.blocks, run, run.bars);
    run.bars += blocks.count;
    const beside = decodeLane(device.beside, run, run.bars);
    run.bars += beside.count;
    const idle = decodeTimes(device.idle, run.tick);
    Object.assign(idle, { why: device.idle.why, next: device.idle.next, by: device.idle.by });
    return { device: device.device, blocks, beside, idle, memory: decodeMemory(device.memory, run) };
  });
  for (const { beside } of run.devices) beside.levels = strips(beside);
  run.strips = Math.max(0, ...run.devices.map(({ beside }) =>
    beside.levels.reduce((most, level) => Math.max(most, level + 1), 0)));
  for (const { beside } of run.devices) {
    beside.strips = byStrip(beside, Array.from(beside.levels.keys()), run.strips);
    beside.criticalStrips = byStrip(beside, beside.critical.indices, run.strips);
  }
  run.peakAmount = Math.max(1, ...run.devices.map(({ memory }) =>
    memory.amounts.reduce((most, amount) => Math.max(most, amount), 0)));
  run.limitAmount = run.memory.limit === null ? null : Number(run.memory.limit);
  return run;
}

/** "0, 2-5": of ascending numbers. */
function ranges(numbers) {
  const found = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}

/** Which part of the runs is there, in words; "" if all is. */
function partText(runs) {
  const longest = runs.reduce((most, { tTotal }) => (tTotal > most ? tTotal : most), 0n);
  const [from, to] = [BigInt(data.from), BigInt(data.to)];
  const parts = [];
  if (from > 0n || to < longest) parts.push(`${exact(from)} to ${withUnit(to)} of ${withUnit(longest)}`);
  const [{ devices, idle }] = runs; // all runs have the same devices
  if (devices.length < idle.length) {
    parts.push(`device${devices.length > 1 ? "s" : ""} ` +
      `${ranges(devices.map(({ device }) => device))} of ${idle.length}`);
  }
  return parts.join("; ");
}

/** Microbatch and slice: "3", or "3.1". */
function microbatchLabel(run, microbatch) {
  if (run.slices === 1) return String(microbatch);
  return `${Math.floor(microbatch / run.slices)}.${microbatch % run.slices}`;
}

/** "2F0", or "(2F0;1B3)": as in a timeline's table. */
function token(run, lane, i) {
  const op = run.ops[lane.op[i]];
  const first = `${op.stage}${op.letters}${lane.microbatch[i]}`;
  if (!op.second) return first;
  return `(${first};${op.second.stage}${op.second.letters}${lane.second.get(i)})`;
}

/** The bar that a reference names: {row, lane, index}; null if it is none of the picture. */
function barOf(run, reference) {
  if (reference === 0 || reference % 2 === 1) return null;
  const id = reference / 2 - 1;
  for (const row of run.devices) {
    for (const lane of [row.blocks, row.beside]) {
      if (id >= lane.firstId && id < lane.firstId + lane.count) {
        return { row, lane, index: id - lane.firstId };
      }
    }
  }
  return null;
}

/** "2F0 on device 2"; "" for no reference. */
function named(run, reference) {
  if (reference === 0) return "";
  if (reference % 2 === 1) return run.undrawn[(reference - 1) / 2];
  const { row, lane, index } = barOf(run, reference);
  return `${token(run, lane, index)} on device ${row.device}`;
}

/** An amount of memory in words. */
function amountText(run, amount) {
  if (run.memory.unit === "bytes") {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let shown = amount;
    let unit = 0;
    for (; shown >= 1024 && unit < units.length - 1; ++unit) shown /= 1024;
    return `${Number(shown.toPrecision(4))} ${units[unit]}`;
  }
  return `${Number((amount / Number(run.memory.perUnit)).toPrecision(6))} microbatches`;
}
