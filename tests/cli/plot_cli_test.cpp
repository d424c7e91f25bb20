// pipesim plot as a user runs it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kLines = "plot r.jsonl --x m --y bubble_fraction --series p";

std::string results() {
  std::string text;
  for (const int p : {2, 4}) {
    for (const int m : {4, 8, 16}) {
      text +=
          run_pipesim(fmt::format("--config configs/hw5_2.json -p {} -m {} --format json", p, m))
              .out;
    }
  }
  return text;
}

std::string fault(const TemporaryDirectory& directory, const std::string& arguments) {
  const std::size_t before = directory.entries();
  const Outcome outcome = run_pipesim_in(directory, arguments);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  CHECK(directory.entries() == before);
  return outcome.err;
}

/// What stands between tags, in order: the texts of a picture.
std::vector<std::string> texts(const std::string& svg) {
  std::vector<std::string> found;
  constexpr std::string_view kBegin = "<text";
  for (std::size_t at = svg.find(kBegin); at != svg.npos; at = svg.find(kBegin, at + 1)) {
    const std::size_t begin = svg.find('>', at) + 1;
    const std::string text = svg.substr(begin, svg.find('<', begin) - begin);
    if (text.find_first_not_of(' ') != text.npos) found.push_back(text);
  }
  return found;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  for (const std::string& text : all) {
    if (text.find(one) != std::string::npos) return true;
  }
  return false;
}

