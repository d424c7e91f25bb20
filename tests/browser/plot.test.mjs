// The pages of plot, as a reader uses them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { frame, pixels, scrollsSideways, withPage } from './pages.mjs';
import { pipesim } from './runs.mjs';

let browser;
let directory;
const results = [];
let schedules;
before(async () => {
  browser = await launchBrowser();
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pipesim-plot-'));
  for (const p of [2, 4, 16]) {
    for (const m of [4, 8, 16, 32, 64]) {
      const text = pipesim('--config', 'configs/hw5_2.json', '-p', `${p}`, '-m', `${m}`, '--format', 'json');
      results.push(JSON.parse(text));
      fs.appendFileSync(path.join(directory, 'r.jsonl'), text);
    }
  }
  const text = pipesim('compare', '--config', 'configs/hw5_2.json', '--set', 't_w=2', '--format', 'json');
  fs.writeFileSync(path.join(directory, 's.json'), text);
  schedules = JSON.parse(text).results.filter(({ status }) => status === 'ok')
    .map(({ result }) => result);
});
after(async () => {
  await browser.close();
  fs.rmSync(directory, { recursive: true });
});

const kLines = 'r.jsonl --x m --y bubble_fraction --series p --log xy';
const kHeatmap = 'r.jsonl --kind heatmap --x m --y p --z t_total';
const kPareto = 's.json --kind pareto --x t_total --y memory.peak --series schedule';

/// The page of `plot`, which also keeps what its canvas was last told to write, and where.
function withPlot(command, use, options) {
  const watching = {
    newContext: async (given) => {
      const context = await browser.newContext(given);
      await context.addInitScript(() => {
        const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
        const own = (context) => context.canvas.closest('.uplot');
        window.texts = [];
        CanvasRenderingContext2D.prototype.clearRect = function (...where) {
          if (own(this)) window.texts = [];
          clearRect.apply(this, where);
        };
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          const at = this.getTransform().transformPoint({ x, y });
          const isTurned = Math.abs(this.getTransform().b) > 0.5;
          window.texts.push({ text, x: at.x, y: at.y, isTurned, width: this.measureText(text).width });
          fillText.call(this, text, x, y);
        };
      });
      return context;
    },
  };
  return withPage(watching, `plot ${path.join(directory, command)}`, use, options);
}

/// Where numbers stand, as the labels of the axes say it: x(value) and y(value) in the window.
async function axesOf(page, { isLog }) {
  await frame(page);
  const { texts, left, top } = await page.evaluate(() => {
    const box = document.querySelector('.uplot canvas').getBoundingClientRect();
    return { texts: window.texts, left: box.left, top: box.top };
  });
  const numbers = texts.filter(({ text, isTurned }) => !isTurned && /^[0-9.]+$/.test(text));
  const lowest = Math.max(...numbers.map(({ y }) => y));
  const place = isLog ? Math.log : (value) => value;
  const axis = (labels, along, begin) => {
    const ticks = labels.map((label) => ({ value: Number(label.text), at: begin + label[along] }))
      .sort((one, other) => one.value - other.value);
    assert.ok(ticks.length >= 2, `labels along ${along}: ${JSON.stringify(texts)}`);
    const [first, last] = [ticks[0], ticks.at(-1)];
    const at = (value) => first.at + ((place(value) - place(first.value)) /
      (place(last.value) - place(first.value))) * (last.at - first.at);
    for (const tick of ticks) assert.ok(Math.abs(at(tick.value) - tick.at) < 1.5, JSON.stringify(ticks));
    return { ticks, at };
  };
  const x = axis(numbers.filter(({ y }) => y === lowest), 'x', left);
  const y = axis(numbers.filter(({ y }) => y < lowest), 'y', top);
  return { x: x.at, y: y.at, xTicks: x.ticks, yTicks: y.ticks };
}

const tip = (page) => page.evaluate(() => {
  const tip = document.querySelector('#tip');
  return tip.hidden ? null : tip.textContent;
});

/// Points at a result's place; returns what the page says of it.
async function hover(page, { x, y }, result) {
  await page.mouse.move(x(result.m), y(result.bubble_fraction));
  return tip(page);
}

const said = ({ p, m, bubble_fraction }) => `p=${p}\nmicrobatches m: ${m}\n` +
  `bubble fraction (idle / (p T_total)): ${bubble_fraction}`;

test('lines: every point says its values, on logarithmic axes', async () => {
  await withPlot(kLines, async (page) => {
    const axes = await axesOf(page, { isLog: true });
    assert.deepEqual(axes.xTicks.map(({ value }) => value), [4, 8, 16, 32, 64]);
    for (const result of results) assert.equal(await hover(page, axes, result), said(result));
    await page.mouse.move(5, 5);
    assert.equal(await tip(page), null);
  });
});

