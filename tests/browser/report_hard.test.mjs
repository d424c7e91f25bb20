// The page of a run where that is hard: very many, very few, very long, odd names; and its config.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { frame, scrollsSideways, tipText, withPage } from './pages.mjs';
import { pipesim, withDirectory } from './runs.mjs';

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser.close());

/// Uses everything once; no part of the page may say that a number is none.
async function useAll(page) {
  const painted = () => page.evaluate(() => {
    const canvas = document.querySelector('canvas.lanes');
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: 200 });
    copy.getContext('2d', { willReadFrequently: true }).drawImage(canvas, 0, 0);
    const { data } = copy.getContext('2d').getImageData(60, 0, copy.width - 60, 200);
    return new Set(new Uint32Array(data.buffer)).size;
  });
  assert.ok(await painted() > 1, 'nothing is drawn');
  for (const toggle of await page.locator('button[aria-pressed]').all()) await toggle.click();
  const lanes = page.locator('canvas.lanes').first();
  const said = [];
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight', 'Enter', '+', '+', 'Shift+ArrowRight', '-',
    'ArrowLeft', '0', 'Escape']) {
    await lanes.press(key);
    await frame(page);
    if (key.startsWith('Arrow')) said.push(await tipText(page));
  }
  await page.locator('#microbatch').fill('0');
  await page.locator('#microbatch').press('Enter');
  for (let i = 0; i < 40; ++i) await page.evaluate(() => window.pipesim.timeline.zoom(0.3));
  const { drawCalls, columns, lanes: drawn } = await frame(page);
  assert.ok(drawCalls <= columns * drawn);
  await page.getByRole('button', { name: 'Show all' }).click();
  for (const memory of await page.locator('canvas.memory').all()) {
    if (await memory.isVisible()) await memory.hover({ position: { x: 120, y: 20 } });
    if (await page.locator('.tip').isVisible()) said.push(await page.locator('.tip').innerText());
  }
  said.push(await page.locator('body').innerText());
  for (const text of said) assert.doesNotMatch(text, /NaN|undefined|Infinity|null|\[object/);
  assert.equal(await scrollsSideways(page), false);
}

for (const command of [
  '-p 1 -m 1 --t-f 1 --t-b 2 --schedule gpipe',
  '-p 4 -m 8 --t-f 0 --t-b 2 --schedule 1f1b',
  '-p 2 -m 3 --t-f 700000 --t-b 1500000 --set time_unit=s --schedule 1f1b',
  '-p 2 -m 3 --t-f 1 --t-b 2 --set time_unit=ps --schedule 1f1b',
  '-p 1000 -m 10 --t-f 1 --t-b 2 --schedule 1f1b',
  '-p 4 -m 8 --t-f 1 --t-b 1 --set t_w=1 --schedule dualpipe',
  '--config configs/hw5_2.json --set iterations.count=30',
  '--config configs/hw5_2.json --set variation.jitter.kind=lognormal --set variation.jitter.cv=0.1 --set variation.trials=20',
  'compare --config configs/hw5_2.json --set memory.limit=4 --set t_w=2 gpipe 1f1b zb_h1 dualpipe',
  'compare -p 1 -m 1 --t-f 0 --t-b 2 --schedule gpipe',
]) {
  test(`nothing breaks: ${command}`, async () => {
    await withPage(browser, command, useAll);
    await withPage(browser, command, useAll, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  });
}

test('of a thousand devices those in the window are drawn, and each is found', async () => {
  await withPage(browser, '-p 1000 -m 10 --t-f 1 --t-b 2 --schedule 1f1b', async (page) => {
    for (const device of [999, 0, 500]) {
      const { x, y } = await page.evaluate((row) => {
        const { timeline } = window.pipesim;
        const { lanes, run } = timeline.scenes[0];
        const { top, height } = lanes.getBoundingClientRect();
        scrollBy(0, top + (height * (row + 0.5)) / run.devices.length - 400);
        const box = lanes.getBoundingClientRect();
        const { starts, ends } = run.devices[row].blocks;
        timeline.show({ from: starts[0] - 1e10, to: ends[0] + 1e10 });
        const { from, to } = timeline.view;
        const middle = (starts[0] + ends[0]) / 2;
        return { x: box.left + 40 + ((middle - from) / (to - from)) * (box.width - 40),
                 y: box.top + (box.height * (row + 0.5)) / run.devices.length };
      }, device);
      await frame(page);
      await frame(page);
      await page.mouse.move(x, y);
      assert.match(await tipText(page), new RegExp(`^${device}F0 on device ${device}\n`));
      const drawn = await page.evaluate((at) => {
        const canvas = document.querySelector('canvas.lanes');
        const box = canvas.getBoundingClientRect();
        const [x, y] = [at.x - box.left, at.y - box.top];
        const copy = Object.assign(document.createElement('canvas'), { width: 9, height: 1 });
        copy.getContext('2d').drawImage(canvas, x - 4, y, 9, 1, 0, 0, 9, 1);
        return { height: canvas.height, opaque: copy.getContext('2d').getImageData(4, 0, 1, 1).data[3] };
      }, { x, y });
      assert.equal(drawn.opaque, 255);
      assert.ok(drawn.height < 2400);
    }
  });
});

/// Copies the config from a run's page and runs it.
async function repeated(command) {
  await withPage(browser, command, async (page) => {
    await page.getByRole('button', { name: 'Copy' }).click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    await withDirectory((directory) => {
      const file = path.join(directory, 'run.json');
      fs.writeFileSync(file, copied);
      const first = pipesim(...(Array.isArray(command) ? command : command.split(' ')), '--format', 'json');
      assert.equal(pipesim('--config', file, '--format', 'json'), first);
    });
  }, { permissions: ['clipboard-read', 'clipboard-write'] });
}

for (const name of ['communication', 'gpt3-175b', 'hw5_2', 'hw5_2_gpipe', 'memory_limit', 'pytorch_188833',
  'shared_link', 'slow_stage']) {
  test(`the copied config repeats the run: ${name}`, () => repeated(`--config configs/${name}.json`));
}
test('the copied config repeats a run with trials', () => repeated(
  '--config configs/hw5_2.json --set variation.jitter.kind=lognormal --set variation.jitter.cv=0.1 --set variation.trials=20'));
test('the copied config repeats a run whose schedule chose a parameter', () => repeated(
  '-p 4 -m 8 --t-f 1 --t-b 1 --set t_w=1 --schedule zb_auto'));
