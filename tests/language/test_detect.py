import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.language.detect import LANGUAGES, UNKNOWN, detect, detect_all

HELD_OUT = {
    "en": (
        "My daughter opened the parcel before breakfast.", "Could you tell me whether this lamp needs batteries?",
        "Nobody expected such a long queue outside the museum.", "We walked along the river until it got dark.",
        "Cheap plastic, broke after two weeks.", "Which headphones would you buy for long flights?",
    ),
    "de": (
        "Meine Tochter hat das Paket vor dem Frühstück geöffnet.", "Braucht diese Lampe eigentlich Batterien?",
        "Niemand hatte eine so lange Schlange vor dem Museum erwartet.", "Billiges Plastik, nach zwei Wochen kaputt.",
        "Wir gingen am Fluss entlang, bis es dunkel wurde.", "Der Versand war schnell und alles gut verpackt.",
    ),
    "fr": (
        "Ma fille a ouvert le colis avant le petit déjeuner.", "Est-ce que cette lampe a besoin de piles ?",
        "Personne ne s'attendait à une telle file devant le musée.", "Plastique bon marché, cassé en deux semaines.",
        "Nous avons marché le long de la rivière jusqu'à la nuit.", "La livraison était rapide et le produit conforme.",
    ),
    "es": (
        "Mi hija abrió el paquete antes del desayuno.", "¿Esta lámpara necesita pilas?",
        "Nadie esperaba una cola tan larga delante del museo.", "Plástico barato, se rompió en dos semanas.",
        "Caminamos junto al río hasta que oscureció.", "El envío llegó rápido y todo estaba bien embalado.",
    ),
    "it": (
        "Mia figlia ha aperto il pacco prima di colazione.", "Questa lampada ha bisogno delle pile?",
        "Nessuno si aspettava una coda così lunga davanti al museo.",
        "Plastica scadente, si è rotto dopo due settimane.",
        "Abbiamo camminato lungo il fiume finché non è diventato buio.", "La spedizione è stata veloce e precisa.",
    ),
    "pt": (
        "A minha filha abriu a encomenda antes do pequeno-almoço.", "Este candeeiro precisa de pilhas?",
        "Ninguém esperava uma fila tão longa em frente ao museu.", "Plástico barato, quebrou depois de duas semanas.",
        "Caminhámos junto ao rio até escurecer.", "A entrega foi rápida e o produto é muito bom.",
    ),
    "ru": ("Моя дочь открыла посылку до завтрака.", "Нужны ли этой лампе батарейки?", "Дешёвый пластик, сломался."),
    "zh": ("我女儿在早饭前打开了包裹。", "这盏灯需要电池吗？", "質量很差，兩週就壞了。", "東西不錯，會再買", "好吃"),
    "ja": ("娘は朝食の前に小包を開けました。", "このランプには電池が必要ですか？", "安いプラスチックで、すぐ壊れた。"),
    "ko": ("딸이 아침 식사 전에 소포를 열었습니다.", "이 램프에 건전지가 필요한가요?", "싸구려라 부서졌어요."),
}  # fmt: skip


def test_held_out_sentences():
    pairs = [(language, text) for language, texts in HELD_OUT.items() for text in texts]
    found = detect_all([text for _, text in pairs])
    wrong = [
        (language, text, one) for (language, text), one in zip(pairs, found, strict=True) if one.language != language
    ]
    assert len(wrong) <= 0.04 * len(pairs), wrong
    assert all(0 < one.confidence <= 1 for one in found if one.language != UNKNOWN)


@pytest.mark.parametrize(
    ("text", "language", "script"),
    [
        ("这个东西质量很好", "zh", "Hans"),
        ("這個東西質量很好", "zh", "Hant"),
        ("好吃", "zh", "Han"),
        ("我喜欢ソニー的耳机，声音很好，价格也便宜", "zh", "Hans"),
        ("ひらがな", "ja", "Kana"),
        ("Привіт, їжа смачна", "uk", "Cyrillic"),
        ("Καλημέρα σας", "el", "Greek"),
        ("שלום עולם", "he", "Hebrew"),
        ("مرحبا بالعالم", "ar", "Arabic"),
        ("سلام، چطوری؟ گربه", "fa", "Arabic"),
        ("สวัสดีครับ", "th", "Thai"),
        ("नमस्ते दुनिया", "hi", "Devanagari"),
        ("Ik heb het pakje niet gekregen en dat is heel jammer", "nl", "Latin"),
    ],
)
def test_scripts(text, language, script):
    found = detect(text)
    assert (found.language, found.script) == (language, script)


@pytest.mark.parametrize("text", ["", "   ", "12345 !!!", "👍👍", "XR-7 GTX", "https://www.example.com/the/and"])
def test_what_tells_nothing_is_unknown(text):
    found = detect(text)
    assert found.language == UNKNOWN
    assert found.confidence == 0


def test_more_text_is_surer():
    short, long = detect("the mug"), detect("the mug that I bought for my mother is very good and she likes it")
    assert short.confidence < long.confidence
    assert long.confidence > 0.7


def test_a_mixed_text_is_what_most_of_it_is_in():
    found = detect("手机壳质量不错 iPhone")
    assert found.language == "zh"
    assert found.confidence < detect("手机壳质量不错").confidence


@given(st.text(max_size=60))
def test_anything_has_an_answer(text):
    found = detect(text)
    assert found.language in {*LANGUAGES, UNKNOWN}
    assert 0 <= found.confidence <= 1
