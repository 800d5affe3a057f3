class CreateOrders < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def change
    create_table :orders do |t|
      t.references :customer, null: false, foreign_key: { on_delete: :cascade }
      t.string :tenant_id, null: false, default: "acme"
      t.decimal :total, precision: 10, scale: 2, null: false
      t.text :note
      t.timestamps
      t.check_constraint "total >= 0", name: "total_not_negative"
    end
    add_index :customers, :name, algorithm: :concurrently
    add_index :customers, :profile, using: :gin, algorithm: :concurrently
  end
end