test('lines: dragging zooms, the axes stay true, a double click shows all', async () => {
  await withPlot(kLines, async (page) => {
    const all = await axesOf(page, { isLog: true });
    const middle = all.y(0.1);
    await page.mouse.move(all.x(8) - 15, middle);
    await page.mouse.down();
    await page.mouse.move(all.x(32) + 15, middle + 5, { steps: 5 });
    await page.mouse.up();
    const part = await axesOf(page, { isLog: true });
    assert.deepEqual(part.xTicks.map(({ value }) => value), [8, 16, 32]);
    assert.ok(part.x(32) - part.x(8) > 1.5 * (all.x(32) - all.x(8)));
    for (const result of results) {
      if (result.m < 8 || result.m > 32) continue;
      assert.equal(await hover(page, part, result), said(result));
    }
    await page.mouse.dblclick(all.x(16), middle);
    const again = await axesOf(page, { isLog: true });
    assert.deepEqual(again.xTicks, all.xTicks);
    assert.deepEqual(again.yTicks, all.yTicks);
  });
});

test('lines: a button of the legend hides its series and brings it back', async () => {
  await withPlot(kLines, async (page) => {
    const axes = await axesOf(page, { isLog: true });
    const before = await pixels(page, '.uplot canvas');
    const button = page.getByRole('button', { name: 'p=4' });
    await button.click();
    await frame(page);
    assert.equal(await button.getAttribute('aria-pressed'), 'false');
    assert.notEqual(await pixels(page, '.uplot canvas'), before);
    for (const result of results.filter(({ p }) => p === 4)) {
      assert.notEqual(await hover(page, axes, result), said(result));
    }
    await button.click();
    await page.mouse.move(5, 5);
    await frame(page);
    assert.equal(await pixels(page, '.uplot canvas'), before);
  });
});

test('lines: arrows go along a series and to the next one, escape leaves', async () => {
  await withPlot(kLines, async (page) => {
    const of = (p, m) => said(results.find((result) => result.p === p && result.m === m));
    await page.locator('#plot').focus();
    for (const [key, text] of [['ArrowRight', of(2, 4)], ['ArrowRight', of(2, 8)], ['ArrowDown', of(4, 8)],
      ['ArrowLeft', of(4, 4)], ['ArrowLeft', of(4, 4)], ['ArrowUp', of(2, 4)], ['Escape', null]]) {
      await page.keyboard.press(key);
      assert.equal(await tip(page), text, key);
    }
  });
});

