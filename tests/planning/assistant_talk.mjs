// A conversation on stdout, as people read it.
export const printed = (line) => console.log(line);
export const person = (text) => console.log(`\nPERSON: ${text}`);
export const around = (text) => console.log(`\n(${text})`);

export function connected(client, revision) {
  const { name, version } = client.getServerVersion();
  printed(`connected to ${name} ${version}, ${revision}`);
  printed(client.getInstructions().length > 100 ? 'the assistant was given instructions' : 'no instructions');
}

export async function call(client, name, args) {
  const result = await client.callTool({ name, arguments: args });
  const shown = JSON.stringify(args).replace(/"([^"\\]{60})[^"\\]{20,}"/g, '"$1…"');
  console.log(`\nASSISTANT calls ${name} ${shown}`);
  const mark = result.isError ? '! ' : '  ';
  for (const line of result.content[0].text.split('\n')) console.log(`${mark}${line}`.trimEnd());
  return result;
}
