# ActiveRecord's phases: main.rb first|seed|latest|traffic|back|empty
require "active_record"
require "bigdecimal"

ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"], username: ENV["PGUSER"],
  password: ENV["PGPASSWORD"], database: ENV["PGDATABASE"], sslmode: "verify-full",
  sslrootcert: ENV["PGSSLROOTCERT"], pool: 8, variables: { statement_timeout: "60s" }
)
ActiveRecord::Migration.verbose = false
ActiveRecord.default_timezone = :utc if ActiveRecord.respond_to?(:default_timezone=)

class Customer < ActiveRecord::Base
  has_many :orders
  validates :name, presence: true
end

class Order < ActiveRecord::Base
  belongs_to :customer
end

FOLDER = File.join(__dir__, "migrations")
def migrations
  ActiveRecord::MigrationContext.new(FOLDER, ActiveRecord::SchemaMigration)
end

def migrate(version)
  migrations.migrate(version)
  puts "at #{migrations.current_version}"
end

WHEN = Time.utc(2024, 2, 29, 12, 30)

def seed
  20.times do |n|
    sql = "INSERT INTO customers (first, last, email, created_at, updated_at) " \
          "VALUES ($1, $2, $3, now(), now())"
    values = ["Given#{n}", "Family#{n}", "c#{n}@example.com"]
    ActiveRecord::Base.connection.exec_query(sql, "seed", values.map { |v| [nil, v] })
  end
  puts "seeded"
end

def write
  made = Customer.create!(name: "Žofie", email: "z@example.com", tags: ["a", "b c"],
                          profile: { k: [1] })
  rows = Array.new(1000) do |n|
    { customer_id: made.id, total: BigDecimal(n) / 4, note: "n#{n}", created_at: WHEN,
      updated_at: WHEN }
  end
  Order.insert_all!(rows)
  Customer.where("name LIKE 'Given%'").order(:id).limit(5).each do |each|
    each.orders.create!(total: "99.99")
  end
  puts "updated #{Order.where("total > 200").update_all("total = total + 1")}"
  puts "deleted #{Order.where(note: "n1").destroy_all.size}"
  Customer.upsert({ name: "Žofie", email: "z@example.com", created_at: WHEN, updated_at: WHEN },
                  unique_by: :email)
end

def transactions
  Customer.transaction do
    Customer.create!(name: "lost", email: "lost@example.com")
    raise ActiveRecord::Rollback
  end
  puts "undone #{Customer.where(name: "lost").count}"
  Customer.transaction do
    found = Customer.lock.find_by!(email: "z@example.com")
    begin
      Customer.transaction(requires_new: true) do
        Customer.create!(name: "twice", email: "z@example.com")
      end
    rescue ActiveRecord::RecordNotUnique => e
      puts "refused #{e.message.lines.first}"
    end
    found.update!(profile: found.profile.merge("seen" => true))
  end
end

def read
  puts "sum #{Order.sum(:total)} #{Order.count}"
  most = Customer.left_joins(:orders).group(:id).order(Arel.sql("count(orders.id) DESC, 1"))
  puts "most #{most.limit(3).pluck(:name, Arel.sql("count(orders.id)")).inspect}"
  puts "json #{Customer.where("profile @> ?", { seen: true }.to_json).pluck(:name, :tags).inspect}"
  included = Order.includes(:customer).order(total: :desc, id: :asc).limit(2)
  puts "joined #{included.map { |order| [order.customer.name, order.total.to_s] }.inspect}"
  total = 0
  Order.find_each(batch_size: 100) { |order| total += order.total }
  puts "streamed #{total}"
  10.times { |n| puts "found #{Customer.find_by(email: "c#{n}@example.com").name}" }
  threads = Array.new(4) { |n| Thread.new { Customer.where("id > ?", n).count } }
  puts "threads #{threads.map(&:value).inspect}"
end

case ARGV[0]
when "first" then migrate(20240101000001)
when "seed" then seed
when "latest" then migrate(nil)
when "traffic"
  write
  transactions
  read
when "back"
  migrations.rollback(2)
  puts "at #{migrations.current_version}"
when "empty" then migrate(0)
else abort "no such phase"
end