test('lines: the table has every value and sorts by its columns', async () => {
  await withPlot(kLines, async (page) => {
    await page.locator('summary').click();
    const cells = () => page.locator('#values tbody tr').evaluateAll((rows) =>
      rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
    await page.locator('#values').getByRole('button', { name: /bubble/ }).click();
    const ascending = results.map(({ bubble_fraction }) => bubble_fraction).sort((one, other) => one - other);
    assert.deepEqual((await cells()).map((row) => Number(row[2])), ascending);
    await page.locator('#values').getByRole('button', { name: /bubble/ }).click();
    assert.deepEqual((await cells()).map((row) => Number(row[2])), ascending.reverse());
    assert.deepEqual((await cells())[0], ['p=16', '4', String(ascending[0])]);
  });
});

test('heat map: every cell has its value, can be read, and is in the table', async () => {
  await withPlot(kHeatmap, async (page) => {
    const cells = await page.locator('.heatmap tbody td').evaluateAll((all) => all.map((cell) => {
      const light = (colour) => {
        const [red, green, blue] = colour.match(/\d+/g).map((part) => {
          const share = part / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      };
      const style = getComputedStyle(cell);
      const [dark, pale] = [light(style.color), light(style.backgroundColor)].sort((one, other) => one - other);
      return { text: cell.textContent, title: cell.title, contrast: (pale + 0.05) / (dark + 0.05) };
    }));
    assert.equal(cells.length, results.length);
    for (const { p, m, t_total } of results) {
      const cell = cells.find(({ title }) => title === `m=${m}, p=${p}: ${t_total}`);
      assert.equal(cell?.text, String(t_total));
    }
    for (const { text, contrast } of cells) assert.ok(contrast >= 4.5, `${text}: ${contrast}`);
    await page.locator('summary').click();
    const rows = await page.locator('#values tbody tr').evaluateAll((all) => all.map((row) => row.innerText));
    assert.deepEqual(rows.sort(), results.map(({ p, m, t_total }) => `${m}\t${p}\t${t_total}`).sort());
  });
});

test('Pareto scatter: every schedule says its values, and whether it is on the front', async () => {
  await withPlot(kPareto, async (page) => {
    const axes = await axesOf(page, { isLog: false });
    const peak = ({ memory }) => Math.max(...[memory.peak].flat());
    assert.ok(schedules.length > 15);
    for (const one of schedules) {
      await page.mouse.move(axes.x(one.t_total), axes.y(peak(one)));
      const same = schedules.filter((other) => other.t_total === one.t_total && peak(other) === peak(one));
      const isBeaten = schedules.some((other) => other.t_total <= one.t_total && peak(other) <= peak(one) &&
        (other.t_total < one.t_total || peak(other) < peak(one)));
      const [names, ...lines] = (await tip(page)).split('\n');
      assert.deepEqual(names.split(', ').sort(), same.map(({ schedule }) => schedule).sort());
      assert.deepEqual(lines, [`T_total (ms): ${one.t_total}`,
        `peak memory of a device (microbatches): ${peak(one)}`, ...(isBeaten ? [] : ['on the Pareto front'])]);
    }
  });
});

for (const [width, height] of [[390, 844], [1280, 800]]) {
  test(`Pareto scatter: at ${width} pixels a name stands beside its own mark`, async () => {
    await withPlot(kPareto, async (page) => {
      const axes = await axesOf(page, { isLog: false });
      const peak = ({ memory }) => Math.max(...[memory.peak].flat());
      const marks = new Map();
      for (const one of schedules) {
        const key = `${one.t_total} ${peak(one)}`;
        if (!marks.has(key)) marks.set(key, { x: axes.x(one.t_total), y: axes.y(peak(one)), one, names: [] });
        marks.get(key).names.push(one.schedule);
      }
      const { texts, left, top } = await page.evaluate(() => {
        const box = document.querySelector('.uplot canvas').getBoundingClientRect();
        return { texts: window.texts, left: box.left, top: box.top };
      });
      const labels = texts.filter(({ text, isTurned }) => !isTurned &&
        schedules.some(({ schedule }) => text.split(/[, ]/)[0] === schedule))
        .map((label) => ({ ...label, left: left + label.x, right: left + label.x + label.width, y: top + label.y }));
      const named = new Set();
      for (const label of labels) {
        const away = ({ x, y }) =>
          Math.hypot(Math.max(label.left - x, 0, x - label.right), Math.max(Math.abs(label.y - y) - 7, 0));
        const [nearest, next] = [...marks.values()].sort((one, other) => away(one) - away(other));
        const [written, more] = label.text.split(' +');
        for (const name of written.split(', ')) assert.ok(nearest.names.includes(name), `${label.text} at ${nearest.names}`);
        assert.equal(written.split(', ').length + Number(more ?? 0), nearest.names.length, label.text);
        assert.ok(away(next) > 1.3 * away(nearest), `${label.text} is near ${next.names}`);
        assert.ok(labels.every((other) => other === label || Math.abs(other.y - label.y) >= 14 ||
          other.right < label.left || label.right < other.left), label.text);
        named.add(nearest);
      }
      for (const mark of marks.values()) {
        const isBeaten = [...marks.values()].some(({ one }) => one !== mark.one && one.t_total <= mark.one.t_total &&
          peak(one) <= peak(mark.one));
        if (!isBeaten) assert.ok(named.has(mark), `${mark.names} is on the front`);
      }
      assert.ok(labels.length > 8, JSON.stringify(labels));
    }, { viewport: { width, height } });
  });
}

test('names stand on the page as they are, whatever they hold', async () => {
  const name = `</script><img src=x onerror=alert(1)>"' \u2028 \u00fc & {{`;
  const text = fs.readFileSync(path.join(directory, 's.json'), 'utf8');
  fs.writeFileSync(path.join(directory, 'names.json'), text.replaceAll('"gems"', JSON.stringify(name)));
  for (const command of [kPareto, 's.json --x schedule --y t_total', 's.json --kind heatmap --x schedule --y m --z t_total']) {
    await withPlot(command.replace('s.json', 'names.json'), async (page) => {
      await frame(page);
      await page.locator('summary').click();
      assert.ok((await page.locator('#values').evaluate((all) => all.textContent)).includes(name));
      assert.equal(await page.locator('img').count(), 0);
    });
  }
});

for (const [name, command] of [['lines', kLines], ['heat map', kHeatmap], ['Pareto', kPareto],
  ['a long label', 'r.jsonl --x m --y bubble_overhead --series p']]) {
  test(`${name}: narrow and dark, nothing is cut off`, async () => {
    await withPlot(command, async (page) => {
      await frame(page);
      assert.equal(await scrollsSideways(page), false);
      const light = (colour) => colour.match(/\d+/g).reduce((sum, part) => sum + Number(part), 0);
      const style = await page.evaluate(() => {
        const { backgroundColor, color } = getComputedStyle(document.body);
        return { backgroundColor, color };
      });
      assert.ok(light(style.backgroundColor) < 100 && light(style.color) > 600);
      if (name === 'heat map') return;
      const { texts, height } = await page.evaluate(() => ({
        texts: window.texts, height: document.querySelector('.uplot canvas').height }));
      const labels = texts.filter(({ isTurned }) => isTurned);
      assert.equal(labels.length, 1);
      for (const { y, width } of labels) {
        assert.ok(y - width / 2 >= 0 && y + width / 2 <= height, JSON.stringify(labels));
      }
      const dark = await pixels(page, '.uplot canvas');
      await page.emulateMedia({ colorScheme: 'light' });
      await frame(page);
      assert.notEqual(await pixels(page, '.uplot canvas'), dark);
    }, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  });
}
