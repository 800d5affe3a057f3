exports.up = knex => knex.schema.createTable('customers', table => {
  table.bigIncrements('id')
  table.text('tenant_id').notNullable().defaultTo('acme')
  table.text('first').notNullable()
  table.text('last').notNullable()
  table.text('email').notNullable().unique()
})

exports.down = knex => knex.schema.dropTable('customers')
