// The page of a run under fingers, on paper, and where transfers share a time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { axisOf, frame, pixels, rowMiddle, scrollsSideways, tipText, withPage } from './pages.mjs';
import { run as timelineOf, withDirectory } from './runs.mjs';

const kRun = '--config configs/hw5_2.json';
const kPhone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser.close());

/// Puts fingers down at places, moves them to others and lifts them.
async function touch(page, from, to) {
  const session = await page.context().newCDPSession(page);
  const send = (type, points) => session.send('Input.dispatchTouchEvent', {
    type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await send('touchStart', from);
  for (let step = 1; step <= 8; ++step) {
    await send('touchMove', from.map(([x, y], i) => [x + ((to[i][0] - x) * step) / 8, y + ((to[i][1] - y) * step) / 8]));
    await frame(page);
  }
  await send('touchEnd', []);
  await frame(page);
}

/// The times under places of the window.
const timesAt = (page, places) => page.evaluate((all) =>
  all.map((x) => window.pipesim.timeline.timeAt(x)), places);

test('two fingers zoom, and each keeps the time that it is on', async () => {
  await withPage(browser, kRun, async (page) => {
    await page.locator('canvas.lanes').scrollIntoViewIfNeeded();
    const { lanes } = await axisOf(page);
    const y = lanes[0].top + 30;
    for (const [from, to] of [[[150, 250], [100, 320]], [[120, 300], [135, 275]], [[300, 150], [340, 90]]]) {
      const before = await timesAt(page, from);
      await touch(page, from.map((x) => [x, y]), to.map((x) => [x, y]));
      const after = await timesAt(page, to);
      const { from: least, to: most } = await page.evaluate(() => window.pipesim.timeline.view);
      const pixel = (most - least) / 322;
      before.forEach((time, i) => assert.ok(Math.abs(after[i] - time) < 2 * pixel, `${time} ${after[i]}`));
    }
    assert.equal(await page.locator('.status').innerText().then((text) => /^Microbatch/.test(text)), false);
  }, kPhone);
});

test('a tap says what a block is until the next one, a finger pans', async () => {
  await withPage(browser, kRun, async (page) => {
    await page.locator('canvas.lanes').scrollIntoViewIfNeeded();
    const { lanes, x } = await axisOf(page);
    await page.touchscreen.tap(x(40), lanes[0].top + rowMiddle(0, false));
    await frame(page);
    assert.match(await tipText(page), /^0B3 on device 0/);
    assert.match(await page.locator('.status').innerText(), /^Microbatch 3: 8 blocks/);
    await page.touchscreen.tap(200, (await page.locator('.legend').boundingBox()).y + 5);
    assert.equal(await page.locator('.tip').isVisible(), false);
    await page.getByRole('button', { name: 'Zoom in' }).tap();
    const [before] = await timesAt(page, [300]);
    const y = lanes[0].top + 30;
    await touch(page, [[300, y]], [[200, y]]);
    const [after] = await timesAt(page, [200]);
    assert.ok(Math.abs(after - before) < 33e9 / 50, `${before} ${after}`);
  }, kPhone);
});

for (const command of [kRun, 'compare --config configs/hw5_2.json --set t_w=2', '--config configs/gpt3-175b.json']) {
  test(`on paper it is light, whole and within the page: ${command}`, async () => {
    await withPage(browser, command, async (page) => {
      const screen = await pixels(page);
      assert.ok((await page.pdf({ format: 'A4' })).length > 20000);
      await frame(page);
      assert.equal(await pixels(page), screen, 'the screen is as before');
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
      // The browser lays the page out for paper without drawing canvases anew.
      const widths = await page.locator('canvas.lanes').evaluateAll((all) => all.map(({ width }) => width));
      await page.setViewportSize({ width: 703, height: 1000 }); // A4 within its margins
      for (const width of widths) assert.ok(width <= 703);
      await frame(page);
      assert.equal(await scrollsSideways(page), false);
      const paper = await page.evaluate(() => ({
        ground: getComputedStyle(document.documentElement).colorScheme,
        controls: getComputedStyle(document.querySelector('.controls')).display,
        hidden: [...document.querySelectorAll('pre, .wide')].filter((one) =>
          one.clientHeight > 0 && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1)).length,
        // One pixel of a canvas is one of the page: neither squeezed nor stretched.
        canvases: [...document.querySelectorAll('canvas')].filter((canvas) => canvas.clientWidth > 0)
          .map((canvas) => [canvas.width, canvas.clientWidth]),
        ticks: [...document.querySelectorAll('.axis .tick')].map((tick) => tick.getBoundingClientRect().right),
        right: document.querySelector('canvas.lanes').getBoundingClientRect().right,
      }));
      assert.equal(paper.ground, 'light');
      assert.equal(paper.controls, 'none');
      assert.equal(paper.hidden, 0);
      for (const [drawn, shown] of paper.canvases) assert.equal(drawn, shown);
      for (const right of paper.ticks) assert.ok(right <= paper.right + 4);
    }, { colorScheme: 'dark' });
  });
}

test('transfers at one time stand below each other, and a hover names all', async () => {
  const command = '--config configs/communication.json --set p2p.bytes=40MB';
  const { rows } = await withDirectory((directory) => timelineOf(directory, command.split(' ')));
  const sends = rows.filter(({ lane }) => lane === 'send');
  await withPage(browser, command, async (page) => {
    const { lanes, x } = await axisOf(page);
    const size = await page.evaluate(() => {
      const { scenes: [scene], options } = window.pipesim.timeline;
      return scene.layout(options);
    });
    assert.equal(size.strips, 2);
    let pairs = 0;
    for (const first of sends) {
      for (const second of sends) {
        if (second === first || second.device !== first.device) continue;
        const from = Math.max(first.start, second.start) / 1000;
        const to = Math.min(first.end, second.end) / 1000;
        if (from >= to || first.start > second.start) continue;
        ++pairs;
        const named = new Map();
        for (const level of [0, 1]) {
          await page.mouse.move(x((from + to) / 2), lanes[0].top + 4 + first.device * size.row + size.bar +
            (level + 0.5) * size.strip);
          const lines = (await tipText(page)).split('\n');
          named.set(lines[0].split(' ')[0], lines.at(-1));
        }
        const names = [first, second].map(({ ops: [{ kind, stage, microbatch }] }) => `${stage}${kind}${microbatch}`);
        assert.deepEqual([...named.keys()].sort(), [...names].sort());
        names.forEach((name, i) => assert.equal(named.get(name), `at the same time: ${names[1 - i]}`));
      }
    }
    assert.ok(pairs >= 6, `${pairs}`);
  });
});
