// Asks the Worker's isolate for its memory four times a second until stdin ends; writes the most that it held, in bytes.
// The argument is the inspector's port. WebAssembly's memory is not among it.
const socket = new WebSocket(`ws://127.0.0.1:${process.argv.at(-1)}/psn`);
await new Promise((opened) => (socket.onopen = opened));
let ended = false;
process.stdin.on("end", () => (ended = true)).resume();

let most = 0;
for (let id = 1; !ended; id += 1) {
  const answer = new Promise((got) => (socket.onmessage = ({ data }) => got(JSON.parse(data))));
  socket.send(JSON.stringify({ id, method: "Runtime.getHeapUsage" }));
  const { result } = await answer;
  // JavaScript's heap, what its objects hold of the runtime's own, and buffers.
  most = Math.max(most, result.totalSize + result.embedderHeapUsedSize + result.backingStorageSize);
  await new Promise((waited) => setTimeout(waited, 250));
}
process.stdout.write(`${most}`, () => process.exit(0));
