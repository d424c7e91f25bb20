#!/usr/bin/env bash
# How the bubble ratio falls with the number of microbatches m, a line for each number of devices p,
# in two ways: a loop over runs drawn by gnuplot, and one `pipesim sweep` drawn by `pipesim plot`.
# An example to copy from.
# usage: tools/sweep.sh [DIRECTORY]    writes loop.csv, loop.svg, sweep.csv, sweep.csv.sweep and
#                                      sweep.svg there, by default into the current directory
set -euo pipefail

case ${1-} in
  -*)
    sed -n '/^# usage/,/^[^#]/s/^# //p' "$0" >&2
    exit 2
    ;;
esac
root=$(realpath "$(dirname "$0")/..")
pipesim=${PIPESIM:-$root/build/release/pipesim} # or just: pipesim=pipesim
config=$root/configs/hw5_2.json
mkdir -p "${1:-.}"
cd "${1:-.}"

### First way: a loop

# -p and -m replace what stands in the config. --no-header, so that the lines of all runs make one
# table; its header is that of any run.
{
  "$pipesim" --config "$config" --format csv | sed -n 1p
  for p in 2 4 8; do
    for m in 4 8 16 32 64 128 256; do
      "$pipesim" --config "$config" -p "$p" -m "$m" --format csv --no-header
    done
  done
} >loop.csv

# Columns by the names in the header: they stay right when a later version adds one. NaN is what
# gnuplot does not draw. The same script draws sweep.csv.
gnuplot <<'END'
set terminal svg size 960,540 noenhanced font 'sans-serif,15' background '#ffffff'
set output 'loop.svg'
set datafile separator comma columnheaders
set logscale x 2
set xrange [3.5:290]
set yrange [0.9:*]
set xlabel 'microbatches m'
set ylabel 'bubble ratio (T_total / T_ideal)'
set grid
bubble_ratio(p) = column('p') == p ? column('bubble_ratio') : NaN
plot for [p in '2 4 8'] 'loop.csv' using (column('m')):(bubble_ratio(p + 0)) \
  with linespoints linewidth 2 pointtype 7 title 'p='.p
END

### Second way: a sweep

# One process, all processors; the first --vary is the outer loop. When it is interrupted, the same
# command goes on where it ended. x2 doubles.
"$pipesim" sweep --config "$config" --vary p=2,4,8 --vary m=4:256:x2 --out sweep.csv
"$pipesim" plot sweep.csv --x m --y bubble_ratio --series p --log x --svg sweep.svg
