// Headless Chromium, driven through its pipe: what a test of a page needs of it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SECONDS_MAX = 60;

/// Starts it with a profile of its own. `seen` gathers what its page asked for and what its security complained of; `end` ends
/// both, and this process with that code, as does a test that takes too long.
export async function launch(chromium) {
  const profile = mkdtempSync(join(tmpdir(), "psn-chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-proxy-server",
    "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
  const child = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const end = (code) => {
    child.once("exit", () => {
      try {
        rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
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
  }, SECONDS_MAX * 1_000);

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
  const read = async (expression) =>
    (await page("Runtime.evaluate", { expression, returnByValue: true })).result?.value;
  // Waits for a whole page of which that holds; what is waited for is named when it never comes.
  const until = async (what, expression) => {
    at = what;
    while (!(await read(`document.readyState === "complete" && !!(${expression})`))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const picture = async (path, whole = false) => {
    const { data } = await page("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    writeFileSync(path, Buffer.from(data, "base64"));
  };
  await Promise.all(["Page", "Network", "Log", "Runtime"].map((domain) => page(`${domain}.enable`)));
  return { end, page, picture, read, seen, until };
}
