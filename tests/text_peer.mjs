// Reads texts from stdin, one JSON string a line, and writes what twitter-text says of each, one JSON object a line.
// Usage: node text_peer.mjs PROJECT_ROOT

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = process.argv[2];
const require = createRequire(join(root, "package.json"));
const loaded = require("twitter-text");
const twitter = loaded.default ?? loaded;
const { version } = require("twitter-text/package.json");
if (version !== "3.1.0") throw new Error(`twitter-text is ${version}, expected 3.1.0`);

const spans = (found) => found.map((one) => one.indices);
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const text = JSON.parse(line);
  const parsed = twitter.parseTweet(text);
  const answer = {
    length: parsed.weightedLength,
    valid: parsed.valid,
    urls: spans(twitter.extractUrlsWithIndices(text)),
    mentions: spans(twitter.extractMentionsOrListsWithIndices(text)),
    hashtags: spans(twitter.extractHashtagsWithIndices(text)),
    cashtags: spans(twitter.extractCashtagsWithIndices(text)),
  };
  process.stdout.write(JSON.stringify(answer) + "\n");
}
