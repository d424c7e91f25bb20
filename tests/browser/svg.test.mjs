// Every picture of the pages, as a browser shows it.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from './browser.mjs';

const kDocs = fileURLToPath(new URL('../../docs/', import.meta.url));
const kPictures = ['gallery', 'images'].flatMap((directory) =>
  readdirSync(kDocs + directory).filter((name) => name.endsWith('.svg')).map((name) => `${directory}/${name}`));

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser.close());

for (const colorScheme of ['light', 'dark']) {
  test(`pictures on a ${colorScheme} screen: no message, numbers within their blocks`, async () => {
    assert.ok(kPictures.length >= 25);
    const page = await browser.newPage({ colorScheme });
    const messages = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(String(error)));
    for (const picture of kPictures) {
      await page.goto(`file://${kDocs}${picture}`);
      const shown = await page.evaluate(() => {
        const wide = [];
        let numbers = 0;
        for (const text of document.querySelectorAll('.block text')) {
          ++numbers;
          const inner = text.getBBox();
          const outer = text.previousElementSibling.getBBox();
          if (inner.x < outer.x || inner.x + inner.width > outer.x + outer.width) {
            wide.push(text.textContent);
          }
        }
        const canvas = document.documentElement.viewBox.baseVal;
        const outside = [...document.querySelectorAll('text')].filter((text) => {
          const box = text.getBoundingClientRect();
          return box.left < 0 || box.right > canvas.width || box.bottom > canvas.height;
        }).map((text) => text.textContent);
        return { numbers, wide, outside,
                 ground: getComputedStyle(document.querySelector('#ground')).fill };
      });
      assert.ok(shown.numbers > 0, picture);
      assert.deepEqual(shown.wide, [], picture);
      assert.deepEqual(shown.outside, [], picture);
      assert.equal(shown.ground,
                   colorScheme === 'dark' ? 'rgb(20, 23, 26)' : 'rgb(255, 255, 255)');
    }
    assert.deepEqual(messages, []);
    await page.close();
  });
}
