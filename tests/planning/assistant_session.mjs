// An assistant's session through the official client of the revision with a handshake: what it calls, and what it is told.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { person, call, around, connected, printed } from './assistant_talk.mjs';

const url = new URL(process.env.PSN_MCP_URL);
const headers = { Authorization: `Bearer ${process.env.PSN_API_TOKEN}` };
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
const client = new Client({ name: 'transcript', version: '1.0.0' });
await client.connect(transport);
connected(client, `revision ${transport.protocolVersion}`);
const { tools } = await client.listTools();
const { prompts } = await client.listPrompts();
printed(`${tools.length} tools, ${prompts.length} prompts: ${prompts.map(({ name }) => name).join(', ')}`);

const first = 'Clocks are set twice a year, and nobody is quite sure any more whom it helps.';
const long = 'It began with candles. '.repeat(13).trim();
const second = 'It began with candles: an hour of light in the evening was an hour of tallow saved.';
const third = 'The candles are gone. The hour still moves.';
const thread = (middle) => ({ platform: 'x', content: [first, middle, third] });

person('Make a thread for X out of my notes on daylight saving.');
await call(client, 'preview_post', thread(long));
await call(client, 'preview_post', thread(second));
person('Good, keep it.');
const made = await call(client, 'create_post', { ...thread(second), topic: 'clocks' });
const post_id = made.structuredContent.posts[0].id;
around('the connection broke before the answer came, and the assistant sends the call again');
await call(client, 'create_post', { ...thread(second), topic: 'clocks' });
person('Tomorrow at nine.');
await call(client, 'schedule_post', { post_id, scheduled_at: 'tomorrow 9:00' });
person('No, rather in the afternoon, half past two.');
await call(client, 'schedule_post', { post_id, scheduled_at: 'tomorrow 14:30' });
person('How does it stand?');
await call(client, 'show_post', { post_id });
around('a day passes; X publishes the second part, but its answer is lost, and its pages do not show the part yet', await control('lose'));
await control('wait/1800');
person('Is it out?');
await call(client, 'show_post', { post_id });
person(`I looked: the second part is there, at ${await control('address')}`);
await call(client, 'resolve_post', { post_id, part: 2, outcome: 'published', remote_id: await control('address') });
around('a minute passes');
await control('wait/1');
person('And now?');
await call(client, 'show_post', { post_id });

person('One more, right now: "Set your clocks."');
await call(client, 'create_post', { platform: 'x', content: 'Set your clocks.', scheduled_at: 'now' });
const other = await call(client, 'create_post', { platform: 'x', content: 'Set your clocks.' });
const now = { post_id: other.structuredContent.posts[0].id };
const asked = await call(client, 'publish_post_now', now);
person('Yes, publish it.');
const { confirm } = asked.structuredContent.needs_confirmation;
await call(client, 'publish_post_now', { ...now, confirm });
around('a minute passes');
await control('wait/1');
await call(client, 'show_post', now);
await call(client, 'show_post', { post_id: 'the one about clocks' });
await client.close();

// Moves the clock of the world that the worker runs in, or looks into it.
async function control(action) {
  const answer = await fetch(new URL(`/_test/${action}`, url), { method: 'POST' });
  return answer.text();
}
