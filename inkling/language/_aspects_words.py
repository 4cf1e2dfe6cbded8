"""Aspects in plain words, and words that judge: English and Chinese."""

from __future__ import annotations

NAMES: dict[str, tuple[str, str]] = {
    "price": ("price", "价格"),
    "quality": ("quality", "质量"),
    "durability": ("durability", "耐用"),
    "service": ("service", "服务"),
    "delivery": ("delivery", "配送"),
    "packaging": ("packaging", "包装"),
    "taste": ("taste", "口味"),
    "portion": ("portion", "分量"),
    "freshness": ("freshness", "新鲜"),
    "cleanliness": ("cleanliness", "卫生"),
    "ambience": ("ambience", "环境"),
    "location": ("location", "位置"),
    "size": ("size and fit", "尺寸"),
    "look": ("look", "外观"),
    "comfort": ("comfort", "舒适"),
    "smell": ("smell", "气味"),
    "sound": ("sound", "音质"),
    "picture": ("picture", "画质"),
    "battery": ("battery", "续航"),
    "performance": ("performance", "性能"),
    "ease": ("ease of use", "易用"),
    "content": ("content", "内容"),
}
"""Aspect -> what it is called in English and in Chinese."""

_TERMS = {
    "price": "price prices priced cost costs money value worth deal bargain budget affordability"
    "|价格 价钱 价位 性价比 价 收费",
    "quality": "quality build built construction material materials workmanship craftsmanship finish made"
    "|质量 品质 做工 材质 材料 用料 质地",
    "durability": "durability lasts lasted lifespan longevity|耐用 耐用性 寿命",
    "service": "service staff waiter waiters waitress waitresses server servers support seller manager hostess"
    " bartender bartenders owner employees|服务 态度 客服 店员 店家 老板 商家 服务员 卖家 员工",
    "delivery": "delivery shipping shipment courier arrival|配送 送餐 快递 物流 外卖员 送货 骑手 发货 送达 速度 时间",
    "packaging": "packaging package packaged wrapping|包装 盒子 餐盒 打包",
    "taste": "taste tastes flavor flavors flavour flavours food dish dishes meal meals dessert desserts drink drinks"
    " coffee cuisine|味道 口味 口感 菜 饭 菜品 食物 饭菜 汤 面 米饭 肉 饮料 咖啡 奶茶",
    "portion": "portion portions serving servings helping|分量 份量 量",
    "freshness": "freshness ingredients|新鲜度 食材",
    "cleanliness": "cleanliness hygiene restroom bathroom|卫生 干净程度",
    "ambience": "ambience ambiance atmosphere decor interior vibe|环境 氛围 气氛 装修 音乐",
    "location": "location neighborhood neighbourhood parking|位置 地点 地段 交通 停车",
    "size": "size sizes sizing fit fits length width weight|尺寸 尺码 大小 长度 重量 合身",
    "look": "look looks design style color colors colour colours appearance|外观 颜色 样子 款式 设计 外形 颜值",
    "comfort": "comfort feel feels fabric texture|舒适度 手感 触感 舒适 面料",
    "smell": "smell smells scent scents fragrance odor odour perfume|气味 香味 味儿",
    "sound": "sound sounds tone audio volume noise pickup pickups sustain acoustics|声音 音质 音色 音量 噪音",
    "picture": "picture screen display image resolution|屏幕 画质 画面 清晰度 像素",
    "battery": "battery batteries charge charging charger|电池 续航 充电 电量",
    "performance": "performance speed works worked functionality effect effects results result effectiveness"
    "|性能 效果 功能 运行 反应",
    "ease": "setup installation assembly instructions manual interface controls usability|操作 安装 说明书 界面 使用",
    "content": "story plot acting writing characters ending chapter chapters|剧情 内容 故事 情节 演技 文笔",
}
_IMPLIED = {
    "price": (
        "affordable inexpensive reasonable bargain|便宜 实惠 划算 超值 物美价廉 优惠 值得",
        "expensive overpriced pricey costly|贵 太贵 不值 坑人 坑",
    ),
    "quality": ("sturdy solid well-made|结实 扎实", "flimsy shoddy|劣质 假货 粗糙"),
    "durability": ("durable long-lasting|耐用 经久耐用", "broke broken breaks fragile|坏了 易坏 断了 不耐用"),
    "service": (
        "friendly courteous attentive helpful welcoming accommodating|热情 周到 贴心 耐心 客气",
        "rude unfriendly inattentive unhelpful dismissive|冷漠 敷衍 恶劣 没礼貌",
    ),
    "delivery": (
        "punctual|很快 挺快 超快 神速 准时 及时 快捷 迅速 速度快 提前",
        "delayed|太慢 很慢 慢死 迟到 超时 等了 太久 晚了 才送 没送 送错 漏送",
    ),
    "taste": (
        "delicious tasty yummy flavorful flavourful mouthwatering|好吃 美味 可口 好喝 香 入味 鲜美",
        "bland tasteless inedible soggy undercooked salty|难吃 不好吃 难喝 太咸 太淡 太油 太辣 没味道 腥 恶心",
    ),
    "portion": ("generous hearty|量足 量大 份量足 管饱", "tiny skimpy|量少 太少 量小 少了"),
    "freshness": ("fresh|新鲜", "stale rotten spoiled|不新鲜 馊 变质 臭 凉了 冷了 都凉"),
    "cleanliness": ("clean spotless|干净 卫生", "dirty filthy unsanitary|脏 头发 虫子 苍蝇 不干净 拉肚子"),
    "ambience": ("cozy romantic charming|温馨 优雅", "noisy crowded cramped|吵 嘈杂 拥挤"),
    "location": ("convenient|方便", "inconvenient|偏僻"),
    "size": ("true-to-size|合身 合适", "oversized undersized|偏小 偏大"),
    "look": ("beautiful gorgeous stylish pretty cute elegant|好看 漂亮 美观", "ugly|难看 丑"),
    "comfort": ("comfortable comfy soft|舒服 舒适 柔软", "uncomfortable itchy|难受 不舒服"),
    "smell": ("fragrant|", "smelly stinky|刺鼻"),
    "sound": ("|动听", "tinny muffled|杂音"),
    "picture": ("sharp crisp|清晰", "blurry pixelated|模糊"),
    "performance": ("responsive reliable effective|流畅 有效 管用", "laggy sluggish ineffective|卡顿 死机 没效果"),
    "ease": ("easy user-friendly intuitive|简单 易用 好用 容易", "complicated confusing|复杂 难用 麻烦"),
    "content": ("gripping moving hilarious|感人 精彩", "boring predictable|无聊 拖沓"),
}
_GOOD = (
    "good great excellent amazing awesome nice perfect wonderful fantastic superb outstanding love loved loves liked"
    " enjoy enjoyed enjoyable best better fine happy pleased satisfied impressed impressive recommend recommended"
    " favorite favourite terrific decent pleasant top incredible phenomenal exceptional fabulous lovely quick fast"
    " prompt flawless flawlessly beautifully smooth rich warm bright clear fair low well"
    "|好 不错 很棒 棒 赞 满意 喜欢 给力 推荐 完美 优秀 支持 良心 还行 可以 开心 贴心 快 挺好 赞赞 好评 不赖 靠谱"
)
_BAD = (
    "bad poor terrible awful horrible disappointing disappointed disappointment worst worse mediocre lousy subpar"
    " hate hated useless waste wasted cheap slow weak cold fails failed fail problem problems issue issues annoying"
    " unfortunately lacking lacks defective returned return refund junk garbage avoid unacceptable dull high hard"
    "|差 差劲 差评 垃圾 失望 糟糕 烂 恶劣 慢 不满 后悔 再也不 无语 一般 坑爹 投诉 退款 问题 没有送 不行 冷 硬 少 忘"
)
_NEGATIONS = (
    "not no never n't cannot without hardly barely neither nor isn't wasn't aren't weren't don't didn't doesn't can't"
    " couldn't won't wouldn't shouldn't|不 没 没有 不是 不太 别 并不 毫不 不够 未"
)


def _split(pair: str) -> tuple[str, ...]:
    return tuple(word for side in pair.split("|") for word in side.split())


TERMS: dict[str, str] = {word: aspect for aspect, pair in _TERMS.items() for word in _split(pair)}
"""Word -> the aspect that it names."""
IMPLIED: dict[str, tuple[str, int]] = {
    word: (aspect, sign)
    for aspect, pair in _IMPLIED.items()
    for sign, side in zip((1, -1), pair, strict=True)
    for word in _split(side)
}
"""Word that judges -> the aspect that it judges where none is named, and how."""
JUDGED: dict[str, int] = (
    dict.fromkeys(_split(_GOOD), 1)
    | dict.fromkeys(_split(_BAD), -1)
    | {word: sign for word, (_, sign) in IMPLIED.items()}
)
"""Word -> 1 or -1."""
NEGATIONS: frozenset[str] = frozenset(_split(_NEGATIONS))


def aspect_name(aspect: str, language: str = "en") -> str:
    """Return what an aspect is called in ``en`` or ``zh``; one that is no word of this list stands for itself."""
    names = NAMES.get(aspect)
    return aspect if names is None else names[1 if language == "zh" else 0]
