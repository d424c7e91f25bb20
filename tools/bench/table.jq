# The table of ratios. Input (slurped): what the benchmark programs write as JSON.
# Everything is a median over repetitions.

[.[].benchmarks[] | select(.run_type == "iteration") | .run_name |= sub("/manual_time$"; "")]
| group_by(.run_name) | map({key: .[0].run_name, value: .}) | from_entries
| . as $runs
| def median(name; field): $runs[name] | map(field) | sort | .[(length - 1) / 2 | floor];
  def has_run(name): $runs | has(name);
  def rate(name): median(name; .items_per_second);

  # Three digits, without an exponent.
  def digits: if . == 0 then 0
    else (((fabs | log10 | floor) - 2) | pow(10; .)) as $unit | (. / $unit | round) * $unit end
    | if fabs >= 100 then round else (. * 10000 | round) / 10000 end | tostring;
  def scaled: if . >= 1e9 then "\(. / 1e9 | digits) G" elif . >= 1e6 then "\(. / 1e6 | digits) M"
    elif . >= 1e3 then "\(. / 1e3 | digits) k" else "\(digits) " end;

  def at_least(goal): {goal: "at least \(goal)", is_met: (. >= goal)};
  def at_most(goal; unit): {goal: "at most \(goal)\(unit)", is_met: (. <= goal)};
  def open_end: {goal: "", is_met: null};

  # How many times as fast as the anchor.
  def ratio(what; ours; anchor; judge): select(has_run(ours) and has_run(anchor))
    | (rate(ours) / rate(anchor)) as $value
    | {what: what, measured: ($value | digits), ours: "\(rate(ours) | scaled)/s",
       anchor: "\(rate(anchor) | scaled)/s"} + ($value | judge);
  def ratio(what; ours; anchor): ratio(what; ours; anchor; open_end);

  def number(what; name; value; unit; judge): select(has_run(name)) | value as $value
    | {what: what, measured: (($value | digits) + unit), ours: "", anchor: ""} + ($value | judge);

  def sizes: "8x64", "64x1024", "256x4096";
  def large: . != "8x64";

  def timeline: sizes as $size | "timeline/1f1b/\($size)/" as $group
    | (if $size | large then 3 else null end) as $goal
    | def against(what; who; anchor; goal): ratio("1f1b \($size): \(what)"; $group + who;
          $group + anchor; if goal and ($size | large) then at_least(goal) else open_end end);
      against("any program / priority queue (c)"; "arbitrary"; "event_loop"; 3),
      against("any program / SimGrid (f)"; "arbitrary"; "simgrid"; 100),
      against("any program / CSR + Kahn (d)"; "arbitrary"; "csr_kahn"; null),
      against("any program / Boost (e)"; "arbitrary"; "boost"; null),
      against("op by op / priority queue (c)"; "custom"; "event_loop"; 3),
      against("op by op / SimGrid (f)"; "custom"; "simgrid"; 100),
      against("loops / priority queue (c)"; "loops"; "event_loop"; null),
      against("readable engine / priority queue (c)"; "task_graph"; "event_loop"; null);

  def run_phase: sizes as $size | "run/1f1b/\($size)/" as $group
    | ratio("1f1b \($size), run alone: any program / Kahn (d)"; $group + "arbitrary"; $group + "kahn";
          if $size == "256x4096" then at_least(2) else open_end end),
      ratio("1f1b \($size), run alone: loops / Kahn (d)"; $group + "loops"; $group + "kahn"),
      ratio("1f1b \($size), run alone: any program / Boost (e)"; $group + "arbitrary";
          $group + "boost_dag");

  def bytes: ("arbitrary", "loops", "custom", "task_graph") as $who
    | "timeline/1f1b/256x4096/\($who)" as $name
    | number("1f1b 256x4096, \({arbitrary: "any program", loops: "loops",
          custom: "op by op, with the program", task_graph: "readable engine"}[$who]): memory";
        $name; median($name; .bytes_of_op); " bytes an op";
        if $who != "task_graph" then at_most(32; " bytes") else open_end end);

  def store: ("1f1b", "gpipe") as $order | ("8x64", "1024x16384") as $size
    | "store/\($order)/\($size)/" as $group
    | ratio("\($order) \($size), all starts: loops / writing 16 bytes an op"; $group + "loops";
          $group + "fill_16_bytes"; if $size | large then at_least(0.3) else open_end end),
      ratio("\($order) \($size), all starts: loops / step-major array (b)"; $group + "loops";
          $group + "step_major"),
      ratio("\($order) \($size), all starts: loops / step-major array past the cache (b)";
          $group + "loops"; $group + "step_major_nontemporal");

  def metrics: ("1f1b", "gpipe") as $order | ("equal", "unequal") as $stages
    | ("8x64", "256x4096", "1024x16384") as $size
    | "metrics/\($stages)/\($order)/\($size)/" as $group
    | ("jumps", "loops") as $who
    | ratio("\($order) \($size), \($stages) stages, metrics only: \({jumps: "default",
          loops: "without jumps"}[$who]) / scalar stream (a)"; $group + $who;
          $group + "scalar_stream";
          if $who == "jumps" and ($size | large) then at_least(1) else open_end end);

  def detector: "1f1b" as $order | ("8x64", "512x2048", "1024x8192") as $size
    | "detector/\($order)/\($size)/" as $group | select(has_run($group + "jumps"))
    | (100 * (rate($group + "loops") / rate($group + "jumps") - 1)) as $value
    | number("\($order) \($size), search for a period where there is none"; $group + "jumps"; $value;
          " %"; if $size | large then at_most(10; " %") else open_end end);

  def traces: ("8x64", "64x2048") as $size | "trace/1f1b/\($size)/" as $group
    | ratio("trace of 1f1b \($size), events: pipesim / fmt (g)"; $group + "pipesim"; $group + "fmt";
          if $size | large then at_least(3) else open_end end),
      ratio("trace of 1f1b \($size), events: pipesim / nlohmann (g)"; $group + "pipesim";
          $group + "nlohmann"; if $size | large then at_least(40) else open_end end),
      (select(has_run($group + "pipesim"))
       | number("trace of 1f1b \($size): time of .json.gz / .json"; $group + "pipesim";
             rate($group + "pipesim") / rate($group + "pipesim_gz"); "";
             if $size | large then at_most(6; "") else open_end end));

  def processes:
      number("process of configs/hw5_2.json beyond /bin/true, CPU time"; "process/hw5_2";
          median("process/hw5_2"; .real_time) - median("process/true"; .real_time); " ms";
          at_most(3; " ms")),
      number("the same, wall time"; "process/hw5_2"; 1000 * (median("process/hw5_2"; .wall_seconds)
          - median("process/true"; .wall_seconds)); " ms"; open_end),
      (("1f1b", "gpipe") as $order
       | "process/\($order)/" as $group
       | number("process of \($order) 1024x10^9, metrics only, CPU time";
             $group + "1024x1000000000"; median($group + "1024x1000000000"; .real_time); " ms";
             at_most(50; " ms")),
         number("process of \($order) 4096x65536, metrics only: peak memory beyond that of 4x8";
             $group + "4096x65536"; median($group + "4096x65536"; .peak_mib)
             - median($group + "4x8"; .peak_mib); " MiB"; at_most(8; " MiB"))),
      (("csv", "json") as $format | "sweep/one_process/\($format)" as $name
       | number("sweep of 1f1b 8x64, points a second of a core, \($format)"; $name; rate($name); "";
             at_least(300000)),
         ratio("sweep of 1f1b 8x64, points, \($format): pipesim sweep / a shell loop"; $name;
             "sweep/shell_loop"));

  def builds: $runs | keys[] | select(startswith("build/")) as $name
    | ratio("order of \($name | ltrimstr("build/")), p=8 m=64, ops / CSR graph (d)"; $name;
          "anchor/csr_graph");

  [timeline, run_phase, bytes, store, metrics, detector, traces, processes, builds] as $rows
| ($rows | map(select(.is_met != null))) as $goals
| "\($goals | map(select(.is_met)) | length) of \($goals | length) goals are met. These fall short:",
  "",
  ($goals[] | select(.is_met | not) | "- \(.what): \(.measured), \(.goal)"),
  "",
  ($rows
   | map([.what, .measured, .goal,
          (if .is_met == null then "" elif .is_met then "met" else "MISSED" end), .ours, .anchor])
   | [["what", "measured", "goal", "", "pipesim", "anchor"]] + .
   | (transpose | map(map(length) | max)) as $widths
   | def row: [., $widths] | transpose | map(.[0] + " " * (.[1] - (.[0] | length)))
       | "| " + join(" | ") + " |";
     (.[0] | row), ("|" + ($widths | map("-" * (. + 2)) | join("|")) + "|"), (.[1:][] | row))
