// The page of a run and of a comparison, as a reader uses it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from './browser.mjs';
import { pipesim } from './runs.mjs';
import { axisOf, frame, pixels, rowMiddle, tipText, withPage as withPageOf } from './pages.mjs';

const kRoot = fileURLToPath(new URL('../../', import.meta.url));
const kRun = '--config configs/communication.json';

let browser;
let directory;
before(async () => {
  browser = await launchBrowser();
  directory = mkdtempSync(join(tmpdir(), 'pipesim-report-'));
});
after(async () => {
  await browser.close();
  rmSync(directory, { recursive: true });
});

const withPage = (command, use, options) => withPageOf(browser, command, use, options);

/** The rows of --timeline: device, lane, op, stage, microbatch, start, end, released_by. */
function timelineOf(command) {
  const file = join(directory, 'timeline.csv');
  execFileSync(join(kRoot, 'build/release/pipesim'),
    [...command.split(' '), '--quiet', '--timeline', file, '--output', '/dev/null'], { cwd: kRoot });
  const [header, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const keys = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((field, i) => [keys[i], field])));
}

test('hover says what a block is and when, as the timeline file has it', async () => {
  await withPage(kRun, async (page) => {
    const { lanes, x } = await axisOf(page);
    const rows = timelineOf(kRun).filter(({ lane }) => lane === 'compute');
    assert.ok(rows.length === 64);
    for (const row of rows) {
      const middle = (Number(row.start) + Number(row.end)) / 2;
      await page.mouse.move(x(middle), lanes[0].top + rowMiddle(Number(row.device), true));
      const text = await tipText(page);
      assert.ok(text.startsWith(`${row.stage}${row.op}${row.microbatch} on device ${row.device}\n`), text);
      assert.ok(text.includes(`${row.start} to ${row.end} ms, lasts ${Number(row.end) - Number(row.start)} ms`), text);
      assert.ok(text.includes(row.released_by ? `released by ${row.released_by} on device` : 'began at once'), text);
    }
  });
});

test('hover on a gap says why the device waited, and what ended it', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    const { lanes, x } = await axisOf(page);
    await page.mouse.move(x(14), lanes[0].top + rowMiddle(0, false));
    assert.equal(await tipText(page),
      'idle on device 0\n8 to 20 ms, lasts 12 ms\n' +
      'dependency: device 1 has not yet done what it waits for\nended by 0B0 on device 0\n' +
      'released by 1B0 on device 1');
    await page.mouse.move(x(64), lanes[0].top + rowMiddle(3, false));
    assert.equal(await tipText(page),
      'idle on device 3\n54 to 66 ms, lasts 12 ms\ndrain: it has nothing left to do');
  });
});

test('times that a JavaScript number does not hold are shown exactly', async () => {
  const run = '-p 2 -m 3 --t-f 144115.188075855873 --t-b 144115.188075855875 --set time_unit=s --schedule 1f1b';
  await withPage(run, async (page) => {
    const rows = timelineOf(run);
    for (let i = 0; i < 6; ++i) {
      await page.locator('canvas.lanes').press('ArrowRight');
      const text = await tipText(page);
      assert.ok(text.includes(`${rows[i].start} to ${rows[i].end} s`), `${text}\n${JSON.stringify(rows[i])}`);
    }
  });
});

test('the wheel zooms at the pointer, the axis stays true, and a double click shows all', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    let { lanes, x, ticks } = await axisOf(page);
    const all = ticks.map(({ time }) => time);
    const at = Math.round(x(25)); // in the middle of 0F4, 24 to 26; wheels have whole pixels
    const time = 25 + ((at - x(25)) / (x(26) - x(25)));
    const y = lanes[0].top + rowMiddle(0, false);
    await page.mouse.move(at, y);
    for (let step = 0; step < 12; ++step) {
      await page.mouse.wheel(0, -200);
      await frame(page);
      ({ x, ticks } = await axisOf(page));
      assert.ok(Math.abs(x(time) - at) < 2, `${time} ms moved from ${at} to ${x(time)}`);
      const gaps = ticks.slice(1).map(({ time }, i) => time - ticks[i].time);
      assert.ok(gaps.every((gap) => Math.abs(gap - gaps[0]) < gaps[0] * 1e-6), `${gaps}`);
      const scale = (ticks[1].x - ticks[0].x) / (ticks[1].time - ticks[0].time);
      for (const { time: label, x: left } of ticks) {
        assert.ok(Math.abs(left - (ticks[0].x + (label - ticks[0].time) * scale)) < 2);
      }
      // An edge of a block stands where the axis says.
      if (x(24) > 100) {
        await page.mouse.move(x(24) + 2, y);
        assert.match(await tipText(page), /^0F4/);
        await page.mouse.move(x(24) - 2, y);
        assert.match(await tipText(page), /^0B0/);
        await page.mouse.move(at, y);
      }
    }
    await page.mouse.dblclick(at, y);
    await frame(page);
    assert.deepEqual((await axisOf(page)).ticks.map(({ time }) => time), all);
  });
});

