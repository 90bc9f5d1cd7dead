/** The words the answer parser knows, as one regular expression of bounded parts, so that it reads in linear time. */

/** What a piece of text can be. Order matters: at one place in the text, the first that fits is taken. */
export type TokenKind =
  | "call"
  | "field"
  | "placeholder"
  | "server"
  | "localFlag"
  | "local"
  | "correction"
  | "question"
  | "end"
  | "negation"
  | "verdict"
  | "strong"
  | "medium"
  | "weak"
  | "hypothesis"
  | "evaluation"
  | "join"
  | "clause";

const englishNumbers = [
  "zero",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];
const chineseDigits = "零一二三四五六七八九";

const quote = "\\\\?[\"'`]";
const gap = "[^\\S\\n]{0,4}";
/** Not a part of a longer number or word, nor an amount of something. */
const numberEnd =
  "(?!\\d)(?!\\.\\d)(?!,\\d{3})(?![a-z%]|_[a-z\\d])(?![^\\S\\n]{0,2}(?:ghz|mhz|mbit|kbit|mbps|kbps|slots?|tasks?|times|个|核|台|倍)(?![a-z]))";
const number = `\\d{1,40}${numberEnd}`;
const words = (list: string) => `(?<![a-z])(?:${list})(?![a-z])`;
const serverName = "(?:边缘|edge[ -]?)?(?:服务器|(?<![a-z])server(?!s))(?:编号|号)?";
const numberWord = `(?:${englishNumbers.slice(1).join("|")})(?![a-z-])|(?:[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九])(?![一二三四五六七八九十台个])`;

