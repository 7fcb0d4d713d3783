// A client that knows nothing but the .proto files: node grpc.mjs ADDRESS PROTOS PICTURE QUESTION; prints one JSON object of what it was told.
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, protos, picture, question] = process.argv.slice(2);
const all = grpc.loadPackageDefinition(loader.loadSync(['mmcluster/v1/generation.proto'], { keepCase: true, enums: String, includeDirs: [protos] }));
const generation = new all.mmcluster.v1.Generation(address, grpc.credentials.createInsecure());
const ask = (parts) => new Promise((resolve, reject) => {
  let text = '';
  const call = generation.Generate({ model: 'mini', sampling: { temperature: 0, max_tokens: 64 }, chat: { messages: [{ role: 'user', parts }] } });
  call.on('data', (event) => { text += event.text ?? ''; });
  call.on('end', () => resolve(text));
  call.on('error', reject);
});

const text = await ask([{ media: { data: fs.readFileSync(picture) } }, { text: question }]);
const failure = await ask([{ text: 'a' }, { media: { data: Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0]) } }])
  .catch((error) => ({ code: error.code, param: error.metadata.get('mm-param')[0] }));
console.log(JSON.stringify({ text, failure }));
process.exit(0);
