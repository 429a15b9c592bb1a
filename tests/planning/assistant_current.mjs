// The same through the official client of the current revision, which has no handshake, and whose client asks its person
// when something is to go out at once.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { person, call, around, connected, printed } from './assistant_talk.mjs';

const url = new URL(process.env.PSN_MCP_URL);
const headers = { Authorization: `Bearer ${process.env.PSN_API_TOKEN}` };
const answers = [];
const client = new Client(
  { name: 'transcript', version: '1.0.0' },
  { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities: { elicitation: { form: {} } } },
);
client.setRequestHandler('elicitation/create', async (request) => {
  around(`the client asks its person: ${request.params.message}`);
  const answer = answers.shift();
  person(answer.content?.agree ? 'Yes.' : 'No.');
  return answer;
});
await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
connected(client, `${client.getProtocolEra()} era, revision ${client.getNegotiatedProtocolVersion()}`);
const { tools } = await client.listTools();
printed(`${tools.length} tools, of which ${tools.filter((tool) => tool.annotations.readOnlyHint).length} only look`);
const { messages } = await client.getPrompt({ name: 'post', arguments: { request: 'about clocks' } });
printed(messages[0].content.text.split('\n')[0]);

const made = await call(client, 'create_post', { platform: 'x', content: 'Clocks go back tonight.' });
const { id } = made.structuredContent.posts[0];
answers.push({ action: 'decline' });
await call(client, 'publish_post_now', { post_id: id });
answers.push({ action: 'accept', content: { agree: true } });
await call(client, 'publish_post_now', { post_id: id });
await fetch(new URL('/_test/wait/1', url), { method: 'POST' });
await call(client, 'show_post', { post_id: id });
await call(client, 'publish_post_now', { post_id: id });
try {
  await client.callTool({ name: 'no_such_tool', arguments: {} });
} catch (error) {
  printed(`\n${error.code} ${error.message}`);
}
await client.close();
