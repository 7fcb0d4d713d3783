// The other side of the interoperability tests: @grpc/grpc-js as client or as server of hosting's echo.proto.
//   node interop.mjs client ADDRESS PROTO [CA]    runs every check; one JSON line a check
//   node interop.mjs server PROTO [CERT KEY]      prints its port, serves until stdin ends
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const LARGE = 64 * 1024 * 1024;
const load = (path) => grpc.loadPackageDefinition(
  loader.loadSync(path, { keepCase: true, defaults: true, enums: String })).mm.test.Echo;
const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const gzip = { 'grpc.default_compression_algorithm': 2 };
const ends = (stream) => new Promise((done) => { stream.on('end', done); stream.on('error', done); });

function unary(client, message, metadata = new grpc.Metadata(), options = {}) {
  return new Promise((resolve, reject) => {
    let headers, trailers;
    const call = client.Unary(message, metadata, options, (error, answer) =>
      setImmediate(() => error ? reject(error) : resolve({ answer, headers, trailers })));
    call.on('metadata', (got) => { headers = got; });
    call.on('status', (status) => { trailers = status.metadata; });
  });
}

function checks(Echo, address, credentials) {
  const client = new Echo(address, credentials, unlimited);
  return {
    async unary() {
      const { answer } = await unary(client, { text: 'häl\nlo', data: Buffer.from([0, 255]), count: 7 });
      assert.equal(answer.text, 'häl\nlo');
      assert.deepEqual([...answer.data], [0, 255]);
      assert.equal(answer.count, 7);
    },
    async serverStream() {
      const got = [];
      const call = client.ServerStream({ count: 1000 });
      call.on('data', (message) => got.push(message.count));
      assert.equal(await ends(call), undefined);
      assert.deepEqual(got, Array.from({ length: 1000 }, (_, i) => i));
    },
    async clientStream() {
      const answer = await new Promise((resolve, reject) => {
        const call = client.ClientStream((error, message) => error ? reject(error) : resolve(message));
        for (let i = 0; i < 1000; i++) { call.write({ data: Buffer.alloc(10) }); }
        call.end();
      });
      assert.deepEqual([answer.count, answer.size], [1000, 10000]);
    },
    async duplex() {
      const got = [];
      const call = client.Duplex();
      call.on('data', (message) => {
        got.push(message.count);
        if (got.length < 100) { call.write({ count: got.length }); } else { call.end(); }
      });
      call.write({ count: 0 });
      assert.equal(await ends(call), undefined);
      assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => i));
    },
    async metadataAndTrailers() {
      const metadata = new grpc.Metadata();
      metadata.set('x-head', 'text');
      metadata.set('x-head-bin', Buffer.from([1, 2, 250]));
      metadata.set('x-trail', 'last');
      metadata.set('x-trail-bin', Buffer.from([9]));
      const { headers, trailers } = await unary(client, {}, metadata);
      assert.deepEqual(headers.get('x-head'), ['text']);
      assert.deepEqual([...headers.get('x-head-bin')[0]], [1, 2, 250]);
      assert.deepEqual(trailers.get('x-trail'), ['last']);
      assert.deepEqual([...trailers.get('x-trail-bin')[0]], [9]);
    },
    async status() {
      const error = await unary(client, { ask: 'ASK_FAIL', code: 6, text: '50% für\ndich' }).catch((e) => e);
      assert.equal(error.code, grpc.status.ALREADY_EXISTS);
      assert.equal(error.details, '50% für\ndich');
      assert.deepEqual(error.metadata.get('x-why'), ['asked']);
      assert.deepEqual([...error.metadata.get('grpc-status-details-bin')[0]], [8, 5]);
    },
    async unimplemented() {
      const missing = (path) => new Promise((resolve) => client.makeUnaryRequest(
        path, (value) => value, (value) => value, Buffer.alloc(0), (error) => resolve(error.code)));
      assert.equal(await missing('/mm.test.Echo/Missing'), grpc.status.UNIMPLEMENTED);
      assert.equal(await missing('/mm.test.Nothing/Missing'), grpc.status.UNIMPLEMENTED);
    },
    async deadline() {
      const error = await unary(client, { ask: 'ASK_WAIT' }, new grpc.Metadata(), { deadline: Date.now() + 200 }).catch((e) => e);
      assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
    },
    async cancel() {
      const call = client.ServerStream({ count: 1, ask: 'ASK_WAIT' });
      call.on('data', () => call.cancel());
      assert.equal((await ends(call)).code, grpc.status.CANCELLED);
    },
    async large() {
      const data = Buffer.alloc(LARGE, 7);
      data[LARGE - 1] = 9;
      const { answer } = await unary(client, { data });
      assert.ok(data.equals(answer.data));
    },
    async tooLarge() {
      const small = new Echo(address, credentials, { 'grpc.max_receive_message_length': 1000 });
      const error = await unary(small, { ask: 'ASK_SIZE', size: 5000 }).catch((e) => e);
      assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
      small.close();
    },
    async gzip() {
      const packed = new Echo(address, credentials, { ...unlimited, ...gzip });
      const text = 'a'.repeat(100000);
      assert.equal((await unary(packed, { text })).answer.text, text);
      const got = [];
      const call = packed.Duplex();
      call.on('data', (message) => got.push(message.text));
      call.write({ text });
      call.write({ text: '' });
      call.end();
      assert.equal(await ends(call), undefined);
      assert.deepEqual(got, [text, '']);
      packed.close();
    },
  };
}

async function runClient(address, proto, ca) {
  const credentials = ca ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure();
  for (const [name, check] of Object.entries(checks(load(proto), address, credentials))) {
    let problem = null;
    try { await check(); } catch (error) { problem = String(error.stack ?? error); }
    console.log(JSON.stringify({ name, problem }));
  }
  process.exit(0);
}

function runServer(proto, cert, key) {
  const reflect = (call) => {
    const headers = new grpc.Metadata(), trailers = new grpc.Metadata();
    for (const [name, value] of Object.entries(call.metadata.getMap())) {
      if (name.startsWith('x-head')) { headers.set(name, value); }
      if (name.startsWith('x-trail')) { trailers.set(name, value); }
    }
    call.sendMetadata(headers);
    return trailers;
  };
  const failure = (message) => {
    const metadata = new grpc.Metadata();
    metadata.set('x-why', 'asked');
    metadata.set('grpc-status-details-bin', Buffer.from([8, 5]));
    return { code: message.code, details: message.text, metadata };
  };
  const server = new grpc.Server({ ...unlimited, ...gzip });
  server.addService(load(proto).service, {
    Unary(call, done) {
      const trailers = reflect(call);
      switch (call.request.ask) {
        case 'ASK_FAIL': return done(failure(call.request));
        case 'ASK_WAIT': return call.on('cancelled', () => console.log('cancelled'));
        case 'ASK_SIZE': return done(null, { data: Buffer.alloc(call.request.size) }, trailers);
        default: return done(null, call.request, trailers);
      }
    },
    ServerStream(call) {
      for (let i = 0; i < call.request.count; i++) { call.write({ count: i }); }
      if (call.request.ask === 'ASK_WAIT') { call.on('cancelled', () => console.log('cancelled')); } else { call.end(); }
    },
    ClientStream(call, done) {
      let count = 0, size = 0;
      call.on('data', (message) => { count++; size += message.data.length; });
      call.on('end', () => done(null, { count, size }));
    },
    Duplex(call) {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
    },
  });
  const credentials = cert
    ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(cert), private_key: readFileSync(key) }])
    : grpc.ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error) { throw error; }
    console.log(port);
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'client') { await runClient(...rest); } else { runServer(...rest); }
