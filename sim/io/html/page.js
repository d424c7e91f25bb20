// Begins: the theme, the parts of the page, and what tests and consoles may ask.

const darkScreen = matchMedia("(prefers-color-scheme: dark)");
let isPrinting = false;

function currentTheme() {
  return darkScreen.matches && !isPrinting ? data.palette.dark : data.palette.light;
}

/** Copies what stands in an element, also where a page from a file may not use the clipboard. */
async function copy(element, button) {
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    getSelection().selectAllChildren(element);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function begin() {
  const start = performance.now();
  const runs = data.runs.map(decodeRun);
  const section = (id) => document.getElementById(id);
  const timeline = new Timeline(section("timeline"), runs);
  const charts = () => {
    const idle = section("idle");
    idle.replaceChildren(idle.firstElementChild);
    idleChart(idle, runs);
  };
  charts();
  if (section("scatter")) scatter(section("scatter"), runs);
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button.parentElement.querySelector("pre"), button));
  }
  const changeTheme = () => {
    timeline.changeTheme();
    charts();
  };
  darkScreen.addEventListener("change", changeTheme);
  const print = (state) => {
    isPrinting = state;
    // A canvas is not drawn anew for paper: it has the width of a page while it is printed.
    document.body.classList.toggle("printing", state);
    changeTheme();
  };
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  window.pipesim = { timeline, runs, loadMs: performance.now() - start, get frame() { return timeline.frame; } };
}

begin();
