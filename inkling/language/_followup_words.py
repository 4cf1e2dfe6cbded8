"""The words of follow-ups in English and Chinese, as patterns. Order matters: the more particular come first."""

from __future__ import annotations

import re

NUMBERS = {
    "first": 1, "1st": 1, "one": 1, "second": 2, "2nd": 2, "two": 2, "third": 3, "3rd": 3, "three": 3, "fourth": 4,
    "4th": 4, "four": 4, "fifth": 5, "5th": 5, "five": 5, "sixth": 6, "6th": 6, "seventh": 7, "7th": 7, "eighth": 8,
    "8th": 8, "ninth": 9, "9th": 9, "tenth": 10, "10th": 10, "last": -1,
    "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10,
}  # fmt: skip

MONEY = (
    r"[$€£¥￥]?\s*(?P<{0}>\d+(?:[.,]\d+)?)\s*"
    r"(?:dollars?|euros?|pounds?|bucks|usd|eur|gbp|rmb|元|块钱|块|美元|欧元|英镑)?"
)
_ORDINAL = (
    r"(?:the\s+)?(?:(?:number|no\.?|item|#)\s*(?P<n{0}>\d{{1,3}})|(?P<w{0}>first|second|third|fourth|fifth|sixth|"
    r"seventh|eighth|ninth|tenth|last|1st|2nd|3rd|[4-9]th|10th))(?:\s+(?:one|item|thing|result|suggestion))?"
)
_ZH_ORDINAL = (
    r"(?:第\s*(?P<z{0}>[一二两三四五六七八九十]|\d{{1,3}})|(?P<zl{0}>最后一))\s*(?:个|件|本|部|款|条|项|首|张)?"
)


def _any(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE)


def place(tag: str) -> str:
    """Return a pattern of a place in the list, in English."""
    return _ORDINAL.format(tag)


def zh_place(tag: str) -> str:
    """Return a pattern of a place in the list, in Chinese."""
    return _ZH_ORDINAL.format(tag)


