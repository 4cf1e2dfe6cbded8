// Every word that the console says, in English and Chinese.

const WORDS = {
  en: {
    skip: "Skip to the list", quality: "Quality", api: "API", person: "Person", shuffle: "Someone else",
    sentence: "Or say what you are looking for", history: "History", clickSends: "A click sends", show: "Show",
    filter: "Filter by title", close: "Close", personHint: "Type an id", visitor: "a new visitor",
    sentenceHint: "e.g. a warm light for the kitchen", forPerson: "For {who}", forText: "{for}: “{text}”",
    noHistory: "Nothing yet. Click an item to begin.", nothing: "No item fits.", noPeople: "No one known begins like this.",
    items: "items", people: "people", events: "events", version: "version", bundle: "bundle", arm: "arm",
    roundTrip: "round trip", leftOut: "left out", isNew: "new", up: "up {n}", down: "down {n}",
    send: "Send {event}: {title}", similar: "Similar", why: "Why", similarTo: "Like {title}", whyTitle: "Why {title}",
    shares: "Shares in the score", grounds: "Because of", reasons: "+ {ms} for reasons", features: "Features", servedHere: "What is served here", members: "Members",
    changed: "List updated: {fresh} new, {moved} moved.", same: "List updated: the same items in the same order.",
    sent: "{event} sent: {title}.", unreachable: "The server does not answer.", request: "request",
    keyTitle: "This server needs a key", keyLabel: "Key", keyUse: "Use this key", loading: "One moment …",
    profile: "Profile", aboutYou: "In their own words", save: "Save", saved: "Saved.", itemProfile: "What is known of it", understood: "Understood: {what}",
    stages: "Milliseconds by stage", noShares: "This answer tells no shares.", score: "score",
    newHere: "New here? Two or three questions", newTitle: "What do you like?", questionN: "Question {n}",
    newDone: "Thank you. The list follows your answers.", newNothing: "No question helps here yet.", startAgain: "Start again",
  },
  zh: {
    skip: "跳到列表", quality: "质量", api: "接口", person: "用户", shuffle: "换一位",
    sentence: "或者用一句话说说想要什么", history: "历史", clickSends: "点击发送", show: "显示",
    filter: "按标题筛选", close: "关闭", personHint: "输入用户编号", visitor: "新访客",
    sentenceHint: "例如：适合厨房的暖光灯", forPerson: "为 {who} 推荐", forText: "{for}：“{text}”",
    noHistory: "还没有记录，点击一个物品开始。", nothing: "没有符合条件的物品。", noPeople: "没有以此开头的用户。",
    items: "物品", people: "用户", events: "事件", version: "版本", bundle: "模型包", arm: "实验组",
    roundTrip: "往返", leftOut: "省略", isNew: "新", up: "升 {n}", down: "降 {n}",
    send: "发送 {event}：{title}", similar: "相似", why: "原因", similarTo: "与“{title}”相似", whyTitle: "为何推荐“{title}”",
    shares: "各信号在得分中的份额", grounds: "依据", reasons: "另写理由 {ms}", features: "特征", servedHere: "当前服务的内容", members: "组成模型",
    changed: "列表已更新：{fresh} 个新，{moved} 个移动。", same: "列表已更新：物品与顺序未变。",
    sent: "已发送 {event}：{title}。", unreachable: "服务器没有回应。", request: "请求",
    keyTitle: "此服务器需要密钥", keyLabel: "密钥", keyUse: "使用此密钥", loading: "请稍候……",
    profile: "画像", aboutYou: "自我介绍", save: "保存", saved: "已保存。", itemProfile: "物品画像", understood: "已理解：{what}",
    stages: "各阶段毫秒数", noShares: "此回答没有给出份额。", score: "得分",
    newHere: "第一次来？回答两三个问题", newTitle: "你喜欢什么？", questionN: "第 {n} 个问题",
    newDone: "谢谢，列表已按你的回答更新。", newNothing: "这里暂时没有合适的问题。", startAgain: "重新开始",
  },
};

// Names that come from the engine. What is not here is shown as it is.
const NAMES = {
  en: { told: "your answer", because_item: "goes with", repeat: "again", follows: "comes next", query: "your words", person: "your habits", price: "price", trending: "trending", evergreen: "evergreen", popular_context: "people like you", n_items: "items", n_users: "people", n_events: "events" },
  zh: {
    told: "你的回答", repeat: "再次选择", popular: "热门", because_item: "搭配", follows: "接续", text: "文本", rule: "规则", explore: "探索",
    semantic: "语义", next: "近期接续", season: "当季", trending: "新热", evergreen: "常青", person: "用户习惯", price: "价格", query: "描述", item: "物品", itemknn: "物品近邻", ease: "共现", markov: "序列", fuse: "融合", friends: "好友", popular_context: "相似人群",
    purchase: "购买", view: "浏览", cart: "加入购物车", click: "点击", rating: "评分", favourite: "收藏", interaction: "互动", play: "播放",
    cancellation: "取消", query_text: "描述", retrieve: "召回", recall: "召回", rank: "排序", policy: "策略", state: "状态", encode: "编码", filter: "过滤",
    reasons: "理由", answer: "作答", similar: "相似", features: "特征", retail: "零售", general: "通用", demo: "演示", review: "评论", like: "喜欢", other: "其他",
    n_items: "物品", n_users: "用户", n_events: "事件", version: "版本", bundle: "模型包", scenario: "场景", pipeline: "流水线", target_event: "目标事件",
    quality: "质量", members: "组成模型", clock: "时钟", name: "名称", weight: "权重", alone: "单独", without: "去掉后", ms: "毫秒", note: "说明",
  },
};

let language = "en";

export const LANGUAGES = Object.keys(WORDS);

export function setLanguage(wanted) {
  const short = String(wanted || "").slice(0, 2).toLowerCase();
  language = LANGUAGES.includes(short) ? short : "en";
  return language;
}

export const currentLanguage = () => language;

export function t(key, values = {}) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function nameOf(name) {
  return NAMES[language]?.[name] ?? String(name).replaceAll("_", " ");
}

const formats = new Map();

function format(kind, options) {
  const key = language + kind + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl[kind](language === "zh" ? "zh-CN" : "en-GB", options));
  return formats.get(key);
}

export const count = (n) => format("NumberFormat", { notation: n >= 100000 ? "compact" : "standard", maximumFractionDigits: 1 }).format(n);

export const money = (n) => format("NumberFormat", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(n);

export const milliseconds = (n) => format("NumberFormat", { maximumFractionDigits: n < 1 ? 2 : n < 100 ? 1 : 0 }).format(n);

// Times are epoch milliseconds; smaller numbers are positions in a log without real times.
export function day(ts) {
  if (!(ts > 1e10)) return "";
  const age = Date.now() - ts;
  if (age >= 0 && age < 60e3) return format("RelativeTimeFormat", { numeric: "auto" }).format(0, "second");
  if (age >= 0 && age < 3600e3) return format("RelativeTimeFormat", { style: "short" }).format(-Math.floor(age / 60e3), "minute");
  return format("DateTimeFormat", { day: "numeric", month: "short", year: "numeric" }).format(ts);
}

export const moment = (ts) => (ts > 1e10 ? format("DateTimeFormat", { dateStyle: "full", timeStyle: "short" }).format(ts) : "");
