// Runs the official client against an endpoint and prints what it got as one JSON object.
import { neon, neonConfig } from '@neondatabase/serverless';

neonConfig.fetchEndpoint = () => process.env.TEST_FETCH_ENDPOINT;
const url = process.env.TEST_DATABASE_URL;
const sql = neon(url);

const single = await sql`
  select ${42}::int as answer, ${'2026-01-02T03:04:05.678Z'}::timestamptz as at, ${['a,b', 'c']}::text[] as tags`;

const fullSql = neon(url, { fullResults: true, arrayMode: true });
const result = await fullSql.query('select * from (values (1, $1::text), (2, null)) as v(n, s)', ['x']);
const full = {
  command: result.command,
  rowCount: result.rowCount,
  fields: result.fields.map((field) => field.name),
  rows: result.rows,
};

const [, , mine, level] = await sql.transaction(
  [
    sql`select set_config('app.owner', ${'ada'}, true)`,
    sql`insert into note values (1, 'ada', ${JSON.stringify({ k: [1, 'é'] })}::jsonb)`,
    sql`select id, data from note`,
    sql`select current_setting('transaction_isolation') as level`,
  ],
  { isolationLevel: 'Serializable' },
);

const [, others] = await sql.transaction([
  sql`select set_config('app.owner', ${'bob'}, true)`,
  sql`select id from note`,
]);

async function failure(promise, members) {
  try {
    await promise;
  } catch (error) {
    return Object.fromEntries(members.map((member) => [member, error[member]]));
  }
  throw new Error('expected an error, got none');
}

const error = await failure(
  sql.transaction([sql`select set_config('app.owner', 'ada', true)`, sql`insert into note values (1, 'ada', null)`]),
  ['name', 'code', 'constraint', 'table'],
);
const wrong = neon(url.replace(/:[^:@/]+@/, ':wrong@'));
const password = await failure(wrong`select 1`, ['name', 'message']);

const transaction = { mine, isolation: level[0].level };
console.log(JSON.stringify({ single, full, transaction, others, error, password }));
