// Sends with nodemailer what node.py asks for: one JSON object per line in, one per line out.
"use strict";
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const readline = require("node:readline");

let transport, letter, given, threads;

const prepare = ({ job, letter: content, sender, to, folder }) => {
  const nodemailer = createRequire(folder + "/")("nodemailer");
  letter = content;
  threads = job.threads;
  given = { from: sender, to };
  letter.attachment = Buffer.from(letter.attachment, "base64");
  transport = nodemailer.createTransport({
    host: job.host,
    port: job.port,
    pool: true,
    maxConnections: threads,
    maxMessages: Infinity,
    secure: job.security === "ssl",
    requireTLS: job.security === "starttls",
    ignoreTLS: job.security === "none",
    auth: job.security === "none" ? undefined : { user: job.username, pass: job.password },
    tls: { ca: readFileSync(job.ca_file) },
  });
};

const sendOne = async () => {
  const message = { ...given, subject: letter.subject, text: letter.text };
  if (letter.html) message.html = letter.html;
  if (letter.attachment.length) message.attachments = [{ filename: "book.bin", content: letter.attachment }];
  const done = await transport.sendMail(message);
  if (done.rejected.length) throw new Error("refused: " + done.rejected);
};

// `threads` at a time, like the other peers: the pool's queue stays empty
const send = async (count) => {
  let left = count;
  const lane = async () => { while (left-- > 0) await sendOne(); };
  await Promise.all(Array.from({ length: threads }, lane));
};

const answer = (value) => process.stdout.write(JSON.stringify(value) + "\n");

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      const question = JSON.parse(line);
      if (question.job) prepare(question);
      else await send(question.send);
      const { user, system } = process.cpuUsage();
      answer({ cpu: (user + system) / 1e6 });
    } catch (error) {
      answer({ error: String(error.message) });
    }
  }
  if (transport) transport.close();
})();
