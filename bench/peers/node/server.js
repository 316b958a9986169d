// Peer: the npm package `soap` with the contract's WSDL, 2 processes. node server.js PORT FOLDER WSDL PROCESSES
//
// Does: types by the WSDL, loosely; decodes each document to a file of its own, with fsync of file and directory, before
// it answers.
// Does not: hold the message against the schema; check strict base64 (Buffer skips strangers); keep the raw message,
// header or properties; name deviations; tell a redelivery; keep what it refuses.
'use strict';
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs/promises');
const http = require('http');
const path = require('path');
const soap = require('soap');

const [port, folder, wsdl, processes] = process.argv.slice(2);

async function store(document) {
  const file = await fs.open(path.join(folder, crypto.randomUUID()), 'wx');
  await file.writeFile(document);
  await file.sync();
  await file.close();
  const directory = await fs.open(folder, 'r');
  await directory.sync();
  await directory.close();
}

const listed = (one) => (one === undefined ? [] : Array.isArray(one) ? one : [one]);

async function take(request) {
  for (const data of listed(request.JobDocumentData)) {
    for (const document of listed(data.Document)) {
      await store(Buffer.from(document.DocData.$value, 'base64'));
    }
  }
  const now = new Date().toISOString();
  const status = { StatusCode: 0, StatusMessage: 'OK', SubmissionTime: now, CompletionTime: now };
  return { Status: status, SubmitId: request.SubmitId };
}

function answer(request, callback) {
  take(request).then(callback, (cause) => callback({ Fault: { faultcode: 'Server', faultstring: String(cause) } }));
}

async function serve() {
  const text = await fs.readFile(wsdl, 'utf8');
  const server = http.createServer((request, response) => response.writeHead(404).end());
  const service = { JobDocumentTransmitResultService: { JobDocumentTransmitResultPort: { JobDocumentTransmitResult: answer } } };
  server.listen(Number(port), '127.0.0.1', () => soap.listen(server, { path: '/push', services: service, xml: text }));
}

if (cluster.isPrimary) {
  for (let i = 0; i < Number(processes); i++) cluster.fork();
  process.on('SIGTERM', () => {
    for (const id in cluster.workers) cluster.workers[id].process.kill();
    process.exit(0);
  });
} else {
  serve();
}
