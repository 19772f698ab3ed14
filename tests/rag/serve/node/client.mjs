// The official Node client of OpenAI against a running server: prints what it saw as one JSON document.
// Usage: node client.mjs BASE_URL API_KEY KNOWLEDGE_BASE MODEL QUESTION

import OpenAI from "openai";

const [baseURL, apiKey, knowledgeBase, model, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: question }];

async function streamed(name) {
  const stream = await client.chat.completions.create({
    model: name,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let last;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    last = chunk;
  }
  return { text, usage: last.usage, plumbline: last.plumbline };
}

async function failed(call) {
  try {
    await call();
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
  return null;
}

const models = [];
for await (const found of client.models.list()) models.push(found.id);
const completion = await client.chat.completions.create({ model, messages, temperature: 0.5 });
const answer = await client.chat.completions.create({ model: knowledgeBase, messages });
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
const stranger = new OpenAI({ baseURL, apiKey: "plk_0_no", maxRetries: 0 });

const seen = {
  models,
  retrieved: (await client.models.retrieve(knowledgeBase)).id,
  completion: { text: completion.choices[0].message.content, usage: completion.usage },
  answer: { text: answer.choices[0].message.content, plumbline: answer.plumbline },
  streamedCompletion: await streamed(model),
  streamedAnswer: await streamed(knowledgeBase),
  withTools: (await client.chat.completions.stream({ model, messages, tools }).finalMessage()).content,
  unknownModel: await failed(() => client.chat.completions.create({ model: "gpt-9", messages })),
  unsupported: await failed(() => client.chat.completions.create({ model, messages, logprobs: true })),
  wrongKey: await failed(() => stranger.models.list()),
};
console.log(JSON.stringify(seen));
