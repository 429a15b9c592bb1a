// Opens an address in headless Chromium, consents, and writes down what it shows then: `CHROMIUM OUT ADDRESS`.
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const [chromium, out, address] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "psn-chromium-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-proxy-server",
  "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
const child = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const end = (code) => {
  child.kill("SIGKILL");
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code);
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
const read = async (expression) => (await page("Runtime.evaluate", { expression })).result?.value;
const until = async (expression) => {
  while (!(await read(expression))) await new Promise((resolve) => setTimeout(resolve, 50));
};
await Promise.all(["Page", "Network", "Log", "Runtime"].map((domain) => page(`${domain}.enable`)));
await page("Page.navigate", { url: address });
await until("!!document.querySelector('#allow')");
await read("document.querySelector('#allow').click()");
await until("document.title.startsWith('psn:') && document.readyState === 'complete'");
seen.title = await read("document.title");
seen.text = await read("document.body.innerText");
seen.font = await read("getComputedStyle(document.body).fontSize");
for (const [name, width, height] of [["desktop", 1280, 800], ["phone", 360, 740]]) {
  await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: name === "phone" });
  seen.overflow = await read("document.documentElement.scrollWidth > innerWidth");
  const { data } = await page("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(dirname(out), `${name}.png`), Buffer.from(data, "base64"));
}
writeFileSync(`${out}.new`, JSON.stringify(seen));
renameSync(`${out}.new`, out);
end(0);
