/** The words the answer parser knows, as one regular expression of bounded parts, so that it reads in linear time. */

/** What a piece of text can be. Order matters: at one place in the text, the first that fits is taken. */
export type TokenKind =
  | "call"
  | "field"
  | "placeholder"
  | "several"
  | "server"
  | "localFlag"
  | "local"
  | "correction"
  | "question"
  | "end"
  | "negation"
  | "blame"
  | "verdict"
  | "strong"
  | "medium"
  | "weak"
  | "hypothesis"
  | "evaluation"
  | "join"
  | "reason"
  | "contrast"
  | "clause";

const englishOnes =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const englishTens = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const chineseDigits = "零一二三四五六七八九";

const quote = "\\\\?[\"'`]";
const gap = "[^\\S\\n]{0,4}";
/** Not a part of a longer number or word, nor an amount of something. */
const numberEnd =
  "(?!\\d)(?!\\.\\d)(?!,\\d{3})(?![a-z%]|_[a-z\\d])(?![^\\S\\n]{0,2}(?:ghz|mhz|mbit|kbit|mbps|kbps|slots?|tasks?|times|个|核|台|倍)(?![a-z]))";
const number = `\\d{1,40}${numberEnd}`;
const words = (list: string) => `(?<![a-z])(?:${list})(?![a-z])`;
const serverName = "(?:(?:边缘)?服务器|(?<![a-z])(?:edge[ _-]?)?server(?!s))(?:编号|号)?";
const chineseOne = "[一二三四五六七八九]";
/** 1 to 999 in Chinese numerals. */
const chineseNumeral = `(?:${chineseOne}百(?:零${chineseOne}|${chineseOne}十${chineseOne}?)?|${chineseOne}?十${chineseOne}?|${chineseOne})`;
const englishNumeral = `(?:(?:${englishTens.join("|")})(?:[ -](?:${englishOnes.slice(1, 10).join("|")}))?|${englishOnes.slice(1).join("|")})`;
const numberWord = `${englishNumeral}(?![a-z-]| hundred)|${chineseNumeral}(?![一二三四五六七八九十百千万零〇两台个])`;
/** Mark-up and signs between "server" and its number. */
const signs = "(?:[^\\S\\n]|[*_`~\"'#([{}\\\\$-]){0,6}";
const toNumber = `${signs}(?:(?:no\\.?|number|nr\\.?|id)${gap}#?)?(?:[:=](?:[^\\S\\n]|[*_\`"'({]){0,4})?`;

/** White space, lines too, between the mark of a tool's parameter and its number; no other token goes over a line's end. */
export const MAX_CALL_SPACE = 4;