test('dragging and keys pan, buttons zoom, and nothing leaves the run', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    const view = () => page.evaluate(() => window.pipesim.timeline.view);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.getByRole('button', { name: 'Zoom in' }).click();
    const zoomed = await view();
    assert.ok(Math.abs(zoomed.to - zoomed.from - 66e9 / 4) < 1);
    const { lanes } = await axisOf(page);
    await page.mouse.move(600, lanes[0].top + 30);
    await page.mouse.down();
    await page.mouse.move(400, lanes[0].top + 30, { steps: 4 });
    await page.mouse.up();
    const dragged = await view();
    const perPixel = (zoomed.to - zoomed.from) / 1200;
    assert.ok(Math.abs(dragged.from - zoomed.from - 200 * perPixel) < 2 * perPixel);
    for (let i = 0; i < 20; ++i) await page.locator('canvas.lanes').press('Shift+ArrowRight');
    const end = await view();
    assert.ok(Math.abs(end.to - 66e9) < 1 && Math.abs(end.to - end.from - 66e9 / 4) < 1);
    await page.getByRole('button', { name: 'Show all' }).click();
    assert.deepEqual(await view(), { from: 0, to: 66e9 });
  });
});

test('toggles change the picture and its legend, and back', async () => {
  await withPage(kRun, async (page) => {
    for (const name of ['critical path', 'idle by cause', 'transfers']) {
      const before = await pixels(page);
      const button = page.getByRole('button', { name });
      const was = await button.getAttribute('aria-pressed');
      await button.click();
      await frame(page);
      assert.notEqual(await pixels(page), before, name);
      assert.notEqual(await button.getAttribute('aria-pressed'), was);
      if (name === 'idle by cause') {
        assert.match(await page.locator('.legend').innerText(), /communication/);
        assert.match(await page.locator('.legend').innerText(), /fill/);
      }
      await button.click();
      await frame(page);
      assert.equal(await pixels(page), before, name);
    }
    assert.ok(await page.locator('canvas.memory').isVisible());
    await page.getByRole('button', { name: 'memory' }).click();
    assert.ok(!(await page.locator('canvas.memory').isVisible()));
  });
  await withPage(`${kRun} --critical`, async (page) => {
    assert.equal(await page.getByRole('button', { name: 'critical path' }).getAttribute('aria-pressed'), 'true');
  });
});

test('a click selects a microbatch on every device, escape clears', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    const { lanes, x } = await axisOf(page);
    const plain = await pixels(page);
    await page.mouse.click(x(25), lanes[0].top + rowMiddle(0, false)); // 0F4
    await frame(page);
    const chosen = await page.evaluate(() => {
      const { scenes } = window.pipesim.timeline;
      return scenes[0].selection.rows.map(({ blocks }, row) => [...blocks.indices].map((i) =>
        window.pipesim.runs[0].devices[row].blocks.microbatch[i]));
    });
    assert.deepEqual(chosen, [[4, 4], [4, 4], [4, 4], [4, 4]]);
    assert.match(await page.locator('.status').innerText(), /^Microbatch 4: 8 blocks/);
    await page.mouse.move(5, 5);
    await frame(page);
    assert.notEqual(await pixels(page), plain);
    await page.locator('canvas.lanes').press('Escape');
    await frame(page);
    await page.locator('canvas.lanes').blur();
    await frame(page);
    assert.equal(await pixels(page), plain);
    await page.locator('#microbatch').fill('9');
    await page.locator('#microbatch').press('Enter');
    assert.equal(await page.locator('.status').innerText(), 'No microbatch 9 is shown.');
  });
});

