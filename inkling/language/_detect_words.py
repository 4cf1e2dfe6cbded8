"""What tells languages apart: frequent small words, letters, beginnings and ends of words; Chinese of two spellings."""

from __future__ import annotations

_SMALL = {
    "en": "the and of to in is that it for was on are with as this but they you have from or had by not what were we"
    " when your can there which their will would about how up out them then she many some so these her him has more"
    " could no my than been who its now did get made just very really good great after before only it's i'm don't"
    " i he his at be an do does where why here also our us am any all one would should because works use",
    "de": "der die das und ist nicht ein eine einen einem einer ich sie er es wir ihr mit von zu den dem des im am auf"
    " für an als auch aus bei nach sich so dass wie aber oder wenn nur noch schon sehr war waren hat habe haben wird"
    " werden kann mein meine dein kein keine mehr über durch um bis zum zur was wer wo hier immer gut ganz gibt uns"
    " ihm ihn vom beim sind bin bist wurde muss weil damit dann doch heute morgen",
    "fr": "le la les un une des du de et est que qui dans en pour pas plus ce cette ces il elle ils elles nous vous je"
    " tu on au aux sur avec par mais ou où donc ne se sa son ses mon ma mes très bien été être avoir ai as a ont sont"
    " était fait faire comme tout tous toute cela ça si leur leurs y l'on c'est n'est j'ai qu'il d'un d'une aussi sans"
    " chez peut même encore quand rien",
    "es": "el la los las un una unos unas y es que de en por para con no se su sus lo le les del al más pero como este"
    " esta esto ese esa muy ya o si sin sobre también hay ser está están son fue era tiene tengo me mi te tu nos"
    " cuando donde porque todo todos toda bien desde hasta entre yo él ella ellos nosotros qué cómo puede hace muy"
    " nada mucho hoy ayer aquí",
    "it": "il lo la i gli le un uno una e è che di in per con non si su del della dei delle dello al alla ai dal dalla"
    " nel nella sul sulla più ma come questo questa questi quella quello molto anche se o sono sei era ha ho hanno"
    " abbiamo mi ti ci vi io tu lui lei noi voi loro quando dove perché tutto tutti bene da fino tra fra ed essere"
    " fatto fare stato cosa c'è un'altra ancora sempre già oggi dell' l'ho",
    "pt": "o a os as um uma uns umas e é que de em por para com não se seu sua seus suas do da dos das no na nos nas"
    " ao aos à mais mas como este esta isso esse essa muito já ou sem sobre também há ser está estão são foi era tem"
    " tenho me meu minha te nós você vocês eu ele ela eles quando onde porque todo todos tudo bem até entre pelo pela"
    " nada hoje ontem aqui num numa depois fazer",
    "nl": "de het een en is van in op te dat niet met voor zijn er maar om ook als aan bij nog wel naar dan was heeft"
    " hebben ik je jij hij zij ze we wij u hun mijn dit deze die wat wie waar hoe geen meer over door uit tot worden"
    " wordt kan goed heel zo al veel erg vandaag hier omdat toen",
}
SMALL: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _SMALL.items()}
"""Language -> words that nearly every sentence of it has some of."""

ENDS: dict[str, tuple[str, ...]] = {
    "en": ("ing", "ight", "ould", "tion", "ness", "ful", "ly", "'s", "ed", "ows", "ough"),
    "de": ("ung", "keit", "heit", "lich", "isch", "chen", "schaft", "ieren", "tet", "gen", "ten", "nen"),
    "fr": ("eux", "ment", "eau", "aient", "ais", "ait", "tion", "elle", "ique", "ez", "oir", "é", "ée", "és"),
    "es": ("ción", "dad", "mente", "ando", "iendo", "aron", "ieron", "illo", "ños", "ito", "ita", "é", "ó"),
    "it": ("zione", "mente", "ità", "ando", "endo", "ato", "ata", "iamo", "etto", "ella", "issimo", "aggio", "ccia"),
    "pt": ("ção", "ções", "dade", "mente", "ando", "endo", "ndo", "inho", "inha", "ão", "ões", "aram", "eiro", "ei"),
    "nl": ("lijk", "heid", "tje", "aan", "oek", "ijn", "oor", "eren", "oed", "ig", "aar", "uur"),
}
"""Language -> how its words like to end; the longer, the more it tells."""