const sources: readonly (readonly [TokenKind, string])[] = [
  // offload(server=3), <parameter=server>3, <server>3</server>, run_local()
  [
    "call",
    `(?<![a-z])offload(?:_?to)?(?:_?(?:edge_?)?server)?${gap}\\(${gap}(?:server\\w{0,8}${gap}=${gap})?(?:${quote})?-?${number}|<(?:parameter[= ]${gap}(?:name=)?)?(?:${quote})?(?:server|action)(?:_id)?(?:${quote})?>\\s{0,${MAX_CALL_SPACE}}-?${number}|(?<![a-z])(?:run|execute)_?local(?:ly)?(?![a-z])`,
  ],
  // "action": 3 and "server": "4" among the fields of an object
  [
    "field",
    `${quote}(?:action(?:_?id)?|decision|choice|answer|(?:(?:edge|selected|chosen|best|optimal)_?)?server(?:_?id)?|target(?:_?server)?|offload_?to)${quote}${gap}[:=]${gap}(?:${quote})?-?${number}(?![\\d.])`,
  ],
  // "Server k" stands for any server
  [
    "placeholder",
    `${serverName}${gap}[<\\[{(]?(?:[knxi]|id|number)(?![a-z])(?!${gap}[:=#]?${gap}#?\\d)|(?<![a-z])(?:one|a|an|any|each|some|which|another) (?:edge )?server(?![a-z])|(?:一台|某台|哪台|任一)(?:边缘)?服务器`,
  ],
  // "Server 2 or 5", "Server 1-3"
  [
    "several",
    `${serverName}${toNumber}${number}(?:${gap}(?:(?:or|and|to)(?![a-z])|[/,&–—-]|或者?|[和与至到、])${gap}#?${number}){1,6}`,
  ],
  [
    "server",
    `${serverName}${toNumber}(?:${number}|${numberWord})|(?<![\\d一二三四五六七八九十百])(?:第?(?:\\d{1,40}|${chineseNumeral})号|第(?:\\d{1,40}|${chineseNumeral})[台个])(?:边缘)?服务器`,
  ],
  ["localFlag", `${quote}local(?:ly)?${quote}${gap}[:=]${gap}(?:true|false)`],
  // the queue, the clock speed or the latency of the device are no decisions
  [
    "local",
    `(?<![a-z])(?<!non-)(?:local(?:ly)?(?![a-z])(?:[ -](?:execution|processing|computation|computing|device))?|on[- ]device|(?:own|user'?s|mobile) device)(?![a-z])(?!['’]s )(?![ -]servers?(?![a-z]))(?![^\\S\\n]{0,2}(?:-|_)?[^\\S\\n]{0,2}(?:cpu|queue|wait|waiting|backlog|time|latency|delay|load|cost|resource|frequency|clock|speed|\\d))|本地(?:设备|执行|处理|计算|运行)?(?!(?:设备|执行|处理|计算)?(?:cpu|[^\\S\\n]|的){0,2}(?:队列|等待|(?:总?延迟|时间|成本)(?!最[小低短])|负载|频率|设备[:：]))(?![:：]${gap}类型)`,
  ],
  [
    "correction",
    `${words("no|wait|hold on|actually|on second thought|scratch that|correction")}[,.…，:](?! ?\\d)|不对[，,。]`,
  ],
  ["question", "[?？]"],
  ["end", "[.!…;](?=[\\s\"'*)<\\]]|$)|[。！；]|\\n"],
  [
    "negation",
    `${words("not|never|instead of|rather than|over|than|versus|vs|avoid|except|unlike|without|cannot|unable|refuse|neither|nor|anything but|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)|discard(?:ed)?|eliminat(?:e|ed|es)|skip|reject(?:ed|s)?|infeasible")}|n['’]t(?![a-z])|而不是|而非|不是|不要|不选|不能|不可|不应|无法|避免|拒绝|不在|不会|排除|放弃|比(?![较特如例率重])|\\[ \\]|[❌✗✘]|(?:→|->|[:=]) ?no(?![a-z])`,
  ],
  // what it says against an action speaks of the one named before it
  [
    "blame",
    `${words("(?:is|are|was|be|being|looks?|seems?) (?:also |still |far |much |way )?(?:too (?:slow|late|busy|long|far)|slow|late|busy|full|overloaded|congested|worse|slower|(?:a |the )?(?:bad|poor|wrong|worst|slowest))")}|太[慢忙长]|[较最]慢|[繁太]忙|过载|超时|最差`,
  ],
  [
    "verdict",
    `${words("is (?:clearly |thus |therefore |hence |then |now |still )?(?:the |my )?(?:final |overall )?(?:best|optimal|right|smallest|lowest|shortest|cheapest|quickest|winner|answer|choice|decision|pick|fastest (?:option|choice|one))|is (?:the )?better(?! than| [a-z]{1,20}ed)|(?:is|was|gets|should be|must be|will be) (?:therefore |thus )?(?:chosen|selected|picked|preferred|recommended)|finish(?:es)? (?:the task )?(?:soonest|earliest|first)(?! (?:on|at|with|in) )|minimi[sz]es|wins|it is|(?:has|offers|gives|provides|yields|achieves) the (?:lowest|smallest|shortest|least|minimum|minimal)(?: (?:total|overall|estimated|expected|completion|finish|finishing|response|end-to-end)){0,2} (?:latency|delay|time|cost)")}|(?:→|->|[:=]) ?yes(?![a-z])|最优|最佳|最好|延迟最[小低短]|最合适`,
  ],
  [
    "strong",
    `${words("cho(?:ose|se|sen|ice|osing)|select(?:ed|ion)?|pick(?:ed)?|answer|decision|decide(?:d)? (?:on|for)|recommend|go(?:ing)? with|opt for|prefer|action(?:_name)?|output|final|result|verdict")}|(?:best|optimal|smallest|fastest|quickest|lowest|shortest|minimum|cheapest|soonest)(?: [a-z]{1,12}){0,3} is(?![a-z])|(?:soonest|earliest|fastest|quickest) (?:on|at|with|in)(?![a-z])|选择|选用|选|改为|改成|决策|决定|答案|动作`,
  ],
  [
    "medium",
    `${words("offload(?:ed|ing)?|us(?:e|ing)|send|run(?:s|ning)?|execut(?:e|ed|ing)|process(?:ed|ing)?|keep|should|assign(?:ed)?|dispatch(?:ed)?|route(?:d)?|go(?:es)? to|take(?= (?:the )?(?:edge|server|local))")}|卸载到|应该?|交给|分配给|使用`,
  ],
  [
    "weak",
    `${words("so|therefore|thus|hence|conclusion")}|因此|所以|故|(?:→|->|=>|⇒)(?=[\\s"'*\`]{0,4}(?:edge|server|local|边缘|服务器|本地|卸载))`,
  ],
  [
    "hypothesis",
    `${words("(?:even )?if|could|might|would (?!choose|pick|select|go |recommend|prefer|opt|use|offload|run)|suppose|assum(?:e|ing)|consider(?:ing)?|between|either|whether|for example|e\\.g\\.|depends|at first|initially|originally|(?:was|were) going to|(?:first|earlier) (?:chose|picked|selected|thought|considered)|(?:first|initial|original|previous|earlier) (?:choice|pick|guess|answer|idea|decision) was")}|如果|若|假设|假如|考虑|可以|或许|可能`,
  ],
  [
    "evaluation",
    `${words("takes?|costs?|needs?|requires?|upload|transmission|comput(?:e|es|ation)|calculat(?:e|es|ing)")}|=|延迟|耗时|需要`,
  ],
  ["join", `${words("or|and")}|/|或者?|和|与|还是|、`],
  ["reason", `${words("because|since|as|while|whereas|due to|given that|although|though")}|因为|由于|虽然`],
  ["contrast", `${words("but|however|yet")}|但是?|然而`],
  ["clause", "[,，:：(（]"],
];

