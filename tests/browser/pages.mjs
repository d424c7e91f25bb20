// Pages that pipesim writes, opened as a reader opens them.
import assert from 'node:assert/strict';
import path from 'node:path';

import { pipesim, withDirectory } from './runs.mjs';

/// Writes the page of a command, opens it, uses it with (page, file), and sees that it said nothing
/// and asked for nothing.
export async function withPage(browser, command, use, options = {}) {
  await withDirectory(async (directory) => {
    const file = path.join(directory, 'page.html');
    pipesim(...(Array.isArray(command) ? command : command.split(' ')), '--html', file);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    const said = [];
    const asked = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => asked.push(request.url()));
    try {
      await page.goto(`file://${file}`);
      await use(page);
      assert.deepEqual(said, []);
      assert.deepEqual(asked, [`file://${file}`]);
    } finally {
      await context.close();
    }
  });
}

/// Two frames later: what was asked to be drawn is drawn. Of a run: what its frame cost.
export const frame = (page) => page.evaluate(() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done(window.pipesim?.frame)));
}));

/// A number that changes with the pixels of a canvas.
export const pixels = (page, selector = 'canvas.lanes') => page.evaluate((of) => {
  // A copy: a canvas that is read may be drawn in another way from then on.
  const canvas = document.querySelector(of);
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  copy.getContext('2d', { willReadFrequently: true }).drawImage(canvas, 0, 0);
  const { data } = copy.getContext('2d').getImageData(0, 0, copy.width, copy.height);
  let hash = 0;
  for (let i = 0; i < data.length; i += 1) hash = (hash * 31 + data[i]) | 0;
  return hash;
}, selector);

/// Whether the page is wider than the window.
export const scrollsSideways = (page) => page.evaluate(() =>
  document.documentElement.scrollWidth > document.documentElement.clientWidth);

/// Where a time stands, as the labels of a timeline's axis say it; and the places of the lanes.
export async function axisOf(page) {
  const { ticks, lanes } = await page.evaluate(() => ({
    ticks: [...document.querySelectorAll('.axis .tick')].map((tick) => {
      const box = tick.getBoundingClientRect();
      return { time: Number(tick.textContent), x: (box.left + box.right) / 2 };
    }),
    lanes: [...document.querySelectorAll('canvas.lanes')].map((canvas) => canvas.getBoundingClientRect().toJSON()),
  }));
  assert.ok(ticks.length >= 2, 'the axis has fewer than two labels');
  const [first, last] = [ticks[0], ticks.at(-1)];
  const x = (time) => first.x + ((time - first.time) / (last.time - first.time)) * (last.x - first.x);
  return { ticks, lanes, x };
}

/// What the tip says, which must be seen.
export async function tipText(page) {
  const tip = page.locator('.tip');
  assert.ok(await tip.isVisible(), 'no tip is shown');
  return tip.innerText();
}

/// Of one run: the middle of the bars of a device, in pixels below the canvas's top.
export const rowMiddle = (device, withStrips) => 4 + device * (26 + 4 + (withStrips ? 7 : 0)) + 13;
