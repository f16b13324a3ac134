// Codes and English names of Whisper's languages (openai/whisper, tokenizer.py), and other names of some of them.
const LANGUAGES =
  "en english, zh chinese, de german, es spanish, ru russian, ko korean, fr french, ja japanese, pt portuguese, tr turkish, pl polish, ca catalan, nl dutch, ar arabic, sv swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese, he hebrew, uk ukrainian, el greek, ms malay, cs czech, ro romanian, da danish, hu hungarian, ta tamil, no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi maori, ml malayalam, cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian, az azerbaijani, sl slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque, is icelandic, hy armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, gl galician, mr marathi, pa punjabi, si sinhala, km khmer, sn shona, yo yoruba, so somali, af afrikaans, oc occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati, am amharic, yi yiddish, lo lao, uz uzbek, fo faroese, ht haitian creole, ps pashto, tk turkmen, nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish, my myanmar, bo tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa, ba bashkir, jw javanese, su sundanese, yue cantonese";
const ALIASES =
  "my burmese, ca valencian, nl flemish, ht haitian, lb letzeburgesch, ps pushto, pa panjabi, ro moldavian, ro moldovan, si sinhalese, es castilian, zh mandarin";

const pairs = (text: string): (readonly [code: string, name: string])[] =>
  text.split(", ").map((entry) => [entry.slice(0, entry.indexOf(" ")), entry.slice(entry.indexOf(" ") + 1)]);

/**
 * The code of a language among those of a model, given as a code ("de"), an English name ("German") or a token
 * ("<|de|>"); undefined when it is none of them.
 */
export function languageCode(language: string, codes: readonly string[]): string | undefined {
  const wanted = language.toLowerCase().replace(/^<\|(.*)\|>$/, "$1");
  const [named] = [...pairs(LANGUAGES), ...pairs(ALIASES)].find(([, name]) => name === wanted) ?? [wanted];
  return codes.find((code) => code === named);
}

/** Languages that put no spaces between words. */
export const SPACELESS: readonly (string | undefined)[] = ["zh", "ja", "th", "lo", "my", "yue"];
