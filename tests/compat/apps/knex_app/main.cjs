// knex's phases: main.cjs first|seed|latest|traffic|back|empty
const fs = require('node:fs')
const path = require('node:path')
// The servers listen on 127.0.0.1; older node tries only the first address of localhost.
require('node:dns').setDefaultResultOrder('ipv4first')
const knex = require('knex')({
  client: 'pg',
  connection: {
    host: process.env.PGHOST,
    port: Number(process.env.PGPORT),
    user: process.env.PGUSER,
    password: process.env.PGPASSWORD,
    database: process.env.PGDATABASE,
    application_name: 'compat knex',
    ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT), servername: process.env.PGHOST },
  },
  pool: { min: 0, max: 4 },
  migrations: { directory: path.join(__dirname, 'migrations') },
})

const show = (what, value) => console.log(what, JSON.stringify(value))

async function write() {
  const [made] = await knex('customers').returning('*').insert({
    name: 'Žofie', email: 'z@example.com', tags: ['a', 'b c'], profile: { k: [1] },
  })
  show('made', [made.name, made.tags, made.profile])
  const rows = [...Array(1000).keys()].map(n => (
    { customer_id: made.id, total: n / 4, note: `n${n}` }))
  await knex.batchInsert('orders', rows, 100)
  show('updated', await knex('orders').where('total', '>', 200).increment('total', 1))
  show('deleted', await knex('orders').where({ note: 'n1' }).del())
  const upsert = knex('customers').insert({ name: 'x', email: 'z@example.com' })
  show('upsert', await upsert.onConflict('email').merge(['name']).returning('name'))
}

async function transactions() {
  await knex.transaction(async trx => {
    await trx('customers').insert({ name: 'lost', email: 'lost@example.com' })
    throw new Error('undo')
  }).catch(error => show('undone', error.message))
  await knex.transaction(async trx => {
    const found = await trx('customers').where({ email: 'z@example.com' }).forUpdate().first()
    await trx.transaction(inner => inner('customers').insert(
      { name: 'twice', email: 'z@example.com' })).catch(error => show('refused', error.code))
    await trx('customers').where({ id: found.id }).update({ profile: { seen: true } })
  }, { isolationLevel: 'repeatable read' })
}

async function read() {
  show('sum', await knex('orders').sum('total as s').count('* as n').first())
  show('joined', await knex('orders as o').join('customers as c', 'c.id', 'o.customer_id')
    .orderBy([{ column: 'o.total', order: 'desc' }, 'o.id']).limit(2).select('c.name', 'o.total'))
  show('json', await knex('customers').whereJsonPath('profile', '$.seen', '=', true).pluck('name'))
  show('lost', await knex('customers').where({ name: 'lost' }))
  let total = 0
  for await (const row of knex('orders').select('total').orderBy('id').stream()) {
    total += Number(row.total)
  }
  show('streamed', total)
  show('raw', (await knex.raw('SELECT ?::int + 1 AS n', [41])).rows)
  const many = [...Array(12).keys()].map(n => knex.select(knex.raw('?::int AS n', [n])).first())
  show('many', await Promise.all(many))
  show('columns', Object.keys(await knex('customers').columnInfo()).sort())
}

const phases = {
  first: async () => show('up', await names(knex.migrate.up())),
  seed: async () => {
    const rows = [...Array(20).keys()].map(n => (
      { first: `Given${n}`, last: `Family${n}`, email: `c${n}@example.com` }))
    await knex('customers').insert(rows)
    show('seeded', rows.length)
  },
  latest: async () => show('latest', await names(knex.migrate.latest())),
  traffic: async () => {
    await write()
    await transactions()
    await read()
  },
  back: async () => {
    show('down', await names(knex.migrate.down()))
    show('down', await names(knex.migrate.down()))
  },
  empty: async () => show('rollback', await names(knex.migrate.rollback(undefined, true))),
}

const names = async migrated => (await migrated)[1].map(file => path.basename(file))

phases[process.argv[2]]().catch(error => {
  console.error(error)
  process.exitCode = 1
}).finally(() => knex.destroy())
