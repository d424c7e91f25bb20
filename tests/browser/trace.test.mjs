// Traces as the viewers understand them: Catapult (chrome://tracing) and speedscope.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { launchBrowser, serve } from './browser.mjs';
import { label, pipesim, run, schedules, withDirectory } from './runs.mjs';

const kCatapult = '/usr/share/go-1.19/src/cmd/trace/static';
const kSpeedscope = new URL('node_modules/speedscope/dist/release/', import.meta.url);
const kPage = `<!DOCTYPE html><script src="/catapult/webcomponents.min.js"></script>
<link rel="import" href="/catapult/trace_viewer_full.html">
<script>document.addEventListener('WebComponentsReady', () => { window.ready = true; });</script>`;

const kHw5 = ['--config', 'configs/hw5_2.json'];
const kMessages = ['--config', 'configs/communication.json'];
const kRuns = new Map([
  ...schedules().map((name) => [name, [...kHw5, '--schedule', name, '--set', 't_w=2']]),
  ...['free', 'single_stream', 'rendezvous'].map(
      (mode) => [`messages: ${mode}`, [...kMessages, '--set', `p2p.mode=${mode}`]]),
  ['messages: async', kMessages],
  ['messages: shared link', ['--config', 'configs/shared_link.json']],
  ['messages: interleaved', [...kMessages, '--schedule', 'interleaved_1f1b']],
  ['messages: gpipe, overlapping', [...kMessages, '--schedule', 'gpipe', '--set', 'p2p.mode=free',
                                    '--set', 'p2p.latency=3']],
  ['fractional times', [...kHw5, '--t-f', '0.3,0.7,0.1,1.3', '--t-b', '0.123456789', '-m', '20']],
  ['one picosecond', ['-p', '3', '-m', '5', '--schedule', '1f1b', '--set', 'time_unit=ps',
                      '--t-f', '1', '--t-b', '2']],
  ['picoseconds far from 0', ['-p', '2', '-m', '9', '--schedule', 'gpipe', '--t-f', '1000.000000001',
                              '--t-b', '0.000000003']],
  ['ops without time', [...kHw5, '--t-f', '0,2,0,1']],
  ['thirds', ['-p', '4', '-m', '30', '--schedule', '1f1b', '--set', 'time_unit=ns',
              '--t-f', '333.333', '--t-b', '666.667']],
  ['steps', [...kHw5, '--set', 'iterations={"count":2,"grad_sync":2,"optimizer":3,"barrier":true}']],
  ['steps, reduced beside', [...kHw5, '--set',
                             'iterations={"count":2,"grad_sync":2,"overlap_grad_sync":true}']],
  ['twelve devices', ['-p', '12', '-m', '24', '--schedule', '1f1b', '--t-f', '1', '--t-b', '2']],
  ['model, memory in bytes', ['--config', 'configs/gpt3-175b.json', '-m', '16']],
  ['custom: fused pairs', ['-p', '2', '-m', '2', '--t-f', '1', '--t-b', '2', '--set', 't_w=1', '--set',
                           'schedule={"name":"custom","order":["0F0 0F1 0I0 0W0 0B1",' +
                           '"1F0 (1F1;1B0) 1B1"]}']],
  ['custom: an order of PyTorch', ['--config', 'configs/pytorch_188833.json']],
  ['slices', [...kHw5, '--schedule', 'seq1f1b', '--set', 'schedule.slices=4']],
]);

// A tick is 1e-6; doubles of this size carry some 1e-16 of themselves.
function isNear(left, right, size = right) {
  return Math.abs(left - right) <= 3e-6 + 1e-12 * Math.abs(size);
}

let browser;
let server;
let catapult;
const files = new Map();

