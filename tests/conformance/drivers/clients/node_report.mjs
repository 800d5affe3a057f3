// What the two clients of node share: settings, types, comparisons, a line per step.
import { setDefaultResultOrder } from 'node:dns'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'

// The servers listen on 127.0.0.1; older node tries only the first address of localhost.
setDefaultResultOrder('ipv4first')

const env = process.env

export const settings = {
  host: env.D_HOST,
  port: Number(env.D_PORT),
  user: env.D_USER,
  password: env.D_PASSWORD,
  database: env.D_DBNAME,
}
// Both drivers hand these to node's TLS, which checks chain and name.
export const tls = (file = env.D_CA) => ({
  ca: readFileSync(file), rejectUnauthorized: true, servername: env.D_HOST,
})
export const wrongCa = env.D_WRONG_CA
// Without it pg_prepared_statements shows a connection that others prepare on as well.
export const ownServer = env.D_MODE === 'session' || env.D_TARGET === 'direct'

export const types = readFileSync(env.D_TYPES, 'utf8').trimEnd().split('\n').map(line => {
  const [name, sql, literal, check] = line.split('\t')
  return { name, sql, literal, check }
})

// Does not keep the program alive.
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms).unref())

export function expect(actual, wanted) {
  if (!isDeepStrictEqual(actual, wanted)) {
    const show = value => String(JSON.stringify(value)).slice(0, 200)
    throw new Error(`${show(actual)} instead of ${show(wanted)}`)
  }
}

// The error with which the promise must fail.
export async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('no error')
}

export async function step(name, action) {
  try {
    await action()
    console.log(`ok ${name}`)
  } catch (error) {
    console.log(`FAIL ${name} ${String(error?.message ?? error).replaceAll('\n', ' | ')}`)
  }
}