test('100,000 bars: at most a call a column and lane at every zoom, and every hover finds its op', async () => {
  const run = '-p 8 -m 6250 --t-f 2 --t-b 4 --schedule 1f1b';
  await withPage(run, async (page) => {
    assert.equal(await page.evaluate(() => window.pipesim.runs[0].bars), 100000);
    await page.getByRole('button', { name: 'critical path' }).click();
    await page.getByRole('button', { name: 'idle by cause' }).click();
    const { lanes } = await axisOf(page);
    await page.mouse.move(700, lanes[0].top + 20);
    let least = Infinity;
    for (let step = 0; step < 40; ++step) {
      const { drawCalls, columns, lanes: drawn } = await frame(page);
      assert.equal(columns, 1200);
      assert.equal(drawn, 8 * 4);
      assert.ok(drawCalls <= columns * drawn, `${drawCalls} calls`);
      assert.ok(drawCalls > 0);
      least = Math.min(least, drawCalls);
      await page.mouse.wheel(0, -150);
    }
    assert.ok(least < 200, 'zoomed in, few bars are left');
  });
});

test('where many bars share a column of pixels, the one at its left edge is shown', async () => {
  await withPage('-p 4 -m 5000 --t-f 2 --t-b 3.7 --set t_w=1.1 --schedule zb_h1', async (page) => {
    for (const step of [0, 1, 2]) {
      if (step > 0) await page.evaluate(() => window.pipesim.timeline.zoom(0.37));
      await frame(page);
      const { seen, wrong } = await page.evaluate(() => {
        const { timeline: { view, scenes }, runs: [run] } = window.pipesim;
        const canvas = scenes[0].canvas;
        const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
        copy.getContext('2d', { willReadFrequently: true }).drawImage(canvas, 0, 0);
        const hex = (x, y) => '#' + [...copy.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)
          .map((part) => part.toString(16).padStart(2, '0')).join('');
        let seen = 0;
        const wrong = [];
        run.devices.forEach(({ blocks }, row) => {
          for (let column = 0; column < 1200; column += 7) {
            const time = view.from + (column / 1200) * (view.to - view.from);
            let i = 0;
            while (i < blocks.count && blocks.ends[i] <= time) ++i;
            if (i === blocks.count || blocks.starts[i] > time) continue;
            const expected = data.palette.light.looks[run.ops[blocks.op[i]].look][0];
            const shown = hex(40 + column, 4 + row * 30 + 13);
            ++seen;
            if (shown !== expected) wrong.push([row, column, shown, expected]);
          }
        });
        return { seen, wrong };
      });
      assert.ok(seen > 600, `${seen}`);
      // An edge may fall on either side of a column's by rounding.
      assert.ok(wrong.length <= 2, JSON.stringify(wrong.slice(0, 10)));
    }
  });
});

test('the memory chart has the times of the timeline', async () => {
  await withPage('--config configs/hw5_2.json --set memory.limit=4', async (page) => {
    assert.match(await page.locator('#timeline').innerText(), /memory: at most 4 microbatches, limit 4 microbatches/);
    const { x } = await axisOf(page);
    const top = await page.locator('canvas.memory').evaluate((canvas) => canvas.getBoundingClientRect().top);
    for (const [time, amount] of [[1, 1], [3, 2], [5, 3], [7, 4], [47, 4], [49, 3], [65, 1]]) {
      await page.mouse.move(x(time), top + 20);
      assert.equal((await tipText(page)).split('\n')[0], `device 0: ${amount} microbatches`);
    }
  });
});

for (const command of [kRun, 'compare --config configs/hw5_2.json --set t_w=2', '--config configs/gpt3-175b.json']) {
  test(`a narrow screen does not scroll sideways, a dark one is dark: ${command}`, async () => {
    await withPage(command, async (page) => {
      const { width, ground, ink } = await page.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        ground: getComputedStyle(document.body).backgroundColor,
        ink: getComputedStyle(document.body).color,
      }));
      assert.equal(width, 390);
      const light = (colour) => colour.match(/\d+/g).reduce((sum, part) => sum + Number(part), 0);
      assert.ok(light(ground) < 100 && light(ink) > 600, `${ground} ${ink}`);
    }, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  });
}

