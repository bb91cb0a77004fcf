// Chromium for tests: takes one JSON command per line on stdin, and answers each with one JSON line. It ends when its input ends.
// Arguments: the example's folder, which has playwright-core, and the browser's program.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';

const [folder, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(path.join(folder, 'package.json'))('playwright-core');

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});

let context, page, seen;

// What the browser's network says of requests, which pages of other origins are not told.
async function listen() {
  seen = { answers: [], failures: [], console: [] };
  const session = await context.newCDPSession(page);
  const requests = new Map();
  session.on('Network.requestWillBeSent', ({ requestId, request }) => {
    requests.set(requestId, { url: request.url, method: request.method });
  });
  session.on('Network.responseReceived', ({ requestId, response, type }) => {
    if (type === 'Preflight') return;
    const { status, protocol, mimeType } = response;
    seen.answers.push({ ...requests.get(requestId), status, protocol, mimeType });
  });
  session.on('Network.loadingFailed', ({ requestId, errorText, corsErrorStatus }) => {
    seen.failures.push({ ...requests.get(requestId), errorText, cors: corsErrorStatus?.corsError ?? null });
  });
  await session.send('Network.enable');
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      seen.console.push({ text: message.text(), url: message.location().url });
    }
  });
  page.on('pageerror', (error) => seen.console.push({ text: String(error), url: '' }));
}

const commands = {
  async open({ url }) {
    await context?.close();
    context = await browser.newContext({
      ignoreHTTPSErrors: true, viewport: { width: 1100, height: 900 },
    });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await listen();
    await page.goto(url);
  },
  async click({ selector }) { await page.click(selector); },
  async fill({ selector, value }) { await page.fill(selector, value); },
  async select({ selector, value }) { await page.selectOption(selector, value); },
  // Waits until the text of an element fits, and gives it.
  async text({ selector, pattern }) {
    const fits = ([where, what]) => {
      const text = document.querySelector(where)?.textContent ?? '';
      return new RegExp(what).test(text);
    };
    try {
      await page.waitForFunction(fits, [selector, pattern]);
    } catch (error) {
      const text = await page.textContent(selector);
      throw new Error(`${selector} is ${JSON.stringify(text)}, not ${pattern}: ${error.message}`);
    }
    return page.textContent(selector);
  },
  async texts({ selector }) { return page.locator(selector).allTextContents(); },
  async seen() { return seen; },
  async screenshot({ path: file }) { await page.screenshot({ path: file, fullPage: true }); },
  async close() { await context?.close(); context = undefined; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[name](given)) ?? null };
  } catch (error) {
    answer = { failure: String(error.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
