// Looks at pages with a real Chromium as people do, in each language, face and width, and prints what is wrong as JSON.
//
//   node look.mjs FOLDER_OF_PACKAGES BASE_URL PATHS_AS_JSON [FOLDER_FOR_PICTURES]
import { createRequire } from "node:module";
import { accessSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [packages, base, paths, pictures] = process.argv.slice(2);
const load = createRequire(join(packages, "node_modules", "x.js"));
const { chromium } = load("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const onPath = (process.env.PATH ?? "").split(":").map((folder) => join(folder, "chromium"));
const executablePath = onPath.find((file) => { try { accessSync(file); return true; } catch { return false; } });
if (!executablePath) throw new Error("chromium is not on the PATH (Debian package `chromium`)");

const FACES = [
  { name: "light", locale: "en-US", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", locale: "zh-CN", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "phone", locale: "en-US", colorScheme: "dark", viewport: { width: 360, height: 740 }, phone: true },
  { name: "phone-zh", locale: "zh-CN", colorScheme: "light", viewport: { width: 360, height: 740 }, phone: true, quick: true },
];
const who = { authorization: process.env.AUTHORIZATION };
const problems = [];

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"],
});
try {
  await Promise.all(FACES.map(look));
  await withoutScripts();
} finally {
  await browser.close();
}
console.log(JSON.stringify(problems));

async function look({ name, phone, quick, ...face }) {
  const context = await browser.newContext({ ...face, extraHTTPHeaders: who, deviceScaleFactor: phone ? 2 : 1, isMobile: !!phone, reducedMotion: "reduce" });
  const page = await context.newPage();
  let path = "";
  let leaving = false;
  const wrong = (what) => problems.push(`${name} ${path}: ${what}`);
  const unknown = (text) => text.includes("404") && path.includes("id=nothing");
  page.on("console", (said) => { if (["error", "warning"].includes(said.type()) && !unknown(said.text())) wrong(`console: ${said.text()}`); });
  page.on("pageerror", (error) => wrong(`error: ${error}`));
  page.on("request", (asked) => { if (!asked.url().startsWith(base)) wrong(`asks ${asked.url()}`); });
  // The icon is fetched after "load": a browser that is sent on before it came gives it up itself, which is no answer of ours.
  const givenUp = (asked) => leaving && asked.failure()?.errorText === "net::ERR_ABORTED";
  page.on("requestfailed", (asked) => { if (!givenUp(asked)) wrong(`fails ${asked.url()}: ${asked.failure()?.errorText}`); });
  for (const [label, at] of Object.entries(JSON.parse(paths))) {
    await open(at);
    // What is folded is looked at as well.
    await page.evaluate(() => document.querySelectorAll("details").forEach((folded) => { folded.open = true; }));
    const { beyond, lang, title } = await page.evaluate((width) => ({
      beyond: document.documentElement.scrollWidth > width && [...document.querySelectorAll("body *")]
        .map((at) => [at.getBoundingClientRect().right, at.outerHTML.slice(0, 200)]).filter(([right]) => right > width + 1)
        .sort((a, b) => b[0] - a[0]).slice(0, 3).map(([right, html]) => `${right}: ${html}`),
      lang: document.documentElement.lang, title: document.title }), face.viewport.width);
    if (beyond) wrong(`has to be scrolled sideways: ${beyond.join(" | ")}`);
    if (lang !== (face.locale === "zh-CN" ? "zh-CN" : "en")) wrong(`speaks ${lang}`);
    if (!title.includes("notafter")) wrong(`is called ${title}`);
    // Searches and orders make the same elements: one look by axe is enough for them.
    if (quick || (name !== "light" && ["_all", "_none"].includes(label))) { await picture(label); continue; }
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
    for (const { id, impact, help, nodes } of found.violations) {
      const grave = ["serious", "critical"].includes(impact);
      if (grave) wrong(`${impact} ${id} (${help}): ${nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`);
    }
    if (label === "overview") await keys(page, wrong);
    await picture(label);
  }
  await assets(page, wrong);
  leaving = true;
  await context.close();

  async function open(at) {
    [path, leaving] = [at, true];
    await page.goto(base + at, { waitUntil: "load" });
    leaving = false;
  }

  async function picture(label) {
    if (!pictures || label.startsWith("_")) return;
    await page.setViewportSize({ width: face.viewport.width, height: phone ? 1100 : 1500 });
    await open(path);
    await page.screenshot({ path: join(pictures, `${label}-${name}.png`) });
    if (process.env.NOTAFTER_WHOLE) await page.screenshot({ path: join(pictures, `${label}-${name}-whole.png`), fullPage: true });
    await page.setViewportSize(face.viewport);
  }
}

// What a page names is there, also what the browser may have given up on its way.
async function assets(page, wrong) {
  const named = await page.evaluate(() => [...document.querySelectorAll("link[href]")].map((at) => at.href));
  if (!named.some((url) => url.endsWith(".svg"))) wrong("names no icon");
  for (const url of named) {
    const answer = await page.request.get(url);
    if (!answer.ok()) wrong(`${url} answers ${answer.status()}`);
  }
}

// The first key leads to the skip link, which is seen then; what has the focus is always marked.
async function keys(page, wrong) {
  for (let step = 0; step < 6; step += 1) {
    await page.keyboard.press("Tab");
    const { skip, top, outline } = await page.evaluate(() => {
      const at = document.activeElement;
      return { skip: at.classList.contains("skip"), top: at.getBoundingClientRect().top, outline: getComputedStyle(at).outlineStyle };
    });
    if (step === 0 && (!skip || top < 0)) wrong("the first key does not lead to the skip link");
    if (outline === "none") wrong(`the focus is not seen after ${step + 1} keys`);
  }
}

async function withoutScripts() {
  const context = await browser.newContext({ javaScriptEnabled: false, extraHTTPHeaders: who, locale: "en-US" });
  const page = await context.newPage();
  await page.goto(base + "/");
  await page.locator("#q").fill("no such thing");
  await page.locator("form[role=search] button").click();
  if (!page.url().includes("q=no+such+thing")) problems.push(`without scripts: a search leads to ${page.url()}`);
  const says = async (what, text) => {
    const said = await page.locator("[role=status]").textContent({ timeout: 5000 }).catch(() => "nothing");
    if (said !== text) problems.push(`without scripts: ${what} says ${said}`);
  };
  await page.goto(base + JSON.parse(paths).resource);
  await page.locator("#comment").fill("tried by a browser");
  await page.locator("#for").selectOption("4h");
  await page.locator("button[value=silence]").click();
  await says("a silence", "Silenced.");
  // The page shows what the last evaluation knew, and a machine that does many things at once is slow.
  const row = page.locator("#silences ~ table tr", { hasText: "tried by a browser" });
  const shown = async (wanted) => {
    for (let tries = 0; tries < 60; tries += 1) {
      await page.goto(base + "/");
      if ((await row.count() > 0) === wanted) return;
      await page.waitForTimeout(250);
    }
    problems.push(`without scripts: the silence is ${wanted ? "not shown" : "still shown"}`);
  };
  await shown(true);
  await row.locator("button").click();
  await says("its end", "The silence is over.");
  await shown(false);
  await page.locator("tr", { hasText: "evt_given_up" }).locator("button[value=retry]").click();
  await says("a message that is sent again", "The message goes out again.");
  await context.close();
}