BETWEEN = _any(
    r"\b(?:between|from)\s+" + MONEY.format("low") + r"\s*(?:and|to|-)\s*" + MONEY.format("high"),
    MONEY.format("low2") + r"\s*(?:到|至|~|～)\s*" + MONEY.format("high2") + r"(?:之间)?",
)
UNDER = _any(
    r"\b(?:under|below|less\s+than|cheaper\s+than|at\s+most|up\s+to|no\s+more\s+than|max(?:imum)?(?:\s+of)?)\s+"
    + MONEY.format("en"),
    r"(?:低于|少于|小于|不超过|不高于|最多|便宜过)\s*" + MONEY.format("zh"),
    MONEY.format("zh2") + r"\s*(?:以下|以内|之内)",
)
OVER = _any(
    r"\b(?:over|above|more\s+than|at\s+least|no\s+less\s+than|min(?:imum)?(?:\s+of)?)\s+" + MONEY.format("en"),
    r"(?:高于|超过|大于|不低于|不少于|至少)\s*" + MONEY.format("zh"),
    MONEY.format("zh2") + r"\s*(?:以上|起)",
)
CHEAPER_THAN_PLACE = _any(
    r"\bcheaper\s+than\s+" + place("a"), r"比\s*" + zh_place("a") + r"(?:还|更)?便宜(?:一点|些)?(?:的)?"
)
DEARER_THAN_PLACE = _any(
    r"\b(?:more\s+expensive|pricier)\s+than\s+" + place("a"),
    r"比\s*" + zh_place("a") + r"(?:还|更)?贵(?:一点|些)?(?:的)?",
)
MUCH_CHEAPER = _any(r"\b(?:much|far|a\s+lot|way)\s+cheaper\b", r"便宜(?:很多|得多|多了)(?:的)?")
CHEAPER = _any(
    r"\b(?:a\s+(?:bit|little)\s+|something\s+)?(?:cheaper|less\s+expensive|less\s+pricey|more\s+affordable)\b",
    r"\btoo\s+expensive\b",
    r"(?:再|更)?便宜(?:一?点儿?|一?些|的)(?:的)?|(?:再|更)便宜|太贵了?",
)
DEARER = _any(
    r"\b(?:a\s+(?:bit|little)\s+|something\s+)?(?:more\s+expensive|pricier|more\s+upmarket|higher[\s-]end)\b",
    r"(?:再|更)?贵(?:一?点儿?|一?些)(?:的)?|更高档(?:的)?|太便宜了?",
)
UNLIKE = _any(
    r"\b(?:not|less|nothing|no\s+more)\s+like\s+" + place("a"),
    r"\b(?:not|without|drop|skip)\s+" + place("b"),
    r"不要(?:像)?\s*" + zh_place("a") + r"(?:那样|这样|那种)?(?:的)?|和\s*" + zh_place("b") + r"不(?:一样|同)的?",
)
LIKE = _any(
    r"\b(?:(?:more|something|anything|others?|ones?)\s+)?(?:like|similar\s+to)\s+" + place("a"),
    r"\bmore\s+of\s+" + place("b"),
    r"(?:更|多来(?:点|些)|来(?:点|些)|要)?(?:像|类似(?:于)?|和|跟)\s*"
    + zh_place("a")
    + r"(?:(?:类似|相似|差不多|一样|接近)|那样|这样|那种)?(?:的)?",
)
OTHER_BRAND = _any(
    r"\b(?:an?other|(?:a\s+)?different|other|not\s+(?:this|that|the\s+same))\s+(?:brands?|makes?|manufacturers?|labels?|"
    r"authors?|artists?)\b",
    r"(?:换(?:一?个|个)?|别的|其他|其它|另一个|不同的?)(?:的)?(?:品牌|牌子|厂家|作者|歌手)",
)
NEWER = _any(
    r"\b(?:something\s+|anything\s+)?(?:newer|more\s+recent|more\s+modern|fresher|the\s+latest|latest|the\s+newest|newest)"
    r"(?:\s+(?:ones?|things?|items?))?\b",
    r"(?:再|更)新(?:一?点儿?|一?些)?(?:的)?|新(?:一?点儿?|一?些)(?:的)?|最新的?|最近的",
)
OLDER = _any(
    r"\b(?:something\s+|anything\s+)?(?:older|less\s+recent|more\s+classic)(?:\s+(?:ones?|things?|items?))?\b",
    r"(?:再|更)(?:老|旧|早)(?:一?点儿?|一?些)?(?:的)?|(?:老|旧|早)(?:一?点儿?|一?些)(?:的)?|经典一?(?:点|些)(?:的)?",
)
LESS_POPULAR = _any(
    r"\b(?:something\s+|anything\s+)?(?:less(?:er)?[\s-]+(?:popular|known|famous|mainstream|common)|more\s+(?:obscure|niche)|"
    r"hidden\s+gems?|not\s+so\s+popular)\b",
    r"(?:再|更)?(?:冷门|小众)(?:一?点儿?|一?些)?(?:的)?|不(?:那么|太)(?:热门|流行|出名)的?",
)
MORE_POPULAR = _any(
    r"\b(?:something\s+|anything\s+)?(?:(?:more|most)\s+(?:popular|famous|mainstream|common)|better[\s-]known)\b",
    r"(?:再|更|最)(?:热门|流行|受欢迎|出名|火)(?:一?点儿?|一?些)?(?:的)?|(?:热门|流行)(?:一?点儿?|一?些)(?:的)?",
)
OTHERS = _any(
    r"\b(?:show\s+me\s+)?(?:something|anything)\s+else\b|\bother\s+(?:ones|suggestions|items|results|things)\b|"
    r"\bnone\s+of\s+these\b",
    r"换一?批(?:吧)?|换(?:一?些|几个)(?:别的)?|还有别的吗?|都不(?:喜欢|要)|来点别的|别的(?=$|[吗呢吧，。！？,.!?\s])",
)
START_OVER = _any(
    r"\b(?:start\s+over|start\s+again|never\s+mind|forget\s+(?:that|it|all\s+that)|reset)\b",
    r"重新开始|从头再来|重来|算了",
)
_THING = r"(?P<{0}>[^,.;!?，。；！？、\x00]+?)"
_EN_END = r"(?=\s*(?:$|[,.;!?\x00]|\b(?:and|but|please|or)\b|\bunder\b|\bcheaper\b|\bnewer\b))"
_ZH_END = r"(?=\s*(?:$|[，。；！？、,.;!?\x00]|但是?|而且|最好|便宜|然后))"
WITHOUT = _any(
    r"\b(?:nothing\s+(?:with|about)|without(?:\s+any)?|not\s+(?:any|a|an|the)|no\s+more|anything\s+but|everything\s+but|except"
    r"(?:\s+for)?|don'?t\s+(?:want|like|show\s+me)(?:\s+any)?|i\s+hate|not|no)\s+" + _THING.format("en") + _EN_END,
    r"(?:不想要|不想看|不要|不喜欢|别给我|别要|别再?来|不含|不带|没有|除了|去掉|排除)"
    r"(?:任何|带|有)?" + _THING.format("zh")
    + r"(?:的|之外|以外|了)?" + _ZH_END,
)  # fmt: skip

_FILLER = (
    "a an the me i i'd i'm some something anything things thing one ones it them please but and or also just maybe",
    "rather instead want would like show give find get can could you make it's is are any more bit little that this",
    "those these of to for than with only ok okay hmm well now then though too so very what about let's see have need",
    "prefer",
)
FILLER = frozenset(" ".join(_FILLER).split())
ZH_FILLER = re.compile(
    r"请问|请|我想要|我想|我要|给我|帮我|看看|有没有|能不能|可以|但是|而且|然后|还是|最好|一点儿?|一些|一下|点儿"
    r"|的|吧|吗|呢|啊|了|要|来|再|更|和|些|点|个|那|这|它|就|都|但|嗯|好"
)
GENERIC = re.compile(
    r"\s+(?:movies?|films?|books?|songs?|games?|ones?|things?|stuff|items?|products?|please|anymore|any\s+more|at\s+all)$",
    re.IGNORECASE,
)
ZH_GENERIC = re.compile(r"(?<=.)(?:片子?|类的?|电影|影片|书籍?|小说|游戏|音乐|歌曲?|款式?|型|色的|产品|东西)$")
