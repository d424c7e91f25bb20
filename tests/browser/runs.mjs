// Runs pipesim as a user does, and reads its timeline: what the pictures of a run must agree with.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const kRoot = fileURLToPath(new URL('../..', import.meta.url));
const kBinary = process.env.PIPESIM ?? path.join(kRoot, 'build/release/pipesim');
const kMicroseconds = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3, ps: 1e-6 };

export function pipesim(...words) {
  return execFileSync(kBinary, words, { cwd: kRoot, encoding: 'utf8', maxBuffer: 1 << 30,
                                        stdio: ['ignore', 'pipe', 'ignore'] });
}

/// Calls `use` with the path of a directory of its own, which is gone afterwards.
export async function withDirectory(use) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pipesim-browser-'));
  try {
    return await use(directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/// The schedules that make an order for any config.
export function schedules() {
  return JSON.parse(pipesim('list', '--format', 'json')).schedules
      .map((schedule) => schedule.name).filter((name) => name !== 'custom');
}

/// A run's report, and its timeline's rows: {device, lane, ops: [{kind, stage, microbatch}], start,
/// end} in microseconds. Other outputs are given as words.
export function run(directory, words) {
  const timeline = path.join(directory, 'timeline.csv');
  const report = JSON.parse(pipesim(...words, '--format', 'json', '--timeline', timeline));
  const unit = kMicroseconds[report.time_unit];
  const [, ...lines] = fs.readFileSync(timeline, 'utf8').trimEnd().split('\n');
  const rows = lines.map((line) => {
    const [device, lane, op, stage, microbatch, start, end] = line.split(',');
    const [kinds, stages, microbatches] = [op, stage, microbatch].map((cell) => cell.split(';'));
    const ops = kinds.map((kind, i) => ({ kind, stage: Number(stages[i]),
                                          microbatch: Number(microbatches[i]) }));
    return { device: Number(device), lane, ops, start: start * unit, end: end * unit };
  });
  return { report, rows };
}

/// "F3", or "F3+B1" of a pair.
export function label(row) {
  return row.ops.map((op) => `${op.kind}${op.microbatch}`).join('+');
}
