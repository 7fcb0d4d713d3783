// A client that knows nothing but the .proto files: node interop.mjs ADDRESS PROTOS; prints one JSON object of what it was told.
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, protos] = process.argv.slice(2);
const files = ['mmcluster/v1/generation.proto', 'inference/grpc_service.proto', 'grpc/health/v1/health.proto'];
const all = grpc.loadPackageDefinition(
  loader.loadSync(files, { keepCase: true, enums: String, includeDirs: [protos] }));
const credentials = grpc.credentials.createInsecure();
const metadata = new grpc.Metadata();
metadata.set('authorization', 'Bearer secret');

const generation = new all.mmcluster.v1.Generation(address, credentials);
const inference = new all.inference.GRPCInferenceService(address, credentials);
const health = new all.grpc.health.v1.Health(address, credentials);
const ask = (client, method, message) => new Promise((resolve, reject) =>
  client[method](message, metadata, (error, answer) => error ? reject(error) : resolve(answer)));
const stream = (call) => new Promise((resolve, reject) => {
  const got = [];
  call.on('data', (message) => got.push(message));
  call.on('end', () => resolve(got));
  call.on('error', reject);
});
const upload = (pieces) => new Promise((resolve, reject) => {
  const call = generation.Upload(metadata, (error, answer) => error ? reject(error) : resolve(answer));
  pieces.forEach((data) => call.write({ data }));
  call.end();
});

const text = (await stream(generation.Generate({ text: 'a b c', return_token_ids: true }, metadata))).map((event) => event.text).join('');
const picture = await upload([Buffer.from([0x89, 0x50, 0x4e, 0x47]), Buffer.from([13, 10, 26, 10, 1])]);
const seen = (await stream(generation.Generate(
  { chat: { messages: [{ role: 'user', parts: [{ media: { upload_id: picture.upload_id } }] }] } }, metadata))).map((event) => event.text).join('');
const refused = await stream(generation.Generate({ text: 'a', model: 'other' }, metadata)).catch(
  (error) => ({ code: error.code, param: error.metadata.get('mm-param')[0] }));
const models = (await ask(generation, 'ListModels', {})).models.map((model) => model.name);
const infer = await ask(inference, 'ModelInfer', {
  model_name: 'echo',
  inputs: [{ name: 'text_input', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('d e')] } }],
});
const status = (await ask(health, 'Check', { service: 'echo' })).status;
console.log(JSON.stringify({
  text, seen, refused, models, status, inferred: infer.outputs[0].contents.bytes_contents[0].toString(),
}));
process.exit(0);
