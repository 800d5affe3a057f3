// The common script with postgres.js.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline as flow } from 'node:stream/promises'
import postgres from 'postgres'
import {
  expect, failure, ownServer, settings, sleep, step, tls, types, wrongCa,
} from './node_report.mjs'

const notices = []
const connect = (changes = {}) => postgres({
  ...settings, max: 1, ssl: tls(), connection: { application_name: 'driver postgres.js' },
  onnotice: note => notices.push([note.severity, note.message]), ...changes,
})

const db = connect()
const run = async (text, values = []) => await db.unsafe(text, values, { prepare: true }).values()
const one = async (text, values) => (await run(text, values))[0][0]
const state = async promise => (await failure(promise)).code

await step('connect', async () => {
  const sql = 'SELECT current_user, current_database()'
  expect([...await run(sql)], [[settings.user, settings.database]])
})
await step('tls_verify', async () => {
  const other = connect({ ssl: tls(wrongCa) })
  expect(await state(other`SELECT 1`), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  await other.end()
})
await step('wrong_password', async () => {
  const other = connect({ password: 'x' })
  expect(await state(other`SELECT 1`), '28P01')
  await other.end()
})
await step('connections', async () => {
  const pool = connect({ max: 8 })
  const asked = [...Array(8).keys()].map(n => pool`SELECT ${n}::int4 AS n, pg_sleep(0.05)`)
  expect((await Promise.all(asked)).map(rows => rows[0].n), [...Array(8).keys()])
  await pool.end()
})
await step('application_name', async () => {
  const sql = 'SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()'
  expect(await one(sql), 'driver postgres.js')
})
for (const { name, sql, literal, check } of types) {
  await step(`text_${name}`, async () => {
    expect(await one(`SELECT ($1::text)::${sql}${check}`, [literal]), literal)
  })
}
// Its reader of arrays takes a NULL in them for the text NULL.
for (const { name, sql, literal, check } of types.filter(each => !each.sql.endsWith('[]'))) {
  await step(`native_${name}`, async () => {
    const value = await one(`SELECT ($1::text)::${sql}`, [literal])
    expect(await one(`SELECT ($1::${sql})${check}`, [value]), literal)
  })
}
await step('nulls', async () => {
  const found = await run("SELECT $1::text IS NULL, NULL::int4, ''", [null])
  expect([...found], [[true, null, '']])
})
await step('prepared', async () => {
  for (let n = 0; n < 12; n++) {
    expect((await db`SELECT ${n}::int4 + 1 AS n`)[0].n, n + 1)
    expect((await db`SELECT ${'a'}::text || 'a' AS t`)[0].t, 'aa')
  }
  if (ownServer) expect(await one('SELECT count(*) >= 2 FROM pg_prepared_statements'), true)
  const described = await db`SELECT ${1}::int4 + 1 AS n`.describe()
  expect([described.types, described.columns[0].type], [[23], 23])
})
await step('cursor', async () => {
  let total = 0
  for await (const part of db`SELECT generate_series(1, ${1000}::int4) AS n`.cursor(100)) {
    expect(part.length, 100)
    part.forEach(row => { total += row.n })
  }
  await db`SELECT generate_series(1, 1000) AS n`.cursor(10, () => postgres.CLOSE)
  await db`SELECT generate_series(1, 1000) AS n`.forEach(row => { total += row.n })
  expect(total, 1001000)
})
await step('copy_in', async () => {
  const lines = [...Array(10000).keys()].map(n => `${n}\tlabel ${n}\n`)
  await flow(Readable.from(lines), await db`COPY numbers FROM STDIN`.writable())
  const counted = await run('SELECT count(*), sum(n) FROM numbers')
  expect([...counted], [['10000', '49995000']])
  const bad = await db`COPY numbers FROM STDIN`.writable()
  expect(await state(flow(Readable.from(['not a number\tx\n']), bad)), '22P02')
  expect(await one('SELECT count(*) FROM numbers'), '10000')
})
await step('copy_out', async () => {
  let text = ''
  const rows = await db`COPY (SELECT generate_series(1, 10000)) TO STDOUT`.readable()
  rows.on('data', part => { text += part })
  await once(rows, 'end')
  expect(text.trim().split('\n').reduce((sum, line) => sum + Number(line), 0), 50005000)
})
await step('cancel', async () => {
  const started = Date.now()
  const query = db`SELECT pg_sleep(20)`
  setTimeout(() => query.cancel(), 500)
  expect(await state(query), '57014')
  expect(Date.now() - started < 10000, true)
  expect(await one('SELECT 1'), 1)
})
await step('error_unique', async () => {
  const error = await failure(db`INSERT INTO items VALUES (${2}, ${'one'})`)
  const { code, schema_name, table_name, constraint_name, detail } = error
  expect([code, schema_name, table_name, constraint_name, detail],
    ['23505', 'public', 'items', 'items_name_key', 'Key (name)=(one) already exists.'])
})
await step('error_syntax', async () => {
  const { code, position } = await failure(run('SELECT 1 FRM items'))
  expect([code, position], ['42601', '14'])
})
await step('error_in_transaction', async () => {
  const seen = []
  const broken = db.begin(async inside => {
    await inside`INSERT INTO items VALUES (3, 'three')`
    seen.push(await state(inside`SELECT 1 / ${0}::int4`), await state(inside`SELECT 1`))
  })
  expect([await state(broken), ...seen], ['22012', '22012', '25P02'])
  expect(await one('SELECT count(*) FROM items WHERE id = 3'), '0')
})
await step('notice', async () => {
  notices.length = 0
  await run('SELECT say($1)', ['postgres.js'])
  expect(notices, [['NOTICE', 'heard postgres.js']])
})
await step('listen_notify', async () => {
  let told
  const heard = new Promise(resolve => { told = resolve })
  const { unlisten } = await db.listen('news', told)
  await db.notify('news', 'hello')
  expect(await Promise.race([heard, sleep(10000)]), 'hello')
  await unlisten()
})
await step('pipeline', async () => {
  const many = [...Array(100).keys()]
  const found = await Promise.all(many.map(n => db`SELECT ${n}::int4 AS n`))
  expect(found.map(rows => rows[0].n), many)
  const outcome = await Promise.allSettled([
    db`INSERT INTO numbers VALUES (-1)`, db`SELECT 1 / ${0}::int4`, db`SELECT 3`,
  ])
  expect(outcome.map(each => each.reason?.code ?? 'ok'), ['ok', '22012', 'ok'])
  const several = await db.unsafe('SELECT 1 AS a; SELECT 2 AS b')
  expect(several.map(rows => [...rows]), [[{ a: 1 }], [{ b: 2 }]])
  expect(await one('SELECT count(*)::int4 FROM numbers WHERE n = -1'), 1)
})
await step('transaction', async () => {
  await failure(db.begin(async inside => {
    await inside`INSERT INTO items VALUES (10, 'ten')`
    throw new Error('undo')
  }))
  await db.begin('isolation level serializable', async inside => {
    await inside`INSERT INTO items VALUES (11, 'eleven')`
  })
  expect([...await run('SELECT id FROM items WHERE id IN (10, 11)')], [[11]])
})
await step('savepoint', async () => {
  await db.begin(async inside => {
    await inside`INSERT INTO items VALUES (20, 'twenty')`
    const broken = inside.savepoint(within => within`INSERT INTO items VALUES (20, 'x')`)
    expect(await state(broken), '23505')
    await inside`INSERT INTO items VALUES (21, 'twenty-one')`
  })
  expect([...await run('SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1')], [[20], [21]])
})
await step('settings', async () => {
  await run("SET statement_timeout = '54321ms'")
  await run("SET DateStyle = 'German'")
  for (let n = 0; n < 5; n++) {
    expect(await one('SHOW statement_timeout'), '54321ms')
    expect(await one("SELECT '2024-02-29'::date::text"), '29.02.2024')
  }
  expect(db.parameters.DateStyle.split(',')[0], 'German')
  await run('RESET statement_timeout')
  await run('RESET DateStyle')
  expect(await one('SHOW statement_timeout'), '0')
})
await step('search_path', async () => {
  expect(await one('SELECT place FROM marker'), 'public')
  await run('SET search_path = other, public')
  for (let n = 0; n < 5; n++) expect(await one('SELECT place FROM marker'), 'other')
  await run('RESET search_path')
  expect(await one('SELECT place FROM marker'), 'public')
})
await step('big_text', async () => {
  const value = 'žluť'.repeat(1000000)
  expect([...await run('SELECT length($1::text), $1::text', [value])], [[4000000, value]])
})
await step('big_bytea', async () => {
  const value = Buffer.alloc(5 * 1024 * 1024, Buffer.from([...Array(256).keys()]))
  expect(value.equals(await one('SELECT $1::bytea', [value])), true)
})
await step('many_rows', async () => {
  const found = await run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
  expect([found.length, found[99999]], [100000, [100000, 'row 100000']])
  expect(found.reduce((sum, row) => sum + row[0], 0), 5000050000)
})
await step('variants', async () => {
  const other = { application_name: 'driver postgres.js', search_path: 'other' }
  for (const changes of [
    { prepare: false }, { fetch_types: false }, { max_pipeline: 1 }, { connection: other },
    { target_session_attrs: 'read-write' }, { max_lifetime: 1 },
  ]) {
    const client = connect(changes)
    for (let n = 0; n < 7; n++) {
      const [row] = await client`SELECT ${n}::int4 + 1 AS n, place FROM marker`
      expect([row.n, row.place], [n + 1, changes.connection ? 'other' : 'public'])
    }
    const held = await client.reserve()
    expect((await held`SELECT 7 AS n`)[0].n, 7)
    held.release()
    await client.end()
  }
})
await db.end()
