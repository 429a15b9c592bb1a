// `heap.mjs PORT [--with-garbage]` watches the memory of the Worker's isolate through workerd's inspector until its input
// ends: the first answer is a line on stdout, the largest another. Bytes of the heap and of the buffers it holds. Without
// the flag what can be collected does not count: V8 lets 64 MiB of dead buffers come together before it looks for them.
import WebSocket from "ws";

const [port, withGarbage] = process.argv.slice(2);
const socket = new WebSocket(`ws://127.0.0.1:${port}/psn`);
const report = (bytes) => process.stdout.write(`${bytes}\n`);
let largest = 0;
const ask = () => {
  if (!withGarbage) socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
  socket.send(JSON.stringify({ id: 2, method: "Runtime.getHeapUsage" }));
};
socket.on("open", ask);
socket.on("message", (text) => {
  const { id, result } = JSON.parse(text);
  if (id !== 2) return;
  const first = largest === 0;
  largest = Math.max(largest, result.usedSize + result.backingStorageSize + result.embedderHeapUsedSize);
  if (first) report(largest);
  setTimeout(ask, 10);
});
socket.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
process.stdin.on("end", () => {
  report(largest);
  process.exit(0);
}).resume();