/// Whether the tags of an XML text close each other in order.
bool is_balanced(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = xml.find('<'); at != xml.npos; at = xml.find('<', at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == xml.npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag[0] == '?' || tag[0] == '!' || tag.back() == '/') continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n\t"));
    if (name[0] != '/') {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("plot draws lines with the names of their series and axes with units") {
    const TemporaryDirectory directory;
    directory.file("r.jsonl", results());
    const std::string command = std::string(kLines) + " --log x --svg a.svg --html a.html";
    const Outcome outcome = run_pipesim_in(directory, command);
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out == "");
    CHECK(outcome.err == "");
    const std::string svg = read_file(directory.path("a.svg"));
    CHECK(is_balanced(svg));
    CHECK_FALSE(is_balanced(svg.substr(0, svg.size() - 8)));
    CHECK(svg.find("gnuplot 5") == std::string::npos);
    CHECK(svg.find("GNUPLOT") == std::string::npos);
    for (const char* const text : {"p=2", "p=4", "devices p", "microbatches m",
                                   "bubble fraction (idle / (p T_total))", "16"}) {
      CAPTURE(text);
      CHECK(contains(texts(svg), text));
    }
    const std::string page = read_file(directory.path("a.html"));
    CHECK(page.find("\"name\":\"p=4\"") != std::string::npos);
    CHECK(page.find("http://") == std::string::npos);
    run_pipesim_in(directory, std::string(kLines) + " --log x --svg b.svg --html b.html");
    CHECK(svg == read_file(directory.path("b.svg")));
    CHECK(page == read_file(directory.path("b.html")));
    CHECK(directory.entries() == 5);
  }

  TEST_CASE("plot reads CSV, standard input and several files") {
    const TemporaryDirectory directory;
    const Outcome drawn = shell(fmt::format(
        "for m in 4 8; do \"$PIPESIM\" --config configs/hw5_2.json -m $m --format csv; done | "
        "\"$PIPESIM\" plot - --x m --y t_total --svg {}",
        directory.path("a.svg")));
    CHECK(drawn.exit_code == 0);
    CHECK(contains(texts(read_file(directory.path("a.svg"))), "T_total (ms)"));
    const Outcome compared = shell(fmt::format(
        "\"$PIPESIM\" compare --config configs/hw5_2.json --format csv gpipe 1f1b | "
        "\"$PIPESIM\" plot - --kind pareto --x sent --y peak_memory --series schedule --svg {}",
        directory.path("b.svg")));
    CHECK(compared.exit_code == 0);
    const std::vector<std::string> labels = texts(read_file(directory.path("b.svg")));
    CHECK(contains(labels, "peak memory of a device (microbatches)"));
    CHECK(contains(labels, "sent between devices (messages)"));
    directory.file("a.jsonl", "{\"m\": 1, \"gap\": 0}");
    directory.file("b.jsonl", "{\"m\": 1, \"gap\": 1}");
    CHECK(fault(directory, "plot a.jsonl b.jsonl --x m --y gap --svg c.svg") ==
          "b.jsonl:1: gap is 1 at m=1, and 0 in line 1 of a.jsonl; one result for each x of a "
          "series: --series with a field that tells them apart\n");
  }

  TEST_CASE("plot says what it leaves out") {
    const TemporaryDirectory directory;
    directory.file("r.jsonl",
                   "{\"m\": 1, \"gap\": 0}\n{\"status\": \"failed\", \"reason\": \"deadlock\"}\n");
    const std::string command = "plot r.jsonl --x m --y gap --html a.html";
    const std::string note =
        "left out 1 result with the status failed, the first at r.jsonl:2: deadlock";
    CHECK(run_pipesim_in(directory, command).err == "pipesim: note: " + note + "\n");
    CHECK(run_pipesim_in(directory, command + " --quiet").err == "");
    CHECK(read_file(directory.path("a.html")).find(note) != std::string::npos);
  }

  TEST_CASE("a plot that cannot be drawn is a fault, and nothing is written") {
    const TemporaryDirectory directory;
    directory.file("r.jsonl", "{\"m\": 1, \"gap\": 0, \"schedule\": \"gpipe\"}");
    const std::string plot = "plot r.jsonl --x m --y gap ";
    CHECK(fault(directory, plot) ==
          "command line: plot: no picture is asked for; --svg FILE, --html FILE or both\n");
    CHECK(fault(directory, plot + "--kind heatmap --svg a.svg") ==
          "command line: --kind heatmap: no --z; the field of the colour\n");
    CHECK(fault(directory, plot + "--z m --svg a.svg") ==
          "command line: --z: --kind lines has no third axis; --kind heatmap\n");
    CHECK(fault(directory, plot + "--kind heatmap --z m --log x --svg a.svg") ==
          "command line: --log: a heat map has a cell for each value and no scale; --kind lines or "
          "pareto\n");
    CHECK(fault(directory, plot + "-p 4 --svg a.svg") ==
          "command line: -p: not an option of a plot; the options of pipesim plot --help\n");
    CHECK(fault(directory, plot + "--svg a.svg --html ./a.svg") ==
          "command line: --html: \"./a.svg\" is the file of --svg too; a file of its own\n");
    CHECK(fault(directory, plot + "--svg none/a.svg") ==
          "command line: --svg: cannot write \"none/a.svg\": No such file or directory\n");
    CHECK(fault(directory, plot + "--svg a.svg --html /dev/full") ==
          "command line: --html: cannot write \"/dev/full\": No space left on device\n");
    CHECK(fault(directory, plot + "--svg -") ==
          "command line: --svg: \"-\" is no name of a file; /dev/stdout for standard output\n");
    CHECK(fault(directory, plot + "--svg r.jsonl") ==
          "command line: --svg: \"r.jsonl\" is the file of the results too; a file of its own\n");
    CHECK(fault(directory, plot + "--log y --svg a.svg --html a.html") ==
          "r.jsonl:1: gap is 0 on a logarithmic axis; more than 0\n");
    CHECK(fault(directory, "plot r.jsonl --x m --y gapp --svg a.svg") ==
          "command line: --y: no result has a field \"gapp\"; a key of the results or of their "
          "config "
          "(did you mean \"gap\"?)\n");
    CHECK(fault(directory, "plot r.jsonl --x m --y schedule --svg a.svg") ==
          "r.jsonl:1: schedule is no number: gpipe; a number in every result\n");
    CHECK(fault(directory, "plot none.jsonl --x m --y gap --svg a.svg") ==
          "none.jsonl: cannot be read: No such file or directory\n");
  }

  TEST_CASE("a plot that is too large is refused at once") {
    const TemporaryDirectory directory;
    std::string rows = "schema_version,m,gap\n";
    for (int m = 0; m < 501; ++m) rows += fmt::format("1,{},1\n", m);
    directory.file("r.csv", rows);
    // A cell for each m and m, and nearly all of them empty.
    const std::string map = "plot r.csv --kind heatmap --x m --y m --z gap ";
    for (const char* const files : {"--svg a.svg", "--svg a.svg --html a.html"}) {
      CHECK(fault(directory, map + files) ==
            "command line: --svg: a heat map of 501 x 501 = 251001 cells; at most 250000: fewer "
            "results, or fields with fewer values\n");
    }
    CHECK(fault(directory, map + "--html a.html") ==
          "command line: --html: a heat map of 501 x 501 = 251001 cells; at most 40000: fewer "
          "results, or fields with fewer values\n");
    const std::string lines = "plot r.csv --x m --y gap --series m ";
    CHECK(fault(directory, lines + "--svg a.svg") ==
          "command line: --svg: 501 series; at most 200: fewer results, or --series with a field "
          "of fewer values\n");
    CHECK(fault(directory, lines + "--html a.html") ==
          "command line: --html: 501 series; at most 500: fewer results, or --series with a field "
          "of fewer values\n");
  }

  TEST_CASE("gnuplot that is missing or fails is a fault, and nothing is written") {
    const TemporaryDirectory directory;
    directory.file("r.jsonl", "{\"m\": 1, \"gap\": 0}");
    const auto with_path = [&](const std::string& path) {
      return shell(
          fmt::format("cd {} && PATH={} \"$PIPESIM\" plot r.jsonl --x m --y gap --svg a.svg",
                      directory.path(""), path));
    };
    const Outcome missing = with_path("/nowhere");
    CHECK(missing.exit_code == 2);
    CHECK(missing.err ==
          "command line: --svg: gnuplot cannot be started: No such file or directory; install it "
          "(Debian: apt-get install gnuplot-nox), or write --html, which needs none\n");
    directory.file("gnuplot", "#!/bin/sh\necho broken >&2\nexit 3\n");
    shell("chmod +x " + directory.path("gnuplot"));
    const Outcome failed = with_path(directory.path("") + ":$PATH");
    CHECK(failed.exit_code == 2);
    CHECK(failed.err == "command line: --svg: gnuplot failed with 3: broken\n");
    directory.file("gnuplot", "#!/bin/sh\ncat >/dev/null\n");
    CHECK(with_path(directory.path("") + ":$PATH").err ==
          "command line: --svg: gnuplot wrote nothing\n");
    CHECK(directory.entries() == 2);
  }
}
