from pathlib import Path

import pytest

from rag.ingest.load.encoding import older_encoding
from rag.ingest.load.text import decode

TEXTS = {
    "gb18030": "退款需要三十天。所有商品都可以在收到货物后的三十天内退回，食品除外。退款将支付到您付款时使用的账户。",
    "big5": "退款需要三十天。所有商品都可以在收到貨物後的三十天內退回，食品除外。退款將支付到您付款時使用的帳戶。",
    "shift_jis": "返金には三十日かかります。商品は受け取りから三十日以内に返品できます。食品は対象外です。",
    "euc_jp": "返金には三十日かかります。商品は受け取りから三十日以内に返品できます。食品は対象外です。",
    "euc_kr": "환불에는 삼십 일이 걸립니다. 모든 상품은 받은 날부터 삼십 일 안에 반품할 수 있습니다.",
    "cp1251": "Возврат денег занимает тридцать дней. Все товары можно вернуть, кроме продуктов питания.",
    "koi8_r": "Возврат денег занимает тридцать дней. Все товары можно вернуть, кроме продуктов питания.",
    "cp1252": "Les remboursements sont effectués dès réception – « après trente jours » à la clientèle. Ça coûte 5 €.",
}


@pytest.mark.parametrize("encoding", sorted(TEXTS))
@pytest.mark.parametrize("times", [1, 200])
def test_older_encodings_are_told_apart(encoding: str, times: int):
    text = (TEXTS[encoding] + "\n") * times
    assert decode(text.encode(encoding), Path("a.txt")) == (text, 0)


@pytest.mark.parametrize("data", [b"", b"\xe9", b"caf\xe9", b"\xff" * 100, bytes(range(128, 256)) * 4])
def test_what_tells_nothing_is_western(data: bytes):
    assert older_encoding(data) == "cp1252"
