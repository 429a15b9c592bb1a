// Goes the way of a person in headless Chromium: cancels, then errs, unticks and allows. `CHROMIUM OUT ADDRESS TOKEN`.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const [chromium, out, address, token] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "psn-chromium-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-proxy-server",
  "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
const child = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const end = (code) => {
  child.once("exit", () => {
    try {
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    } catch {
      // What a child of the browser still writes there is no concern of the test.
    }
    process.exit(code);
  });
  child.kill("SIGKILL");
};
let at = "the start";
setTimeout(() => {
  console.error(`the browser came no further than ${at}`);
  end(1);
}, 60_000);

const waiting = new Map();
const seen = { requests: [], complaints: [], overflow: false };
let next = 0;
let text = "";
child.stdio[4].on("data", (data) => {
  text += data;
  const messages = text.split("\0");
  text = messages.pop();
  for (const message of messages.map((one) => JSON.parse(one))) {
    if (message.id) {
      waiting.get(message.id)?.(message.result ?? {});
    } else if (message.method === "Network.requestWillBeSent") {
      seen.requests.push(message.params.request.url);
    } else if (message.method === "Log.entryAdded" && message.params.entry.source === "security") {
      seen.complaints.push(message.params.entry.text);
    }
  }
});
const ask = (method, params = {}, sessionId) => new Promise((resolve) => {
  const id = ++next;
  waiting.set(id, resolve);
  child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
});
const { targetInfos } = await ask("Target.getTargets");
const { targetId } = targetInfos.find((target) => target.type === "page");
const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
const page = (method, params) => ask(method, params, sessionId);
const read = async (expression) => (await page("Runtime.evaluate", { expression })).result?.value;
const until = async (what, expression) => {
  at = what;
  while (!(await read(`document.readyState === "complete" && !!(${expression})`))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
const pictures = async (name) => {
  for (const [form, width, height, dark] of [["desk", 1280, 1000, false], ["phone", 390, 844, true]]) {
    await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 2, mobile: form === "phone" });
    seen.overflow ||= await read("document.documentElement.scrollWidth > innerWidth");
    const { data } = await page("Page.captureScreenshot", { format: "png", captureBeyondViewport: form === "phone" });
    writeFileSync(join(dirname(out), `${name}-${form}.png`), Buffer.from(data, "base64"));
  }
};
await Promise.all(["Page", "Network", "Log", "Runtime"].map((domain) => page(`${domain}.enable`)));

await page("Page.navigate", { url: address });
await until("the page", "document.querySelector('#allow')");
await pictures("asked");
await read("document.querySelector('#deny').click()");
await until("the way back", "document.title === 'back'");

await page("Page.navigate", { url: address });
await until("the page again", "document.querySelector('#allow')");
const type = async (what) => {
  await read("document.querySelector('#token').focus()");
  await page("Input.insertText", { text: what });
};
await type("psn_wrong");
await read("document.querySelector('[value=publish]').click()");
await read("document.querySelector('#allow').click()");
await until("what was wrong", "document.querySelector('[role=alert]')");
seen.wrong = await read("document.querySelector('[role=alert]').innerText");
seen.typed = await read("document.querySelector('#token').value");
seen.scripts = await read("document.scripts.length");
await pictures("wrong");
await type(token);
await page("Input.dispatchKeyEvent", { type: "keyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" });
await until("what was allowed", "document.querySelector('#back')");
seen.allowed = await read("document.body.innerText");
await pictures("allowed");
await until("the way back by itself", "document.title === 'back'");
writeFileSync(out, JSON.stringify(seen));
end(0);