before(async () => {
  server = await serve((name) => {
    if (name === '') return kPage;
    if (files.has(name)) return files.get(name);
    const [where, file] = [name.slice(0, name.indexOf('/')), path.basename(name)];
    const folder = { catapult: kCatapult, speedscope: kSpeedscope.pathname }[where];
    const found = folder && path.join(folder, file);
    return found && fs.existsSync(found) ? fs.readFileSync(found) : undefined;
  });
  browser = await launchBrowser();
  catapult = await browser.newPage();
  await catapult.goto(`${server.address}/`);
  await catapult.waitForFunction(() => window.ready, null, { timeout: 120000 });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/// What Catapult makes of a trace's bytes, in microseconds. It takes text as a string.
function inCatapult(bytes) {
  return catapult.evaluate(async (base64) => {
    const content = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const isText = content[0] === '{'.charCodeAt(0);
    const trace = isText ? new TextDecoder().decode(content) : content.buffer;
    const model = new tr.Model();
    const options = new tr.importer.ImportOptions();
    options.shiftWorldToZero = false;
    await new tr.importer.Import(model, options).importTraces([trace]);
    const where = (slice) => slice && ({ pid: slice.parentContainer.parent.pid,
                                         tid: slice.parentContainer.tid, name: slice.title,
                                         start: slice.start * 1000 });
    const processes = Object.values(model.processes);
    const threads = processes.flatMap((process) => Object.values(process.threads));
    return {
      warnings: model.importWarnings.map((warning) => warning.message),
      processes: processes.map((process) => ({ pid: process.pid, name: process.name })),
      threads: threads.map((thread) => ({ pid: thread.parent.pid, tid: thread.tid,
                                          name: thread.name })),
      slices: threads.flatMap((thread) => thread.sliceGroup.slices.map((slice) => ({
        pid: thread.parent.pid, tid: thread.tid, name: slice.title, start: slice.start * 1000,
        duration: slice.duration * 1000, isNested: !slice.isTopLevel }))),
      counters: processes.flatMap((process) => Object.values(process.counters).map((counter) => ({
        pid: process.pid, name: counter.name, series: counter.series.map((series) => series.name),
        samples: counter.series[0].samples.map((s) => [s.timestamp * 1000, s.value]) }))),
      flows: model.flowEvents.map((flow) => ({ title: flow.title, start: flow.start * 1000,
                                               end: (flow.start + flow.duration) * 1000,
                                               from: where(flow.startSlice),
                                               to: where(flow.endSlice) })),
    };
  }, Buffer.from(bytes).toString('base64'));
}

/// Whether the row is a slice at all: barriers take no time.
function isDrawn(row) {
  return !['BARRIER', 'RELEASE'].includes(row.ops[0].kind);
}

function receiver({ ops: [{ kind, stage, microbatch }] }, rows) {
  const next = stage + (kind === 'SEND_F' ? 1 : -1);
  const consumes = (op) => op.stage === next && op.microbatch === microbatch &&
                           (kind === 'SEND_F' ? op.kind === 'F' : 'BI'.includes(op.kind));
  return rows.find((row) => row.ops.some(consumes)).device;
}

/// The slices that a timeline has: a transfer is one on each of its devices.
function expectedSlices(rows) {
  return rows.filter(isDrawn).flatMap((row) => {
    const devices = row.lane === 'send' ? [row.device, receiver(row, rows)] : [row.device];
    return devices.map((pid, end) => ({ pid, end, row, name: label(row), start: row.start,
                                        duration: row.end - row.start }));
  });
}

/// What takes no time, or so little that viewers' doubles do not tell its end, is no slice.
function checkSlices(seen, expected) {
  const sorted = (slices) => [...slices].sort(
      (left, right) => left.pid - right.pid || left.name.localeCompare(right.name) ||
                       left.start - right.start);
  const unseen = sorted(seen);
  for (const want of sorted(expected)) {
    const got = unseen[0];
    const isSeen = got && got.pid === want.pid && got.name === want.name &&
                   isNear(got.start, want.start) &&
                   isNear(got.duration, want.duration, want.start);
    if (!isSeen) {
      assert.ok(want.duration < 3e-6, `${JSON.stringify(want)} is seen as ${JSON.stringify(got)}`);
      continue;
    }
    // Catapult's grain is some 10 ps.
    assert.ok(!got.isNested || got.duration < 1e-5, `${want.name} stands inside another slice`);
    unseen.shift();
  }
  assert.deepEqual(unseen, []);
}

/// Pairs whose forward has started and whose last backward part has not ended.
function liveActivations(rows, device) {
  const ends = new Map();
  const changes = [];
  for (const row of rows) {
    if (row.device !== device || row.lane !== 'compute') continue;
    for (const op of row.ops) {
      const key = `${op.stage} ${op.microbatch}`;
      if (op.kind === 'F') changes.push([row.start, 1]);
      if ('BIW'.includes(op.kind)) ends.set(key, Math.max(ends.get(key) ?? 0, row.end));
    }
  }
  for (const end of ends.values()) changes.push([end, -1]);
  changes.sort((left, right) => left[0] - right[0] || left[1] - right[1]);
  const samples = [[0, 0]];
  let live = 0;
  for (const [time, change] of changes) {
    live += change;
    if (samples.at(-1)[0] === time) samples.at(-1)[1] = live;
    else samples.push([time, live]);
  }
  return samples.filter(([, value], i) => i === 0 || value !== samples[i - 1][1]);
}

function checkCounters(seen, { report, rows }) {
  const parks = rows.some((row) => row.ops[0].kind === 'EVICT');
  for (const [pid, device] of report.devices.entries()) {
    const counter = seen.find((one) => one.pid === pid && one.name.endsWith('live activations'));
    const values = counter.samples.map(([, value]) => value);
    assert.equal(Math.max(...values), device.peak_activations);
    assert.equal(values.at(-1), 0);
    if (parks) continue;
    const want = liveActivations(rows, pid);
    assert.deepEqual(values, want.map(([, value]) => value), `counter of device ${pid}`);
    counter.samples.forEach(([time], i) => assert.ok(isNear(time, want[i][0])));
    if (report.peak_memory_unit !== 'bytes') continue;
    const memory = seen.find((one) => one.pid === pid && one.name.endsWith('memory'));
    assert.equal(Math.max(...memory.samples.map(([, value]) => value)), device.peak_memory);
  }
}

/// The op that an arrow is of, at one of its ends.
function opAt(place, title, slices) {
  const nearest = slices.filter((slice) => slice.pid === place.pid && slice.name === place.name &&
                                           isNear(slice.start, place.start));
  assert.equal(nearest.length, 1, `${place.name} on ${place.pid} at ${place.start}`);
  const isForward = title === 'activation';
  const { kind, stage, microbatch } = nearest[0].row.ops.find(
      (op) => (isForward ? ['F', 'SEND_F'] : ['B', 'I', 'SEND_B']).includes(op.kind));
  return { isTransfer: kind.startsWith('SEND'), end: nearest[0].end, stage, microbatch };
}

/// Every arrow is bound at both ends, and leads to where the result goes next; none is missing where
/// all ops are long enough to be found. Through a transfer an arrow goes in three parts.
function checkFlows(seen, expected, rows) {
  for (const flow of seen) {
    assert.ok(flow.from && flow.to, `an arrow at ${flow.start} is not bound`);
    const [from, to] = [opAt(flow.from, flow.title, expected), opAt(flow.to, flow.title, expected)];
    const forward = flow.title === 'activation' ? 1 : -1;
    assert.equal(to.microbatch, from.microbatch);
    assert.equal(to.stage - from.stage, to.isTransfer ? 0 : forward);
    if (from.isTransfer && to.isTransfer) assert.deepEqual([from.end, to.end], [0, 1]);
  }
  if (expected.some((slice) => slice.duration < 1e-3)) return;
  const ops = rows.filter((row) => row.lane === 'compute').flatMap((row) => row.ops);
  const last = Math.max(...ops.map((op) => op.stage));
  const received = ops.filter((op) => (op.kind === 'F' && op.stage > 0) ||
                                      ('BI'.includes(op.kind) && op.stage < last));
  const transfers = rows.filter((row) => row.lane === 'send');
  assert.equal(seen.length, received.length + 2 * transfers.length, 'number of arrows');
}

for (const [name, words] of kRuns) {
  test(`Catapult: ${name}`, async () => {
    await withDirectory(async (directory) => {
      const file = path.join(directory, 'trace.json');
      const made = run(directory, [...words, '--trace', file]);
      const seen = await inCatapult(fs.readFileSync(file, 'utf8'));
      assert.deepEqual(seen.warnings, []);
      assert.deepEqual(seen.processes.map((process) => process.name).sort(
                           (left, right) => parseInt(left.slice(7)) - parseInt(right.slice(7))),
                       made.report.devices.map((_, device) => `device ${device}`));
      for (const thread of seen.threads) {
        if (thread.tid === 0) assert.equal(thread.name, 'compute');
        else assert.match(thread.name, /^(send|receive|gradient)/);
      }
      const expected = expectedSlices(made.rows);
      checkSlices(seen.slices, expected);
      checkCounters(seen.counters, made);
      checkFlows(seen.flows, expected, made.rows);
    });
  });
}

const kWindow = ['--trace-window', 'from=8,to=30,microbatches=1-5,devices=1-2'];

test('Catapult: a window of a trace, all its arrows bound', async () => {
  await withDirectory(async (directory) => {
    const file = path.join(directory, 'trace.json');
    pipesim(...kMessages, '--trace', file, ...kWindow);
    const text = fs.readFileSync(file, 'utf8');
    const seen = await inCatapult(text);
    assert.deepEqual(seen.warnings, []);
    assert.deepEqual(seen.processes.map((process) => process.name).sort(), ['device 1', 'device 2']);
    const events = JSON.parse(text).traceEvents;
    const count = (phase) => events.filter((event) => event.ph === phase).length;
    assert.equal(seen.slices.length, count('X'));
    assert.equal(seen.flows.length, count('s') + count('t'));
    assert.ok(seen.flows.length > 0);
    for (const flow of seen.flows) assert.ok(flow.from && flow.to, `${flow.start} is not bound`);
  });
});

/// The names of a rank's slices tell profilers what communicates.
function withoutPrefix(slices) {
  return slices.map((slice) => ({ ...slice, name: slice.name.replace(/^nccl:/, '') }));
}

test('Catapult: a compressed trace', async () => {
  await withDirectory(async (directory) => {
    const [plain, gzip] = ['trace.json', 'trace.json.gz'].map((name) => path.join(directory, name));
    pipesim(...kMessages, '--trace', plain);
    pipesim(...kMessages, '--trace', gzip);
    assert.deepEqual(await inCatapult(fs.readFileSync(gzip)),
                     await inCatapult(fs.readFileSync(plain)));
  });
});

test('Catapult: traces a rank have what the whole trace has', async () => {
  await withDirectory(async (directory) => {
    const made = run(directory, [...kMessages, '--trace-per-rank', path.join(directory, 'ranks')]);
    const slices = [];
    for (const [rank] of made.report.devices.entries()) {
      const seen = await inCatapult(
          fs.readFileSync(path.join(directory, 'ranks', `rank${rank}.json`)));
      assert.deepEqual(seen.warnings, []);
      assert.deepEqual(seen.processes, [{ pid: rank, name: `device ${rank}` }]);
      assert.deepEqual(seen.flows, []);
      slices.push(...withoutPrefix(seen.slices));
    }
    checkSlices(slices, expectedSlices(made.rows));
  });
});

test('Catapult: a slice under another name is found', async () => {
  await withDirectory(async (directory) => {
    const file = path.join(directory, 'trace.json');
    pipesim(...kHw5, '--trace', file);
    const text = fs.readFileSync(file, 'utf8');
    const whole = await inCatapult(text);
    const moved = await inCatapult(text.replace('"name":"F1"', '"name":"F9"'));
    assert.notDeepEqual(moved.slices, whole.slices);
  });
});

/// The slices that speedscope has read, in microseconds: it saves what it holds as a file of its own.
async function inSpeedscope(text, name = 'trace.json') {
  files.set(name, text);
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  try {
    await page.goto(`${server.address}/speedscope/index.html#profileURL=` +
                    encodeURIComponent(`${server.address}/${name}`));
    await page.waitForFunction((file) => document.title.startsWith(file), name,
                               { timeout: 20000 });
    const [download] = await Promise.all([page.waitForEvent('download'),
                                          page.keyboard.press('Control+s')]);
    const saved = JSON.parse(fs.readFileSync(await download.path(), 'utf8'));
    // The renderer of a machine without a graphics card says how slow it is.
    return { saved, complaints: complaints.filter((line) => !line.includes('GPU stall')) };
  } finally {
    await page.close();
  }
}

/// speedscope counts the time of a track from its first slice on.
function slicesOf({ shared, profiles }, trace) {
  return profiles.flatMap((profile) => {
    const [pid, tid] = /^device \d+ \(pid (\d+)\), .* \(tid (\d+)\)$/.exec(profile.name)
        .slice(1).map(Number);
    const begin = Math.min(...trace.traceEvents.filter(
        (event) => event.ph === 'X' && event.pid === pid && event.tid === tid)
        .map((event) => event.ts));
    assert.equal(profile.unit, 'microseconds');
    const slices = [];
    let open;
    for (const { type, frame, at } of profile.events) {
      const name = shared.frames[frame].name.replace(/ \{.*$/, '');
      if (type === 'O') {
        assert.equal(open, undefined, `${name} opens inside ${open?.name}`);
        open = { pid, name, start: begin + at };
      } else {
        assert.equal(name, open.name);
        slices.push({ ...open, duration: begin + at - open.start });
        open = undefined;
      }
    }
    assert.equal(open, undefined);
    return slices;
  });
}

for (const [name, words] of kRuns) {
  test(`speedscope: ${name}`, async () => {
    await withDirectory(async (directory) => {
      const file = path.join(directory, 'trace.json');
      const made = run(directory, [...words, '--trace', file]);
      const text = fs.readFileSync(file, 'utf8');
      const { saved, complaints } = await inSpeedscope(text);
      assert.deepEqual(complaints, []);
      checkSlices(slicesOf(saved, JSON.parse(text)), expectedSlices(made.rows));
    });
  });
}

test('speedscope: a window of a trace', async () => {
  await withDirectory(async (directory) => {
    const file = path.join(directory, 'trace.json');
    pipesim(...kMessages, '--trace', file, ...kWindow);
    const text = fs.readFileSync(file, 'utf8');
    const { saved, complaints } = await inSpeedscope(text);
    assert.deepEqual(complaints, []);
    const trace = JSON.parse(text);
    assert.equal(slicesOf(saved, trace).length,
                 trace.traceEvents.filter((event) => event.ph === 'X').length);
  });
});

test('speedscope: a compressed trace of a rank', async () => {
  await withDirectory(async (directory) => {
    const ranks = path.join(directory, 'ranks');
    const made = run(directory, [...kMessages, '--trace-per-rank', ranks,
                                 '--set', 'output.trace_per_rank_gzip=true']);
    const bytes = fs.readFileSync(path.join(ranks, 'rank1.json.gz'));
    const { saved, complaints } = await inSpeedscope(bytes, 'rank1.json.gz');
    assert.deepEqual(complaints, []);
    const trace = JSON.parse(gunzipSync(bytes));
    checkSlices(withoutPrefix(slicesOf(saved, trace)),
                expectedSlices(made.rows).filter((slice) => slice.pid === 1));
  });
});
