#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "sim/io/html_report.hpp"
#include "tests/cli/process.hpp"
#include "tests/occurrences.hpp"

using namespace pipesim::test;
using nlohmann::json;

namespace {

struct Page {
  Outcome outcome;
  std::string html;

  json data() const {
    const std::string open = "<script id=\"data\" type=\"application/json\">";
    const std::size_t begin = html.find(open) + open.size();
    return json::parse(html.substr(begin, html.find("</script>", begin) - begin));
  }
};

Page page_of(const std::string& arguments) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("a.html");
  Page page{.outcome = run_pipesim(fmt::format("{} --html {}", arguments, path)), .html = {}};
  REQUIRE(page.outcome.exit_code == 0);
  CHECK(directory.entries() == 1);
  page.html = read_file(path);
  return page;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("html: the page says what the table says, and the table is still printed") {
    const std::string run = "--config configs/gpt3-175b.json";
    const Page page = page_of(run);
    const Outcome table = run_pipesim(run);
    CHECK(page.outcome.out == table.out);
    for (const std::string value : {"13732.910528124 ms", "1.03641", "9544.37", "51.45 %",
                                    "13724.409464444 ms", "59.72 GiB"}) {
      CAPTURE(value);
      CHECK(page.html.find("<dd>" + value + "</dd>") != std::string::npos);
      if (value != "59.72 GiB") CHECK(table.out.find(value) != std::string::npos);
    }
    CHECK(page.data()["runs"][0]["devices"].size() == 8);
    CHECK(page_of(run).html == page.html);
  }

  TEST_CASE("html: the config on the page gives the page again") {
    const Page page = page_of(
        "-p 3 -m 5 --t-f 2 --t-b 4 --schedule interleaved_1f1b --set schedule.v=2 --set t_w=1");
    std::string config = page.html.substr(page.html.find("<pre tabindex=\"0\">") + 18);
    config = config.substr(0, config.find("</pre>"));
    for (std::size_t at = config.find("&quot;"); at != std::string::npos;
         at = config.find("&quot;")) {
      config.replace(at, 6, "\"");
    }
    const json members = json::parse(config);  // each on a line of its own
    CHECK(occurrences(config, "\n") == members.size() + 1);
    for (const auto& [key, value] : members.items()) {
      CHECK(occurrences(config, fmt::format("\n  \"{}\":", key)) == 1);
    }
    const TemporaryDirectory directory;
    CHECK(page_of("--config " + directory.file("run.json", config)).html == page.html);
  }

  TEST_CASE("html: a part of the run, and what the controls begin with") {
    const json data =
        page_of("--config configs/hw5_2.json --critical --from 10 --to 0.03s --devices 1,3").data();
    CHECK(data["critical"] == true);
    CHECK(data["from"] == "10000000000");
    CHECK(data["to"] == "30000000000");
    REQUIRE(data["runs"][0]["devices"].size() == 2);
    CHECK(data["runs"][0]["devices"][1]["device"] == 3);
  }

  TEST_CASE(
      "html: compare puts its schedules on one axis, with those that cannot run in the table") {
    const Page page = page_of(
        "compare --config configs/hw5_2.json --set memory.limit=4 --quiet gpipe 1f1b zb_h1");
    const json data = page.data();
    REQUIRE(data["runs"].size() == 2);
    CHECK(data["to"] == "84000000000");
    CHECK(data["runs"][0]["onFront"] == false);
    CHECK(data["runs"][1]["onFront"] == true);
    CHECK(page.html.find("<td>invalid</td>") != std::string::npos);
    CHECK(page.html.find("<td><strong>66 ms</strong></td>") != std::string::npos);
  }

  TEST_CASE("html: a page that is too large for sure is refused before the run") {
    const std::string end =
        " MB is too large; at most 50 MB: --from and --to, or --devices, show a part\n";
    const std::string run = "-p 8 -m 1100000 --t-f 1 --t-b 2 --schedule gpipe";
    CHECK(refusal(run, "--html") ==
          "command line: --html: /output/html: a page of at least 105.7" + end);
    CHECK(refusal("compare " + run + " gpipe 1f1b", "--html") ==
          "command line: --html: /output/html: a page of at least 211.3" + end);
  }

  TEST_CASE("html: no page is smaller than what is refused before its run") {
    for (const char* const schedule : {"gpipe", "zb_h1", "dualpipe"}) {
      CAPTURE(schedule);
      const Page page =
          page_of(fmt::format("-p 2 -m 20000 --t-f 1 --t-b 1 --set t_w=1 --schedule {}", schedule));
      CHECK(static_cast<std::int64_t>(page.html.size()) >=
            pipesim::least_page_bytes(2 * 20000 * 2));
    }
  }
}

TEST_SUITE("slow") {
  TEST_CASE("html: a page of 1.8 million blocks is written, one over 50 MB refused by its size") {
    const std::string run = "--t-f 2 --t-b 4 --schedule 1f1b -p 8 -m ";
    CHECK(page_of(run + "112500").html.size() < 50'000'000);
    CHECK(
        refusal(run + "150000", "--html") ==
        "command line: --html: /output/html: a page of 51.1 MB is too large; at most 50 MB: --from "
        "and --to, or --devices, show a part\n");
  }
}
