// A message's way through BullMQ, as in peer_ways.py: a job "ask" makes a job "send", which leaves a mark.
//
//   bullmq.js <modules> work <redis>                            a worker, until it is killed; says "ready"
//   bullmq.js <modules> produce <redis> <messages> <callers>    prints the seconds until all were through
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const [modules, what, address, messages, callers] = process.argv.slice(2);
const load = createRequire(path.join(modules, "here.js"));
const { Queue, Worker } = load("bullmq");
const Redis = load("ioredis");

const AT_ONCE = 16;
const DONE = "bench:done";
const TEXT = "Is it free at the weekend?";

const { hostname: host, port } = new URL(address);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };

async function work() {
  const marks = new Redis(connection);
  const send = new Queue("send", { connection });
  const workers = [
    new Worker("ask", (job) => send.add("send", job.data), { connection, concurrency: AT_ONCE }),
    new Worker("send", (job) => marks.rpush(DONE, job.data.number), { connection, concurrency: AT_ONCE }),
  ];
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  console.log("ready");
}

async function produce() {
  const ask = new Queue("ask", { connection });
  const marks = new Redis(connection);
  await ask.waitUntilReady();
  const began = process.hrtime.bigint();
  let next = 0;
  const caller = async () => {
    while (next < Number(messages)) await ask.add("ask", { number: next++, text: TEXT });
  };
  await Promise.all(Array.from({ length: Number(callers) }, caller));
  for (let n = 0; n < Number(messages); n++) await marks.blpop(DONE, 0);
  console.log(Number(process.hrtime.bigint() - began) / 1e9);
  process.exit(0);
}

(what === "work" ? work() : produce()).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
