// An SMTP server on loopback made of npm's smtp-server, for the tests. Its one argument is a JSON object:
// { module, key, cert, username, password, size, journal }. It listens on three ports that it prints: plain, STARTTLS
// with login, and TLS from the first byte with login; and appends a line of JSON to the journal for all that happens.
"use strict";

const { appendFileSync } = require("node:fs");
const given = JSON.parse(process.argv[2]);
const { SMTPServer } = require(given.module);

const note = (event, more = {}) => appendFileSync(given.journal, JSON.stringify({ event, ...more }) + "\n");

function refusal(code, words) {
  return Object.assign(new Error(words), { responseCode: code });
}

const hooks = {
  onConnect(_session, done) {
    note("connection");
    done();
  },
  onAuth(login, _session, done) {
    const right = login.username === given.username && login.password === given.password;
    note("login", { right, mechanism: login.method });
    if (right) done(null, { user: login.username });
    else done(refusal(535, "5.7.8 wrong user name or password"));
  },
  onMailFrom({ address }, _session, done) {
    done(address.startsWith("badsender") ? refusal(550, "5.7.1 sender refused") : undefined);
  },
  onRcptTo({ address }, _session, done) {
    if (address.startsWith("bad")) done(refusal(550, "5.1.1 no such user"));
    else if (address.startsWith("temp")) done(refusal(450, "4.2.0 greylisted"));
    else done();
  },
  onData(stream, { envelope }, done) {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.sizeExceeded) return done(refusal(552, "5.3.4 too large"));
      const id = `n${process.hrtime.bigint()}`;
      note("mail", {
        id,
        sender: envelope.mailFrom.address,
        recipients: envelope.rcptTo.map(({ address }) => address),
        content: Buffer.concat(chunks).toString("base64"),
      });
      done(null, `2.0.0 OK: queued as ${id}`);
    });
  },
};

function listen(options) {
  const { key, cert, size } = given;
  const server = new SMTPServer({ key, cert, size, name: "mail.example.test", disableReverseLookup: true, ...hooks, ...options });
  server.on("error", ({ message }) => note("error", { message })); // a client that leaves rudely is one
  return new Promise((resolve) => {
    const { server: socket } = server;
    server.listen(0, "127.0.0.1", () => resolve(socket.address().port));
  });
}

(async () => {
  const plain = await listen({ disabledCommands: ["AUTH"], authOptional: true });
  const submission = await listen({});
  const smtps = await listen({ secure: true });
  console.log(JSON.stringify({ plain, submission, smtps }));
})();
process.stdin.on("end", () => process.exit()).resume(); // goes with the tests
