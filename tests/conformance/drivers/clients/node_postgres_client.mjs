// The common script with node-postgres, pg-cursor and pg-copy-streams.
import { Readable } from 'node:stream'
import { pipeline as flow } from 'node:stream/promises'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import {
  expect, failure, settings, sleep, step, tls, types, wrongCa,
} from './node_report.mjs'

async function connect(changes = {}) {
  const client = new pg.Client({
    ...settings, ssl: tls(), application_name: 'driver node-postgres', ...changes,
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

const db = await connect()
const run = async (text, values) => (await db.query({ text, values, rowMode: 'array' })).rows
const one = async (text, values) => (await run(text, values))[0][0]
const state = async promise => (await failure(promise)).code

await step('connect', async () => {
  const sql = 'SELECT current_user, current_database()'
  expect(await run(sql), [[settings.user, settings.database]])
})
await step('tls_verify', async () => {
  expect((await failure(connect({ ssl: tls(wrongCa) }))).code, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
})
await step('wrong_password', async () => expect(await state(connect({ password: 'x' })), '28P01'))
await step('connections', async () => {
  const pool = new pg.Pool({ ...settings, ssl: tls(), max: 8 })
  const many = await Promise.all([...Array(8).keys()].map(async n => {
    const client = await pool.connect()
    return { client, n: (await client.query('SELECT $1::int4 AS n', [n])).rows[0].n }
  }))
  expect(many.map(each => each.n), [...Array(8).keys()])
  many.forEach(each => each.client.release())
  await pool.end()
})
await step('application_name', async () => {
  const sql = 'SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()'
  expect(await one(sql), 'driver node-postgres')
})
for (const { name, sql, literal, check } of types) {
  await step(`text_${name}`, async () => {
    expect(await one(`SELECT ($1::text)::${sql}${check}`, [literal]), literal)
  })
}
for (const { name, sql, literal, check } of types) {
  await step(`native_${name}`, async () => {
    const value = await one(`SELECT ($1::text)::${sql}`, [literal])
    const sent = value?.toPostgres ? value.toPostgres() : value
    expect(await one(`SELECT ($1::${sql})${check}`, [sent]), literal)
  })
}
await step('nulls', async () => {
  expect(await run("SELECT $1::text IS NULL, NULL::int4, ''", [null]), [[true, null, '']])
})
await step('prepared', async () => {
  for (let n = 0; n < 12; n++) {
    const query = { name: 'plus_one', text: 'SELECT $1::int4 + 1 AS n', values: [n] }
    expect((await db.query(query)).rows, [{ n: n + 1 }])
    const twice = { name: 'twice', text: 'SELECT $1::text || $1 AS t', values: ['a'] }
    expect((await db.query(twice)).rows, [{ t: 'aa' }])
  }
  await run('DEALLOCATE plus_one')
  const gone = { name: 'plus_one', text: 'SELECT $1::int4 + 1 AS n', values: [1] }
  expect(await state(db.query(gone)), '26000')
})
await step('cursor', async () => {
  let total = 0
  const cursor = db.query(new Cursor('SELECT generate_series(1, $1::int4) AS n', [1000]))
  for (let part = await cursor.read(100); part.length; part = await cursor.read(100)) {
    expect(part.length, 100)
    part.forEach(row => { total += row.n })
  }
  await cursor.close()
  const early = db.query(new Cursor('SELECT generate_series(1, 1000) AS n'))
  expect((await early.read(10)).length, 10)
  await early.close()
  expect(total, 500500)
})
await step('copy_in', async () => {
  const lines = [...Array(10000).keys()].map(n => `${n}\tlabel ${n}\n`)
  await flow(Readable.from(lines), db.query(copyFrom('COPY numbers FROM STDIN')))
  expect(await run('SELECT count(*), sum(n) FROM numbers'), [['10000', '49995000']])
  const bad = db.query(copyFrom('COPY numbers FROM STDIN'))
  expect(await state(flow(Readable.from(['not a number\tx\n']), bad)), '22P02')
  expect(await one('SELECT count(*) FROM numbers'), '10000')
})
await step('copy_out', async () => {
  let text = ''
  const rows = db.query(copyTo('COPY (SELECT generate_series(1, 10000)) TO STDOUT'))
  for await (const part of rows) text += part
  expect(text.trim().split('\n').reduce((sum, line) => sum + Number(line), 0), 50005000)
})
await step('cancel', async () => {
  const started = Date.now()
  const query = new pg.Query('SELECT pg_sleep(20)')
  const ended = new Promise((_, reject) => query.on('error', reject))
  db.query(query)
  setTimeout(() => {
    const second = new pg.Client({ ...settings, ssl: tls() })
    second.on('error', () => {})
    second.cancel(db, query)
  }, 500)
  expect(await state(ended), '57014')
  expect(Date.now() - started < 10000, true)
  expect(await one('SELECT 1'), 1)
})
await step('error_unique', async () => {
  const error = await failure(run('INSERT INTO items VALUES ($1, $2)', [2, 'one']))
  const { code, schema, table, constraint, detail } = error
  expect([code, schema, table, constraint, detail],
    ['23505', 'public', 'items', 'items_name_key', 'Key (name)=(one) already exists.'])
})
await step('error_syntax', async () => {
  const { code, position } = await failure(run('SELECT 1 FRM items'))
  expect([code, position], ['42601', '14'])
})
await step('error_in_transaction', async () => {
  await run('BEGIN')
  await run("INSERT INTO items VALUES (3, 'three')")
  expect(await state(run('SELECT 1 / $1::int4', [0])), '22012')
  expect(await state(run('SELECT 1')), '25P02')
  await run('ROLLBACK')
  expect(await one('SELECT count(*) FROM items WHERE id = 3'), '0')
})
await step('notice', async () => {
  const heard = []
  db.on('notice', message => heard.push([message.severity, message.message]))
  await run('SELECT say($1)', ['node'])
  expect(heard, [['NOTICE', 'heard node']])
})
await step('listen_notify', async () => {
  const heard = new Promise(resolve => db.once('notification', resolve))
  await run('LISTEN news')
  const other = await connect()
  await other.query("NOTIFY news, 'hello'")
  await other.end()
  const note = await Promise.race([heard, sleep(10000)])
  expect([note?.channel, note?.payload], ['news', 'hello'])
  await run('UNLISTEN news')
})
await step('pipeline', async () => {
  const found = await db.query('SELECT 1 AS a; INSERT INTO numbers VALUES (-1); SELECT 3 AS c')
  expect(found.map(each => each.rows), [[{ a: 1 }], [], [{ c: 3 }]])
  const queued = [...Array(100).keys()].map(n => one('SELECT $1::int4', [n]))
  expect(await Promise.all(queued), [...Array(100).keys()])
  const bad = 'INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3'
  expect(await state(db.query(bad)), '22012')
  const sql = 'SELECT n, count(*)::int4 FROM numbers WHERE n < 0 GROUP BY 1'
  expect(await run(sql), [[-1, 1]])
})
await step('transaction', async () => {
  await run('BEGIN')
  await run("INSERT INTO items VALUES (10, 'ten')")
  await run('ROLLBACK')
  await run('BEGIN')
  await run("INSERT INTO items VALUES (11, 'eleven')")
  await run('COMMIT')
  expect(await run('SELECT id FROM items WHERE id IN (10, 11)'), [[11]])
})
await step('savepoint', async () => {
  await run('BEGIN')
  await run("INSERT INTO items VALUES (20, 'twenty')")
  await run('SAVEPOINT a')
  expect(await state(run("INSERT INTO items VALUES (20, 'x')")), '23505')
  await run('ROLLBACK TO SAVEPOINT a')
  await run("INSERT INTO items VALUES (21, 'twenty-one')")
  await run('RELEASE SAVEPOINT a')
  await run('COMMIT')
  expect(await run('SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1'), [[20], [21]])
})
await step('settings', async () => {
  await run("SET statement_timeout = '54321ms'")
  await run("SET DateStyle = 'German'")
  for (let n = 0; n < 5; n++) {
    expect(await one('SHOW statement_timeout'), '54321ms')
    expect(await one('SELECT $1::date::text', ['2024-02-29']), '29.02.2024')
  }
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
  expect(await run('SELECT length($1::text), $1::text', [value]), [[4000000, value]])
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
  const other = await connect({
    statement_timeout: 54321, lock_timeout: 4321, idle_in_transaction_session_timeout: 321,
    options: '-c search_path=other', keepAlive: true, client_encoding: 'UTF8',
  })
  const shown = async name => (await other.query(`SHOW ${name}`)).rows[0][name]
  expect(await shown('statement_timeout'), '54321ms')
  expect(await shown('lock_timeout'), '4321ms')
  expect(await shown('idle_in_transaction_session_timeout'), '321ms')
  expect((await other.query('SELECT place FROM marker')).rows, [{ place: 'other' }])
  const limited = other.query({ text: 'SELECT n FROM generate_series(1, 50) n', rows: 10 })
  expect((await limited).rows.length, 50)
  await other.end()
})
await db.end()
