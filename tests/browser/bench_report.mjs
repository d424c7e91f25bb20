// Prints how long pages with many bars take to load, and their frames while zooming and panning.
// usage: node tests/browser/bench_report.mjs
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from './browser.mjs';

const kRoot = fileURLToPath(new URL('../../', import.meta.url));
const kRuns = [
  ['1f1b, 100,000 bars', '-p 8 -m 6250 --t-f 2 --t-b 4 --schedule 1f1b'],
  ['1f1b, 1,000,000 bars', '-p 8 -m 62500 --t-f 2 --t-b 4 --schedule 1f1b'],
  ['gpipe, 1,000,000 bars, its memory changes with each', '-p 8 -m 62500 --t-f 2 --t-b 4 --schedule gpipe'],
  ['gpipe, 64 devices, 1,024,000 bars', '-p 64 -m 8000 --t-f 2 --t-b 4 --schedule gpipe'],
];

const directory = mkdtempSync(join(tmpdir(), 'pipesim-bench-'));
const browser = await launchBrowser();
for (const [name, run] of kRuns) {
  const file = join(directory, 'page.html');
  execFileSync(join(kRoot, 'build/release/pipesim'),
    [...run.split(' '), '--quiet', '--html', file, '--output', '/dev/null']);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const begin = performance.now();
  await page.goto(`file://${file}`);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  const load = performance.now() - begin;
  const { drawn, shown } = await page.evaluate(async () => {
    const { timeline } = window.pipesim;
    timeline.options.causes = true;
    timeline.options.critical = true;
    const next = () => new Promise((done) => requestAnimationFrame(done));
    const drawn = [];
    const shown = [];
    const step = async (change) => {
      const before = performance.now();
      change();
      await next();
      await next();
      drawn.push(window.pipesim.frame.ms);
      shown.push(performance.now() - before);
    };
    for (let i = 0; i < 30; ++i) await step(() => timeline.zoom(0.8));
    for (let i = 0; i < 20; ++i) await step(() => timeline.pan(0.1));
    for (let i = 0; i < 30; ++i) await step(() => timeline.zoom(1.25));
    const ascending = (times) => times.sort((left, right) => left - right);
    return { drawn: ascending(drawn), shown: ascending(shown) };
  });
  const at = (times, share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(1);
  console.log(`${name}: ${(statSync(file).size / 1e6).toFixed(1)} MB, loaded in ${load.toFixed(0)} ms; ` +
    `drawing a frame: median ${at(drawn, 0.5)} ms, 95 % ${at(drawn, 0.95)} ms, most ${at(drawn, 1)} ms; ` +
    `two frames on the screen: median ${at(shown, 0.5)} ms`);
  await page.close();
}
await browser.close();
rmSync(directory, { recursive: true });