LETTERS: dict[str, str] = {
    "de": "äöüß",
    "fr": "àâçèêëîïôùûœ",
    "es": "ñ¿¡áíóú",
    "it": "àèìòù",
    "pt": "ãõâêôçáíóú",
    "nl": "ëĳ",
}
"""Language -> letters that it has and English has not."""

PAIRS: dict[str, tuple[str, ...]] = {
    "en": ("th", "wh", "sh", "ow", "oo", "ck", "gh"),
    "de": ("sch", "ei", "tz", "pf", "ie", "ck", "eu"),
    "fr": ("qu'", "l'", "d'", "ou", "eu", "oi", "eau", "j'", "n'"),
    "es": ("ll", "ue", "ie", "rr", "qu", "ñ"),
    "it": ("gli", "cch", "zz", "tt", "gn", "ggi", "chi", "ll'"),
    "pt": ("lh", "nh", "ão", "ss", "ou", "ei"),
    "nl": ("ij", "aa", "ee", "oo", "uu", "sch", "oe", "ui"),
}
"""Language -> letters that often stand together in its words."""

SIMPLIFIED = frozenset(
    "这个们来时说国为会学对发经过还进动现实开关问长门东车马书买卖见话语读写让认识请谢该应当点热饭馆钱银铁红绿"
    "线纸网电脑机器听声体园图团场报纪约级给结统继续绝绍总战单传优价众华协厂历压县双变号后员响喷团围坏块处备"
    "复头夹夺奖妇妈娱孙宁实审宽宾导层岁师带帮广庆库庙张弹强归录录忆态怀惊惯愿戏扩护拥择挂损换据拟摆摄摇担"
    "数断无旧显晓术杂权条极构树样桥检欢毕气汇汉沟泽洁济测浏浓涂润涨渐温湾灭灯灵炉烦爱独狱猫献环画疗监盖盘"
    "码础确礼离种积称稳竞笔签简类粮紧纯练组细终织节药获营虽虫补装规视览觉触订计讨训议记讲许论设证评词译试诗"
    "诚详误调谈谁谊账质贵费资赛赞跃践轮软轻载较辆输达迁运远违连迟适选递遗邮释里针钟钢错键镇镜队阳阴阶际陆险"
    "随难雾静页顶项顺须顾预领颜风飞饮饰饱驾验骑鱼鲜鸟鸡麦黄齐龙尔么乐习乡产亲仅从仓仪们"
)
TRADITIONAL = frozenset(
    "這個們來時說國為會學對發經過還進動現實開關問長門東車馬書買賣見話語讀寫讓認識請謝該應當點熱飯館錢銀鐵紅綠"
    "線紙網電腦機器聽聲體園圖團場報紀約級給結統繼續絕紹總戰單傳優價眾華協廠歷壓縣雙變號後員響噴團圍壞塊處備"
    "復頭夾奪獎婦媽娛孫寧實審寬賓導層歲師帶幫廣慶庫廟張彈強歸錄憶態懷驚慣願戲擴護擁擇掛損換據擬擺攝搖擔"
    "數斷無舊顯曉術雜權條極構樹樣橋檢歡畢氣匯漢溝澤潔濟測瀏濃塗潤漲漸溫灣滅燈靈爐煩愛獨獄貓獻環畫療監蓋盤"
    "碼礎確禮離種積稱穩競筆簽簡類糧緊純練組細終織節藥獲營雖蟲補裝規視覽覺觸訂計討訓議記講許論設證評詞譯試詩"
    "誠詳誤調談誰誼賬質貴費資賽讚躍踐輪軟輕載較輛輸達遷運遠違連遲適選遞遺郵釋裡針鐘鋼錯鍵鎮鏡隊陽陰階際陸險"
    "隨難霧靜頁頂項順須顧預領顏風飛飲飾飽駕驗騎魚鮮鳥雞麥黃齊龍爾麼樂習鄉產親僅從倉儀們"
)
ONLY_SIMPLIFIED = SIMPLIFIED - TRADITIONAL
ONLY_TRADITIONAL = TRADITIONAL - SIMPLIFIED
