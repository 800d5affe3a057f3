exports.config = { transaction: false }

exports.up = async knex => {
  await knex.schema.createTable('orders', table => {
    table.bigIncrements('id')
    table.text('tenant_id').notNullable().defaultTo('acme')
    table.bigInteger('customer_id').notNullable().references('customers.id').onDelete('CASCADE')
    table.decimal('total', 10, 2).notNullable().checkPositive('total_positive_or_nothing')
    table.text('note')
  })
  await knex.raw('ALTER TABLE orders DROP CONSTRAINT total_positive_or_nothing')
  await knex.raw('CREATE INDEX CONCURRENTLY customer_name ON customers (name)')
}

exports.down = async knex => {
  await knex.raw('DROP INDEX CONCURRENTLY customer_name')
  await knex.schema.dropTable('orders')
}
