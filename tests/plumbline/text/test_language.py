import pytest

from plumbline.text.language import detect_language, language_code

SENTENCES = {
    "en": "Refunds are paid within thirty days of the return of the goods.",
    "de": "Rückzahlungen werden innerhalb von dreißig Tagen nach der Rückgabe geleistet.",
    "fr": "Les remboursements sont effectués dans les trente jours qui suivent le retour.",
    "es": "Los reembolsos se pagan en los treinta días siguientes a la devolución.",
    "it": "I rimborsi vengono pagati entro trenta giorni dalla restituzione della merce.",
    "pt": "Os reembolsos são pagos em até trinta dias após a devolução dos produtos.",
    "nl": "Terugbetalingen worden binnen dertig dagen na de retour van het product gedaan.",
    "sv": "Återbetalningar görs inom trettio dagar efter att varorna har kommit tillbaka.",
    "da": "Tilbagebetalinger sker inden for tredive dage efter at varerne er tilbage, og det bliver gjort.",
    "no": "Tilbakebetalinger skjer innen tretti dager etter at varene er tilbake, og de blir ikke endret av noen.",
    "fi": "Hyvitykset maksetaan kolmenkymmenen päivän kuluessa siitä, kun tavarat ovat palautettu.",
    "pl": "Zwroty są wypłacane w ciągu trzydziestu dni od daty zwrotu towaru, jeśli nie jest to żywność.",
    "cs": "Vrácení peněz je provedeno do třiceti dnů od vrácení zboží, které není poškozené.",
    "hu": "A visszatérítést az áru visszaküldése után harminc napon belül fizetjük ki, és nem később.",
    "ro": "Rambursările sunt plătite în treizeci de zile de la returnarea produselor și nu mai târziu.",
    "tr": "İadeler, ürünlerin geri gönderilmesinden sonra otuz gün içinde ve ücretsiz olarak yapılır.",
    "vi": "Tiền hoàn lại được trả trong vòng ba mươi ngày kể từ khi trả hàng.",
    "id": "Pengembalian dana dibayarkan dalam tiga puluh hari setelah barang tidak lagi di tangan anda.",
    "ru": "Возврат денег производится в течение тридцати дней после возврата товара.",
    "uk": "Повернення коштів здійснюється протягом тридцяти днів після повернення товару, якщо він не пошкоджений.",
    "bg": "Парите се връщат в срок от тридесет дни след връщането на стоката, което е без такса.",
    "ar": "يتم رد الأموال خلال ثلاثين يوما من إعادة البضاعة إلى المتجر.",
    "fa": "بازپرداخت در سی روز پس از بازگشت کالا انجام می شود و این برای همه است.",
    "el": "Οι επιστροφές χρημάτων γίνονται εντός τριάντα ημερών.",
    "he": "החזרים משולמים תוך שלושים יום.",
    "th": "การคืนเงินใช้เวลาสามสิบวัน",
    "hi": "धनवापसी में तीस दिन लगते हैं।",
    "zh": "退款需要三十天，并支付到同一账户。",
    "ja": "返金には三十日かかります。",
    "ko": "환불에는 삼십 일이 걸립니다.",
}


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_one_sentence_is_enough(language: str):
    assert detect_language(SENTENCES[language]) == language


@pytest.mark.parametrize("text", ["", "12.5 % 2024", "\U0001f600", "x", "a: 1; b: 2"])
def test_what_shows_no_language_has_none(text: str):
    assert detect_language(text) is None


def test_a_long_text_is_sampled_all_over():
    assert detect_language("12345 " * 10_000 + SENTENCES["de"] * 100) == "de"
    assert detect_language(SENTENCES["ru"] * 100 + SENTENCES["en"]) == "ru"


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en-US", "en"), ("pt_BR", "pt"), ("DEU", "de"), ("zh-Hans", "zh"), ("English", None), ("", None), (None, None)],
)
def test_tags_become_codes(tag: str | None, code: str | None):
    assert language_code(tag) == code
