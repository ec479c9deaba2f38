// AWS's Node driver against a server: `node life.js STORY URL LEDGER [NUMBER]` prints one JSON
// object. A story decides nothing: the Python test that runs it knows what should come.

const { QldbDriver, RetryConfig } = require("amazon-qldb-driver-nodejs");
const { load, dumpText } = require("ion-js");

const [story, endpoint, ledger, number] = process.argv.slice(2);

// Retries wait 5 ms: the stories ask for many conflicts.
function connect({ name = ledger, retries = 4, transactions = 10 } = {}) {
  const options = {
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  };
  return new QldbDriver(name, options, {}, transactions, new RetryConfig(retries, () => 5));
}

function run(driver, statement, ...parameters) {
  return driver.executeLambda(async (txn) => {
    const result = await txn.execute(statement, ...parameters);
    return result.getResultList().map((row) => dumpText(row));
  });
}

// Tables and an index, an insert and a query with parameters, a change, a table dropped.
async function life(driver) {
  await run(driver, "CREATE TABLE Car");
  await run(driver, "CREATE INDEX ON Car (vin)");
  const car = load('{vin:"a", miles:1.50, made:2020-02-29T, photo:{{AQID}}, tags:[red, null.int]}');
  const inserted = await run(driver, "INSERT INTO Car ?", car);
  const found = await run(driver, "SELECT * FROM Car AS c WHERE c.vin = ? AND c.miles > ?", "a", 1);
  const updated = await run(driver, "UPDATE Car AS c SET c.miles = ? WHERE c.vin = ?", 7, "a");
  const miles = await run(driver, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = ?", "a");
  const history = await run(driver, "SELECT VALUE h.metadata.version FROM history(Car) AS h");
  return { inserted, found, updated, miles, history, tables: await driver.getTableNames() };
}

// Several statements with and without parameters in one transaction: the driver compares the
// commit digest that it computed with the server's. Then the same with a statement that fails.
async function digests(driver) {
  await run(driver, "CREATE TABLE Item");
  await driver.executeLambda(async (txn) => {
    await txn.execute("INSERT INTO Item ?", { sku: "A-1", qty: 7 });
    await txn.execute("INSERT INTO Item {'sku': 'A-2'}");
    await txn.execute("UPDATE Item AS i SET i.qty = ?, i.name = ? WHERE i.sku = ?", 9, "x", "A-1");
    await txn.execute("SELECT * FROM Item");
  });
  const failed = await driver.executeLambda(async (txn) => {
    await txn.execute("INSERT INTO Item ?", { sku: "A-3" });
    try {
      await txn.execute("SELECT * FROM Nowhere WHERE a = ?", 1);
    } catch (error) {
      await txn.execute("INSERT INTO Item ?", { sku: "A-4" });
      return { name: error.name, message: error.message };
    }
    return null;
  });
  return { failed, items: await run(driver, "SELECT VALUE i.sku FROM Item AS i") };
}

// Transactions that all read and change one document at once: conflicts are tried again.
async function conflicts(driver) {
  await run(driver, "CREATE TABLE Counter");
  await run(driver, "INSERT INTO Counter {'n': 0}");
  let calls = 0;
  const increment = (txn) => {
    calls += 1;
    return txn
      .execute("SELECT VALUE c.n FROM Counter AS c")
      .then((rows) => rows.getResultList()[0].numberValue())
      .then((n) => txn.execute("UPDATE Counter AS c SET c.n = ?", n + 1));
  };
  const times = Number(number);
  await Promise.all(Array.from({ length: times }, () => driver.executeLambda(increment)));
  const refused = connect({ retries: 0 });
  let error = null;
  try {
    await refused.executeLambda(async (txn) => {
      await txn.execute("SELECT * FROM Counter");
      await driver.executeLambda(increment);
      await txn.execute("UPDATE Counter AS c SET c.n = 0");
    });
  } catch (caught) {
    error = { name: caught.name, message: caught.message };
  }
  refused.close();
  return { calls, counted: await run(driver, "SELECT VALUE c.n FROM Counter AS c"), error };
}

// More rows than one page, read at once and as a stream.
async function pages(driver) {
  await run(driver, "CREATE TABLE Row");
  const rows = Number(number);
  for (let first = 0; first < rows; first += 40) {
    const length = Math.min(40, rows - first);
    const documents = Array.from({ length }, (_, i) => ({ n: first + i }));
    await run(driver, "INSERT INTO Row ?", documents);
  }
  const all = await run(driver, "SELECT VALUE r.n FROM Row AS r");
  const streamed = await driver.executeLambda(async (txn) => {
    const stream = await txn.executeAndStreamResults("SELECT VALUE r.n FROM Row AS r");
    let count = 0;
    for await (const _ of stream) count += 1;
    const readIOs = stream.getConsumedIOs().getReadIOs();
    const timeMs = stream.getTimingInformation().getProcessingTimeMilliseconds();
    return { count, readIOs, timeMs };
  });
  return { all: all.map(Number).sort((a, b) => a - b), streamed };
}

// What an application sees of an abort and of requests that the server refuses.
async function refusals(driver) {
  await run(driver, "CREATE TABLE Thing");
  const errors = {};
  const attempt = async (name, work) => {
    try {
      await work();
    } catch (error) {
      errors[name] = { name: error.name, message: error.message };
    }
  };
  await attempt("aborted", () =>
    driver.executeLambda(async (txn) => {
      await txn.execute("INSERT INTO Thing {'a': 1}");
      await txn.abort();
    }),
  );
  await attempt("syntax", () => run(driver, "SELECT FROM"));
  await attempt("table", () => run(driver, "SELECT * FROM Nowhere"));
  const nowhere = connect({ name: "nowhere", retries: 0 });
  await attempt("ledger", () => run(nowhere, "SELECT * FROM Thing"));
  nowhere.close();
  return { errors, things: await run(driver, "SELECT * FROM Thing") };
}

// Transactions in a second, one after the other, and what each costs this process: an insert
// each, then an indexed read each.
async function speed(driver) {
  if (!(await driver.getTableNames()).includes("Fast")) {
    await run(driver, "CREATE TABLE Fast");
    await run(driver, "CREATE INDEX ON Fast (n)");
  }
  const times = Number(number);
  const measure = async (work) => {
    for (let i = 0; i < times; i += 1) await work(-1 - i); // V8 compiles what is hot
    const began = process.hrtime.bigint();
    const usedBefore = process.cpuUsage();
    for (let i = 0; i < times; i += 1) await work(i);
    const perSecond = times / (Number(process.hrtime.bigint() - began) / 1e9);
    const used = process.cpuUsage(usedBefore);
    return { perSecond, cpuMs: (used.user + used.system) / 1000 / times };
  };
  const insert = await measure((n) => run(driver, "INSERT INTO Fast ?", { n, name: "x" }));
  const select = await measure((n) => run(driver, "SELECT * FROM Fast AS f WHERE f.n = ?", n));
  return { insert, select };
}

const stories = { life, digests, conflicts, pages, refusals, speed };

async function main() {
  const driver = connect({ retries: story === "conflicts" ? 100 : 4 });
  try {
    process.stdout.write(JSON.stringify(await stories[story](driver)) + "\n");
  } finally {
    driver.close();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
