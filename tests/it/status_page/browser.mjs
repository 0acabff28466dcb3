// Looks at each state of the status page as people do: on a phone and on a desk, in both languages, light and dark, with the
// keyboard alone, and without scripts.
//
//   STATUS_PAGE_DRIVER=FOLDER node browser.mjs NAME=URL ...
//
// FOLDER has the packages playwright-core and axe-core. Pictures go into FOLDER/pictures.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const folder = process.env.STATUS_PAGE_DRIVER;
const require = createRequire(`${folder}/`);
const { chromium } = require('playwright-core');
const axe = require('axe-core').source;

const LEAD = '45721053';
const states = Object.fromEntries(process.argv.slice(2).map((state) => state.split(/=(.*)/s)));
mkdirSync(`${folder}/pictures`, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
});

// A page that may ask the service alone, and must find nothing to complain about.
async function open(url, options, look) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (line) => complaints.push(`console: ${line.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  await look(page);
  assert.deepEqual(complaints, [], url);
  await context.close();
}

async function isSound(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} px wider than the screen`);
  const found = await page.evaluate(`${axe}; axe.run(document)`);
  const violations = found.violations.map((found) => ({
    id: found.id,
    help: found.help,
    nodes: found.nodes.map((node) => `${node.html} ${node.failureSummary}`),
  }));
  assert.deepEqual(violations, [], what);
}

// Tab until this has the focus; each stop can be seen, and is in its turn on the page.
async function tabTo(page, name) {
  let last = -1;
  for (let stops = 0; stops < 60; stops += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const box = element.getBoundingClientRect();
      return {
        place: [...document.querySelectorAll('*')].indexOf(element),
        name: element.getAttribute('aria-label') ?? element.textContent.trim() ?? '',
        id: element.id,
        outline: getComputedStyle(element).outlineStyle,
        seen: box.width > 0 && box.top >= 0 && box.bottom <= window.innerHeight,
      };
    });
    assert.ok(at.outline !== 'none' && at.seen, `the focus cannot be seen: ${JSON.stringify(at)}`);
    assert.ok(at.place > last, `the focus goes back: ${JSON.stringify(at)}`);
    last = at.place;
    if (at.name.startsWith(name) || at.id === name) return;
  }
  assert.fail(`Tab never reaches ${name}`);
}

// Each width, language and colour once beside each other.
const views = [
  { language: 'en', locale: 'en-GB', width: 360, colorScheme: 'light' },
  { language: 'en', locale: 'en-GB', width: 1280, colorScheme: 'light' },
  { language: 'ru', locale: 'ru-RU', width: 360, colorScheme: 'dark' },
  { language: 'ru', locale: 'ru-RU', width: 1280, colorScheme: 'dark' },
];
for (const [name, url] of Object.entries(states)) {
  for (const { language, locale, width, colorScheme } of views) {
    const what = `${name}-${width}-${language}`;
    await open(url, { locale, colorScheme, viewport: { width, height: 800 } }, async (page) => {
      assert.equal(await page.getAttribute('html', 'lang'), language);
      await isSound(page, what);
      await page.screenshot({ path: `${folder}/pictures/${what}.png`, fullPage: true });
      await page.fill('#q', LEAD);
      await page.keyboard.press('Enter');
      await page.waitForSelector('ol.story');
      await isSound(page, `the story of ${what}`);
      await page.screenshot({ path: `${folder}/pictures/${what}-story.png`, fullPage: true });
    });
  }
  await open(url, { javaScriptEnabled: false }, async (page) => {
    assert.ok(await page.locator('.headline h1').isVisible());
  });
  console.log(`${name}: seen`);
}

// The decision about a deal, by the keyboard alone.
await open(states['needs-a-person'], { locale: 'en-GB', viewport: { width: 1280, height: 800 } }, async (page) => {
  await tabTo(page, 'Needs no record');
  await page.keyboard.press('Enter');
  await page.waitForSelector('form.act');
  await isSound(page, 'the question');
  await page.screenshot({ path: `${folder}/pictures/question.png`, fullPage: true });
  await tabTo(page, 'why');
  await page.keyboard.type('a test');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Done' }).waitFor();
  await isSound(page, 'the answer');
  await tabTo(page, 'q');
  await page.keyboard.type(LEAD);
  await page.keyboard.press('Enter');
  await page.getByText('A person has dismissed it').waitFor();
});
console.log('a deal is dismissed by the keyboard');
await browser.close();
