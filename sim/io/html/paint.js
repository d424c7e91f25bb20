// What is seen of lanes and of memory at a zoom, and lines of pixels to paint it on.

/**
 * The first index, `low` or later, at which an ascending array is above `value`; soon found if it is
 * near `low`.
 */
function firstAbove(array, value, low = 0) {
  let high = low;
  for (let step = 1; high < array.length && array[high] <= value; step *= 2) {
    low = high + 1;
    high += step;
  }
  high = Math.min(high, array.length);
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
    if (i < lane.count && lane.reach[i] <= next) i = firstAbove(lane.reach, next, i);
  }
  return calls;
}

/** The same for memory: draw(amount, x0, x1), where several changes share a column their most. */
function paintMemory({ count, times, amounts, most: mostOfChunk }, end, view, width, draw) {
  const scale = width / (view.to - view.from);
  const last = Math.min(width, Math.ceil((end - view.from) * scale));
  let calls = 0;
  let i = Math.max(0, firstAbove(times, view.from) - 1);
  let column = count === 0 ? last : Math.max(0, Math.floor((times[i] - view.from) * scale));
  while (column < last) {
    const columnEnd = view.from + (column + 1) / scale;
    let most = amounts[i];
    while (i + 1 < count && times[i + 1] < columnEnd) {
      const isWholeChunk = (i + 1) % kChunk === 0 && i + kChunk < count &&
        times[i + kChunk] < columnEnd;
      most = Math.max(most, isWholeChunk ? mostOfChunk[(i + 1) / kChunk] : amounts[i + 1]);
      i += isWholeChunk ? kChunk : 1;
    }
    const next = i + 1 < count ? Math.floor((times[i + 1] - view.from) * scale) : last;
    const isFlat = most === amounts[i];
    const x1 = isFlat ? Math.min(last, Math.max(column + 1, next)) : column + 1;
    draw(most, column, x1);
    ++calls;
    column = x1;
  }
  return calls;
}

class Stack {
  constructor(columns, lines) {
    this.canvas = Object.assign(document.createElement("canvas"), { width: columns, height: lines });
    this.image = new ImageData(columns, lines);
    this.words = new Uint32Array(this.image.data.buffer);
    this.columns = columns;
    this.lines = lines;
  }

  fill(line, x0, x1, word) {
    const begin = line * this.columns;
    if (x1 === x0 + 1) this.words[begin + x0] = word;
    else this.words.fill(word, begin + x0, begin + x1);
  }

  finish() {
    this.canvas.getContext("2d").putImageData(this.image, 0, 0);
  }
}

const words = new Map();

/** "#rrggbb" as it stands in the memory of an image, in the byte order of this machine. */
function wordOf(colour) {
  let word = words.get(colour);
  if (word === undefined) {
    const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    word = new Uint32Array(Uint8Array.from([...parts, 255]).buffer)[0];
    words.set(colour, word);
  }
  return word;
}
