// Debian's Chromium without a screen, and a server on this machine for what it is to show.
import { once } from 'node:events';
import http from 'node:http';

import { chromium } from 'playwright-core';

/// A browser; the caller closes it.
export function launchBrowser() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
           '--enable-unsafe-swiftshader'],
  });
}

const kTypes = new Map([
  ['html', 'text/html'],
  ['js', 'text/javascript'],
  ['css', 'text/css'],
  ['json', 'application/json'],
  ['wasm', 'application/wasm'],
]);

/// Serves what `read` (path without its first slash -> bytes or text; undefined: not found) gives,
/// on a free port. Returns {address, close}.
export async function serve(read) {
  const server = http.createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname).slice(1);
    const body = await read(path);
    response.statusCode = body === undefined ? 404 : 200;
    const type = kTypes.get(path.split('.').at(-1));
    if (type) response.setHeader('content-type', type);
    response.end(body ?? 'not found');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
