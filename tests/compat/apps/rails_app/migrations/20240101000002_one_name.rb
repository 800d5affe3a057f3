class OneName < ActiveRecord::Migration[6.1]
  def up
    change_table :customers, bulk: true do |t|
      t.string :name
      t.text :tags, array: true, default: []
      t.jsonb :profile, null: false, default: {}
    end
    execute "UPDATE customers SET name = first || ' ' || last"
    change_column_null :customers, :name, false
    remove_columns :customers, :first, :last
  end

  def down
    add_column :customers, :first, :string
    add_column :customers, :last, :string
    execute "UPDATE customers SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2)"
    remove_columns :customers, :name, :tags, :profile
  end
end
