import assert from 'node:assert/strict';
import test from 'node:test';

import { launchBrowser, serve } from './browser.mjs';

test('the browser shows what is served, and nothing else is found', async () => {
  const server = await serve((path) =>
    path === 'page.html' ? '<title>served</title><script>document.title += " and run"</script>'
                         : undefined);
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    const found = await page.goto(`${server.address}/page.html`);
    assert.equal(found.status(), 200);
    assert.equal(await page.title(), 'served and run');
    assert.equal((await page.goto(`${server.address}/other.html`)).status(), 404);
  } finally {
    await browser.close();
    server.close();
  }
});