/** Kinds in the order of the pattern's groups. */
export const tokenKinds: readonly TokenKind[] = sources.map(([kind]) => kind);

/**
 * Everything the parser looks for; which kind matched is which group did. But for "n't" no token begins within a word of Latin
 * letters, and saying so first spares most places of a text most of the pattern.
 */
export const tokenPattern = new RegExp(
  `(?:(?<![a-z])|(?![a-z])|(?=n['’]t))(?:${sources.map(([, source]) => `(${source})`).join("|")})`,
  "g",
);

/** Largest number an answer can name; every longer one means it, for no such server exists either way. */
const MAX_ACTION = 2147483647;

/** The number a token names, in digits or as a word; its sign is left out. */
export function numberIn(token: string): number {
  const digits = token.match(/\d+(?=\D*$)/);
  if (digits !== null) return toAction(digits[0]);
  const chinese = token.match(/[一二三四五六七八九十百零]+/);
  if (chinese !== null) return chineseNumber(chinese[0]);
  const [last, beforeLast] = (token.match(/[a-z]+/g) ?? []).reverse();
  const ones = englishOnes.indexOf(last);
  if (ones < 0) return 20 + 10 * englishTens.indexOf(last);
  return englishTens.includes(beforeLast) ? 20 + 10 * englishTens.indexOf(beforeLast) + ones : ones;
}

/** All numbers a token names in digits. */
export function numbersIn(token: string): number[] {
  return (token.match(/\d+/g) ?? []).map(toAction);
}

function toAction(digits: string): number {
  return Math.min(Number(digits), MAX_ACTION);
}

/** 1 to 999 in Chinese numerals. */
function chineseNumber(text: string): number {
  const parts = text.match(/^(?:(.)百零?)?(?:(.?)(十))?(.?)$/) ?? [];
  const [, hundreds, tens, ten, ones] = parts;
  const digit = (character: string | undefined) => (character ? chineseDigits.indexOf(character) : 0);
  return digit(hundreds) * 100 + (ten === undefined ? 0 : (digit(tens) || 1) * 10) + digit(ones);
}