const sources: readonly (readonly [TokenKind, string])[] = [
  // offload(server=3), <parameter=server>3, run_local()
  [
    "call",
    `(?<![a-z])offload(?:_?to)?(?:_?(?:edge_?)?server)?${gap}\\(${gap}(?:server\\w{0,8}${gap}=${gap})?(?:${quote})?-?${number}|<parameter[= ]${gap}(?:${quote})?server(?:_id)?(?:${quote})?>${gap}-?${number}|(?<![a-z])(?:run|execute)_?local(?:ly)?(?![a-z])`,
  ],
  // "action": 3 and "server": "4" among the fields of an object
  [
    "field",
    `${quote}(?:action(?:_?id)?|decision|choice|answer|(?:edge_?)?server(?:_?id)?|target(?:_?server)?)${quote}${gap}[:=]${gap}(?:${quote})?-?${number}(?![\\d.])`,
  ],
  // "Server k" stands for any server
  [
    "placeholder",
    `${serverName}${gap}[<\\[{(]?(?:[knxi]|id|number)(?![a-z])(?!${gap}#?\\d)|(?<![a-z])(?:one|a|an|any|each|some|which|another) (?:edge )?server(?![a-z])|(?:一台|某台|哪台|任一)(?:边缘)?服务器`,
  ],
  [
    "server",
    `${serverName}(?:[^\\S\\n]|[*_\`~"'#([-]){0,6}(?:(?:no\\.?|number|nr\\.?)${gap}#?)?(?:${number}|${numberWord})|(?<!\\d)第?\\d{1,40}号(?:边缘)?服务器|第\\d{1,40}[台个](?:边缘)?服务器`,
  ],
  ["localFlag", `${quote}local(?:ly)?${quote}${gap}[:=]${gap}(?:true|false)`],
  // the queue, the clock speed or the latency of the device are no decisions
  [
    "local",
    `(?<![a-z])(?<!non-)(?:local(?:ly)?(?![a-z])(?:[ -](?:execution|processing|computation|computing|device))?|on[- ]device|(?:own|user'?s|mobile) device)(?![a-z])(?!['’]s )(?![^\\S\\n]{0,2}(?:-|_)?[^\\S\\n]{0,2}(?:cpu|queue|wait|waiting|backlog|time|latency|delay|load|cost|resource|frequency|clock|speed|\\d))|本地(?:设备|执行|处理|计算|运行)?(?!(?:设备|执行|处理|计算)?(?:cpu|[^\\S\\n]|的){0,2}(?:队列|等待|延迟|时间|成本|负载|频率|设备[:：]))(?![:：]${gap}类型)`,
  ],
  [
    "correction",
    `${words("no|wait|hold on|actually|on second thought|scratch that|correction")}[,.…，:](?! ?\\d)|不对[，,。]`,
  ],
  ["question", "[?？]"],
  ["end", "[.!…;](?=[\\s\"'*)<\\]]|$)|[。！；]|\\n"],
  [
    "negation",
    `${words("not|never|instead of|rather than|over|than|versus|vs|avoid|except|unlike|without|cannot|unable|refuse|neither|nor|anything but")}|n['’]t(?![a-z])|而不是|而非|不是|不要|不选|不能|不可|不应|无法|避免|拒绝|不在|不会`,
  ],
  [
    "verdict",
    `${words("is (?:clearly |thus |therefore |hence |then |now |still )?(?:the )?(?:best|optimal|right|smallest|cheapest|quickest)|minimi[sz]es|wins|it is|has the (?:lowest|smallest|shortest|least|minimum|minimal)")}|最优|最佳|最好|延迟最[小低短]|最合适`,
  ],
  [
    "strong",
    `${words("cho(?:ose|sen|ice|osing)|select(?:ed|ion)?|pick(?:ed)?|answer|decision|decide(?:d)? (?:on|for)|recommend|go(?:ing)? with|opt for|prefer|action(?:_name)?|output|final|result|verdict")}|(?:best|smallest|fastest|lowest|shortest|minimum|cheapest|soonest)(?: [a-z]{1,12}){0,3} is(?![a-z])|选择|选用|选|改为|改成|决策|决定|答案|动作`,
  ],
  [
    "medium",
    `${words("offload(?:ed|ing)?|us(?:e|ing)|send|run(?:s|ning)?|execut(?:e|ed|ing)|process(?:ed|ing)?|keep|should|assign(?:ed)?|dispatch(?:ed)?|route(?:d)?")}|卸载到|应该?|交给|分配给|使用`,
  ],
  ["weak", `${words("so|therefore|thus|hence|conclusion")}|因此|所以|故`],
  [
    "hypothesis",
    `${words("if|could|might|would (?!choose|pick|select|go |recommend|prefer|opt|use|offload|run)|suppose|assum(?:e|ing)|consider(?:ing)?|between|either|whether|for example|e\\.g\\.|depends")}|如果|若|假设|假如|考虑|可以|或许|可能`,
  ],
  [
    "evaluation",
    `${words("takes?|costs?|needs?|requires?|upload|transmission|comput(?:e|es|ation)|calculat(?:e|es|ing)")}|=|延迟|耗时|需要`,
  ],
  ["join", `${words("or|and")}|/|或者?|和|与|还是|、`],
  ["clause", `[,，:：(（]|${words("but|because|since|as|while|however")}|但是?|因为|由于`],
];

/** Everything the parser looks for; which kind matched is the name of the group. */
export const tokenPattern = new RegExp(sources.map(([kind, source]) => `(?<${kind}>${source})`).join("|"), "g");

/** Largest number an answer can name; every longer one means it, for no such server exists either way. */
const MAX_ACTION = 2147483647;

/** The number a token names, in digits or as a word; its sign is left out. */
export function numberIn(token: string): number {
  const digits = token.match(/\d+(?=\D*$)/);
  if (digits !== null) return Math.min(Number(digits[0]), MAX_ACTION);
  const chinese = token.match(/[一二三四五六七八九十]+$/);
  return chinese === null ? englishNumbers.findIndex((word) => token.endsWith(word)) : chineseNumber(chinese[0]);
}

/** 1 to 99 in Chinese numerals. */
function chineseNumber(text: string): number {
  const [tens, ones] = text.includes("十") ? text.split("十") : ["", text];
  const digit = (character: string, missing: number) => (character === "" ? missing : chineseDigits.indexOf(character));
  return (text.includes("十") ? digit(tens, 1) * 10 : 0) + digit(ones, 0);
}
