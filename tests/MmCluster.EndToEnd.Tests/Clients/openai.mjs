// The official client: node openai.mjs BASE-URL PICTURE QUESTION; prints one JSON object of what it was told.
import fs from 'node:fs';
import OpenAI from 'openai';

const [baseURL, picture, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${baseURL}v1`, apiKey: 'none', maxRetries: 0 });
const url = `data:image/png;base64,${fs.readFileSync(picture).toString('base64')}`;
const request = {
  model: 'mini', temperature: 0, max_tokens: 64,
  messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }, { type: 'text', text: question }] }],
};

const whole = await client.chat.completions.create(request);
let streamed = '';
let usage = null;
for await (const chunk of await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
  streamed += chunk.choices[0]?.delta?.content ?? '';
  usage = chunk.usage ?? usage;
}
const broken = structuredClone(request);
broken.messages[0].content[0].image_url.url = 'data:image/png;base64,AAAA';
const failure = await client.chat.completions.create(broken).catch((error) => ({ status: error.status, param: error.param }));
const missing = await client.chat.completions.create({ ...request, model: 'other' }).catch((error) => ({ status: error.status, param: error.param }));
const models = [];
for await (const model of client.models.list()) models.push(model.id);
console.log(JSON.stringify({
  whole: whole.choices[0].message.content, finish: whole.choices[0].finish_reason, streamed, tokens: usage?.completion_tokens,
  usage: whole.usage.completion_tokens, failure, missing, models,
}));
