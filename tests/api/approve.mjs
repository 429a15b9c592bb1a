// Opens an approval's page in headless Chromium, looks at it in two widths, and rejects the post with a reason:
// `CHROMIUM FOLDER ADDRESS`. What it saw lies in FOLDER as `seen.json` and pictures.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [chromium, folder, address] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "psn-chromium-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-proxy-server",
  "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
const child = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const end = (code) => {
  child.once("exit", () => {
    // Its children may still write there for a moment.
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    process.exit(code);
  });
  child.kill("SIGKILL");
};
setTimeout(() => end(1), 60_000);

const waiting = new Map();
const seen = { requests: [], complaints: [] };
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
const read = async (expression) => (await page("Runtime.evaluate", { expression, returnByValue: true })).result?.value;
const until = async (expression) => {
  while (!(await read(expression))) await new Promise((resolve) => setTimeout(resolve, 50));
};
const shot = async (name, whole) => {
  const { data } = await page("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
  writeFileSync(join(folder, name), Buffer.from(data, "base64"));
};
await Promise.all(["Page", "Network", "Log", "Runtime"].map((domain) => page(`${domain}.enable`)));
for (const [name, width, height, scale] of [["desktop", 1280, 900, 1], ["phone", 390, 844, 2]]) {
  await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: name === "phone" });
  await page("Page.navigate", { url: address });
  await until("document.readyState === 'complete' && !!document.querySelector('.yes')");
  await until("[...document.images].every((one) => one.complete)");
  const box = "document.querySelector('.yes').getBoundingClientRect()";
  seen[name] = {
    overflow: await read("document.documentElement.scrollWidth > innerWidth"),
    pictures: await read("[...document.images].map((one) => one.naturalWidth)"),
    approve_in_sight: await read(`${box}.top >= 0 && ${box}.bottom <= innerHeight && ${box}.height >= 44`),
  };
  await shot(`${name}.png`, false);
}
seen.title = await read("document.title");
await read("document.querySelector('summary').click()");
await read("document.querySelector('textarea').focus()");
await page("Input.insertText", { text: "which year?\nand where?" });
await shot("reject.png", false);
await read("document.querySelector('.no').click()");
await until("document.readyState === 'complete' && !!document.querySelector('.banner h2')");
seen.decided = await read("document.querySelector('.banner h2').innerText");
await shot("decided.png", false);
writeFileSync(join(folder, "seen.json"), JSON.stringify(seen));
end(0);