test('a comparison: one axis, a point for each schedule, its idle time in numbers', async () => {
  await withPage('compare --config configs/hw5_2.json --set memory.limit=4 gpipe 1f1b', async (page) => {
    assert.equal(await page.locator('canvas.lanes').count(), 2);
    assert.equal(await page.locator('.axis').count(), 1);
    assert.equal(await page.locator('#scatter circle').count(), 2);
    assert.equal(await page.locator('#scatter circle.on-front').count(), 1);
    await page.locator('canvas.lanes').last().scrollIntoViewIfNeeded();
    const { lanes, x } = await axisOf(page);
    for (const [canvas, time, op] of [[0, 82, '0B7'], [1, 64, '0B7']]) {
      await page.mouse.move(x(time), lanes[canvas].top + rowMiddle(0, false));
      assert.match(await tipText(page), new RegExp(`^${op} on device 0`));
    }
    assert.deepEqual((await page.locator('table.idle tbody tr').allInnerTexts()).map((row) =>
      row.split(/\s+/)[0]), ['gpipe', '1f1b']);
  });
});

test('a run with jitter says what the table says of its trials and costs', async () => {
  const run = '--config configs/hw5_2.json --set variation.jitter.kind=normal ' +
    '--set variation.jitter.cv=0.1 --set variation.trials=20 --set t_w=2 --set memory.limit=9';
  const table = pipesim(...run.split(' ')).split('\n');
  const trials = table.find((line) => line.startsWith('20 trials with jitter'));
  await withPage(run, async (page) => {
    assert.ok((await page.locator('.notes').innerText()).includes(
      `${trials}. All else on this page, T_total too, is of the run without jitter.`));
    assert.equal(await page.locator('header p').last().innerText(),
      'p=4 devices  m=8 microbatches  t_f=2 ms  t_b=4 ms  t_w=2 ms  memory.limit=9');
    assert.ok(table.includes('p=4  m=8  t_f=2 ms  t_b=4 ms  t_w=2 ms  memory.limit=9'));
  });
  await withPage(kRun, async (page) => {
    assert.doesNotMatch(await page.locator('body').innerText(), /jitter,|trials with/);
  });
});

test('a page of a part says which, above the timeline, and All shows that part', async () => {
  for (const [command, part, to] of [
    [`${kRun} --to 20ms`, '0 to 20 ms of 49 ms', 20e9],
    [`${kRun} --from 5ms --devices 0,2-3`, '5 to 49 ms of 49 ms; devices 0, 2-3 of 4', 49e9],
    [`${kRun} --devices 1`, 'device 1 of 4', 49e9],
    ['compare --config configs/hw5_2.json gpipe gems --to 70ms', '0 to 70 ms of 150 ms', 70e9],
  ]) {
    await withPage(command, async (page) => {
      assert.equal(await page.locator('.part').innerText(), `Only a part: ${part}.`);
      const [said, lanes] = await Promise.all(['.part', 'canvas.lanes'].map((one) =>
        page.locator(one).first().boundingBox()));
      assert.ok(said.y + said.height <= lanes.y);
      await page.getByRole('button', { name: 'Zoom in' }).click();
      await page.getByRole('button', { name: 'Show all of this part' }).click();
      assert.equal(await page.evaluate(() => window.pipesim.timeline.view.to), to);
    });
  }
  for (const command of [kRun, `${kRun} --from 0 --to 49ms --devices 0-3`,
    'compare --config configs/hw5_2.json gpipe gems']) {
    await withPage(command, async (page) => assert.equal(await page.locator('.part').count(), 0));
  }
});

