// A prompt that is read once and continued several times: its keys and values stay on the device.
import { pipeline } from "wgformer";

const write = await pipeline("text-generation", "models/gpt2-brown");
const { model } = write;
const idsOf = async (text) => (await write(text, { max_new_tokens: 1 }))[0].token_ids.slice(0, -1);
const prompt = await idsOf("The committee of the House");
const questions = [await idsOf(" said"), await idsOf(" did not")];

const past = await model.past({ input_ids: [prompt] });
for (const question of questions) {
  const { sequences } = await model.generate({ past_key_values: past, input_ids: [question] }, { max_new_tokens: 5 });
  const whole = await model.generate({ input_ids: [[...prompt, ...question]] }, { max_new_tokens: 5 });
  const same = JSON.stringify(sequences[0].slice(-5)) === JSON.stringify(whole.sequences[0].slice(-5));
  console.log(
    `${question.length} tokens after ${past.ids[0].length} known ones: ${same ? "as" : "not as"} from the start`,
  );
}
past.dispose();
write.dispose();

// Prints:
// 1 tokens after 5 known ones: as from the start
// 2 tokens after 5 known ones: as from the start
