exports.up = async knex => {
  await knex.schema.alterTable('customers', table => {
    table.text('name')
    table.specificType('tags', 'text[]').notNullable().defaultTo('{}')
    table.jsonb('profile').notNullable().defaultTo('{}')
  })
  await knex('customers').update({ name: knex.raw("first || ' ' || last") })
  await knex.schema.alterTable('customers', table => {
    table.dropNullable('name')
    table.dropColumns('first', 'last')
  })
}

exports.down = async knex => {
  await knex.schema.alterTable('customers', table => {
    table.text('first')
    table.text('last')
  })
  await knex('customers').update({
    first: knex.raw("split_part(name, ' ', 1)"), last: knex.raw("split_part(name, ' ', 2)"),
  })
  await knex.schema.alterTable('customers', table => {
    table.dropNullable('first')
    table.dropNullable('last')
    table.dropColumns('name', 'tags', 'profile')
  })
}