/** The most frequent colour, as text, of a column of pixels of the window. */
async function columnColour(page, x, { y, height }) {
  const png = await page.screenshot({ clip: { x, y, width: 1, height } });
  const reader = await browser.newPage();
  try {
    return await reader.evaluate(async (bytes) => {
      const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
      const context = new OffscreenCanvas(1, image.height).getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, 1, image.height);
      const counts = new Map();
      for (let i = 0; i < data.length; i += 4) {
        const colour = `rgb(${data.slice(i, i + 3).join(', ')})`;
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
      }
      return [...counts].sort((one, other) => other[1] - one[1])[0][0];
    }, [...png]);
  } finally {
    await reader.close();
  }
}

for (const colorScheme of ['light', 'dark']) {
  test(`an edge of a table beyond which there is more has a shadow: ${colorScheme}`, async () => {
    await withPage('compare --config configs/hw5_2.json gpipe 1f1b gems chimera', async (page) => {
      const wide = page.locator('.wide').first();
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const shadows = async (share) => {
        await wide.evaluate((table, of) => {
          table.scrollLeft = of * (table.scrollWidth - table.clientWidth);
        }, share);
        const box = await wide.boundingBox();
        const colours = [];
        for (const x of [box.x, box.x + box.width - 1]) colours.push(await columnColour(page, x, box));
        return colours.map((colour) => colour !== ground);
      };
      assert.deepEqual(await shadows(0), [false, true]);
      assert.deepEqual(await shadows(0.5), [true, true]);
      assert.deepEqual(await shadows(1), [true, false]);
    }, { viewport: { width: 390, height: 844 }, colorScheme });
  });
}

test('the labels of time and memory are whole, apart, and stand out from the front', async () => {
  for (const width of [390, 600, 1280]) {
    await withPage('compare --config configs/hw5_2.json --set t_w=2', async (page) => {
      const { labels, box, ground } = await page.evaluate(() => ({
        labels: [...document.querySelectorAll('#scatter svg .name')].map((label) => {
          const { paintOrder, stroke } = getComputedStyle(label);
          return { text: label.textContent, paintOrder, stroke, ...label.getBoundingClientRect().toJSON() };
        }),
        box: document.querySelector('#scatter svg').getBoundingClientRect().toJSON(),
        ground: getComputedStyle(document.body).backgroundColor,
      }));
      assert.ok(labels.some(({ text }) => text === 'gems'));
      for (const label of labels) {
        assert.ok(label.left >= box.left && label.right <= box.right, JSON.stringify({ width, label, box }));
        assert.ok(label.paintOrder.startsWith('stroke'), label.paintOrder);
        assert.equal(label.stroke, ground);
        const over = labels.filter((other) => other !== label && other.left < label.right &&
          label.left < other.right && other.top + 2 < label.bottom && label.top + 2 < other.bottom);
        assert.deepEqual(over.map(({ text }) => text), [], `${label.text} at ${width}`);
      }
    }, { viewport: { width, height: 844 } });
  }
});

test('a number and its unit stand in one line, within the window', async () => {
  for (const width of [320, 390, 640, 1280]) {
    await withPage('--config configs/gpt3-175b.json', async (page) => {
      const values = await page.evaluate(() => [...document.querySelectorAll('.facts div')].map((tile) => {
        const range = document.createRange();
        range.selectNodeContents(tile.querySelector('dd'));
        const { left, right } = range.getBoundingClientRect();
        return { text: range.toString(), lines: range.getClientRects().length, left, right,
                 tile: tile.getBoundingClientRect().toJSON() };
      }));
      assert.ok(values.some(({ text }) => text === '13732.910528124 ms'));
      for (const { text, lines, right, tile } of values) {
        assert.equal(lines, 1, `${text} at ${width}`);
        assert.ok(right <= tile.right + 1 && right <= width, `${text} at ${width}: ${right} ${tile.right}`);
      }
    }, { viewport: { width, height: 844 } });
  }
});

test('the config is copied', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const config = JSON.parse(await page.locator('pre').innerText());
    assert.equal(config.schedule.name, '1f1b');
  });
});

test('without JavaScript the numbers are there, and a sentence says what is missing', async () => {
  await withPage('--config configs/hw5_2.json', async (page) => {
    const text = await page.locator('body').innerText();
    assert.match(text, /66 ms/);
    assert.match(text, /The timeline and the charts are drawn by JavaScript, which is switched off\./);
  }, { javaScriptEnabled: false });
});
